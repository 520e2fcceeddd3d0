//! What is read, what is refused, and what each refusal says.

use std::time::Duration;

use super::Command;
use super::Echo;
use super::ErrorCode;
use super::Fault;
use super::MAX_AUTH;
use super::MAX_CHANNEL;
use super::MAX_DEPTH;
use super::MAX_ID;
use super::MAX_KEY;
use super::Payload;
use super::Request;
use super::RequestId;
use super::Since;
use super::Timestamp;

fn read(text: &str) -> Command {
    Request::parse(text).unwrap().command
}

fn refusal(text: &str) -> Fault {
    Request::parse(text).unwrap_err()
}

#[test]
fn every_command_is_read() {
    assert_eq!(read(r#"{"type":"ping"}"#), Command::Ping);
    let channel = || "c".to_owned();
    assert_eq!(
        read(r#"{"type":"presence","channel_id":"c"}"#),
        Command::Presence { channel: channel() }
    );
    assert_eq!(
        read(r#"{"type":"unsubscribe","channel":"c"}"#),
        Command::Unsubscribe { channel: channel() }
    );
    assert_eq!(
        read(
            r#"{"type":"subscribe","channel_id":"c","auth":"k","since":{"sequence":7,"epoch":"9"}}"#
        ),
        Command::Subscribe {
            channel: channel(),
            filter: None,
            since: Some(Since {
                sequence: 7,
                epoch: 9
            }),
            auth: Some("k".to_owned()),
        }
    );
    assert_eq!(
        read(r#"{"type":"publish","channel_id":"c","data":{"a":[1, 2]},"key":"k","echo":false}"#),
        Command::Publish {
            channel: channel(),
            payload: Payload::Json(r#"{"a":[1, 2]}"#.to_owned()),
            key: Some("k".to_owned()),
            metadata: None,
            echo: Echo::Others,
        }
    );
}

#[test]
fn a_payload_has_three_forms_and_null_is_data() {
    let payload =
        |field: &str| match read(&format!(r#"{{"type":"publish","channel_id":"c",{field}}}"#)) {
            Command::Publish { payload, .. } => payload,
            other => panic!("{other:?}"),
        };
    assert_eq!(payload(r#""data":null"#), Payload::Json("null".to_owned()));
    assert_eq!(
        payload(r#""text":"a\n\u00e9""#),
        Payload::Text("a\né".to_owned())
    );
    assert_eq!(
        payload(r#""base64":"AP8=""#),
        Payload::Binary(vec![0, 255].into())
    );
}

#[test]
fn an_id_is_a_number_or_a_text() {
    let id = |text: &str| Request::parse(text).unwrap().id;
    assert_eq!(id(r#"{"type":"ping","id":7}"#), Some(RequestId::Number(7)));
    assert_eq!(
        id(r#"{"type":"ping","id":"a"}"#),
        Some(RequestId::Text("a".into()))
    );
    assert_eq!(id(r#"{"type":"ping","id":null}"#), None);
    assert_eq!(id(r#"{"type":"ping"}"#), None);
}

#[test]
fn a_refusal_names_code_field_and_request() {
    let long = |n: usize| "x".repeat(n + 1);
    let cases = [
        (
            r#"{"id":1}"#.to_owned(),
            ErrorCode::MissingField,
            Some("type"),
        ),
        (
            r#"{"id":1,"type":"shout"}"#.to_owned(),
            ErrorCode::UnknownType,
            Some("type"),
        ),
        (
            r#"{"id":1,"type":7}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("type"),
        ),
        (
            r#"{"id":1,"type":null}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("type"),
        ),
        (
            r#"{"id":1,"type":"subscribe"}"#.to_owned(),
            ErrorCode::MissingField,
            Some("channel_id"),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":[]}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("channel_id"),
        ),
        (
            format!(
                r#"{{"id":1,"type":"presence","channel_id":"{}"}}"#,
                long(MAX_CHANNEL)
            ),
            ErrorCode::TooLarge,
            Some("channel_id"),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":"c","since":5}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("since"),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":"c","since":{"sequence":1,"epoch":"x"}}"#
                .to_owned(),
            ErrorCode::InvalidField,
            Some("since"),
        ),
        (
            format!(
                r#"{{"id":1,"type":"subscribe","channel_id":"c","auth":"{}"}}"#,
                long(MAX_AUTH)
            ),
            ErrorCode::TooLarge,
            Some("auth"),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c"}"#.to_owned(),
            ErrorCode::MissingField,
            Some("data"),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c","data":1,"text":"b"}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("data"),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c","text":1}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("text"),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c","base64":"%"}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("base64"),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c","data":1,"echo":"no"}"#.to_owned(),
            ErrorCode::InvalidField,
            Some("echo"),
        ),
        (
            format!(
                r#"{{"id":1,"type":"publish","channel_id":"c","data":1,"key":"{}"}}"#,
                long(MAX_KEY)
            ),
            ErrorCode::TooLarge,
            Some("key"),
        ),
    ];
    for (text, code, field) in cases {
        let fault = refusal(&text);
        assert_eq!((fault.code(), fault.at()), (code, field), "{text}");
        assert_eq!(fault.request(), Some(&RequestId::Number(1)), "{text}");
    }
}

#[test]
fn a_bad_id_is_named_and_not_echoed() {
    let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(MAX_ID + 1));
    for (text, code) in [
        (r#"{"type":"ping","id":-1}"#, ErrorCode::InvalidField),
        (r#"{"type":"ping","id":1.5}"#, ErrorCode::InvalidField),
        (r#"{"type":"ping","id":{}}"#, ErrorCode::InvalidField),
        (long.as_str(), ErrorCode::TooLarge),
    ] {
        let fault = refusal(text);
        assert_eq!(
            (fault.code(), fault.at(), fault.request()),
            (code, Some("id"), None),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_one_object_is_not_json_for_us() {
    let cases = [
        "",
        "x",
        "[1,\"ping\"]",
        "\"ping\"",
        "null",
        "{",
        "{}{}",
        "{\"type\":\"ping\",}",
    ];
    for text in cases
        .into_iter()
        .chain([r#"{"type":"ping","type":"ping"}"#])
    {
        assert_eq!(refusal(text).code(), ErrorCode::InvalidJson, "{text}");
    }
}

#[test]
fn nesting_is_bounded_and_names_the_request() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"id":"n","type":"publish","channel_id":"c","data":{open}"]{{"{close}}}"#)
    };
    assert!(Request::parse(&nested(MAX_DEPTH - 1)).is_ok());
    for depth in [MAX_DEPTH, 1_000_000] {
        let fault = refusal(&nested(depth));
        assert_eq!(fault.code(), ErrorCode::TooDeep);
        assert_eq!(fault.request(), Some(&RequestId::Text("n".into())));
    }
}

#[test]
fn brackets_inside_strings_are_not_nesting() {
    let text = "\\\"[{".repeat(200);
    let publish = format!(r#"{{"type":"publish","channel_id":"c","data":"{text}"}}"#);
    assert!(Request::parse(&publish).is_ok());
}

#[test]
fn fields_that_nobody_knows_are_skipped() {
    assert_eq!(
        read(r#"{"type":"ping","metadata":{"a":1},"version":2}"#),
        Command::Ping
    );
}

#[test]
fn time_is_printed_as_rfc_3339() {
    let print = |seconds, millis| {
        let elapsed = Duration::from_secs(seconds) + Duration::from_millis(millis);
        Timestamp::since_unix_epoch(elapsed).to_string()
    };
    assert_eq!(print(0, 0), "1970-01-01T00:00:00.000Z");
    assert_eq!(print(951_782_399, 999), "2000-02-28T23:59:59.999Z");
    assert_eq!(print(951_782_400, 1), "2000-02-29T00:00:00.001Z");
    assert_eq!(print(1_709_251_199, 0), "2024-02-29T23:59:59.000Z");
    assert_eq!(print(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
}
