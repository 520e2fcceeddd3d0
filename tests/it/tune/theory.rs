//! What is known of queues.

use std::time::Duration;

use throng::SlowConsumer;
use throng::tune::Keys;
use throng::tune::Setting;

use super::measured;
use super::one_class;

/// The share that a queue with Poisson arrivals, one server of constant service time and room for
/// `room` customers, the one in service included, turns away.
///
/// From the probabilities after departures (Gross and Harris, Fundamentals of Queueing Theory,
/// M/G/1/K): unnormalised `a[0] = 1`, `a[n+1] = (a[n] - sum k(n+1-j) a[j] - a[0] k(n)) / k(0)`,
/// where `k(i)` is the Poisson probability of `i` arrivals in one service.
fn turned_away(load: f64, room: usize) -> f64 {
    let mut poisson = vec![(-load).exp()];
    for i in 1..=room {
        poisson.push(poisson[i - 1] * load / i as f64);
    }
    let mut after = vec![1.0];
    for n in 0..room - 1 {
        let sum: f64 = (1..=n).map(|j| after[j] * poisson[n + 1 - j]).sum();
        after.push((after[n] - sum - after[0] * poisson[n]) / poisson[0]);
    }
    let all: f64 = after.iter().sum();
    let idle = after[0] / all;
    1.0 - 1.0 / (idle + load)
}

#[test]
fn the_formula_is_right_where_the_answer_is_known() {
    // Erlang's loss formula for one server and no queue.
    assert!((turned_away(0.5, 1) - 1.0 / 3.0).abs() < 1e-12);
    // Far too much: what is beyond the capacity is turned away.
    assert!((turned_away(4.0, 30) - 0.75).abs() < 1e-6);
}

#[test]
fn loss_on_one_link_agrees_with_theory() {
    for (load, outbox) in [(1.2, 4), (0.9, 2), (2.0, 8), (0.7, 8)] {
        let mut scenario = one_class();
        scenario.duration = Duration::from_secs(1_500);
        scenario.seeds = 4;
        scenario.feeds[0].rate = 100.0 * load;
        scenario.feeds[0].size.mean = 100;
        // 100 messages a second, of which one is in the socket.
        scenario.clients[0].bandwidth = 10_000;
        scenario.clients[0].rtt = Duration::ZERO;
        scenario.clients[0].in_flight = Some(0);
        let mut setting = Setting::new(SlowConsumer::DropNewest, outbox);
        setting.unsent_mark = 1;
        setting.timeout = Duration::from_secs(3_600);
        let lost = measured(&scenario, setting).figures.classes[0].lost.mid;
        let expected = turned_away(load, outbox + 1);
        let allowed = if expected >= 0.01 {
            expected * 0.02
        } else {
            0.0002
        };
        assert!(
            (lost - expected).abs() <= allowed,
            "load {load}, outbox {outbox}: {lost} is lost, {expected} by theory"
        );
    }
}

#[test]
fn loss_falls_as_the_outbox_grows() {
    let mut scenario = super::ticker();
    scenario.seeds = 1;
    for policy in [
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::KeepLatest,
    ] {
        let mut last = vec![1.0; 3];
        for outbox in [8, 16, 32, 64, 128, 256, 512] {
            let figures = measured(&scenario, Setting::new(policy, outbox)).figures;
            // Clients that sleep are closed by timeouts, which has little to do with the outbox.
            for (class, last) in figures.classes.iter().zip(&mut last) {
                let lost = class.lost.mid;
                assert!(
                    lost <= *last + 0.002,
                    "{policy:?} {outbox}: {} lose {lost}, {last} with less",
                    class.class
                );
                *last = lost;
            }
        }
    }
}

#[test]
fn a_slow_link_is_stale_by_what_waits_before_it() {
    // 60 messages a second at 50: the outbox is full, and each second 10 are evicted from its
    // front. So a message gets through it in the time in which 60 come, not 50.
    let mut scenario = one_class();
    scenario.duration = Duration::from_secs(200);
    scenario.feeds[0].rate = 60.0;
    scenario.feeds[0].size.mean = 100;
    scenario.feeds[0].keys = Some(Keys::new(1, 0.0));
    scenario.clients[0].bandwidth = 5_000;
    scenario.clients[0].in_flight = Some(0);
    scenario.clients[0].rtt = Duration::ZERO;
    let mut setting = Setting::new(SlowConsumer::DropOldest, 50);
    setting.unsent_mark = 1;
    let staleness = measured(&scenario, setting).figures.classes[0]
        .stale_p50
        .mid;
    assert!(
        (0.78..0.88).contains(&staleness),
        "{staleness} s for 50 messages at 50 a second"
    );
    let lost = measured(&scenario, setting).figures.classes[0].lost.mid;
    assert!(
        (lost - 1.0 / 6.0).abs() < 0.01,
        "{lost} is lost of 60 at 50 a second"
    );
}
