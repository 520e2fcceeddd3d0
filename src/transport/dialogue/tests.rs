//! - Replies that wait are given as far as there is room, and the rest when there is again.
//! - What waits in bytes keeps further commands out, and no longer than it waits.
//! - Whatever comes is answered in its order, also a binary frame, and also what comes too early.

use std::future;
use std::task::Waker;

use serde_json::Value;

use super::*;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::hub::Outbox;
use crate::protocol::RequestId;

/// Takes replies until they are so many bytes.
#[derive(Default)]
struct Limited {
    taken: Vec<Bytes>,
    most: usize,
}

impl Replies for Limited {
    fn give(&mut self, reply: Bytes) {
        self.taken.push(reply);
    }

    fn has_room(&self) -> bool {
        self.taken.iter().map(Bytes::len).sum::<usize>() < self.most
    }
}

fn dialogue() -> (Dialogue, Outbox) {
    let gateway = Gateway::new(Hub::new());
    let (client, outbox) = gateway
        .hub()
        .connect(ConnectOptions::new().join_notices(true))
        .unwrap();
    let rules = Rules {
        client_publish: ClientPublish::Allow,
        max_commands: None,
        max_refused: None,
    };
    (Dialogue::new(&gateway, client, rules, None, false), outbox)
}

fn answered(number: u64) -> Waiting {
    Waiting::Awaited {
        id: Some(RequestId::Number(number)),
        future: Box::pin(future::ready(Ok(Answer::done()))),
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
    let texts = replies.taken.iter().map(framing::text_of);
    let pushes = texts.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
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
