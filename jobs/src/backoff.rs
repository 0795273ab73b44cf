//! How long to wait between attempts.

use std::time::Duration;

/// How far the wait may differ from its nominal length, either way: jobs that failed together do not come back together.
const JITTER: f64 = 0.25;

/// The wait after the failure of attempt number `attempt`, counted from 1: `base`, doubled with each further attempt, at most `cap`,
/// then a quarter more or less by chance.
pub(crate) fn backoff(attempt: u32, base_ms: u64, cap_ms: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(63);
    let nominal_ms = base_ms.saturating_mul(1 << doublings).min(cap_ms);
    Duration::from_millis(nominal_ms).mul_f64(rand::random_range(1.0 - JITTER..=1.0 + JITTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_wait_doubles_up_to_the_cap_and_stays_within_its_jitter(attempt in 1_u32..200, base_ms in 1_u64..10_000, cap_ms in 1_u64..1_000_000) {
            let exact = (base_ms as f64 * 2_f64.powi(attempt as i32 - 1)).min(cap_ms as f64);
            let wait = backoff(attempt, base_ms, cap_ms).as_secs_f64() * 1000.0;
            prop_assert!(wait >= exact * 0.749 && wait <= exact * 1.251, "{wait} ms, nominally {exact} ms");
        }
    }
}
