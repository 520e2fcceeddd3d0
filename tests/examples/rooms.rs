//! A room with members, messages that are kept, and a search: the layers, without any server.
//!
//! `cargo run --example rooms`

use std::error::Error;
use std::io;
use std::io::Write;

use throng::Actor;
use throng::ConnectOptions;
use throng::Hub;
use throng::Layers;
use throng::Message;
use throng::UserId;
use throng::messages::MessageQuery;
use throng::messages::OutgoingMessage;
use throng::rooms::RoomOptions;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

/// Ada makes a room and writes in it; Bob joins, answers, and reads what was said before he came.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let layers = Layers::new(&hub);
    let rooms = layers.rooms().ok_or("rooms are on unless turned off")?;
    let messages = layers.messages().ok_or("so is the keeping of messages")?;

    // Whoever keeps `here` is there; dropping it disconnects.
    let (_client, mut outbox, _here) = layers.enter(ConnectOptions::new().user("ada"), "memory")?;
    let ada = Actor::User(UserId::parse("ada")?);
    let room = rooms.create(&ada, RoomOptions::new("Lobby"))?.id;
    layers.send(&ada, &room, said("is anybody here?")).wait()?;

    let bob = UserId::parse("bob")?;
    rooms.join(&bob, &room, None)?;
    let answer = said("I am").thread(Some(1));
    layers
        .send(&Actor::User(bob.clone()), &room, answer)
        .wait()?;

    let page = messages
        .page(&Actor::User(bob), MessageQuery::room(room))
        .wait()?;
    for message in page.messages.iter().rev() {
        let who = message.user.as_ref().map_or("the server", UserId::as_str);
        let text = String::from_utf8_lossy(&message.payload);
        writeln!(out, "{} {who}: {text}", message.sequence)?;
    }
    while let Ok(frame) = outbox.try_recv() {
        if let Some(message) = frame.message() {
            let text = String::from_utf8_lossy(message.payload());
            writeln!(out, "ada is told: {text}")?;
        }
    }
    Ok(())
}

fn said(text: &'static str) -> OutgoingMessage {
    OutgoingMessage::new(Message::text(text))
}
