//! - The example of a limiter with penalties holds over a real socket.
//! - A limiter may take its time, and its refusals count as those of the limits do.
//! - An API key has a rate of its own, and so has an address without layers.
//! - A flood of keys takes no memory.

#[expect(dead_code, reason = "its `main` is for the one port that it names")]
#[path = "../../examples/limiter.rs"]
mod limiter;

use std::future;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;
use std::time::Instant;

use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::UserId;
use throng::policy::Actions;
use throng::policy::Allowance;
use throng::policy::ApiKey;
use throng::policy::ApiKeys;
use throng::policy::Limit;
use throng::policy::Limiter;
use throng::policy::Policy;
use throng::policy::Verdict;
use throng::protocol::Command;
use throng::session::Caller;
use throng::session::ClientPublish;
use throng::session::Request;
use tokio::runtime::Runtime;

use super::until_refused;
use crate::binary::PATIENCE;
use crate::binary::Ws;
use crate::binary::listen;
use crate::binary::request;

const PUBLISH: &str = r#"{"type":"publish","id":1,"channel_id":"c","data":1}"#;

#[test]
fn the_example_halves_the_rate_of_those_who_go_on() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    runtime.spawn(limiter::serve(listener, future::pending()));
    let mut ada = Ws::open(address, "/ws?user=ada").greeted();
    let (passed, refusal) = until_refused(|| ada.ask(PUBLISH));
    assert!(passed >= 10, "{passed}");
    let first = refusal["retry_after_ms"].as_u64().unwrap();
    assert!(first <= 200, "{refusal}");
    let start = Instant::now();
    while ada.ask(PUBLISH)["data"]["retry_after_ms"].as_u64() < Some(800) {
        assert!(start.elapsed() < PATIENCE, "it grows with each refusal");
    }
    let mut bob = Ws::open(address, "/ws?user=bob").greeted();
    assert_eq!(bob.ask(PUBLISH)["type"], "ack", "another user");
    assert_eq!(ada.ask(r#"{"type":"ping","id":1}"#)["type"], "pong");
}

/// Refuses every publish of a client, later.
struct Remote;

impl Limiter for Remote {
    fn check(&self, caller: &Caller<'_>, action: &str) -> Allowance {
        if caller.is_server() || action != "publish" {
            return Allowance::Pass;
        }
        Allowance::later(async {
            tokio::task::yield_now().await;
            Allowance::Refuse(Some(Duration::from_millis(1500)))
        })
    }
}

#[test]
fn a_limiter_may_take_its_time() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    let hub = Hub::new();
    let layers = Layers::new(&hub);
    let gateway = Gateway::builder(hub)
        .layers(layers)
        .client_publish(ClientPublish::Allow)
        .limiter(Remote)
        .max_rate_limited(NonZeroU32::new(2))
        .build();
    runtime.spawn(throng::serve(listener, gateway, future::pending()));
    let mut ws = Ws::open(address, "/ws").greeted();
    for _ in 0..2 {
        let refused = ws.ask(PUBLISH);
        assert_eq!(refused["data"]["code"], "rate_limited", "{refused}");
        assert_eq!(refused["data"]["retry_after_ms"], 1500, "{refused}");
    }
    ws.say(PUBLISH);
    assert_eq!(ws.rest().1.0, 3013);
}

#[test]
fn a_flood_of_keys_takes_no_memory() {
    let limit = Limit::per_address(Actions::PING, 1, Duration::from_secs(3600));
    let gateway = Gateway::builder(Hub::new())
        .limit(limit.named("pings").max_keys(1024))
        .build();
    let limits = gateway.limits();
    for n in 0..20_000_u32 {
        let address = IpAddr::V4(Ipv4Addr::from_bits(n));
        let user = UserId::parse("ada").unwrap();
        let caller = Caller::on_behalf_of(user).from_address(Some(address));
        let verdict = limits.check(&caller, &mut Request::from(Command::Ping));
        assert!(matches!(verdict, Verdict::Pass), "{n}: {verdict:?}");
    }
    let stats = &limits.list()[0];
    assert_eq!(stats.capacity, 1024);
    assert!(stats.evicted > 18_000, "{stats:?}");
}

#[test]
fn an_api_key_has_a_rate_of_its_own() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    let make = |id| ApiKey::generate(id).unwrap();
    let (slow, fast) = (make("slow"), make("fast"));
    let keys = ApiKeys::new([
        slow.key
            .scope("publish")
            .unwrap()
            .rate(NonZeroU32::new(2).unwrap()),
        fast.key.scope("publish").unwrap(),
    ]);
    let gateway = Gateway::builder(Hub::new())
        .authenticator(keys.unwrap())
        .build();
    runtime.spawn(throng::serve(listener, gateway, future::pending()));
    let publish = |secret: &str| {
        let stream = TcpStream::connect(address).unwrap();
        let bearer = format!("Bearer {secret}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", &*bearer),
        ];
        let path = "/api/v1/channels/c/publish";
        request(stream, "POST", path, &headers, br#"{"data":1}"#)
    };
    let first = publish(&slow.secret);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(
        first.header("ratelimit-policy"),
        Some(r#""api-key";q=2;w=1"#)
    );
    let came: Vec<_> = (0..20).map(|_| publish(&slow.secret)).collect();
    let refused = came.iter().find(|answer| answer.status == 429);
    let refused = refused.unwrap_or_else(|| panic!("{came:?}"));
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    for _ in 0..20 {
        assert_eq!(publish(&fast.secret).status, 200);
    }
}

#[test]
fn addresses_are_counted_without_layers() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    let limit = Limit::per_address(Actions::PING, 2, Duration::from_secs(3600));
    let gateway = Gateway::builder(Hub::new()).limit(limit).build();
    runtime.spawn(throng::serve(listener, gateway, future::pending()));
    let ping = r#"{"type":"ping","id":1}"#;
    for expected in ["pong", "pong", "error"] {
        let mut ws = Ws::open(address, "/ws").greeted();
        assert_eq!(ws.ask(ping)["type"], expected);
    }
}
