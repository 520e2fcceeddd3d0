//! - Whoever reads an answer slowly, but does, gets all of it, however long it takes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time;

use super::Http;
use crate::server::ServerConfig;

const LARGE: usize = 50_000;

#[tokio::test(start_paused = true)]
async fn whoever_reads_slowly_gets_the_whole_answer() {
    let router = Router::new().route("/", get(async || "x".repeat(LARGE)));
    let second = Duration::from_secs(1);
    // The whole takes longer than anything may, and so does each pause than an idle connection.
    let config = ServerConfig::new()
        .head_timeout(second)
        .write_timeout(9 * second);
    let (_drain, draining) = watch::channel(false);
    let http = Http::new(router, Arc::new(config), draining);
    let (ours, mut theirs) = tokio::io::duplex(1000);
    let serving = tokio::spawn(async move { http.serve(ours, Arc::new(())).await });
    theirs
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    while read.len() < LARGE {
        time::sleep(5 * second).await;
        assert_ne!(theirs.read_buf(&mut read).await.unwrap(), 0, "cut off");
    }
    theirs.read_to_end(&mut read).await.unwrap();
    assert!(read.ends_with(b"x"));
    serving.await.unwrap();
}
