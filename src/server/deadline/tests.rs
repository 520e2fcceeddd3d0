//! - Who reads nothing for the timeout loses the connection, not sooner.
//! - Every byte that is taken begins the time anew, and time without anything to write is free.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::time;

use super::Activity;
use super::Carrier;
use super::Deadline;

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn who_does_not_read_loses_the_connection() {
    let (ours, _theirs) = tokio::io::duplex(4);
    let mut ours = Deadline::new(ours, TIMEOUT, Activity::default(), Carrier::default());
    let start = time::Instant::now();
    let error = ours.write_all(b"12345").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_little_now_and_then_keeps_it() {
    let (ours, mut theirs) = tokio::io::duplex(1);
    let mut ours = Deadline::new(ours, TIMEOUT, Activity::default(), Carrier::default());
    let reading = async {
        for _ in 0..4 {
            time::sleep(TIMEOUT - Duration::from_secs(1)).await;
            theirs.read_u8().await.unwrap();
        }
    };
    let writing = async { ours.write_all(b"1234").await.unwrap() };
    let both = async { tokio::join!(writing, reading) };
    time::timeout(10 * TIMEOUT, both).await.unwrap();
    // Nothing waits: no time runs.
    time::sleep(TIMEOUT * 2).await;
    ours.write_all(b"5").await.unwrap();
    assert_eq!(theirs.read_u8().await.unwrap(), b'5');
}
