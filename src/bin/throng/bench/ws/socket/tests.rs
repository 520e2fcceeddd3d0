use super::*;

/// A text, a ping and a close frame, as a server sends them.
const STREAM: &[u8] = b"\x81\x05hello\x89\x01!\x88\x02\x0b\xb9";

#[test]
fn frames_come_out_however_the_bytes_are_cut() {
    for cut in 0..STREAM.len() {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        let mut each = |received: Received<'_>| match received {
            Received::Close(code) => seen.push(code.to_string()),
            Received::Message(text) => seen.push(String::from_utf8(text.to_vec()).unwrap()),
        };
        frames.feed(&STREAM[..cut], &mut each).unwrap();
        frames.feed(&STREAM[cut..], &mut each).unwrap();
        assert_eq!(seen, ["hello", "3001"], "cut at {cut}");
        assert_eq!(frames.ping.as_deref(), Some(&b"!"[..]));
        assert!(frames.partial.is_empty());
    }
}

#[test]
fn a_frame_without_end_is_refused() {
    let mut frames = Frames::default();
    let endless = b"\x82\x7f\x00\x00\x00\xff\x00\x00\x00\x00";
    assert!(frames.feed(endless, &mut |_| {}).is_err());
}

#[test]
fn what_is_written_is_masked() {
    let mut frame = Vec::new();
    write_text("hi", &mut frame).unwrap();
    assert_eq!(frame, b"\x81\x82\0\0\0\0hi");
}
