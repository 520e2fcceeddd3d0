//! - A policy sees each request exactly once, whatever transport it comes by, and those of a
//!   resumed session marked.
//! - The command rate holds on every transport.
//! - A policy that panics refuses its request, and nothing else.
//! - A decision that takes time holds its own connection only.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use throng::UserId;
use throng::policy::Actions;
use throng::policy::CallerInfo;
use throng::policy::Policy;
use throng::policy::Verdict;
use throng::policy::from_async;
use throng::protocol::ErrorCode;
use throng::protocol::Fault;
use throng::session::Caller;
use throng::session::Origin;
use throng::session::Request;
use tokio::sync::Notify;

use super::world::World;
use super::world::until_reply;

/// Notes what it is asked about.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Vec<(String, Origin)>>>);

impl Policy for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn check(&self, caller: &Caller<'_>, request: &mut Request) -> Verdict {
        let name = request.command.name().to_owned();
        self.0.lock().push((name, caller.origin()));
        Verdict::Pass
    }
}

impl Counting {
    /// What it was asked about since the last time.
    fn seen(&self) -> Vec<(String, Origin)> {
        std::mem::take(&mut self.0.lock())
    }
}

fn seen(names: &[&str], origin: Origin) -> Vec<(String, Origin)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), origin))
        .collect()
}

#[test]
fn a_policy_sees_each_request_once_whatever_it_comes_by() {
    let counting = Counting::default();
    let world = World::new(|builder| builder.policy(counting.clone()));
    let commands = [
        r#"{"id":1,"type":"ping"}"#,
        r#"{"id":2,"type":"publish","channel_id":"c","data":1}"#,
        r#"{"id":3,"type":"room.create","name":"one"}"#,
        r#"{"id":4,"type":"user.list"}"#,
        r#"{"id":5,"type":"no.such"}"#,
    ];
    let names = ["ping", "publish", "room.create", "user.list", "no.such"];
    let mut ws = world.ws("ada");
    let mut conn = world.conn("ada");
    for command in commands {
        ws.say(command);
        let told = until_reply(|| ws.push());
        conn.say(command);
        assert_eq!(until_reply(|| conn.push())["type"], told["type"]);
    }
    let both: Vec<_> = names.iter().flat_map(|name| [*name; 2]).collect();
    assert_eq!(counting.seen(), seen(&both, Origin::Client));

    let created = world.post("/api/v1/rooms?actor=ada", r#"{"name":"two"}"#);
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(counting.seen(), seen(&["room.create"], Origin::Api));

    let (mut stream, secret) = world.sse("/sse?user=ada&channels=a");
    stream.expect("joined");
    let changed = world.post(
        &format!("/sse/{secret}/subscribe?user=ada"),
        r#"{"channels":["b","c"]}"#,
    );
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = world.post(
        &format!("/sse/{secret}/unsubscribe?user=ada"),
        r#"{"channels":["b"]}"#,
    );
    assert_eq!(changed.status, 200, "{changed:?}");
    let streams = ["subscribe", "subscribe", "subscribe", "unsubscribe"];
    assert_eq!(counting.seen(), seen(&streams, Origin::Client));

    let ping = Request::parse(commands[0]).unwrap();
    let done = world.gateway.execute(Caller::server(), ping);
    world.runtime.block_on(done).unwrap();
    assert_eq!(counting.seen(), seen(&["ping"], Origin::Embedder));
}

#[test]
fn what_a_resumed_session_asks_for_again_is_marked() {
    let counting = Counting::default();
    let world = World::new(|builder| builder.policy(counting.clone()));
    let path = "/ws?user=ada&resume";
    let mut first = crate::binary::Ws::open(world.address, path).greeted();
    let session = first.greeting()["session_id"].clone();
    first.join("news");
    drop(first);
    counting.seen();
    let mut again = crate::binary::Ws::open(world.address, path).greeted();
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
    let resumed = again.ask(&resume.to_string());
    assert_eq!(resumed["data"]["restored"], 1, "{resumed}");
    again.expect("joined");
    let mut expected = seen(&["session.resume"], Origin::Client);
    expected.extend(seen(&["subscribe"], Origin::Restored));
    assert_eq!(counting.seen(), expected);
}

#[test]
fn a_stream_that_comes_back_is_marked() {
    let counting = Counting::default();
    let world = World::new(|builder| builder.policy(counting.clone()));
    let (mut stream, _) = world.sse("/sse?channels=news");
    stream.expect("joined");
    let id = stream.last_event_id().to_owned();
    drop(stream);
    assert_eq!(counting.seen(), seen(&["subscribe"], Origin::Client));
    let (mut stream, _) = world.sse(&format!("/sse?channels=news&last_event_id={id}"));
    stream.expect("joined");
    assert_eq!(counting.seen(), seen(&["subscribe"], Origin::Restored));
}

#[test]
fn the_command_rate_holds_on_every_transport() {
    let world = World::new(|builder| builder.max_commands(NonZeroU32::new(2)));
    let ping = r#"{"id":1,"type":"ping"}"#;
    let mut ws = world.ws("ada");
    let mut conn = world.conn("ada");
    let told: Vec<_> = (0..9).map(|_| ws.ask(ping)["type"].clone()).collect();
    assert!(told.contains(&json!("error")), "WebSocket: {told:?}");
    let told: Vec<_> = (0..9).map(|_| conn.ask(ping)["type"].clone()).collect();
    assert!(told.contains(&json!("error")), "Conn: {told:?}");

    let statuses: Vec<_> = (0..9)
        .map(|_| world.request("GET", "/api/v1/users?actor=ada", ""))
        .map(|response| response.status)
        .collect();
    assert!(statuses.contains(&429), "REST: {statuses:?}");

    let (_stream, secret) = world.sse("/sse?user=ada");
    let path = format!("/sse/{secret}/subscribe?user=ada");
    let channels: Vec<_> = (0..9).map(|n| n.to_string()).collect();
    let body = json!({ "channels": channels }).to_string();
    let response = world.post(&path, &body);
    assert_eq!(response.status, 207, "SSE: {response:?}");
    assert!(response.body.contains("rate_limited"), "SSE: {response:?}");

    let bob = || Caller::on_behalf_of(UserId::parse("bob").unwrap());
    let executed: Vec<_> = (0..9)
        .map(|_| Request::parse(ping).unwrap())
        .map(|ping| world.gateway.execute(bob(), ping))
        .map(|done| world.runtime.block_on(done).err())
        .map(|fault| fault.map(|fault| fault.code()))
        .collect();
    let limited = Some(ErrorCode::RateLimited);
    assert!(executed.contains(&limited), "execute: {executed:?}");

    for _ in 0..9 {
        let ping = Request::parse(ping).unwrap();
        let done = world.gateway.execute(Caller::server(), ping);
        world.runtime.block_on(done).unwrap();
        let response = world.request("GET", "/api/v1/users", "");
        assert_eq!(response.status, 200, "the server's side: {response:?}");
    }
}

/// Panics when it is asked, or when it decides.
struct Broken {
    later: bool,
}

impl Policy for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn actions(&self) -> Actions {
        Actions::PUBLISH
    }

    fn check(&self, _: &Caller<'_>, _: &mut Request) -> Verdict {
        assert!(self.later, "this is what is tested");
        Verdict::later(async { panic!("this is what is tested") })
    }
}

#[test]
fn a_policy_that_panics_refuses_its_request_and_nothing_else() {
    for later in [false, true] {
        let world = World::new(|builder| builder.policy(Broken { later }));
        let mut ws = world.ws("ada");
        let publish = r#"{"id":1,"type":"publish","channel_id":"c","data":1}"#;
        let refused = ws.ask(publish);
        assert_eq!(refused["data"]["code"], "policy_failed", "{refused}");
        assert_eq!(refused["reply_to"], 1);
        assert_eq!(ws.ask(r#"{"id":2,"type":"ping"}"#)["type"], "pong");
        let request = Request::parse(publish).unwrap();
        let refused = world.gateway.execute(Caller::server(), request);
        let refused = world.runtime.block_on(refused).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::PolicyFailed);
    }
}

/// Lets a publish pass when it is told to, and refuses what says so.
struct Slow(Arc<Notify>);

impl Policy for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn actions(&self) -> Actions {
        Actions::PUBLISH
    }

    fn check(&self, _: &Caller<'_>, _: &mut Request) -> Verdict {
        let told = Arc::clone(&self.0);
        Verdict::later(async move {
            told.notified().await;
            Err(Fault::new(ErrorCode::Forbidden, "not today"))
        })
    }
}

#[test]
fn a_decision_that_takes_time_holds_its_own_connection_only() {
    let told = Arc::new(Notify::new());
    let world = World::new(|builder| builder.policy(Slow(Arc::clone(&told))));
    let (mut one, mut other) = (world.ws("ada"), world.ws("bob"));
    one.say(r#"{"id":1,"type":"publish","channel_id":"c","data":1}"#);
    for id in 2..40 {
        one.say(&format!(r#"{{"id":{id},"type":"ping"}}"#));
    }
    assert_eq!(other.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    told.notify_one();
    let refused = one.push();
    assert_eq!(refused["data"]["code"], "forbidden", "{refused}");
    for id in 2..40 {
        assert_eq!(one.push()["reply_to"], id);
    }
}

#[test]
fn an_asynchronous_policy_vetoes_and_one_that_hangs_refuses_its_request() {
    let moderate = async |who: CallerInfo, request: Request| match who.user.as_deref() {
        Some("eve") => Err(Fault::new(ErrorCode::SendDenied, "a moderator muted you")),
        Some("mallory") => std::future::pending().await,
        _ => {
            assert_eq!(request.command.name(), "publish");
            Ok(())
        }
    };
    let world = World::new(|builder| {
        let policy = from_async("moderate", Actions::PUBLISH, moderate);
        builder.policy(policy.timeout(Duration::from_millis(20)))
    });
    let publish = r#"{"id":1,"type":"publish","channel_id":"c","data":1}"#;
    assert_eq!(world.ws("ada").ask(publish)["type"], "ack");
    let refused = world.ws("eve").ask(publish);
    assert_eq!(refused["data"]["code"], "send_denied", "{refused}");
    let refused = world.post("/api/v1/channels/c/publish?actor=eve", r#"{"data":1}"#);
    assert_eq!(refused.status, 403, "{refused:?}");
    let refused = world.ws("mallory").ask(publish);
    assert_eq!(refused["data"]["code"], "hook_timeout", "{refused}");
}
