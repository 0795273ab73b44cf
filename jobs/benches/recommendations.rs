//! How long it takes to find which workflows go together, and in how much memory: `script/bench recommendations [--quick]`.
//!
//! 100,000 people, 50,000 workflows and 5 million interactions of a made community, in memory: what the job does between reading and writing
//! its rows, in the same blocks. How good the result is is measured by `cookbook evaluate recommendations`, on real rows.
#![expect(clippy::print_stdout, reason = "its table is its result")]

use std::fs;
use std::time::{Duration, Instant};

use config::Settings;
use jobs::neighbours::Collected;
use store::WorkflowId;
use store::recommendation::{Act, ActKind, interests, mixed};

/// Workflows whose neighbours are computed at once, as by the job.
const BLOCK: usize = 2048;

const DAY_S: i64 = 86_400;

/// Numbers that look random, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 += 1;
        mixed(self.0) % below
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }

    /// Few get much.
    fn skewed(&mut self, below: u64) -> u64 {
        (self.unit().powi(2) * below as f64) as u64
    }
}

/// Sets the mark of the most memory back to what is used now. Where that is not allowed, the peak of the whole run is shown.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Most memory since [`forget_peak`], in MB.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn print(what: &str, took: Duration) {
    println!("{what:<52} {:>8.2} s {:>8} MB at most", took.as_secs_f64(), peak_mb());
}

fn main() -> Result<(), config::SettingsError> {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (people, workflows, each) = if is_quick {
        (10_000, 5_000, 50)
    } else {
        (100_000, 50_000, 50)
    };
    let settings = Settings::defaults()?.recommendations;
    println!(
        "recommendations: {people} people, {workflows} workflows, about {} interactions",
        people * each
    );
    forget_peak();
    let start = Instant::now();
    let mut random = Random(1);
    let mut collected = Collected::default();
    for _ in 0..people {
        // From a few to some hundreds, 50 in the mean; half of them of a tenth of all workflows that is the person's own.
        let count = 5 + random.skewed(3 * (each - 5));
        let scene = random.below(10);
        let acts = (0..count).map(|_| {
            let workflow = random.skewed(workflows);
            let workflow = if random.below(2) == 0 {
                workflow
            } else {
                workflow / 10 * 10 + scene
            };
            Act {
                workflow: WorkflowId(1 + workflow),
                kind: if random.below(3) == 0 {
                    ActKind::Like
                } else {
                    ActKind::Download
                },
                at_s: random.below(1000) as i64 * DAY_S,
            }
        });
        collected.add(&interests(&settings, acts));
    }
    println!(
        "{} interactions of {} workflows",
        collected.interactions(),
        collected.workflows()
    );
    print("weigh and collect what people did", start.elapsed());
    forget_peak();
    let start = Instant::now();
    let takers = collected.finish();
    print("turn it over", start.elapsed());
    forget_peak();
    let start = Instant::now();
    let shrinkage = takers.best_shrinkage(&settings);
    print("choose a shrinkage", start.elapsed());
    forget_peak();
    let start = Instant::now();
    let mut kept = 0;
    for first in (0..takers.len()).step_by(BLOCK) {
        let block = takers.neighbours(settings.neighbours, shrinkage, first..(first + BLOCK).min(takers.len()));
        kept += block.iter().map(|(_, neighbours)| neighbours.len()).sum::<usize>();
    }
    print("compare all workflows", start.elapsed());
    println!("{kept} neighbours");
    Ok(())
}
