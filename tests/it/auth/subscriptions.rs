//! - A subscription token allows what the permissions lack, to its user and its channel alone,
//!   without the authorizer; the subscription ends with it.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use serde_json::json;
use throng::policy::SubscriptionTokens;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::SigningKey;

use super::world::World;

fn key() -> SigningKey {
    let secret = b"at least thirty-two bytes of secret";
    SigningKey::secret(Algorithm::Hs256, secret).unwrap()
}

fn world() -> World {
    let jwt = Jwt::keys(key().verifying_key().unwrap());
    World::new(|builder| builder.subscription_tokens(SubscriptionTokens::new(jwt)))
}

fn token(user: &str, channel: &str) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"sub": user, "channel": channel, "exp": now + 60});
    key().sign(&claims).unwrap()
}

fn subscribe(channel: &str, auth: &str) -> String {
    json!({"id": 1, "type": "subscribe", "channel_id": channel, "auth": auth}).to_string()
}

fn code(push: &Value) -> &str {
    push["data"]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_token_allows_one_subscription_for_its_time() {
    let world = world();
    let mut ws = world.ws("ada~sub=news");
    for channel in ["other", "private-x"] {
        let joined = ws.ask(&subscribe(channel, &token("ada", channel)));
        assert_eq!(joined["type"], "joined", "{joined}");
    }
    ws.join("news");
    for (channel, auth) in [
        ("more", token("bob", "more")),
        ("more", token("ada", "other")),
        ("more", "a.b.c".to_owned()),
    ] {
        let refused = ws.ask(&subscribe(channel, &auth));
        assert_eq!(code(&refused), "token_invalid", "{refused}");
        assert_eq!(refused["data"]["field"], "auth", "{refused}");
    }
    let asked = ws.ask(&subscribe("private-y", "for the authorizer"));
    assert_eq!(code(&asked), "insufficient_scope", "{asked}");

    world.clock.advance(Duration::from_secs(70));
    let mut left = Vec::new();
    for _ in 0..2 {
        let push = ws.expect("left");
        assert_eq!(push["data"]["reason"], "expired", "{push}");
        left.push(push["channel_id"].as_str().unwrap().to_owned());
    }
    left.sort();
    assert_eq!(left, ["other", "private-x"]);
    assert!(world.client_of("ada").is_subscribed("news"));
}

#[test]
fn a_stream_subscribes_with_a_token() {
    let world = world();
    let (mut stream, connected) = world.sse("/sse", "ada~sub=news");
    let secret = connected["data"]["stream_token"].as_str().unwrap();
    let path = format!("/sse/{secret}/subscribe");
    let body = json!({"channels": ["other"], "auth": token("ada", "other")}).to_string();
    let headers = [("authorization", "Bearer ada")];
    let joined = world.request("POST", &path, &headers, &body);
    assert_eq!(joined.status, 200, "{joined:?}");
    assert_eq!(stream.expect("joined")["channel_id"], "other");
    world.clock.advance(Duration::from_secs(70));
    assert_eq!(stream.expect("left")["data"]["reason"], "expired");
}

#[test]
fn a_refresh_keeps_what_tokens_of_its_own_allow() {
    let world = world();
    let mut ws = world.ws("ada");
    ws.join("news");
    let joined = ws.ask(&subscribe("other", &token("ada", "other")));
    assert_eq!(joined["type"], "joined", "{joined}");
    ws.say(r#"{"id":1,"type":"auth.refresh","token":"ada~sub="}"#);
    let told = [ws.push(), ws.push()];
    let left = told.iter().find(|push| push["type"] == "left").unwrap();
    assert_eq!(left["channel_id"], "news");
    let client = world.client_of("ada");
    assert!(client.is_subscribed("other") && !client.is_subscribed("news"));
}
