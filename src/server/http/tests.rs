//! - Whoever reads an answer slowly, but does, gets all of it, however long it takes.
//! - Whoever does not is dropped, over HTTP/2 too, where the connection itself goes on reading.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::Http;
use crate::server::ServerConfig;
use crate::server::edge::Edge;
use crate::server::peer::Peer;

const LARGE: usize = 50_000;

const SECOND: Duration = Duration::from_secs(1);

/// Serves a large answer. To send it takes longer than anything may, and each pause of a reader
/// longer than a connection may be idle.
fn serve(ours: DuplexStream) -> JoinHandle<()> {
    let router = Router::new().route("/", get(async || "x".repeat(LARGE)));
    let config = ServerConfig::new()
        .head_timeout(SECOND)
        .write_timeout(9 * SECOND);
    tokio::spawn(async move {
        let (_drain, draining) = watch::channel(false);
        let edge = Edge::new(&config, false, None, SECOND);
        let http = Arc::new(Http::new(router, Arc::new(config), edge, draining));
        let peer = Peer {
            address: None,
            is_busy: false,
            hold: Arc::new(()),
        };
        http.serve(ours, peer).await;
    })
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_slowly_gets_the_whole_answer() {
    let (ours, mut theirs) = tokio::io::duplex(1000);
    let serving = serve(ours);
    theirs
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    while read.len() < LARGE {
        time::sleep(5 * SECOND).await;
        assert_ne!(theirs.read_buf(&mut read).await.unwrap(), 0, "cut off");
    }
    theirs.read_to_end(&mut read).await.unwrap();
    assert!(read.ends_with(b"x"));
    serving.await.unwrap();
}

/// The body of the large answer over HTTP/2, 1,000 bytes of which may be on their way.
async fn ask_over_http2(theirs: DuplexStream) -> Incoming {
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1000)
        .handshake(TokioIo::new(theirs))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://localhost/").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    response.into_body()
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_slowly_over_http2_gets_the_whole_answer() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let _serving = serve(ours);
    let mut body = ask_over_http2(theirs).await;
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.expect("cut off").data_ref().map_or(0, Bytes::len);
        time::sleep(SECOND / 2).await;
    }
    assert_eq!(read, LARGE);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_read_over_http2_is_dropped() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = serve(ours);
    let _unread = ask_over_http2(theirs).await;
    serving.await.unwrap();
}
