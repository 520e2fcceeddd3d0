use super::*;

#[test]
fn an_address_has_host_port_and_path() {
    let address = Address::parse::<true>("ws://127.0.0.1:9/a/b?c").unwrap();
    assert_eq!(address.target, "127.0.0.1:9");
    assert_eq!(address.path, "/a/b?c");
}

#[test]
fn port_and_path_have_defaults() {
    let address = Address::parse::<false>("http://[::1]").unwrap();
    assert_eq!(address.target, "[::1]:80");
    assert_eq!(address.path, "/");
}

#[test]
fn what_is_no_address_is_refused() {
    for text in [
        "",
        "ws://",
        "wss://h/",
        "http://h/",
        "ws://a b/",
        "ws://u@h/",
        "ws://h/\r\nx",
    ] {
        assert!(Address::parse::<true>(text).is_err(), "{text:?}");
    }
}

#[test]
fn many_connections_come_from_many_addresses() {
    let server = SocketAddr::from(([127, 0, 0, 1], 8080));
    assert_eq!(local(0, PER_ADDRESS, server), None);
    let of = |index| local(index, 100_000, server).unwrap().to_string();
    assert_eq!(of(0), "127.0.0.2:0");
    assert_eq!(of(99_999), "127.0.0.6:0");
}
