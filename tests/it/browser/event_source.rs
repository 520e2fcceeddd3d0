//! `EventSource`, as a browser has it: it reads what is sent, comes back by itself and goes on.

use std::future;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::server;
use throng::server::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::runtime::Runtime;

use super::browser;
use super::devtools::Browser;
use super::devtools::Tab;

/// Keeps what an event source brings.
const LISTEN: &str = "
    window.log = [];
    const source = new EventSource('/sse?channels=news,other');
    window.source = source;
    const names = ['connected', 'joined', 'message', 'binary', 'gap', 'disconnect', 'refused'];
    for (const name of names) {
        source.addEventListener(name, event => {
            const push = JSON.parse(event.data);
            window.log.push({name, push, id: event.lastEventId});
            if (name === 'connected') window.connection = push.data.stream_token;
        });
    }
    const count = name => window.log.filter(event => event.name === name).length;
    window.count = count;
";

fn log(browser: &mut Browser, tab: &Tab) -> Vec<Value> {
    let log = browser.evaluate(tab, "window.log.splice(0)");
    log.as_array().unwrap().clone()
}

fn names(log: &[Value]) -> Vec<&str> {
    log.iter()
        .map(|event| event["name"].as_str().unwrap())
        .collect()
}

fn send(hub: &Hub, channel: &str, text: &str) {
    let _delivery = hub
        .publish(channel, Message::text(text.to_owned()))
        .unwrap();
}

/// Ends the stream that said this.
fn end(hub: &Hub, connected: &Value) {
    let id = connected["push"]["data"]["client_id"].as_str().unwrap();
    let client = hub.client(id.parse().unwrap()).unwrap();
    client.close(Disconnect::CLOSED);
}

/// A server in this process, so that its hub is at hand.
fn serve(runtime: &Runtime, gateway: Gateway) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServerConfig::new();
    runtime.spawn(server::serve(listener, gateway, config, future::pending()));
    address
}

#[test]
fn an_event_source_comes_back_by_itself_and_goes_on() {
    let Some(mut browser) = browser("event-source") else {
        return;
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let hub = Hub::new();
    // They live on while nobody listens.
    let _held = ["news", "other", "more"].map(|name| hub.channel(name).unwrap());
    let gateway = Gateway::builder(hub.clone())
        .reconnect_window(Duration::from_millis(200))
        .build();
    let address = serve(&runtime, gateway);
    let tab = browser.open(&format!("http://{address}/"));
    let script = format!("(() => {{ {LISTEN} }})()");
    browser.evaluate(&tab, &script);
    browser.until(&tab, "window.count('joined') === 2");
    let added = browser.evaluate(
        &tab,
        "fetch(`/sse/${window.connection}/subscribe`, {
            method: 'POST',
            headers: {'content-type': 'application/json'},
            body: JSON.stringify({channels: ['more']}),
        }).then(answer => answer.json())",
    );
    assert_eq!(added, json!({"status": "ok"}));
    browser.until(&tab, "window.count('joined') === 3");

    send(&hub, "news", "{\"a\":\r\n1}");
    send(&hub, "more", "tw\r\n\r\ndata: o");
    let _delivery = hub.publish("other", Message::binary(vec![0, 255])).unwrap();
    browser.until(
        &tab,
        "window.count('message') === 2 && window.count('binary') === 1",
    );
    let seen = log(&mut browser, &tab);
    assert_eq!(
        names(&seen),
        [
            "connected",
            "joined",
            "joined",
            "joined",
            "message",
            "message",
            "binary"
        ]
    );
    assert_eq!(seen[0]["push"]["data"]["resumed"], false);
    assert_eq!(seen[4]["push"]["data"], json!({"a": 1}));
    assert_eq!(seen[5]["push"]["text"], "tw\r\n\r\ndata: o");
    assert_eq!(seen[6]["push"]["base64"], "AP8=");
    let id = seen[6]["id"].as_str().unwrap();
    for part in ["news@1.", "other@1.", "more@1."] {
        assert!(id.contains(part), "{id}");
    }

    // The server ends the stream; nothing is missed.
    end(&hub, &seen[0]);
    browser.until(&tab, "window.count('joined') === 3");
    let seen = log(&mut browser, &tab);
    assert_eq!(
        names(&seen),
        ["disconnect", "connected", "joined", "joined", "joined"]
    );
    assert_eq!(seen[0]["push"]["data"]["code"], 3000);
    let again = seen[1].clone();
    assert_eq!(again["push"]["data"]["resumed"], true);
    for joined in &seen[2..] {
        assert_eq!(joined["push"]["data"]["recovered"], true, "{joined}");
    }
    send(&hub, "more", "goes on");
    browser.until(&tab, "window.count('message') === 1");
    assert_eq!(log(&mut browser, &tab)[0]["push"]["text"], "goes on");

    // Again, and something is missed.
    end(&hub, &again);
    send(&hub, "more", "missed");
    browser.until(
        &tab,
        "window.count('joined') === 3 && window.count('gap') === 1",
    );
    let seen = log(&mut browser, &tab);
    let gap = seen.iter().find(|event| event["name"] == "gap").unwrap();
    assert_eq!(
        (&gap["push"]["channel_id"], &gap["push"]["data"]),
        (&json!("more"), &json!({"first": 3, "last": 3, "missed": 1}))
    );
    browser.evaluate(&tab, "window.source.close()");
}
