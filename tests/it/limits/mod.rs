//! Rate limits of the shipped binary, over real sockets.

mod answers;
mod connects;
mod custom;
mod flags;
mod operations;

use serde_json::Value;

use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;

/// A server whose users are those of the query, with these limits.
fn throng(arguments: &[&str]) -> Throng {
    let mut all = vec!["--insecure-trust-query-user"];
    all.extend(arguments);
    Throng::start(&all)
}

/// Asks until it is refused: how often it was not, and the refusal.
fn until_refused(mut ask: impl FnMut() -> Value) -> (usize, Value) {
    for passed in 0..1000 {
        let reply = ask();
        if reply["type"] == "error" {
            assert_eq!(reply["data"]["code"], "rate_limited", "{reply}");
            return (passed, reply["data"].clone());
        }
    }
    panic!("never refused");
}

fn passed(ws: &mut Ws, command: &str) -> usize {
    until_refused(|| answer(ws, command)).0
}

/// The reply to a command; other pushes may come before it.
fn answer(ws: &mut Ws, command: &str) -> Value {
    ws.say(command);
    loop {
        let push = ws.push();
        if push["reply_to"] != Value::Null {
            return push;
        }
    }
}

fn post(throng: &Throng, path: &str, body: &Value) -> Response {
    throng.post(path, "application/json", body.to_string())
}
