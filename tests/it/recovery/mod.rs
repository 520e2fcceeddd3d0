//! Clients that come back, over sockets, to the shipped binary.
//!
//! - Whoever comes back to where it was gets all that it missed, in order, once, in all channels.
//! - What cannot be given any more is told, in numbers.
//! - However little may wait for a client, what is replayed to it arrives whole.
//! - A channel that is a value gives it to whoever comes.
//! - What is remembered can be read in pages, by those who may.
//! - In a storm, with clients that are killed at random, all of that holds for each of them.

mod chaos;
mod pages;
mod replay;
mod rooms;
mod value;

use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use throng::ChannelEvent;
use throng::HistoryOptions;
use throng::Hub;
use throng::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::Ws;

/// Where a client is in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    epoch: String,
}

impl Place {
    /// Where a client begins that was told this.
    fn of_joined(joined: &Value) -> Self {
        Self {
            offset: joined["data"]["start"].as_u64().unwrap(),
            epoch: joined["epoch"].as_str().unwrap().to_owned(),
        }
    }

    fn at(&self, offset: u64) -> Self {
        Self {
            offset,
            ..self.clone()
        }
    }

    /// What `Last-Event-ID` is in a stream of this one channel.
    fn event_id(&self, channel: &str) -> String {
        format!("{channel}@{}.{}", self.offset, self.epoch)
    }
}

/// The command that subscribes, to go on from a place.
fn subscribe(channel: &str, since: Option<&Place>) -> String {
    let mut command = json!({"id": channel, "type": "subscribe", "channel_id": channel});
    if let Some(Place { offset, epoch }) = since {
        command["since"] = json!({"offset": offset, "epoch": epoch});
    }
    command.to_string()
}

/// Publishes these numbers to a channel in this order, over one connection, each as `data`. They
/// have one key, so that whatever may be conflated is.
fn publish(publisher: &mut Ws, channel: &str, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let command = json!({"type": "publish", "channel_id": channel, "data": number, "key": "k"});
        publisher.say(&command.to_string());
    }
    // Behind all of them.
    assert_eq!(publisher.ask(r#"{"type":"ping"}"#)["type"], "pong");
}

/// A server whose channel `c` remembers so, and a connection to publish over.
fn remembering(settings: &str, arguments: &[&str]) -> (Throng, Ws) {
    let rule = format!("c:{settings}");
    let throng = Throng::start(&[&["--history", &rule], arguments].concat());
    let publisher = throng.ws();
    (throng, publisher)
}

/// The place of `c` before its first message, once it has had these.
fn published(throng: &Throng, publisher: &mut Ws, numbers: impl IntoIterator<Item = u64>) -> Place {
    publish(publisher, "c", numbers);
    let channel = throng.get("/api/v1/channels/c").json();
    Place {
        offset: 0,
        epoch: channel["epoch"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn a_channel_that_is_forgotten_is_given_back_unasked() {
    let history = HistoryOptions::new().age(Duration::from_millis(50));
    let hub = Hub::builder().history(move |_| Some(history.clone()));
    let hub = hub.build().unwrap();
    let (tell, told) = mpsc::channel();
    assert!(hub.on_channel(move |change| tell.send(change.clone()).unwrap()));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let serving = throng::serve(listener, hub.clone(), std::future::pending());
    let serving = runtime.spawn(serving);
    let _delivery = hub.publish("c", Message::text("x")).unwrap();
    let name = match told.recv_timeout(PATIENCE).unwrap() {
        ChannelEvent::Created(name) => name,
        gone @ ChannelEvent::Removed(_) => panic!("{gone:?}"),
    };
    // Nobody comes, publishes or looks.
    let gone = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(gone, ChannelEvent::Removed(name));
    serving.abort();
}
