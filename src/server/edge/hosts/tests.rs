use std::net::SocketAddr;

use hyper::http::uri::Authority;

use super::Hosts;

fn allow(hosts: &Hosts, host: &str, listen: Option<&str>) -> bool {
    let listen = listen.map(|listen| listen.parse::<SocketAddr>().unwrap());
    hosts.allow(&host.parse::<Authority>().unwrap(), listen)
}

#[test]
fn loopback_and_the_listen_address_are_always_allowed() {
    let hosts = Hosts::default();
    for host in [
        "localhost",
        "LocalHost:1",
        "localhost.",
        "app.localhost:80",
        "127.0.0.1:9",
        "127.9.9.9",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
    ] {
        assert!(allow(&hosts, host, None), "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        ".localhost",
        "notlocalhost",
        "10.0.0.1",
    ] {
        assert!(!allow(&hosts, host, None), "{host}");
        assert!(!allow(&hosts, host, Some("127.0.0.1:80")), "{host}");
    }
    assert!(allow(&hosts, "10.0.0.1:1", Some("10.0.0.1:80")));
    assert!(!allow(&hosts, "10.0.0.2", Some("10.0.0.1:80")));
    assert!(
        allow(&hosts, "10.0.0.2", Some("[::]:80")),
        "at every address"
    );
    assert!(!allow(&hosts, "evil.example", Some("0.0.0.0:80")));
}

#[test]
fn listed_hosts_are_allowed() {
    let hosts = Hosts::list(["example.com", "*.example.org", "192.0.2.1"]).unwrap();
    for host in [
        "example.com",
        "EXAMPLE.com:443",
        "a.b.example.org",
        "192.0.2.1:8",
    ] {
        assert!(allow(&hosts, host, None), "{host}");
    }
    for host in [
        "a.example.com",
        "example.org",
        ".example.org",
        "badexample.org",
        "192.0.2.2",
    ] {
        assert!(!allow(&hosts, host, None), "{host}");
    }
    let any = Hosts::list(["*"]).unwrap();
    assert!(allow(&any, "evil.example", None) && allow(&any, "192.0.2.2", None));
}

#[test]
fn names_that_no_request_has_are_refused() {
    for name in [
        "",
        "https://example.com",
        "example.com:80",
        "example.com/",
        "*example.com",
        "a.*.com",
        "a..b",
        "*.",
        "user@host",
    ] {
        let error = Hosts::list([name]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{name}`")));
    }
}
