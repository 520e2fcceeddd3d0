//! Clients that are slow in every way a socket can be, under every policy, over real connections:
//!
//! - healthy clients get every message, each before the next is published;
//! - what the server keeps for the slow is bounded;
//! - the right counter counts them: dropped, evicted, conflated, disconnected;
//! - under `disconnect`, who can still be told is told, with 3008, after a prefix without a gap;
//! - under the others, who reads again is still there, has every message or was told that it is
//!   lost, or has the latest of each key; and gets what is published then;
//! - who is gone, told or not, is noticed, and nothing of it remains.

mod crowd;
mod scene;

use self::crowd::Crowd;
use self::scene::Scene;

#[test]
fn slow_clients_are_disconnected_and_told() {
    floods("disconnect");
}

#[test]
fn slow_clients_lose_the_newest() {
    floods("drop-newest");
}

#[test]
fn slow_clients_lose_the_oldest() {
    floods("drop-oldest");
}

#[test]
fn slow_clients_keep_the_latest() {
    floods("keep-latest");
}

#[test]
fn vanished_clients_are_noticed_under_disconnect() {
    vanish("disconnect");
}

#[test]
fn vanished_clients_are_noticed_under_drop_newest() {
    vanish("drop-newest");
}

#[test]
fn vanished_clients_are_noticed_under_drop_oldest() {
    vanish("drop-oldest");
}

#[test]
fn vanished_clients_are_noticed_under_keep_latest() {
    vanish("keep-latest");
}

/// Publishes far more than the server may keep, past all kinds of slow clients, which are then
/// looked at one by one.
fn floods(policy: &str) {
    // Nobody is to be dropped for anything but the policy.
    let patient = ["--write-timeout", "600000", "--ping-interval", "600000"];
    let mut scene = Scene::start(policy, &patient);
    let mut crowd = Crowd::gather(scene.address());
    scene.subscribed(Crowd::COUNT);
    crowd.half_close_and_reset();
    scene.subscribed(Crowd::SLOW);
    let before = scene.memory();
    scene.flood(|| crowd.trickle());
    let grown = scene.memory().saturating_sub(before);
    assert!(
        grown < scene.bound(Crowd::SLOW),
        "{grown} bytes for the slow"
    );
    scene.check_counters(&crowd.ids());
    crowd.thaw();
    if policy == "disconnect" {
        crowd.are_told_why();
    } else {
        match policy {
            "keep-latest" => crowd.have_the_latest(scene.published(), Scene::KEYS),
            _ => crowd.catch_up(scene.published()),
        }
        scene.publish_last();
        crowd.get_the_next();
    }
    drop(crowd);
    scene.alone();
}

/// Publishes until those who are there no more, but have not said so, are noticed.
fn vanish(policy: &str) {
    let impatient = [
        "--write-timeout",
        "4000",
        "--ping-interval",
        "1000",
        "--pong-timeout",
        "4000",
    ];
    let mut scene = Scene::start(policy, &impatient);
    let crowd = Crowd::gather_mute(scene.address());
    scene.subscribed(crowd.count());
    crowd.vanish();
    scene.publish_until_alone();
}
