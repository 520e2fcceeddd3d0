//! A chat room on the bare hub: one thread for each guest, no runtime.
//!
//! `cargo run --example chat`

use std::error::Error;
use std::io;
use std::io::Write;
use std::thread;
use std::thread::JoinHandle;

use throng::Channel;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Hub;
use throng::Message;
use throng::Outbox;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

/// Three people talk; afterwards each one's screen is written to `out`.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let room = hub.channel("kitchen")?;
    let (ada, screen_of_ada) = enter(&hub, "ada")?;
    let (bob, screen_of_bob) = enter(&hub, "bob")?;
    say(&room, &ada, "is there coffee?")?;
    say(&room, &bob, "in five minutes")?;

    let (cleo, screen_of_cleo) = enter(&hub, "cleo")?;
    say(&room, &cleo, "did I miss anything?")?;
    // Who leaves does not receive what still waits of the room, so bob reads it first.
    while bob.stats().queued_messages > 0 {
        thread::yield_now();
    }
    bob.unsubscribe("kitchen")?;
    say(&room, &ada, "coffee")?;

    // What waits at the end is still received; then every screen learns why it ends.
    hub.close(Disconnect::SHUTDOWN);
    for screen in [screen_of_ada, screen_of_bob, screen_of_cleo] {
        let text = screen.join().map_err(|_| "a screen panicked")?;
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// Connects somebody to the hub and the room, with a thread that writes what is received.
fn enter(hub: &Hub, name: &'static str) -> Result<(Client, JoinHandle<String>), Box<dyn Error>> {
    let (client, outbox) = hub.connect(ConnectOptions::new().user(name))?;
    client.subscribe_blocking("kitchen")?;
    Ok((client, thread::spawn(move || screen(name, outbox))))
}

fn screen(name: &str, mut outbox: Outbox) -> String {
    let mut text = format!("-- {name} sees");
    loop {
        match outbox.recv_blocking() {
            Ok(frame) => {
                text.push('\n');
                text.push_str(&String::from_utf8_lossy(frame.payload()));
            }
            Err(closed) => return format!("{text}\n{closed}"),
        }
    }
}

/// Says something to the others.
fn say(room: &Channel, client: &Client, words: &str) -> Result<(), Box<dyn Error>> {
    let name = client.user().unwrap_or("somebody");
    let message = Message::text(format!("{name}: {words}"));
    room.prepare(message).except(client.id()).publish()?;
    Ok(())
}
