//! Listening, and stopping in time.
//!
//! A connection that says nothing, or takes nothing, is closed (`http.header_timeout_s`, `http.stalled_write_s`); a request as a whole is
//! bounded by `http.request_timeout_s`, its body included. Beyond `http.max_connections` nobody is accepted until somebody goes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, error, info, warn};

use crate::context::ApiContext;
use crate::measures;
use crate::router::router;
use crate::stall_guard::StallGuard;

/// Rest after a failure to accept that is nobody's connection's fault, such as too many open files: trying on at once would only burn
/// a core.
const REST: Duration = Duration::from_millis(500);

/// How long a connection may wait for what.
#[derive(Clone, Copy, Debug)]
struct Patience {
    head: Duration,
    write: Duration,
}

/// Serves the API until `shutdown` is cancelled, then lets running requests finish for at most `http.shutdown_grace_s`.
///
/// # Errors
/// The listener has no address.
pub async fn serve(context: ApiContext, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let http = &context.settings.http;
    let grace = Duration::from_secs(http.shutdown_grace_s);
    let patience = Patience {
        head: Duration::from_secs(http.header_timeout_s),
        write: Duration::from_secs(http.stalled_write_s),
    };
    let places = Arc::new(Semaphore::new(http.max_connections));
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
    let counting = context.usage.clone().write_until(context.db.clone(), stop_noting.clone());
    let counting = tokio::spawn(counting);
    measures::install();
    let app = router(context);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let (app, shutdown) = (app.clone(), shutdown.clone());
                connections.spawn(async move {
                    serve_connection(app, stream, peer, patience, shutdown).await;
                    drop(place);
                });
            }
            (_, Err(error)) if is_of_one_connection(&error) => {}
            (_, Err(error)) => {
                error!(%error, "no connection can be accepted");
                tokio::time::sleep(REST).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        warn!(
            grace_s = grace.as_secs(),
            "requests still running at the end of their grace were cut off"
        );
    }
    stop_noting.cancel();
    // They bound their own last writes. A panic of one is in the log already and no reason to fail.
    let _ = tokio::join!(noting, counting);
    Ok(())
}

/// Whether only the connection that was about to be accepted is lost.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve_connection(app: Router, stream: TcpStream, peer: SocketAddr, patience: Patience, shutdown: CancellationToken) {
    // Answers are small and written whole: waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let service = app.map_request(move |request: Request<_>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    // HTTP/1 only: to tell it from HTTP/2, the first bytes would be waited for without a limit.
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.head);
    let io = TokioIo::new(StallGuard::new(stream, patience.write));
    let connection = builder.serve_connection(io, TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients come and go as they like.
        debug!(%error, "a connection ended early");
    }
}
