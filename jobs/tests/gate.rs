//! A door in front of the database that can be shut: connections through it break, and new ones are refused.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The door. Dropping it closes it for good.
pub(crate) struct Gate {
    url: String,
    is_open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// An open gate before the server of this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let (head, tail) = url.split_once('@').unwrap();
        let (server, path) = tail.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{head}@{}/{path}", listener.local_addr().unwrap());
        let is_open = Arc::new(watch::Sender::new(true));
        tokio::spawn(serve(listener, server.to_owned(), is_open.subscribe()));
        Self { url, is_open }
    }

    /// The URL that leads through the gate.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Breaks every connection, and lets nobody through.
    pub(crate) fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets everybody through.
    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }
}

async fn serve(listener: TcpListener, server: String, is_open: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, mut is_open) = (server.clone(), is_open.clone());
        tokio::spawn(async move {
            if !*is_open.borrow() {
                return;
            }
            let mut database = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut database) => {}
                _ = is_open.wait_for(|is_open| !is_open) => {}
            }
        });
    }
}
