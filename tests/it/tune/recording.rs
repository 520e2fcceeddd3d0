//! Recordings: their format and bounds, and that a replay gives the live counters.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use throng::ClientId;
use throng::tune::InvalidRecording;
use throng::tune::Recorder;
use throng::tune::Recording;
use throng::tune::Setting;
use throng::tune::Tuning;

use crate::binary::Raw;
use crate::binary::Throng;

use super::command::folder;
use super::command::text;
use super::command::tune;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A feed of 100 messages a second, and one client that takes half of it.
fn half_a_feed() -> Recording {
    let recorder = Recorder::new(1 << 20, 130);
    let client = ClientId::new(7);
    for tick in 0..1_000_u64 {
        let key = format!("symbol-{}", tick % 10);
        recorder.publish(millis(tick * 10), "secret-name", Some(key.as_bytes()), 120);
        if tick % 10 == 0 {
            let (sent, unsent) = (tick / 10 * 1_250, 16_384);
            recorder.client(millis(tick * 10), client, sent + unsent, unsent, 64);
        }
    }
    recorder.recording(5)
}

#[test]
fn a_recording_is_read_as_it_was_written_and_has_no_names() {
    let recording = half_a_feed();
    let bytes = recording.to_bytes();
    assert_eq!(bytes.len(), 32 + 16 * 1_100);
    assert_eq!(Recording::from_bytes(&bytes).as_ref(), Ok(&recording));
    assert_eq!(
        (
            recording.published(),
            recording.behind(),
            recording.others()
        ),
        (1_000, 1, 4)
    );
    for name in ["secret-name", "symbol-3"] {
        let found = bytes
            .windows(name.len())
            .any(|window| window == name.as_bytes());
        assert!(!found, "{name} is in the recording");
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let bytes = half_a_feed().to_bytes();
    assert_eq!(
        Recording::from_bytes(b"throng"),
        Err(InvalidRecording::Magic)
    );
    assert_eq!(
        Recording::from_bytes(&bytes[..20]),
        Err(InvalidRecording::Length(20))
    );
    assert_eq!(
        Recording::from_bytes(&bytes[..40]),
        Err(InvalidRecording::Length(40))
    );
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Recording::from_bytes(&bytes)
    };
    assert_eq!(with(8, 2), Err(InvalidRecording::Version(2)));
    assert_eq!(with(32 + 5, 9), Err(InvalidRecording::Record(0)));
    assert_eq!(
        with(32 + 4, 9),
        Err(InvalidRecording::Record(1)),
        "time goes back after the first"
    );
    // Whatever stands in the records, a replay ends.
    for at in (32..bytes.len()).step_by(997) {
        if let Ok(recording) = with(at, 255) {
            let scenario = recording.scenario("odd");
            drop(Tuning::replay_settings(
                &recording,
                &scenario,
                &[Setting::shipped()],
            ));
        }
    }
}

#[test]
fn a_recorder_holds_no_more_than_it_was_given() {
    let recorder = Recorder::new(160, 130);
    for tick in 0..1_000 {
        recorder.publish(millis(tick), "ticks", None, 120);
    }
    let recording = recorder.recording(0);
    assert_eq!((recording.published(), recording.lost()), (10, 990));
    assert_eq!(recording.to_bytes().len(), 32 + 160);
}

#[test]
fn a_replay_gives_what_such_a_client_loses() {
    let recording = half_a_feed();
    let mut scenario = recording.scenario("half");
    scenario.pace = Some(Duration::ZERO);
    let figures = Tuning::replay_settings(&recording, &scenario, &[Setting::shipped()]).unwrap();
    let [fast, behind] = &figures[0].classes[..] else {
        panic!("two classes");
    };
    assert_eq!(
        (fast.class.as_str(), behind.class.as_str()),
        ("fast", "behind")
    );
    assert_eq!(fast.lost.mid, 0.0);
    // 250 bytes each, 12,500 a second: 50 of 100. Outbox and kernel were full when it began; the
    // kernel takes more once half of its mark is sent, 33 of the 1,000.
    assert!((behind.lost.mid - 0.5).abs() < 0.034, "{behind:?}");
    let mut other = scenario;
    other.clients.pop();
    assert!(
        Tuning::replay(&recording, &other, |_| ()).is_err(),
        "the classes are those of a recording"
    );
}

/// Clients that take some 12 kB a second.
struct Slow {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Slow {
    fn start(server: &Throng, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..clients).map(|_| {
            let mut raw = Raw::open(server.address, Some(4_096));
            raw.join("bench");
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    raw.read(60);
                    thread::sleep(millis(5));
                }
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}

/// `throng bench ws` that publishes to clients of its own, a tenth of which do not read.
fn bench(server: &Throng) -> Child {
    let url = format!("ws://{}/ws", server.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args([
        "bench",
        "ws",
        "--url",
        &url,
        "--clients",
        "20",
        "--slow-share",
        "0.1",
    ]);
    command.args([
        "--rate",
        "150",
        "--size",
        "120",
        "--seconds",
        "60",
        "--json",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Records the channel for a while, and replays it: which share the slow clients lost, by the
/// server's counters and by the model.
fn recorded_and_replayed(server: &Throng, folder: &Path) -> (f64, f64) {
    let number = |stats: &Value, name: &str| stats[name].as_u64().unwrap();
    let before = server.stats();
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    let url = format!("http://{}", server.address);
    let command = command.args([
        "record",
        "--url",
        &url,
        "--channel",
        "bench",
        "--for",
        "5s",
        "--out",
        "live.rec",
    ]);
    let output = command.current_dir(folder).output().unwrap();
    let after = server.stats();
    let lines = server.get("/api/v1/clients/slow?n=100").json();
    let lines = lines["clients"].as_array().unwrap();
    let lossy = lines.iter().filter(|line| line["dropped"] != 0).count();
    assert!(output.status.success(), "{}", text(&output));

    let recording = Recording::from_bytes(&fs::read(folder.join("live.rec")).unwrap()).unwrap();
    assert!(
        recording.published() > 500,
        "{} publishes",
        recording.published()
    );
    // A client that keeps up may have been seen with a message in its outbox.
    let behind = recording.behind();
    assert!(
        (6..=26).contains(&behind),
        "{behind} of 6 were behind: {}",
        text(&output)
    );
    let changed = |name: &str| (number(&after, name) - number(&before, name)) as f64;
    let live = changed("dropped") / changed("published") / lossy as f64;

    let scenario = recording.scenario("live");
    let figures = Tuning::replay_settings(&recording, &scenario, &[Setting::shipped()]).unwrap();
    let replayed = figures[0].classes[1].lost.mid * behind as f64 / lossy as f64;
    assert_eq!(
        figures[0].classes[0].lost.mid, 0.0,
        "the others lose nothing, as they do live"
    );
    (live, replayed)
}

#[test]
fn record_then_replay_gives_the_live_counters() {
    let patient = ["--write-timeout", "600000", "--ping-interval", "600000"];
    let server = Throng::start(&patient);
    let mut bench = bench(&server);
    let number = |stats: &Value, name: &str| stats[name].as_u64().unwrap();
    // Its clients that do not read are filled up with 380 messages, and the load goes on.
    server.stats_until(|stats| number(stats, "published") > 500);
    let slow = Slow::start(&server, 4);
    let begun = number(&server.stats(), "published");
    server.stats_until(|stats| number(stats, "published") > begun + 450);

    let folder = folder("record");
    // The counters are read a moment before and after, in which a busy machine can do anything.
    let mut attempts = (1..=3).map(|_| recorded_and_replayed(&server, &folder));
    let (live, replayed) = attempts
        .by_ref()
        .inspect(|(live, replayed)| println!("live {live:.4}, replayed {replayed:.4}"))
        .find(|(live, replayed)| (live - replayed).abs() <= 0.02)
        .expect("three recordings were replayed with other losses than the live ones");
    assert!(live > 0.3, "the clients are slow: {live}, {replayed}");
    drop((bench.kill(), bench.wait()));
    slow.stop();

    // And it can be tuned for.
    let output = tune(
        &folder,
        &[
            "live.rec", "--outbox", "16,64", "--pace", "500us", "--lost", "100%",
        ],
    );
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("publishes in 5.0 s; ") && said.contains("Take "),
        "{said}"
    );
}

#[test]
fn a_live_server_is_tuned_for_directly() {
    let server = Throng::start(&[]);
    let mut bench = bench(&server);
    server.stats_until(|stats| stats["published"].as_u64() > Some(600));
    let url = format!("http://{}", server.address);
    let folder = folder("from");
    let arguments = [
        "--from",
        &url,
        "--channel",
        "bench",
        "--record-for",
        "2s",
        "--outbox",
        "64",
        "--pace",
        "500us",
        "--lost",
        "100%",
    ];
    let output = tune(&folder, &arguments);
    drop((bench.kill(), bench.wait()));
    let said = text(&output);
    assert!(
        said.contains("Take ") || said.contains("No setting"),
        "{said}"
    );
    assert!(folder.join("tune-recorded.html").is_file(), "{said}");
}
