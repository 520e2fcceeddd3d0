//! `throng::tune`, seen from outside:
//!
//! - the same scenario with the same pace gives the same bytes, whatever the cores do;
//! - a link faster than the feed loses nothing; loss agrees with queueing theory, and falls as the
//!   outbox grows under every policy that drops;
//! - what is recommended passes its bounds, and each reason is a figure of another setting;
//! - where nothing passes, the bound, the class and what would pass are named, and the exit code is
//!   3;
//! - no line for a terminal of 80 columns is longer.

mod command;
mod recording;
pub(crate) mod report;
mod theory;

use std::time::Duration;

use throng::SlowConsumer;
use throng::tune::ClientClass;
use throng::tune::Ranked;
use throng::tune::Scenario;
use throng::tune::Setting;
use throng::tune::Tuning;

/// A scenario that is simulated in an instant, with one class of clients.
pub(crate) fn one_class() -> Scenario {
    let mut scenario = Scenario::default();
    scenario.seeds = 1;
    scenario.population = 2;
    scenario.overhead = 0;
    scenario.pace = Some(Duration::ZERO);
    scenario.sweep.unsent_mark = vec![16 << 10];
    scenario
}

/// Measures one setting on all seeds of a scenario.
pub(crate) fn measured(scenario: &Scenario, setting: Setting) -> Ranked {
    let mut scenario = scenario.clone();
    scenario.sweep.policy = vec![setting.policy];
    scenario.sweep.outbox = vec![setting.outbox];
    scenario.sweep.unsent_mark = vec![setting.unsent_mark];
    scenario.sweep.history = vec![setting.history];
    scenario.sweep.flush_delay = vec![setting.flush_delay];
    scenario.sweep.timeout = vec![setting.timeout];
    let tuning = Tuning::run(&scenario, |_| ()).unwrap();
    let mut all = tuning.ranked.into_iter();
    all.find(|it| it.figures.setting == setting).unwrap()
}

/// A small ticker: every class, bursts and keys.
pub(crate) fn ticker() -> Scenario {
    let mut scenario = Scenario::preset("ticker").unwrap();
    scenario.name = "ticks".to_owned();
    scenario.duration = Duration::from_secs(24);
    scenario.population = 12;
    scenario.seeds = 2;
    scenario.seed = 3;
    scenario.pace = Some(Duration::from_micros(500));
    scenario.sweep.outbox = vec![16, 128, 512];
    scenario
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut scenario = ticker();
    scenario.duration = Duration::from_secs(6);
    scenario.sweep.policy = vec![SlowConsumer::KeepLatest, SlowConsumer::DISCONNECT];
    let report = || Tuning::run(&scenario, |_| ()).unwrap().to_json(None);
    let first = report();
    assert!(first == report(), "two runs differ");
    let mut other = scenario.clone();
    other.seed += 1;
    assert!(
        first != Tuning::run(&other, |_| ()).unwrap().to_json(None),
        "the seed matters"
    );
}

#[test]
fn a_link_faster_than_the_feed_loses_nothing() {
    for policy in Scenario::default().sweep.policy {
        let mut scenario = one_class();
        scenario.duration = Duration::from_secs(10);
        scenario.pace = Some(Duration::from_millis(1));
        // Nothing is up to date before it has come.
        scenario.clients[0].rtt = Duration::ZERO;
        let figures = measured(&scenario, Setting::new(policy, 64)).figures;
        let class = &figures.classes[0];
        assert_eq!(class.lost.high, 0.0, "{policy:?}");
        assert_eq!(class.superseded.high, 0.0, "{policy:?}");
        assert_eq!(class.closed_slow.high, 0.0, "{policy:?}");
        assert_eq!(class.stale_p50.high, 0.0, "{policy:?}");
    }
}

#[test]
fn a_client_that_sleeps_comes_back_and_a_history_gives_it_what_it_missed() {
    let mut scenario = one_class();
    let mut class = ClientClass::preset("sleepy").unwrap();
    class.share = 1.0;
    scenario.clients = vec![class];
    scenario.feeds[0].rate = 20.0;
    scenario.duration = Duration::from_secs(600);
    let mut setting = Setting::new(SlowConsumer::DropOldest, 64);
    let without = measured(&scenario, setting).figures;
    setting.history = 4_096;
    let with = measured(&scenario, setting).figures;
    setting.timeout = Duration::from_secs(60);
    let patient = measured(&scenario, setting).figures;
    let of = |figures: &throng::tune::Figures| {
        let class = &figures.classes[0];
        (class.lost.mid, class.closed_timeout.mid)
    };
    let ((lost, closed), (kept, _), (_, spared)) = (of(&without), of(&with), of(&patient));
    assert!(closed > 5.0, "{closed} an hour are closed");
    assert!(
        lost > 0.05 && kept < lost / 2.0,
        "{kept} is lost with a history, {lost} without"
    );
    assert!(
        spared < closed / 4.0,
        "{spared} an hour are closed with patience, {closed} without"
    );
}

#[test]
fn what_cannot_be_simulated_is_refused_with_the_field_and_what_is_allowed() {
    let with = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = Scenario::default();
        change(&mut scenario);
        Tuning::run(&scenario, |_| ()).unwrap_err().to_string()
    };
    for (error, expected) in [
        (
            with(&|it| it.population = 0),
            "population is 0, it must be from 1 to 100000",
        ),
        (
            with(&|it| it.feeds[0].rate = f64::NAN),
            "rate is NaN, it must be from 0 to 1000000",
        ),
        (
            with(&|it| it.feeds.clear()),
            "the number of `[[feed]]` is 0, it must be from 1 to 64",
        ),
        (
            with(&|it| it.sweep.outbox = vec![0]),
            "sweep.outbox is 0, it must be from 1 to 1048576",
        ),
        (
            with(&|it| it.name = "../x".to_owned()),
            "`name` must be 1 to 64 letters, digits, `-`, `_` or `.`",
        ),
        (
            with(&|it| it.clients[0].share = 0.0),
            "one `share` at least must be above 0",
        ),
    ] {
        assert_eq!(error, expected);
    }
    let unknown = Scenario::from_toml("[[feed]]\nrat = 1.0")
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("unknown field `rat`"), "{unknown}");
    let unit = Scenario::from_toml("duration = \"2x\"")
        .unwrap_err()
        .to_string();
    assert!(unit.contains("use a time such as 1.2s"), "{unit}");
}

#[test]
fn a_scenario_is_read_as_it_was_written() {
    for name in Scenario::PRESETS {
        let mut scenario = Scenario::preset(name).unwrap();
        scenario.pace = Some(Duration::from_micros(730));
        let again = Scenario::from_toml(&scenario.to_toml()).unwrap();
        assert_eq!(again, scenario, "{name}");
    }
}
