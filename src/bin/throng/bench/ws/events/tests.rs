use std::io::ErrorKind;

use super::Decoder;
use super::Received;

fn feed(decoder: &mut Decoder, bytes: &[u8], events: &mut Vec<String>) -> Result<(), ErrorKind> {
    let mut each = |received: Received<'_>| match received {
        Received::Message(event) => events.push(String::from_utf8_lossy(event).into_owned()),
        Received::Close(code) => panic!("{code}"),
    };
    decoder.feed(bytes, &mut each).map_err(|error| error.kind())
}

#[test]
fn events_are_found_wherever_the_bytes_are_cut() {
    let body = b"9\r\ndata: 1\n\n\r\nc\r\n: hi\n\ndata: \r\n6\r\n2\ndata\r\n3\r\n:\n\n\r\n";
    let body = &body[..];
    // The size of the first chunk counts both line feeds.
    for cut in 0..body.len() {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        feed(&mut decoder, &body[..cut], &mut events).unwrap();
        feed(&mut decoder, &body[cut..], &mut events).unwrap();
        let expected = ["data: 1\n\n", ": hi\n\n", "data: 2\ndata:\n\n"];
        assert_eq!(events, expected, "{cut}");
        let end = feed(&mut decoder, b"0\r\n\r\n", &mut events);
        assert_eq!(end, Err(ErrorKind::UnexpectedEof));
    }
}

#[test]
fn what_is_no_chunk_is_an_error() {
    for broken in [
        "\r\n",
        "x\r\n",
        "1\n",
        "1\r\r",
        "1\r\nab",
        "fffffffffff\r\n",
    ] {
        let end = feed(&mut Decoder::default(), broken.as_bytes(), &mut Vec::new());
        assert_eq!(end, Err(ErrorKind::InvalidData), "{broken:?}");
    }
}
