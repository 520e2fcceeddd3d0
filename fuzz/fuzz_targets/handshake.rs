//! Whatever a request says, it is answered; and what is switched to WebSocket asked for all that
//! the answer says.

#![no_main]

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::transport::ws;
use throng::transport::ws::Deflate;
use throng::transport::ws::Origins;
use throng::transport::ws::WsConfig;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server;

/// A request: any bytes, or a good one with some headers added or put in the place of others.
#[derive(Debug, arbitrary::Arbitrary)]
enum Story {
    Bytes(Vec<u8>),
    Changed {
        is_get: bool,
        is_http_11: bool,
        headers: Vec<(u8, Change)>,
    },
}

#[derive(Debug, arbitrary::Arbitrary)]
enum Change {
    Add(Vec<u8>),
    Extensions(Vec<u8>),
    Remove,
    Replace(Vec<u8>),
}

const GOOD: [(&str, &str); 8] = [
    ("host", "server.example.com"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "throng.v1.json"),
    (
        "sec-websocket-extensions",
        "permessage-deflate; server_max_window_bits=10",
    ),
    ("origin", "http://server.example.com"),
];

/// What offers are made of.
const WORDS: [&str; 12] = [
    "permessage-deflate",
    "; ",
    ", ",
    "=",
    "\"",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
    "8",
    "15",
    "x",
];

impl Story {
    fn request(&self) -> Option<Request<()>> {
        match self {
            Self::Bytes(bytes) => Some(server::Request::try_parse(bytes).ok()??.1),
            Self::Changed {
                is_get,
                is_http_11,
                headers,
            } => {
                let mut request = Request::new(());
                if !is_get {
                    *request.method_mut() = Method::POST;
                }
                if !is_http_11 {
                    *request.version_mut() = Version::HTTP_10;
                }
                for (name, value) in GOOD {
                    request
                        .headers_mut()
                        .insert(name, HeaderValue::from_static(value));
                }
                headers
                    .iter()
                    .for_each(|(at, change)| change.apply(*at, &mut request));
                Some(request)
            }
        }
    }
}

impl Change {
    fn apply(&self, at: u8, request: &mut Request<()>) {
        let name = HeaderName::from_static(GOOD[usize::from(at) % GOOD.len()].0);
        let headers = request.headers_mut();
        match self {
            Self::Add(value) => {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
            Self::Extensions(words) => {
                let words = words.iter().map(|at| WORDS[usize::from(*at) % WORDS.len()]);
                let offers = words.collect::<String>().try_into().unwrap();
                headers.insert("sec-websocket-extensions", offers);
            }
            Self::Remove => drop(headers.remove(name)),
            Self::Replace(value) => {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.insert(name, value);
                }
            }
        }
    }
}

/// Checks that the answer says nothing that the request did not ask for.
fn check(request: &Request<()>, response: &Response<()>, is_deflated: bool) {
    let asked = |name: &str| {
        let values = request.headers().get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        values.join(",")
    };
    let said = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(
        (request.method(), request.version()),
        (&Method::GET, Version::HTTP_11)
    );
    assert!(asked("upgrade").to_lowercase().contains("websocket"));
    assert!(asked("connection").to_lowercase().contains("upgrade"));
    assert_eq!(asked("sec-websocket-version"), "13");
    let accept = derive_accept_key(asked("sec-websocket-key").as_bytes());
    assert_eq!(said("sec-websocket-accept"), Some(accept.as_str()));
    let protocol = said("sec-websocket-protocol").unwrap_or_default();
    assert!(asked("sec-websocket-protocol").contains(protocol));
    let extension = said("sec-websocket-extensions");
    assert_eq!(extension.is_some(), is_deflated);
    if let Some(extension) = extension {
        let asked = asked("sec-websocket-extensions");
        assert!(asked.contains("permessage-deflate"));
        if let Some((_, bits)) = extension.split_once("server_max_window_bits=") {
            assert!((8..=15).contains(&bits.parse().unwrap()) && asked.contains(bits));
        }
    }
}

fuzz_target!(|story: Story| {
    let Some(request) = story.request() else {
        return;
    };
    let config = WsConfig::new().deflate(Some(Deflate::new()));
    if let Ok((response, accepted)) = ws::upgrade(&request, &Origins::Same, &config) {
        check(&request, &response, accepted.is_deflated());
    }
});
