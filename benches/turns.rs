//! How long one client waits for its answer while two others send the most expensive commands.
//!
//! A hub with 12,000 channels. Two connections send `channel.find` with a pattern that nothing
//! matches, 10,000 names each, as fast as the server reads. A third asks for a `pong`, again and
//! again. Not criterion's: it prints the median, the 99th percentile and the longest round trip,
//! without the flood and with it. `-- --test` runs few of them.

use std::env;
use std::time::Duration;
use std::time::Instant;

use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::transport::ws::Negotiated;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::runtime::Builder;

const CHANNELS: usize = 12_000;
const FIND: &str = r#"{"type":"channel.find","pattern":"*.*.*.~"}"#;
const PING: &str = r#"{"type":"ping","id":1}"#;

fn main() {
    let rounds = if env::args().any(|argument| argument == "--test") {
        20
    } else {
        2_000
    };
    for workers in [1, 2] {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            // On a worker, as the connections are.
            let measured = tokio::spawn(measure(workers, rounds));
            measured.await.expect("it is measured");
        });
        runtime.shutdown_background();
    }
}

async fn measure(workers: usize, rounds: usize) {
    let hub = Hub::new();
    let layers = Layers::builder(&hub).build();
    let channels = (0..CHANNELS).map(|n| hub.channel(&format!("a.b.c.{n}")));
    let _channels: Vec<_> = channels.map(|it| it.expect("a channel")).collect();
    let gateway = Gateway::builder(hub).layers(layers).build();
    let mut asking = connect(&gateway).await;
    report(workers, "alone", &round_trips(&mut asking, rounds).await);
    for _ in 0..2 {
        let mut flooding = connect(&gateway).await;
        tokio::spawn(async move {
            let commands = masked(FIND).repeat(1_000);
            while flooding.write_all(&commands).await.is_ok() {}
        });
    }
    report(
        workers,
        "flooded",
        &round_trips(&mut asking, rounds / 10).await,
    );
}

async fn connect(gateway: &Gateway) -> DuplexStream {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let serving = gateway.serve_ws(ours, &[], Negotiated::default(), ConnectOptions::new());
    tokio::spawn(serving);
    read_until(&mut theirs, "connected").await;
    theirs
}

async fn read_until(stream: &mut DuplexStream, word: &str) {
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains(word) {
        let read = stream.read_buf(&mut told).await.expect("it is open");
        assert!(read > 0, "it is open");
    }
}

async fn round_trips(asking: &mut DuplexStream, rounds: usize) -> Vec<Duration> {
    let ping = masked(PING);
    let mut trips = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        asking.write_all(&ping).await.expect("it is open");
        read_until(asking, "pong").await;
        trips.push(start.elapsed());
    }
    trips.sort();
    trips
}

fn report(workers: usize, how: &str, trips: &[Duration]) {
    let at = |share: usize| trips[(trips.len() * share / 100).min(trips.len() - 1)];
    println!(
        "turns/{workers} workers/{how}: p50 {:?}, p99 {:?}, max {:?}",
        at(50),
        at(99),
        at(100)
    );
}

/// A text in a frame as a client sends it: the mask is zero.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    assert!(length < 126, "short");
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    frame
}
