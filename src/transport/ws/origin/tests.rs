//! - A page of the server's own host and port may connect, whatever else is listed.
//! - A pattern lets in what it says and nothing that looks alike.
//! - What is written otherwise is refused, with what is allowed.
//! - A request with two origins is nobody's.

use hyper::Uri;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderValue;

use super::Origins;

fn headers(host: &'static str, origins: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static(host));
    for origin in origins {
        headers.append(header::ORIGIN, HeaderValue::from_static(origin));
    }
    headers
}

/// What a request over HTTP/1.1 asks for: the host is in a header.
fn path() -> Uri {
    Uri::from_static("/ws")
}

#[test]
fn the_host_may_be_in_the_uri() {
    let uri = Uri::from_static("https://a/ws");
    let mut headers = headers("b", &["https://a"]);
    assert!(Origins::Same.allow(&uri, &headers));
    headers.remove(header::HOST);
    assert!(Origins::Same.allow(&uri, &headers), "as over HTTP/2");
    assert!(!Origins::Same.allow(&path(), &headers));
}

#[test]
fn an_origin_is_the_same_host_and_port_or_listed() {
    let list = Origins::list(["https://friend.example"]).unwrap();
    for (origin, host, same, listed) in [
        ("http://a:8080", "a:8080", true, true),
        ("http://A:8080", "a:8080", true, true),
        ("http://a", "a:80", true, true),
        ("https://a", "a:443", true, true),
        ("http://a:80", "a", true, true),
        ("http://[::1]:8080", "[::1]:8080", true, true),
        ("http://[::1]", "[::1]", true, true),
        ("app://a", "a", true, true),
        ("https://a", "a:80", false, false),
        ("http://a:8081", "a:8080", false, false),
        ("http://b:8080", "a:8080", false, false),
        ("http://a.evil:8080", "a:8080", false, false),
        ("null", "a:8080", false, false),
        ("null", "null", false, false),
        ("file://", "", false, false),
        ("http://", "", false, false),
        ("http://a/", "a", false, false),
        ("http://evil@a", "a", false, false),
        ("https://friend.example", "a:8080", false, true),
        ("https://friend.example.evil", "a:8080", false, false),
    ] {
        let headers = headers(host, &[origin]);
        assert_eq!(
            Origins::Same.allow(&path(), &headers),
            same,
            "{origin} at {host}"
        );
        assert_eq!(list.allow(&path(), &headers), listed, "{origin} at {host}");
        assert!(Origins::Any.allow(&path(), &headers));
    }
    for origins in [Origins::Same, Origins::Any, list] {
        assert!(origins.allow(&path(), &headers("a", &[])), "no browser");
        let two = headers("a", &["http://a", "http://evil"]);
        assert!(!origins.allow(&path(), &two));
    }
}

#[test]
fn a_pattern_lets_in_what_it_says() {
    for (pattern, origin, fits) in [
        ("https://b.example", "https://b.example", true),
        ("https://b.example", "HTTPS://B.Example", true),
        ("HTTPS://B.Example", "https://b.example", true),
        ("https://b.example", "https://b.example:443", true),
        ("https://b.example:443", "https://b.example", true),
        ("https://b.example", "http://b.example", false),
        ("https://b.example", "https://b.example:8443", false),
        ("https://b.example:8443", "https://b.example:8443", true),
        ("https://b.example:8443", "https://b.example", false),
        ("b.example", "http://b.example", true),
        ("b.example", "https://b.example", true),
        ("b.example", "https://b.example:8080", false),
        ("b.example", "https://c.b.example", false),
        ("b.example:8080", "https://b.example:8080", true),
        ("b.example:8080", "https://b.example", false),
        ("*.b.example", "https://c.b.example", true),
        ("*.b.example", "http://d.c.b.example", true),
        ("*.B.example", "https://C.b.EXAMPLE", true),
        ("*.b.example", "https://b.example", false),
        ("*.b.example", "https://.b.example", false),
        ("*.b.example", "https://evilb.example", false),
        ("*.b.example", "https://c.b.example.evil", false),
        ("*.b.example", "https://c.b.example:8080", false),
        ("*.b.example:8080", "https://c.b.example:8080", true),
        ("https://*.b.example", "https://c.b.example", true),
        ("https://*.b.example", "http://c.b.example", false),
        ("https://*.b.example:8443", "https://c.b.example:8443", true),
        ("app://b", "app://b", true),
        ("app://b", "app://b:80", false),
        ("http://[::1]:3000", "http://[::1]:3000", true),
        ("[::1]:3000", "http://[::1]:3000", true),
        ("*.b.example", "null", false),
        ("*", "null", true),
        ("*", "https://anything.example", true),
    ] {
        let origins = Origins::list([pattern]).unwrap();
        let headers = headers("a", &[origin]);
        assert_eq!(
            origins.allow(&path(), &headers),
            fits,
            "{origin} by {pattern}"
        );
    }
}

#[test]
fn what_is_written_otherwise_is_refused() {
    for wrong in [
        "",
        "https://",
        "https://b.example/",
        "https://b.example/path",
        "https://me@b.example",
        "https://b.example:",
        "https://b.example:99999",
        "https://b.example:+80",
        "b..example",
        "*b.example",
        "**.example",
        "a.*.example",
        "*.",
        "*.*",
        "https://*",
        "://b.example",
        "1://b.example",
        "[::1",
        "[::g]",
        "b example",
    ] {
        let error = Origins::list(["ok.example", wrong]).unwrap_err();
        let expected = format!(
            "`{wrong}` is no origin: use `*`, `host` or `*.domain`, with `scheme://` before it \
             and `:port` behind it or without"
        );
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(Origins::list::<[&str; 0]>([]), Ok(Origins::Same));
    assert_eq!(Origins::list(["b.example", "*"]), Ok(Origins::Any));
}
