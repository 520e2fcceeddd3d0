//! `Layers::send`: whoever calls it has forgotten nothing.

use std::time::Duration;

use throng::Actor;
use throng::EventName;
use throng::Hub;
use throng::Layers;
use throng::LayersBuilder;
use throng::Message;
use throng::MessageHeader;
use throng::RoomId;
use throng::UserId;
use throng::messages::MessageError;
use throng::messages::MessageQuery;
use throng::messages::OutgoingMessage;
use throng::rooms::RoomError;
use throng::rooms::RoomOptions;

/// Layers with the room `den` of ada's, in which bob types.
fn den(set_up: impl FnOnce(LayersBuilder) -> LayersBuilder) -> (Layers, RoomId) {
    let layers = set_up(Layers::builder(&Hub::new())).build();
    let room = RoomId::parse("den").unwrap();
    let rooms = layers.rooms().unwrap();
    let options = RoomOptions::new("den").id(room.clone());
    rooms.create(&Actor::User(user("ada")), options).unwrap();
    rooms.join(&user("bob"), &room, None).unwrap();
    let typing = layers.typing().unwrap();
    typing.start(&user("bob"), &room, None).unwrap();
    (layers, room)
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn bob() -> Actor {
    Actor::User(user("bob"))
}

fn said(text: &'static str) -> OutgoingMessage {
    let event = EventName::parse("note").unwrap();
    let header = MessageHeader::new("message").event(Some(event));
    OutgoingMessage::new(header.attach_to(Message::text(text)))
}

fn who_types(layers: &Layers, room: &RoomId) -> Vec<UserId> {
    layers.typing().unwrap().list(room)
}

#[test]
fn a_message_is_stored_and_ends_the_typing_of_its_sender() {
    let (layers, room) = den(|builder| builder);
    assert_eq!(who_types(&layers, &room), [user("bob")]);
    let sent = layers.send(&bob(), &room, said("hello")).wait().unwrap();
    assert_eq!(sent.id, 1);
    assert_eq!(who_types(&layers, &room), []);
    let messages = layers.messages().unwrap();
    let page = messages
        .page(&bob(), MessageQuery::room(room))
        .wait()
        .unwrap();
    let stored = &page.messages[0];
    assert_eq!(stored.payload, "hello");
    assert_eq!(stored.event.as_deref(), Some("note"));
}

#[test]
fn a_message_that_is_refused_ends_no_typing() {
    let (layers, room) = den(|builder| builder);
    let ada = Actor::User(user("ada"));
    let hour = Duration::from_secs(3600);
    let rooms = layers.rooms().unwrap();
    rooms.set_slow_mode(&ada, &room, hour).unwrap();
    layers.send(&bob(), &room, said("hello")).wait().unwrap();
    // In slow mode a member may type before it may send.
    let typing = layers.typing().unwrap();
    typing.start(&user("bob"), &room, None).unwrap();
    let refused = layers.send(&bob(), &room, said("again")).wait();
    assert!(
        matches!(refused, Err(MessageError::Room(RoomError::SlowMode { .. }))),
        "{refused:?}"
    );
    assert_eq!(who_types(&layers, &room), [user("bob")]);
    let messages = layers.messages().unwrap();
    let page = messages
        .page(&ada, MessageQuery::room(room))
        .wait()
        .unwrap();
    assert_eq!(page.messages.len(), 1);
}

#[test]
fn without_stored_messages_it_is_published_only() {
    let (layers, room) = den(|builder| builder.messages(None));
    let sent = layers.send(&bob(), &room, said("hello")).wait().unwrap();
    assert_eq!((sent.id, who_types(&layers, &room)), (1, vec![]));
    let answer = said("an answer").thread(Some(1));
    let refused = layers.send(&bob(), &room, answer).wait();
    assert!(
        matches!(
            refused,
            Err(MessageError::Disabled {
                layer: "the keeping of messages"
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn without_rooms_it_says_so() {
    let layers = Layers::builder(&Hub::new()).rooms(None).build();
    let room = RoomId::parse("den").unwrap();
    let refused = layers.send(&bob(), &room, said("hello")).wait();
    assert!(
        matches!(refused, Err(MessageError::Disabled { layer: "rooms" })),
        "{refused:?}"
    );
}
