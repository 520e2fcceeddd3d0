use std::net::IpAddr;

use super::NoPreamble;
use super::Preamble;
use super::SIGNATURE;
use super::parse;
use super::read;

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, addresses].concat()
}

fn headers() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0, 80, 0, 80];
    let v6 = [
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..],
        &[0; 20],
    ]
    .concat();
    vec![
        (
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n".to_vec(),
            Some("192.0.2.1"),
        ),
        (
            b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n".to_vec(),
            Some("2001:db8::1"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN whatever it is\r\n".to_vec(), None),
        (v2(0x21, 0x11, &v4), Some("192.0.2.1")),
        (
            v2(0x21, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()),
            Some("192.0.2.1"),
        ),
        (v2(0x21, 0x21, &v6), Some("2001:db8::1")),
        (v2(0x20, 0, &[]), None),
        (v2(0x21, 0x31, &[0; 216]), None),
    ]
}

#[test]
fn both_versions_name_the_client() {
    for (header, client) in headers() {
        let client = client.map(|client| client.parse::<IpAddr>().unwrap());
        let length = header.len();
        let whole = Ok(Preamble::Complete { length, client });
        assert_eq!(parse(&header), whole, "{header:?}");
        let more = [&header[..], b"GET / HTTP/1.1"].concat();
        assert_eq!(parse(&more), whole);
        for cut in 0..length {
            let Ok(Preamble::Incomplete(missing)) = parse(&header[..cut]) else {
                panic!("{:?}", &header[..cut]);
            };
            assert!((1..=length - cut).contains(&missing), "{cut} {missing}");
        }
    }
}

#[tokio::test]
async fn not_a_byte_behind_the_header_is_read() {
    for (header, client) in headers() {
        let stream = [&header[..], b"rest"].concat();
        let mut unread = &stream[..];
        let named = read(&mut unread).await.unwrap();
        assert_eq!(named.map(|ip| ip.to_string()).as_deref(), client);
        assert_eq!(unread, b"rest");
    }
}

#[test]
fn everything_else_is_no_header() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PROXY TCP4 192.0.2.1\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 1\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 99999\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 1 1\r\n",
        b"PROXY UDP4 192.0.2.1 10.0.0.1 1 1\r\n",
        b"\x16\x03\x01",
        long.as_bytes(),
        &v2(0x22, 0x11, &[0; 12]),
        &v2(0x21, 0x11, &[0; 11]),
        &v2(0x21, 0x21, &[0; 35]),
        &v2(0x21, 0x11, &[0; 4081]),
    ] {
        assert_eq!(parse(bytes), Err(NoPreamble), "{bytes:?}");
    }
}
