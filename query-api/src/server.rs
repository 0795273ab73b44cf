//! Listening, and stopping in time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::context::ApiContext;
use crate::router::router;

/// Serves the API until `shutdown` is cancelled, then lets running requests finish for at most `http.shutdown_grace_s`.
///
/// # Errors
/// The listener fails.
pub async fn serve(context: ApiContext, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let grace = Duration::from_secs(context.settings.http.shutdown_grace_s);
    let address = listener.local_addr()?;
    info!(%address, "listening");
    let streams = context.streams.clone();
    let stopped = shutdown.clone();
    // Or else their connections would be held open for all of the grace.
    tokio::spawn(async move {
        stopped.cancelled().await;
        streams.stop();
    });
    let stop_noting = shutdown.child_token();
    let noting = context
        .search_log
        .clone()
        .write_until(context.db.clone(), stop_noting.clone());
    let noting = tokio::spawn(noting);
    let app = router(context).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let ended = tokio::select! {
        ended = serving => ended,
        () = async {
            shutdown.cancelled().await;
            tokio::time::sleep(grace).await;
        } => {
            warn!(grace_s = grace.as_secs(), "requests still running at the end of their grace were cut off");
            Ok(())
        }
    };
    stop_noting.cancel();
    // It bounds its own last write. A panic of it is in the log already and no reason to fail.
    let _ = noting.await;
    ended
}
