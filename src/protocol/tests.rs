//! What is read, what is refused, and what each refusal says.

use std::time::Duration;

use crate::hub::StreamPosition;

use super::Arguments;
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
use super::Timestamp;
use super::Whose;

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
        Command::Unsubscribe {
            channel: channel(),
            whose: Whose::Own,
        }
    );
    assert_eq!(
        read(
            r#"{"type":"subscribe","channel_id":"c","auth":"k","since":{"offset":7,"epoch":"9"}}"#
        ),
        Command::Subscribe {
            channel: channel(),
            filter: None,
            since: Some(StreamPosition {
                offset: 7,
                epoch: 9
            }),
            auth: Some("k".to_owned()),
            whose: Whose::Own,
        }
    );
    assert_eq!(
        read(
            r#"{"type":"publish","channel_id":"c","data":{"a":[1, 2]},"key":"k","event":"e","echo":false}"#
        ),
        Command::Publish {
            channel: channel(),
            payload: Payload::Json(r#"{"a":[1, 2]}"#.to_owned()),
            key: Some("k".to_owned()),
            event: Some("e".parse().unwrap()),
            metadata: None,
            echo: Echo::Others,
            expires_in_ms: None,
            except: None,
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
fn an_event_is_a_name_of_1_to_128_bytes() {
    let frame = |event: &str| {
        format!(r#"{{"type":"publish","channel_id":"c","text":"x","event":{event}}}"#)
    };
    let read = |event: &str| {
        let Command::Publish { event, .. } = Request::parse(&frame(event))?.command else {
            panic!("it is a publish");
        };
        Ok::<_, Fault>(event)
    };
    let longest = "x".repeat(128);
    for allowed in ["e", "order.placed", "zwei Wörter", &longest] {
        let event = read(&format!("{allowed:?}")).unwrap();
        assert_eq!(event.as_deref(), Some(allowed));
    }
    assert_eq!(read("null").unwrap(), None);
    let long = format!("\"{longest}x\"");
    for refused in [r#""""#, r#""a\n""#, r#""\u0000""#, &long, "7", "[]", "{}"] {
        let fault = read(refused).unwrap_err();
        assert_eq!(fault.code(), ErrorCode::InvalidField, "{refused}");
        assert_eq!(fault.at(), Some("event"));
    }
}

#[test]
fn a_lifetime_is_a_positive_number_of_milliseconds() {
    let body = |value: &str| {
        let (kind, channel) = (r#""type":"publish""#, r#""channel_id":"c""#);
        format!(r#"{{{kind},{channel},"text":"x","expires_in_ms":{value}}}"#)
    };
    let lifetime = |value: &str| {
        let Command::Publish { expires_in_ms, .. } = Request::parse(&body(value))?.command else {
            panic!("it is a publish");
        };
        Ok::<_, Fault>(expires_in_ms.map(u32::from))
    };
    assert_eq!(lifetime("1").unwrap(), Some(1));
    assert_eq!(lifetime("4294967295").unwrap(), Some(4_294_967_295));
    assert_eq!(lifetime("null").unwrap(), None);
    for refused in ["0", "-1", "1.5", "4294967296", r#""1""#, "[]"] {
        let fault = lifetime(refused).unwrap_err();
        assert_eq!(fault.code(), ErrorCode::InvalidField, "{refused}");
    }
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
            r#"{"id":1,"type":"subscribe","channel_id":"c","since":{"offset":1,"epoch":"x"}}"#
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
fn fields_that_a_command_does_not_have_are_refused_by_name() {
    for (text, field) in [
        (r#"{"id":1,"type":"ping","metadata":{"a":1}}"#, "metadata"),
        (r#"{"id":1,"type":"ping","version":2}"#, "version"),
        (
            r#"{"id":1,"type":"subscribe","channel_id":"c","filtre":{}}"#,
            "filtre",
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"c","data":1,"auth":"x"}"#,
            "auth",
        ),
    ] {
        let fault = Request::parse(text).unwrap_err();
        assert_eq!(
            (fault.code(), fault.at()),
            (ErrorCode::InvalidField, Some(field))
        );
        assert_eq!(fault.request(), Some(&RequestId::Number(1)));
    }
}

#[test]
fn a_command_reads_the_same_out_of_arguments() {
    for text in [
        r#"{"type":"ping"}"#,
        r#"{"type":"ping","x":1}"#,
        r#"{"type":"presence","channel_id":"presence-c"}"#,
        r#"{"type":"presence","channel_id":7}"#,
        r#"{"type":"publish","channel_id":"c","data":{"a":[1.50,null]},"key":"k","echo":false}"#,
        r#"{"type":"publish","channel_id":"c","text":"t","metadata":{"a":1},"expires_in_ms":5}"#,
        r#"{"type":"publish","channel_id":"c","base64":"AAE=","except":"7"}"#,
        r#"{"type":"publish","channel_id":"c","base64":"!"}"#,
        r#"{"type":"publish","channel_id":"c","data":1,"echo":"no"}"#,
        r#"{"type":"publish","channel_id":"c","data":1,"expires_in_ms":0}"#,
        r#"{"type":"publish","channel_id":"c","data":1,"except":"x"}"#,
        r#"{"type":"publish","channel_id":"c","data":1,"metadata":[]}"#,
        r#"{"type":"publish","channel_id":"c"}"#,
        r#"{"type":"publish","data":1}"#,
        r#"{"type":"publish","channel_id":null,"data":1}"#,
        r#"{"type":"subscribe","channel_id":"c","filter":{"a":1},"auth":"x"}"#,
        r#"{"type":"subscribe","channel_id":"c","since":{"sequence":1,"epoch":"2"},"client_id":"3"}"#,
        r#"{"type":"subscribe","channel_id":"c","since":3}"#,
        r#"{"type":"subscribe","channel_id":"c","client_id":"3","user_id":"ada"}"#,
        r#"{"type":"subscribe","channel_id":"c","filtre":{}}"#,
        r#"{"type":"unsubscribe","channel_id":"c","user_id":"ada"}"#,
    ] {
        let mut arguments = Arguments::parse(text).unwrap();
        let name: String = arguments.text("type", 64).unwrap().unwrap();
        arguments.remove("type");
        let named = Command::named(&name, arguments);
        let parsed = Request::parse(text).map(|request| request.command);
        assert_eq!(named, parsed, "{text}");
    }
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
