use super::*;

const STAMP: MessageHeader = MessageHeader {
    number: 7,
    nanos: 123_456_789,
};

#[test]
fn a_stamp_is_found_again_wherever_it_stands() {
    let mut text = String::new();
    let mut finder = Finder::default();
    for (before, size) in [
        ("", LEAST),
        (r#"{"text":""#, 128),
        (r#"{"offset":10,"text":""#, 128),
    ] {
        STAMP.write(size, &mut text);
        assert_eq!(text.len(), size);
        let frame = format!("{before}{text}\"}}");
        assert_eq!(finder.find(frame.as_bytes()), Some(STAMP), "{frame}");
    }
}

#[test]
fn a_frame_without_a_stamp_has_none() {
    let mut finder = Finder { at: 40 };
    for frame in [
        "",
        "{}",
        "throng@",
        "throng@0000000x0000000000000000",
        "throng@00000007\u{e9}",
    ] {
        assert_eq!(finder.find(frame.as_bytes()), None, "{frame}");
    }
}
