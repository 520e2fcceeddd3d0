//! Who is here: an authorizer that lets known users in, a roster, and news of comings and goings.
//!
//! `cargo run --example presence`

use std::error::Error;
use std::io;
use std::io::Write;

use throng::AuthRequest;
use throng::Authorization;
use throng::ConnectOptions;
use throng::Event;
use throng::Hub;
use throng::Member;
use throng::Outbox;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

/// Ada comes and watches; Bob comes with two tabs and goes.
pub(crate) async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let hub = Hub::builder().authorizer(doorkeeper).build()?;

    let (nobody, _outbox) = hub.connect(ConnectOptions::new())?;
    if let Err(error) = nobody.subscribe("presence-lobby").await {
        writeln!(out, "somebody: {error}")?;
    }
    let (ada, mut watching) = hub.connect(ConnectOptions::new().user("ada"))?;
    ada.subscribe("presence-lobby").await?;

    let (tab, one) = hub.connect(ConnectOptions::new().user("bob"))?;
    tab.subscribe("presence-lobby").await?;
    let (tab, other) = hub.connect(ConnectOptions::new().user("bob"))?;
    let joined = tab.subscribe("presence-lobby").await?;
    let mut here: Vec<_> = joined.members.iter().map(Member::id).collect();
    here.sort_unstable();
    writeln!(out, "bob finds {}", here.join(" and "))?;

    // A member goes with its last connection.
    drop(one);
    drop(other);
    while news(&mut watching, out).await? != News::Gone {}
    writeln!(out, "left: {:?}", hub.presence("presence-lobby"))?;
    Ok(())
}

/// Asks nobody else; a decision that has to would answer `Authorization::later`.
fn doorkeeper(request: &AuthRequest) -> Authorization {
    match request.user() {
        Some(user) => Authorization::AllowAs(Member::new(user, "{}")),
        None => Authorization::deny("log in first"),
    }
}

#[derive(PartialEq, Eq)]
enum News {
    Gone,
    Other,
}

/// Writes down the next thing that a client is told.
async fn news(outbox: &mut Outbox, out: &mut impl Write) -> Result<News, Box<dyn Error>> {
    let frame = outbox.recv().await?;
    match frame.event() {
        Event::Joined(joined) => writeln!(out, "ada is in {}", joined.channel)?,
        Event::MemberAdded(member) => writeln!(out, "{} has come", member.id())?,
        Event::MemberRemoved(member) => {
            writeln!(out, "{} has gone", member.id())?;
            return Ok(News::Gone);
        }
        _ => {}
    }
    Ok(News::Other)
}
