//! - Replies that wait are given as far as there is room, and the rest when there is again.
//! - What waits in bytes keeps further commands out, and no longer than it waits.
//! - Whatever comes is answered in its order, also a binary frame, and also what comes too early.
//! - A pending decision holds what comes after it, a pending answer does not; replies keep the
//!   order of the requests, however decisions and answers come.
//! - What commands cost ends the turn, and a publisher waits for flushers before its next command.

use std::collections::VecDeque;
use std::future;
use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Waker;

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::layers::Layers;
use crate::limits::Limits;
use crate::message::Message;
use crate::protocol::RequestId;
use crate::session::Caller;
use crate::session::ClientPublish;
use crate::session::Gate;
use crate::session::Policy;
use crate::session::Verdict;

/// Takes replies until they are so many bytes.
#[derive(Default)]
struct Limited {
    taken: Vec<Bytes>,
    most: usize,
}

impl Replies for Limited {
    fn encode(&mut self, push: Push<'_>) -> Bytes {
        let mut text = Vec::new();
        push.write(&mut text);
        text.into()
    }

    fn give(&mut self, reply: Bytes) {
        self.taken.push(reply);
    }

    fn has_room(&self) -> bool {
        self.taken.iter().map(Bytes::len).sum::<usize>() < self.most
    }
}

fn dialogue() -> (Dialogue, Outbox) {
    dialogue_of(&entrance(Hub::new(), None, Vec::new()))
}

fn entrance(hub: Hub, layers: Option<Layers>, policies: Vec<Arc<dyn Policy>>) -> Arc<Entrance> {
    let gate = Gate::new(policies);
    Arc::new(Entrance::new(hub, layers, ClientPublish::Allow, gate))
}

fn dialogue_of(entrance: &Arc<Entrance>) -> (Dialogue, Outbox) {
    let (client, outbox) = entrance
        .hub()
        .connect(ConnectOptions::new().join_notices(true))
        .unwrap();
    (Dialogue::new(entrance, client, None, false), outbox)
}

fn answered(number: u64) -> Waiting {
    Waiting::Awaited {
        id: Some(RequestId::Number(number)),
        future: Box::pin(future::ready(Ok(Reply::Done))),
    }
}

#[test]
fn what_waits_is_given_as_far_as_there_is_room() {
    let (mut dialogue, _outbox) = dialogue();
    dialogue.waiting.push_back(answered(1));
    let mut replies = Limited {
        most: 1000,
        ..Limited::default()
    };
    for _ in 0..3 {
        dialogue.reply(Bytes::from(vec![b'x'; 600]), &mut replies);
    }
    dialogue.waiting.push_back(answered(2));
    assert_eq!(dialogue.waiting_bytes, 1800);
    let cx = &mut Context::from_waker(Waker::noop());
    dialogue.poll(cx, &mut replies);
    let lengths: Vec<_> = replies.taken.iter().map(Bytes::len).collect();
    assert_eq!(lengths[1..], [600, 600], "the first is the answer");
    assert!(!dialogue.is_due(&replies), "there is no room");
    dialogue.poll(cx, &mut replies);
    assert_eq!(replies.taken.len(), 3, "nor is there when it is asked");
    // All of it was written.
    replies.taken.clear();
    assert!(dialogue.is_due(&replies));
    dialogue.poll(cx, &mut replies);
    assert_eq!((replies.taken.len(), dialogue.waiting_bytes), (2, 0));
    assert!(!dialogue.is_due(&replies), "nothing waits any more");
}

#[test]
fn what_waits_keeps_further_commands_out() {
    let (mut dialogue, _outbox) = dialogue();
    dialogue.waiting.push_back(answered(1));
    let mut replies = Limited {
        most: usize::MAX,
        ..Limited::default()
    };
    assert!(dialogue.is_ready());
    dialogue.reply(Bytes::from(vec![b'x'; MOST_WAITING_BYTES]), &mut replies);
    assert!(!dialogue.is_ready());
    dialogue.poll(&mut Context::from_waker(Waker::noop()), &mut replies);
    assert!(dialogue.is_ready());
    for number in 0..16 {
        assert!(dialogue.is_ready());
        dialogue.waiting.push_back(answered(number));
    }
    assert!(!dialogue.is_ready());
}

/// What was given, each by what it answers, or by its code.
fn told(replies: &Limited) -> Vec<String> {
    let pushes = replies.taken.iter();
    let pushes = pushes.map(|text| serde_json::from_slice::<Value>(text).unwrap());
    let told = pushes.map(|push| match &push["reply_to"] {
        Value::Null => push["data"]["code"].to_string(),
        id => id.to_string(),
    });
    told.collect()
}

#[test]
fn a_binary_frame_is_answered_after_what_came_before_it() {
    let (mut dialogue, _outbox) = dialogue();
    let mut replies = Limited {
        most: usize::MAX,
        ..Limited::default()
    };
    dialogue.waiting.push_back(answered(1));
    dialogue.binary(&mut replies);
    assert_eq!(told(&replies), [""; 0]);
    dialogue.poll(&mut Context::from_waker(Waker::noop()), &mut replies);
    assert_eq!(told(&replies), ["1", "\"unsupported_frame\""]);
}

#[test]
fn what_comes_too_early_is_held_in_its_order() {
    let (mut dialogue, mut outbox) = dialogue();
    let mut replies = Limited {
        most: usize::MAX,
        ..Limited::default()
    };
    dialogue.command(
        r#"{"id":1,"type":"subscribe","channel_id":"a"}"#,
        &mut replies,
    );
    dialogue.command(r#"{"id":2,"type":"ping"}"#, &mut replies);
    assert!(!dialogue.is_ready());
    dialogue.binary(&mut replies);
    dialogue.command(r#"{"id":3,"type":"ping"}"#, &mut replies);
    dialogue.poll(&mut Context::from_waker(Waker::noop()), &mut replies);
    assert_eq!(told(&replies), [""; 0], "the join is answered in band");
    let frame = outbox.try_recv().unwrap();
    assert!(dialogue.personal(&frame).is_some());
    dialogue.settle(&mut replies);
    assert_eq!(told(&replies), ["2", "\"unsupported_frame\"", "3"]);
    assert!(dialogue.is_ready());
}

fn unlimited() -> Limited {
    Limited {
        most: usize::MAX,
        ..Limited::default()
    }
}

#[test]
fn a_scan_ends_the_turn() {
    let hub = Hub::builder()
        .limits(Limits::new().channels(20_000))
        .build()
        .unwrap();
    let layers = Layers::builder(&hub).build();
    let channels: Vec<_> = (0..12_000)
        .map(|n| hub.channel(&format!("a.b.c.{n}")).unwrap())
        .collect();
    let entrance = entrance(hub, Some(layers), Vec::new());
    let (mut dialogue, _outbox) = dialogue_of(&entrance);
    let mut replies = unlimited();
    let find = |id: usize, pattern: &str| {
        format!(r#"{{"id":{id},"type":"channel.find","pattern":"{pattern}"}}"#)
    };
    dialogue.command(&find(1, "nothing.begins.so"), &mut replies);
    assert!(!dialogue.is_spent(), "few names were examined");
    dialogue.command(&find(2, "*.*.*.~"), &mut replies);
    assert!(dialogue.is_spent(), "10,000 names were examined");
    dialogue.begin_turn();
    assert!(!dialogue.is_spent());
    assert_eq!(told(&replies), ["1", "2"]);
    drop(channels);
}

#[test]
fn many_cheap_commands_end_the_turn() {
    let (mut dialogue, _outbox) = dialogue();
    let mut replies = unlimited();
    let mut commands = 0;
    while !dialogue.is_spent() {
        dialogue.command(r#"{"id":1,"type":"ping"}"#, &mut replies);
        commands += 1;
    }
    assert!((500..2_000).contains(&commands), "{commands}");
    assert_eq!(replies.taken.len(), commands);
}

#[tokio::test]
async fn a_publisher_waits_before_its_next_command() {
    let entrance = entrance(Hub::new(), None, Vec::new());
    let flusher = entrance.hub().turns().register();
    let (client, mut outbox) = entrance.hub().connect(ConnectOptions::new()).unwrap();
    outbox.set_row(&flusher.bell().row());
    client.subscribe("room").await.unwrap();
    let (mut dialogue, _outbox) = dialogue_of(&entrance);
    let mut replies = unlimited();
    let publish = r#"{"type":"publish","channel_id":"room","data":1}"#;
    for published in 1..=32 {
        dialogue.command(publish, &mut replies);
        assert_eq!(outbox.len(), published);
    }
    // Half the default outbox: this one waits, and nothing is read behind it.
    assert!(dialogue.is_ready());
    dialogue.command(publish, &mut replies);
    assert_eq!(outbox.len(), 32);
    assert!(!dialogue.is_ready());
    assert!(dialogue.is_due(&replies), "it is to be polled");
    let cx = &mut Context::from_waker(Waker::noop());
    dialogue.poll(cx, &mut replies);
    assert_eq!(outbox.len(), 32);
    flusher.end(flusher.begin());
    dialogue.poll(cx, &mut replies);
    assert_eq!(outbox.len(), 33);
    assert!(dialogue.is_ready());
    assert_eq!(entrance.hub().stats().publish_waits, 1);
}

#[tokio::test]
async fn a_publisher_does_not_wait_for_flushers_that_it_does_not_reach() {
    let entrance = entrance(Hub::new(), None, Vec::new());
    let flushers = [(); 2].map(|()| entrance.hub().turns().register());
    let mut outboxes = Vec::new();
    for (flusher, channel) in flushers.iter().zip(["busy", "calm"]) {
        let (client, mut outbox) = entrance.hub().connect(ConnectOptions::new()).unwrap();
        outbox.set_row(&flusher.bell().row());
        client.subscribe(channel).await.unwrap();
        outboxes.push(outbox);
    }
    for _ in 0..40 {
        let _delivery = entrance.hub().publish("busy", Message::text("x")).unwrap();
    }
    let (mut dialogue, _outbox) = dialogue_of(&entrance);
    let mut replies = unlimited();
    for _ in 0..20 {
        let publish = r#"{"type":"publish","channel_id":"calm","data":1}"#;
        dialogue.command(publish, &mut replies);
    }
    assert_eq!(outboxes[1].len(), 20);
    assert_eq!(entrance.hub().stats().publish_waits, 0);
}

/// What becomes of a request, and when it is known: when the flag is set.
#[derive(Clone, Debug)]
enum Fate {
    Answered(Flag),
    Decided(Flag, bool),
    Now,
}

type Flag = Arc<AtomicBool>;

/// Decides as it was told, in the order of the requests.
struct Fates(Arc<Mutex<VecDeque<Fate>>>);

impl Policy for Fates {
    fn name(&self) -> &str {
        "fates"
    }

    fn check(&self, _: &Caller<'_>, _: &mut Request) -> Verdict {
        match self.0.lock().pop_front() {
            Some(Fate::Decided(flag, passes)) => Verdict::later(async move {
                set(&flag).await;
                if passes {
                    return Ok(());
                }
                Err(Fault::new(ErrorCode::Forbidden, "so it was decided"))
            }),
            _ => Verdict::Pass,
        }
    }
}

async fn set(flag: &Flag) {
    // Relaxed: one thread sets it and looks.
    let is_set = |_: &mut Context<'_>| match flag.load(Ordering::Relaxed) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    };
    poll_fn(is_set).await;
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(()).prop_map(|()| Fate::Answered(Flag::default())),
        any::<bool>().prop_map(|passes| Fate::Decided(Flag::default(), passes)),
        Just(Fate::Now),
    ]
}

proptest! {
    #[test]
    fn replies_keep_the_order_of_requests(
        fates in prop::collection::vec(fate(), 1..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let told = Arc::new(Mutex::new(VecDeque::new()));
        let policies: Vec<Arc<dyn Policy>> = vec![Arc::new(Fates(Arc::clone(&told)))];
        let (mut dialogue, _outbox) = dialogue_of(&entrance(Hub::new(), None, policies));
        let mut replies = unlimited();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut flags = Vec::new();
        let mut picks = picks.into_iter();
        for (number, fate) in fates.iter().enumerate() {
            let number = number as u64;
            loop {
                let takes = match fate {
                    // As if a command had come to this, which none does before it may.
                    Fate::Answered(_) => !dialogue.is_holding() && dialogue.is_ready(),
                    _ => dialogue.is_ready(),
                };
                if takes {
                    break;
                }
                // Something that is waited for comes, whatever it is.
                let pick = picks.next().map_or(0, |pick| pick.index(flags.len()));
                let flag: Flag = flags.swap_remove(pick);
                // Relaxed: as in `set`.
                flag.store(true, Ordering::Relaxed);
                dialogue.poll(cx, &mut replies);
            }
            match fate {
                Fate::Answered(flag) => {
                    flags.push(Arc::clone(flag));
                    let flag = Arc::clone(flag);
                    let future = Box::pin(async move {
                        set(&flag).await;
                        Ok(Reply::Done)
                    });
                    let id = Some(RequestId::Number(number));
                    dialogue.waiting.push_back(Waiting::Awaited { id, future });
                }
                fate => {
                    if let Fate::Decided(flag, _) = fate {
                        flags.push(Arc::clone(flag));
                    }
                    told.lock().push_back(fate.clone());
                    let ping = format!(r#"{{"id":{number},"type":"ping"}}"#);
                    dialogue.command(&ping, &mut replies);
                }
            }
            dialogue.poll(cx, &mut replies);
        }
        for flag in flags {
            // Relaxed: as in `set`.
            flag.store(true, Ordering::Relaxed);
            dialogue.poll(cx, &mut replies);
        }
        let pushes = replies.taken.iter();
        let pushes = pushes.map(|text| serde_json::from_slice::<Value>(text).unwrap());
        let order: Vec<_> = pushes.map(|push| push["reply_to"].as_u64().unwrap()).collect();
        prop_assert_eq!(order, (0..fates.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn a_pending_decision_holds_what_comes_after_it() {
    let flag = Flag::default();
    let fates = VecDeque::from([Fate::Decided(Arc::clone(&flag), false)]);
    let fates = Fates(Arc::new(Mutex::new(fates)));
    let (mut dialogue, _outbox) = dialogue_of(&entrance(Hub::new(), None, vec![Arc::new(fates)]));
    let mut replies = unlimited();
    let cx = &mut Context::from_waker(Waker::noop());
    dialogue.command(r#"{"id":1,"type":"ping"}"#, &mut replies);
    assert!(dialogue.is_due(&replies), "the decision is to be polled");
    assert!(dialogue.is_ready(), "one more is taken");
    dialogue.command(r#"{"id":2,"type":"ping"}"#, &mut replies);
    assert!(!dialogue.is_ready(), "and no more");
    dialogue.poll(cx, &mut replies);
    assert_eq!(told(&replies), [""; 0]);
    // Relaxed: as in `set`.
    flag.store(true, Ordering::Relaxed);
    dialogue.poll(cx, &mut replies);
    assert_eq!(told(&replies), ["1", "2"]);
    let refused: Value = serde_json::from_slice(&replies.taken[0]).unwrap();
    assert_eq!(refused["data"]["code"], "forbidden");
    assert!(dialogue.is_ready());
}
