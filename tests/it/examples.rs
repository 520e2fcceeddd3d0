//! The examples do what they say: each runs here as `cargo run --example` runs it, and once more
//! for a look at what it writes.

#[path = "../examples/chat.rs"]
mod chat;
#[path = "../examples/presence.rs"]
mod presence;
#[cfg(feature = "layers")]
#[path = "../examples/rooms.rs"]
mod rooms;
#[path = "../examples/ticker.rs"]
mod ticker;

#[test]
fn chat_shows_everyone_what_the_others_said() {
    chat::main().unwrap();
    let mut out = Vec::new();
    chat::run(&mut out).unwrap();
    let expected = "\
-- ada sees
bob: in five minutes
cleo: did I miss anything?
disconnected: shutdown (3001)
-- bob sees
ada: is there coffee?
cleo: did I miss anything?
disconnected: shutdown (3001)
-- cleo sees
ada: coffee
disconnected: shutdown (3001)
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn ticker_ends_with_the_latest_price_of_each_symbol() {
    ticker::main().unwrap();
    let mut out = Vec::new();
    ticker::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let expected = "\
fast: 3000 ticks
slow: 6 ticks, the last ones:
  ACME 1000
  GLOBEX 1000
  INITECH 1000
conflated for it: 2994
";
    assert_eq!(text, expected);
}

#[cfg(feature = "layers")]
#[test]
fn rooms_keep_what_was_said() {
    rooms::main().unwrap();
    let mut out = Vec::new();
    rooms::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let (kept, told) = text.split_at(text.find("ada is told").unwrap());
    assert_eq!(kept, "1 ada: is anybody here?\n2 bob: I am\n");
    assert!(
        told.contains("is told: is anybody here?") && told.contains("is told: I am"),
        "{told}"
    );
}

#[tokio::test]
async fn presence_tells_of_comings_and_goings() {
    std::thread::spawn(|| presence::main().unwrap())
        .join()
        .unwrap();
    let mut out = Vec::new();
    presence::run(&mut out).await.unwrap();
    let expected = "\
somebody: unauthorized: log in first
bob finds ada and bob
ada is in presence-lobby
bob has come
bob has gone
left: [Member { id: \"ada\", info: b\"{}\" }]
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
