//! Connections that begin with a PROXY header.

use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::hung_up;

/// A request whose answer shows the address of the client: it is refused for it.
const ASK: &[u8] =
    b"GET /api/v1/clients/count HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn answer(mut stream: TcpStream, header: &[u8]) -> String {
    stream.write_all(&[header, ASK].concat()).unwrap();
    String::from_utf8_lossy(&hung_up(stream)).into_owned()
}

/// A connection from an address that is none of the proxies.
fn direct(throng: &Throng) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = "127.0.0.2:0".parse::<SocketAddr>().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&throng.address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

fn v2(ip: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    [&head[..], &ip, &[10, 0, 0, 1, 0, 80, 0, 80]].concat()
}

#[test]
fn t7_a_proxy_of_tcp_names_its_client() {
    let arguments = [
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.1",
        "--max-connections-per-ip",
        "1",
    ];
    let throng = Throng::start(&arguments);
    let v1 = b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n";
    for header in [
        &v1[..],
        &v2([192, 0, 2, 2]),
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ] {
        let answer = answer(throng.tcp(), header);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{header:?} {answer}");
    }
    // The client that it names is counted.
    let mut first = throng.tcp();
    first.write_all(v1).unwrap();
    let mut answered = String::new();
    while !answered.starts_with("HTTP/1.1 503 ") {
        answered = answer(throng.tcp(), v1);
        assert!(answered.starts_with("HTTP/1.1 "), "{answered}");
    }
    let other = answer(throng.tcp(), &v2([192, 0, 2, 2]));
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
}

#[test]
fn t7_a_proxy_without_its_header_is_hung_up_on() {
    let arguments = [
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.1",
        "--head-timeout",
        "300",
    ];
    let throng = Throng::start(&arguments);
    for header in [
        &b""[..],
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY ",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        assert_eq!(answer(throng.tcp(), header), "", "{header:?}");
    }
    // No other peer may name a client.
    let served = answer(direct(&throng), b"");
    assert!(served.starts_with("HTTP/1.1 200 "), "{served}");
    let refused = answer(direct(&throng), b"PROXY TCP4 192.0.2.1 10.0.0.1 1 1\r\n");
    assert!(!refused.starts_with("HTTP/1.1 200 "), "{refused}");
}
