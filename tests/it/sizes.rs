//! How large what is passed about is, on a machine of 64 bits: a frame is one pointer, and an error
//! that gives no message back fits into 32 bytes.

#![cfg(target_pointer_width = "64")]

use std::mem::size_of;

use throng::Batch;
use throng::Channel;
use throng::ChannelError;
use throng::ChannelName;
use throng::Client;
use throng::ClientId;
use throng::Closed;
use throng::Disconnect;
use throng::Event;
use throng::Frame;
use throng::Hub;
use throng::InvalidDisconnect;
use throng::InvalidName;
use throng::Member;
use throng::Message;
use throng::NotSubscribed;
use throng::PublishError;
use throng::SendError;
use throng::SlowConsumer;
use throng::TryRecvError;
use throng::UnknownClient;

#[test]
fn a_frame_is_a_pointer() {
    assert_eq!(size_of::<Frame>(), 8);
    assert_eq!(size_of::<Option<Frame>>(), 8);
    assert_eq!(size_of::<Event<'_>>(), 16);
}

#[test]
fn handles_are_a_pointer_or_two() {
    assert_eq!(size_of::<Hub>(), 8);
    assert_eq!(size_of::<Option<Hub>>(), 8);
    assert_eq!(size_of::<Channel>(), 16);
    assert_eq!(size_of::<Client>(), 16);
    assert_eq!(size_of::<Option<Client>>(), 16);
    assert_eq!(size_of::<Batch>(), 24);
}

#[test]
fn words_are_small() {
    assert_eq!(size_of::<ClientId>(), 8);
    assert_eq!(size_of::<Member>(), 8);
    assert_eq!(size_of::<ChannelName>(), 16);
    assert_eq!(size_of::<SlowConsumer>(), 16);
    assert_eq!(size_of::<Disconnect>(), 32);
}

#[test]
fn errors_without_a_message_fit_into_32_bytes() {
    assert!(size_of::<ChannelError>() <= 32);
    assert!(size_of::<Closed>() <= 32);
    assert!(size_of::<InvalidDisconnect>() <= 32);
    assert!(size_of::<InvalidName>() <= 32);
    assert!(size_of::<Result<Frame, Closed>>() <= 32);
    assert!(size_of::<Result<Frame, TryRecvError>>() <= 32);
    assert!(size_of::<Result<usize, Closed>>() <= 32);
    assert!(size_of::<TryRecvError>() <= 32);
    assert_eq!(size_of::<NotSubscribed>(), 0);
    assert_eq!(size_of::<UnknownClient>(), 0);
}

#[test]
fn an_error_that_gives_the_message_back_adds_a_reason_to_it() {
    assert!(size_of::<PublishError>() <= size_of::<Message>() + 24);
    assert!(size_of::<SendError>() <= size_of::<Message>() + 16);
}
