//! Signals to stop, as a token that everything that runs long listens to.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// A token that is cancelled by the first SIGINT or SIGTERM. A second one ends the process at once: whoever sends it has
/// lost patience, and the guarantees hold after a kill anyway.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        loop {
            let (name, code) = tokio::select! {
                _ = interrupt.recv() => ("SIGINT", 130),
                _ = terminate.recv() => ("SIGTERM", 143),
            };
            if stop.is_cancelled() {
                std::process::exit(code);
            }
            info!(signal = name, "stopping");
            stop.cancel();
        }
    });
    Ok(token)
}
