//! The application's own name for what a message is: from whoever sends it to whoever receives it,
//! and to whoever reads it later.

use serde_json::Value;
use serde_json::json;

use super::Member;
use super::World;
use super::about;
use super::edit;
use super::ids;
use super::of;
use super::send;
use super::with;
use crate::crash::Folder;

/// A message of the room `den`, called so.
fn called(event: &str, text: &str) -> Value {
    with(send(text), "event", event)
}

fn event_of(push: &Value) -> &str {
    push["event"].as_str().unwrap_or("none")
}

#[test]
fn an_event_reaches_subscribers_of_every_transport() {
    let world = World::start(&["--history", "news"]);
    let mut socket = world.throng.ws_as("ada");
    let id = socket.id();
    socket.join("news");
    let (mut stream, _) = world.throng.sse("/sse?channels=news&user=bob");
    stream.expect("joined");
    let publish = |event: Option<&str>| json!({"type": "publish", "channel_id": "news", "event": event, "data": 1});
    for (number, event) in [Some("order.placed"), Some("order.paid"), None]
        .into_iter()
        .enumerate()
    {
        match number {
            0 => socket.say(&publish(event).to_string()),
            _ => drop(world.done(None, &publish(event))),
        }
        let expected = event.unwrap_or("none");
        assert_eq!(event_of(&socket.expect("message")), expected);
        assert_eq!(event_of(&stream.expect("message")), expected);
    }
    let history = json!({"type": "channel.history", "channel_id": "news"});
    let page = world.done(None, &history);
    let events: Vec<_> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(event_of)
        .collect();
    assert_eq!(events, ["order.placed", "order.paid", "none"]);

    let commands = [
        json!({"type": "broadcast"}),
        json!({"type": "client.send", "client_id": id}),
        json!({"type": "user.send", "user_id": "ada"}),
        json!({"type": "user.send_many", "user_ids": ["ada"]}),
        json!({"type": "user.broadcast_except", "except": ["bob"]}),
    ];
    for command in commands {
        let name = command["type"].as_str().unwrap().to_owned();
        let command = with(with(command, "event", &*name), "text", "direct");
        world.done(None, &command);
        assert_eq!(event_of(&socket.expect("message")), name);
        for wrong in ["", "a\nb", &"x".repeat(129)] {
            let refused = world.request(None, &with(command.clone(), "event", wrong));
            let problem = refused.json();
            assert_eq!((refused.status, &problem["field"]), (400, &json!("event")));
            assert_eq!(problem["code"], "invalid_field");
        }
    }
}

#[test]
fn an_event_of_a_room_is_pushed_listed_and_searched_from_memory() {
    let (world, mut ada) = World::with_room(&[]);
    kept(&world, &mut ada);
    found(&world, &mut ada);
}

#[test]
fn an_event_of_a_room_is_pushed_listed_and_searched_from_a_file() {
    let folder = Folder::new("events");
    let arguments = ["--data", folder.as_str(), "--durability", "normal"];
    let (mut world, mut ada) = World::with_room(&arguments);
    kept(&world, &mut ada);
    found(&world, &mut ada);
    drop(ada);
    world.throng.signal("TERM");
    world.throng.wait();
    let world = World::start(&arguments);
    let mut ada = world.member("ada");
    found(&world, &mut ada);
}

/// Sends messages of several events, over both ways.
fn kept(world: &World, ada: &mut Member) {
    let mut bob = world.member("bob");
    ada.done(&called("task.opened", "paint the fence"));
    assert_eq!(event_of(&bob.next("message")), "task.opened");
    world.done(Some("bob"), &called("task.closed", "the fence is green"));
    ada.done(&send("a fence, of no event"));
    let answer = called("task.opened", "another fence");
    ada.done(&with(answer, "thread_id", "1"));
    ada.done(&edit(1, "paint the fence red"));
    for expected in ["task.closed", "none", "task.opened"] {
        assert_eq!(event_of(&bob.next("message")), expected);
    }
    let role = with(of("room.send_to_role"), "role", "member");
    let role = with(with(role, "text", "to a role"), "event", "task.role");
    ada.done(&role);
    let push = bob.next("message");
    assert_eq!(
        (event_of(&push), &push["text"]),
        ("task.role", &json!("to a role"))
    );
    world.done(Some("ada"), &called("task.opened", "a fence to be deleted"));
    ada.done(&about("message.delete", 5));
}

fn found(world: &World, ada: &mut Member) {
    let opened = |command: Value| with(command, "event", "task.opened");
    let history = of("message.history");
    let all = world.read(ada, "ada", &history);
    let events = all["messages"].as_array().unwrap().iter().map(event_of);
    let events: Vec<_> = events.collect();
    assert_eq!(
        events,
        ["none", "task.opened", "none", "task.closed", "task.opened"],
        "one that was deleted says nothing any more"
    );
    let page = world.read(ada, "ada", &opened(history.clone()));
    assert_eq!(ids(&page), [5, 4, 1]);
    let thread = world.read(ada, "ada", &opened(about("message.thread", 1)));
    assert_eq!(ids(&thread), [4]);
    let of_bob = json!({"type": "user.messages", "user_id": "bob", "event": "task.closed"});
    assert_eq!(ids(&world.read(ada, "ada", &of_bob)), [2]);
    assert_eq!(
        event_of(&world.read(ada, "ada", &about("message.get", 2))),
        "task.closed"
    );
    let search = with(of("message.search"), "query", "fence");
    assert_eq!(ids(&world.read(ada, "ada", &search)), [4, 3, 2, 1]);
    assert_eq!(
        ids(&world.read(ada, "ada", &opened(search.clone()))),
        [4, 1]
    );
    let none = with(search, "event", "task");
    assert_eq!(ids(&world.read(ada, "ada", &none)), [0_u64; 0]);
    let wrong = with(history, "event", "x".repeat(129));
    let refused = world.refused(ada, "ada", &wrong);
    assert_eq!(refused, (400, "invalid_field".to_owned()));
}
