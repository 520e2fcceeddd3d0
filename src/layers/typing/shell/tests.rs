//! What a room is told.

use std::sync::Arc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::Typing;
use crate::code::ErrorCode;
use crate::hub::Client;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::stamp::MessageHeader;
use crate::layers::typing::config::TypingConfig;
use crate::layers::typing::error::TypingError;
use crate::limits::OutboxLimits;
use crate::time::Clock;
use crate::time::ManualClock;

struct Scene {
    clock: ManualClock,
    typing: Typing,
    client: Client,
    outbox: Outbox,
}

fn scene() -> Scene {
    let (hub, clock) = (Hub::new(), ManualClock::new());
    let typing = Typing::with_clock(&hub, TypingConfig::new(), Arc::new(clock.clone()));
    let (client, outbox) = hub
        .connect(ConnectOptions::new().outbox(OutboxLimits::new().messages(512)))
        .unwrap();
    client.subscribe_blocking(&den().channel()).unwrap();
    Scene {
        clock,
        typing,
        client,
        outbox,
    }
}

fn den() -> RoomId {
    RoomId::parse("den").unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

impl Scene {
    /// What the room was told since.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(frame) = self.outbox.try_recv() {
            let message = frame.message().unwrap();
            let stamp = MessageHeader::of(message).unwrap();
            assert!(stamp.kind == "typing" && stamp.ephemeral && stamp.room == Some(den()));
            told.push(String::from_utf8(message.payload().to_vec()).unwrap());
        }
        told
    }

    fn after(&self, time: Duration) {
        self.clock.advance(time);
        self.typing.tick(self.clock.now());
    }
}

const START: &str = r#"{"typing":true,"user_id":"ada"}"#;
const STOP: &str = r#"{"typing":false,"user_id":"ada"}"#;

#[test]
fn a_start_is_told_once_within_the_throttle_and_ends_by_itself() {
    let mut scene = scene();
    let ada = user("ada");
    scene.typing.start(&ada, &den(), None).unwrap();
    scene.after(Duration::from_millis(900));
    scene.typing.start(&ada, &den(), None).unwrap();
    assert_eq!(scene.told(), [START]);
    scene.after(Duration::from_millis(2900));
    assert!(
        scene.typing.is_typing(&ada, &den()),
        "the second start has moved the end"
    );
    assert_eq!(scene.told(), [""; 0]);
    assert!(scene.typing.next_deadline().is_some());
    scene.after(Duration::from_millis(110));
    assert_eq!(scene.told(), [STOP]);
    assert!(!scene.typing.is_typing(&ada, &den()));
    scene.after(Duration::from_secs(5));
    assert_eq!(scene.typing.next_deadline(), None);
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn who_starts_is_not_told_itself() {
    let mut scene = scene();
    let origin = Some(scene.client.id());
    scene.typing.start(&user("ada"), &den(), origin).unwrap();
    assert!(scene.typing.stop(&user("ada"), &den(), origin));
    assert!(!scene.typing.stop(&user("ada"), &den(), origin));
    assert_eq!(scene.told(), [""; 0]);
    scene.typing.start(&user("ada"), &den(), None).unwrap();
    assert_eq!(scene.told(), [START]);
}

#[test]
fn clearing_a_user_and_closing_a_room_stop_what_is_shown() {
    let mut scene = scene();
    scene.typing.start(&user("ada"), &den(), None).unwrap();
    scene.typing.clear(&user("ada"));
    scene.typing.clear(&user("ada"));
    scene.typing.start(&user("ada"), &den(), None).unwrap();
    scene.typing.close(&den());
    assert_eq!(scene.told(), [START, STOP, START, STOP]);
}

#[test]
fn more_than_the_most_are_refused_until_one_has_stopped() {
    let scene = scene();
    for name in 0..10 {
        scene
            .typing
            .start(&user(&format!("user-{name}")), &den(), None)
            .unwrap();
    }
    let refused = scene.typing.start(&user("ada"), &den(), None);
    assert_eq!(refused, Err(TypingError::TooMany { limit: 10 }));
    scene.typing.start(&user("user-3"), &den(), None).unwrap();
    scene.clock.advance(Duration::from_secs(4));
    scene.typing.start(&user("ada"), &den(), None).unwrap();
    assert_eq!(
        scene.typing.list(&den()),
        [user("ada")],
        "a late tick keeps nobody out"
    );
}

#[test]
fn who_may_not_type_is_told_why_and_the_room_nothing() {
    let mut scene = scene();
    let refusal = TypingError::denied(ErrorCode::Muted, "muted");
    let only = refusal.clone();
    assert!(scene.typing.permit(move |user, _| match &**user {
        "ada" => Ok(()),
        _ => Err(only.clone()),
    }));
    assert_eq!(scene.typing.start(&user("bob"), &den(), None), Err(refusal));
    assert_eq!(scene.told(), [""; 0]);
    scene.typing.start(&user("ada"), &den(), None).unwrap();
    assert_eq!(scene.told(), [START]);
}

#[test]
fn starts_and_stops_of_many_threads_are_told_in_turn() {
    let mut scene = scene();
    let together = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                for _ in 0..25 {
                    scene.typing.start(&user("ada"), &den(), None).unwrap();
                    scene.typing.stop(&user("ada"), &den(), None);
                }
            });
        }
    });
    let mut told = scene.told();
    // A stop and a start that come before anybody could tell the room make one more start.
    told.dedup_by(|later, earlier| later == earlier && *later == START);
    assert!(told.len() > 1 && told.len().is_multiple_of(2), "{told:?}");
    let (starts, stops): (Vec<_>, Vec<_>) =
        told.chunks(2).map(|pair| (&*pair[0], &*pair[1])).unzip();
    assert!(starts.iter().all(|told| *told == START), "{told:?}");
    assert!(stops.iter().all(|told| *told == STOP), "{told:?}");
}
