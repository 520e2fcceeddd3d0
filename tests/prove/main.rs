//! `throng tune --prove`: the model against real sockets, on three scenarios. Asserted are the
//! losses and which setting is ahead; how old values are is a timing, and reported.
//!
//! A binary of its own, one scenario at a time: beside hundreds of other tests the readers get
//! their turns late, and lose what the model's do not. A machine can be as busy without us, so a
//! scenario has three attempts, and fails with what the last one printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use parking_lot::Mutex;
use serde_json::Value;

/// How far the real share of lost messages may be from the model's, in points. On a quiet machine
/// it is within two.
const POINTS: f64 = 4.0;

/// One scenario at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Proves a scenario, and checks each row of the proof.
fn prove(name: &str, scenario: &str) {
    let _alone = ALONE.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("prove-{name}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("scenario.toml"), scenario).unwrap();
    let mut failed = String::new();
    for attempt in 1..=3 {
        let said = run(&folder);
        println!("attempt {attempt}\n{said}");
        assert!(said.contains("On real sockets, "), "{said}");
        let defaults = said.lines().filter(|line| line.ends_with('←')).count();
        assert!(defaults >= 1, "the defaults are proved as well\n{said}");
        match check(&report(&folder.join(format!("tune-{name}.json")), &said)) {
            Ok(()) => return,
            Err(error) => failed = format!("{error}\n{said}"),
        }
    }
    panic!("{failed}");
}

fn run(folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["tune", "scenario.toml", "--prove", "--prove-for", "8s"])
        .current_dir(folder)
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    format!("{}{error}", String::from_utf8_lossy(&output.stdout))
}

/// Each row is lost as the model says, and where the model puts a setting 20 % behind, it is
/// behind.
fn check(report: &Value) -> Result<(), String> {
    let rows = report["proof"]["rows"].as_array().unwrap();
    assert!(rows.len() >= 3, "{report}");
    for row in rows {
        let lost =
            [&row["lost"]["model"]["mid"], &row["lost"]["real"]].map(|it| it.as_f64().unwrap());
        if (lost[0] - lost[1]).abs() > POINTS / 100.0 {
            return Err(format!("{} is lost, {} by the model", lost[1], lost[0]));
        }
    }
    let best = &rows[0];
    let median = |row: &Value, which: &str| match which {
        "real" => row["stale_p50"]["real"].as_f64().unwrap(),
        _ => row["stale_p50"]["model"]["mid"].as_f64().unwrap(),
    };
    for other in rows.iter().filter(|row| row["class"] == best["class"]) {
        let behind = median(best, "model") * 1.2 + 0.1 < median(other, "model");
        if behind && median(best, "real") >= median(other, "real") {
            return Err(format!("not behind: {other}"));
        }
    }
    Ok(())
}

fn report(file: &Path, said: &str) -> Value {
    let json = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {said}"));
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_ticker_to_slow_readers_is_as_the_model_says() {
    prove(
        "ticks",
        r#"
        name = "ticks"
        duration = "10s"
        population = 6
        seeds = 3
        pace = "500us"
        [[feed]]
        rate = 160.0
        keys = { count = 40, skew = 1.0 }
        [[clients]]
        class = "slow"
        bandwidth = "190kbit"
        rtt = "0ms"
        [sweep]
        outbox = [32, 128]
        policy = ["keep-latest", "drop-oldest", "drop-newest"]
        unsent_mark = [16384]
    "#,
    );
}

#[test]
fn a_chat_to_readers_that_stall_is_as_the_model_says() {
    prove(
        "chat",
        r#"
        name = "chat"
        values = "all"
        duration = "10s"
        population = 6
        seeds = 3
        pace = "500us"
        [[feed]]
        rate = 100.0
        size = { mean = 180, spread = 0.4 }
        [[clients]]
        class = "stalls"
        bandwidth = "400kbit"
        rtt = "0ms"
        stall = { every = "2s", lasts = "700ms" }
        [sweep]
        outbox = [16, 64]
        policy = ["drop-oldest", "drop-newest"]
        unsent_mark = [16384]
    "#,
    );
}

#[test]
fn two_classes_of_readers_are_as_the_model_says() {
    prove(
        "two",
        r#"
        name = "two"
        duration = "10s"
        population = 8
        seeds = 3
        pace = "500us"
        [[feed]]
        rate = 200.0
        size = 60
        timing = "even"
        keys = { count = 24 }
        [[clients]]
        class = "fast"
        rtt = "0ms"
        [[clients]]
        class = "slow"
        bandwidth = "160kbit"
        rtt = "0ms"
        [sweep]
        outbox = [64, 200]
        policy = ["keep-latest", "drop-newest"]
        unsent_mark = [8192]
    "#,
    );
}
