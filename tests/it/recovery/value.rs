//! Channels that are a value: whoever comes gets the last message.

use serde_json::Value;
use serde_json::json;

use crate::binary::Sse;

use super::Place;
use super::publish;
use super::published;
use super::remembering;
use super::subscribe;

fn recovered(joined: &Value) -> bool {
    joined["data"]["recovered"].as_bool().unwrap()
}

#[test]
fn whoever_comes_gets_the_value_unless_it_has_it() {
    let (throng, mut publisher) = remembering("latest", &[]);
    let mut early = throng.ws();
    let joined = early.join("c");
    assert_eq!(
        (recovered(&joined), &joined["data"]["start"]),
        (false, &json!(0))
    );
    let begin = published(&throng, &mut publisher, 1..=3);
    for number in 1..=3 {
        assert_eq!(early.expect("message")["data"], number);
    }
    let strange = Place {
        epoch: "1".into(),
        ..begin.at(3)
    };
    for (place, goes_on, start) in [
        (None, false, 2),
        (Some(begin.at(1)), true, 2),
        (Some(begin.at(3)), true, 3),
        (Some(strange), false, 2),
    ] {
        let mut client = throng.ws();
        let joined = client.ask(&subscribe("c", place.as_ref()));
        assert_eq!(recovered(&joined), goes_on, "{place:?}");
        assert_eq!(joined["data"]["start"], start, "{place:?}");
        if start == 2 {
            assert_eq!(client.expect("message")["data"], 3);
        }
        assert_eq!(client.ask(r#"{"type":"ping"}"#)["type"], "pong");
    }
}

#[test]
fn a_stream_begins_with_the_value_and_its_id_names_it() {
    let (throng, mut publisher) = remembering("latest", &[]);
    let begin = published(&throng, &mut publisher, 1..=3);
    let open = |place: Option<Place>| -> Sse {
        let id = place.map(|place| place.event_id("c"));
        let headers = id.as_deref().map(|id| ("last-event-id", id));
        throng.sse_with("/sse?channels=c", headers.as_slice()).0
    };
    for place in [None, Some(begin.at(1))] {
        let mut stream = open(place.clone());
        assert_eq!(recovered(&stream.expect("joined")), place.is_some());
        assert_eq!(stream.expect("message")["data"], 3);
        assert_eq!(stream.last_event_id(), begin.at(3).event_id("c"));
    }
    let mut has_it = open(Some(begin.at(3)));
    assert!(recovered(&has_it.expect("joined")));
    publish(&mut publisher, "c", [4]);
    assert_eq!(has_it.expect("message")["data"], 4);
}
