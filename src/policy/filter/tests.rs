//! - Each kind finds what it is for, and acts as it is told: block, flag, replace.
//! - Case, invisible characters and escapes are no way around a word.
//! - What is not replaced stays byte for byte.
//! - A field that a kind does not have, and a limit that is broken, is an error that names it.

use super::*;
use crate::protocol::Command;
use crate::protocol::Request;
use crate::session::Caller;

/// The fate of a message: its payload and its flags, or the rule that blocked it.
#[derive(Debug, PartialEq)]
enum Came {
    Passed(String),
    Flagged(String),
    Blocked(String),
}

fn passed(payload: &str) -> Came {
    Came::Passed(payload.to_owned())
}

fn blocked(rule: &str) -> Came {
    Came::Blocked(rule.to_owned())
}

fn config(json: &str) -> FilterConfig {
    serde_json::from_str(json).unwrap()
}

/// Publishes a payload, JSON, through a filter.
fn published(filter: &str, payload: &str) -> Came {
    let request = format!(r#"{{"type":"publish","channel_id":"chat","data":{payload}}}"#);
    asked(filter, &request)
}

fn asked(filter: &str, request: &str) -> Came {
    let filters = Filters::new(Arc::default());
    filters.add(config(filter).build().unwrap());
    let mut command: Command = Request::parse(request).unwrap().command;
    let mut draft = Draft::of(&command, None).unwrap();
    let who = CallerInfo::of(&Caller::server());
    if let Err(fault) = filters.check(&who, &mut draft) {
        assert_eq!(fault.code(), ErrorCode::MessageBlocked);
        return Came::Blocked(fault.errors()[0].rule.to_string());
    }
    let is_flagged = !draft.flags().is_empty();
    draft.put_into(&mut command).unwrap();
    let Some(draft) = Draft::of(&command, None) else {
        unreachable!("it had one before");
    };
    let payload = draft.text().unwrap_or_default().to_owned();
    let flags = draft.metadata().and_then(|it| it.get("flags"));
    assert_eq!(flags.is_some(), is_flagged);
    match is_flagged {
        true => Came::Flagged(payload),
        false => Came::Passed(payload),
    }
}

#[test]
fn words_are_found_whatever_they_wear() {
    let filter = r#"{"name":"w","kind":"words","words":["Spam","straße"]}"#;
    for bad in [
        r#""spam""#,
        r#""no SPAM here""#,
        r#"{"a":[{"b":"(spam)"}]}"#,
        r#""s\u0070am""#,
        r#""sp\u200bam""#,
        r#""spam \ud83d""#,
        r#""eine STRAßE""#,
    ] {
        assert_eq!(published(filter, bad), blocked("words"), "{bad}");
    }
    for good in [r#""spammer""#, r#""antispam""#, r#"{"spam":"ham"}"#, "1"] {
        assert_eq!(published(filter, good), passed(good));
    }
    let anywhere = r#"{"name":"w","kind":"words","words":["坏"],"whole_words":false}"#;
    assert_eq!(published(anywhere, r#""太坏了""#), blocked("words"));
}

#[test]
fn words_are_replaced_and_the_rest_is_kept() {
    let filter =
        r#"{"name":"w","kind":"words","words":["new","new york"],"action":"replace","with":"-"}"#;
    assert_eq!(
        published(filter, r#"{ "t" :"New York, NEW yorker\u0021", "n":1.0 }"#),
        passed(r#"{ "t" :"-, - yorker!", "n":1.0 }"#)
    );
    let flag = r#"{"name":"w","kind":"words","words":["new"],"action":"flag"}"#;
    let text = r#"{ "t" :"new" }"#;
    assert_eq!(published(flag, text), Came::Flagged(text.to_owned()));
}

#[test]
fn text_and_bytes_are_no_way_around() {
    let filter = r#"{"name":"w","kind":"words","words":["spam"]}"#;
    for payload in [
        r#""text":"some spam""#,
        r#""text":"{\"a\":\"sp\\u0061m\"}""#,
        r#""base64":"c3BhbQ==""#,
    ] {
        let request = format!(r#"{{"type":"publish","channel_id":"chat",{payload}}}"#);
        assert_eq!(asked(filter, &request), blocked("words"), "{payload}");
    }
    let bytes = r#"{"type":"publish","channel_id":"chat","base64":"/////w=="}"#;
    assert_eq!(asked(filter, bytes), passed(""));
}

#[test]
fn patterns_block_flag_and_replace() {
    let filter = r#"{"name":"p","kind":"patterns","patterns":["\\d{4}-\\d{4}"]}"#;
    assert_eq!(published(filter, r#""1234-5678""#), blocked("patterns"));
    assert_eq!(published(filter, r#""1234""#), passed(r#""1234""#));
    let replace =
        r#"{"name":"p","kind":"patterns","patterns":["\\d+","a+"],"action":"replace","with":"$0"}"#;
    assert_eq!(
        published(replace, r#""7aaa""#),
        passed(r#""$$00""#.replace("$$00", "$0$0").as_str())
    );
}

#[test]
fn links_are_counted_allowed_and_denied() {
    let max = r#"{"name":"l","kind":"links","max":1}"#;
    assert_eq!(
        published(max, r#""see http://a.io""#),
        passed(r#""see http://a.io""#)
    );
    assert_eq!(
        published(max, r#""http://a.io www.b.io""#),
        blocked("links")
    );
    let allow = r#"{"name":"l","kind":"links","allow":["Good.example"]}"#;
    for good in [
        "https://good.example/a",
        "https://x.good.example.",
        "HTTP://GOOD.EXAMPLE:80",
    ] {
        let payload = format!("\"{good}\"");
        assert_eq!(published(allow, &payload), passed(&payload));
    }
    for bad in [
        "https://evil.example",
        "https://good.example@evil.example",
        "https://good.example.evil.example",
        "https://evil.example/good.example",
        "https:\\\\\\\\evil.example",
        "https://evil.example\\\\@good.example",
        "https://notgood.example",
    ] {
        assert_eq!(
            published(allow, &format!("\"{bad}\"")),
            blocked("links"),
            "{bad}"
        );
    }
    let deny = r#"{"name":"l","kind":"links","deny":["evil.example"],"action":"replace"}"#;
    assert_eq!(
        published(
            deny,
            r#""https://x.evil.example/path and evil.example, notevil.example""#
        ),
        passed(r#""*** and ***, notevil.example""#)
    );
}

#[test]
fn mentions_emojis_and_repeats_are_counted() {
    let mentions = r#"{"name":"m","kind":"mentions","max":2}"#;
    assert_eq!(
        published(mentions, r#""@a @b me@c.d""#),
        passed(r#""@a @b me@c.d""#)
    );
    assert_eq!(published(mentions, r#""@a @b, @c""#), blocked("mentions"));
    let emojis = r#"{"name":"e","kind":"emojis","max":2}"#;
    assert_eq!(
        published(emojis, r#""👍🏽 👩‍👩‍👧 #1 ©""#),
        passed(r#""👍🏽 👩‍👩‍👧 #1 ©""#)
    );
    assert_eq!(published(emojis, r#""🇩🇪🇫🇷😀""#), blocked("emojis"));
    let repeats = r#"{"name":"r","kind":"repeats","max":3}"#;
    assert_eq!(published(repeats, r#""hmmm""#), passed(r#""hmmm""#));
    assert_eq!(published(repeats, r#""hmmmm""#), blocked("repeats"));
    let shorten = r#"{"name":"r","kind":"repeats","max":2,"action":"replace"}"#;
    assert_eq!(published(shorten, r#""noooo!!!""#), passed(r#""noo!!""#));
}

#[test]
fn size_blocks_and_truncates_between_characters() {
    let block = r#"{"name":"s","kind":"size","max_bytes":6}"#;
    assert_eq!(published(block, r#""1234""#), passed(r#""1234""#));
    assert_eq!(published(block, r#""12345""#), blocked("size"));
    let cut = r#"{"name":"s","kind":"size","max_bytes":6,"action":"truncate"}"#;
    assert_eq!(
        published(cut, r#"["short","ääääää"]"#),
        passed(r#"["short","ä..."]"#)
    );
}

#[test]
fn white_space_is_trimmed() {
    let trim = r#"{"name":"t","kind":"trim"}"#;
    assert_eq!(published(trim, r#"[" a  b\n"]"#), passed(r#"["a  b"]"#));
    let collapse = r#"{"name":"t","kind":"trim","collapse":true}"#;
    assert_eq!(
        published(collapse, r#"[" a \t b\n"]"#),
        passed(r#"["a b"]"#)
    );
}

#[test]
fn security_finds_scripts_schemes_domains_and_keys() {
    let filter = r#"{"name":"s","kind":"security","deny":["evil.example"]}"#;
    for (payload, rule) in [
        (r#""<script>alert(1)</script>""#, "security.script"),
        (r#""<img src=x onerror=alert(1)>""#, "security.script"),
        (r#""<svg/onload=x>""#, "security.script"),
        (r#""java\nscript:alert(1)""#, "security.scheme"),
        (r#""JavaScript :alert(1)""#, "security.scheme"),
        (r#""data:text/html,x""#, "security.scheme"),
        (r#""https://a.EVIL.example/x""#, "security.domain"),
        (r#"{"a":[{"__proto__":1}]}"#, "security.key"),
        (r#"{"const\u0072uctor":1}"#, "security.key"),
    ] {
        assert_eq!(published(filter, payload), blocked(rule), "{payload}");
    }
    for good in [
        r#""1 < 2 > 0; select * from data: x""#,
        r#"{"a":"__proto__"}"#,
    ] {
        assert_eq!(published(filter, good), passed(good));
    }
    let forged = r#"{"type":"publish","channel_id":"c","data":1,"metadata":{"__proto__":{}}}"#;
    assert_eq!(asked(filter, forged), blocked("security.key"));
    let clean = r#"{"name":"s","kind":"security","action":"replace"}"#;
    assert_eq!(
        published(clean, r#""a<scr<script>ipt>b""#),
        passed(r#""ab""#)
    );
}

#[test]
fn a_filter_applies_in_its_scope_only() {
    let filter =
        r#"{"name":"w","kind":"words","words":["spam"],"channels":["chat.*"],"events":["say"]}"#;
    let publish = |channel: &str, event: &str| {
        let request = format!(
            r#"{{"type":"publish","channel_id":"{channel}","event":"{event}","data":"spam"}}"#
        );
        asked(filter, &request)
    };
    assert_eq!(publish("chat.one", "say"), blocked("words"));
    assert_eq!(publish("chat.one", "sing"), passed(r#""spam""#));
    assert_eq!(publish("news", "say"), passed(r#""spam""#));
}

#[test]
fn what_is_wrong_with_a_filter_is_said() {
    for (json, expected) in [
        (
            r#"{"name":"","kind":"trim"}"#,
            "filter ``: `name` must have 1 to 64 bytes",
        ),
        (
            r#"{"name":"x","kind":"trim","words":["a"]}"#,
            "filter `x`: `words` is not a field of kind `trim`",
        ),
        (
            r#"{"name":"x","kind":"words"}"#,
            "filter `x`: `words` must list 1 to 10,000 words",
        ),
        (
            r#"{"name":"x","kind":"mentions"}"#,
            "filter `x`: `max` is needed",
        ),
        (
            r#"{"name":"x","kind":"links"}"#,
            "filter `x`: `max` is needed, or `allow`, or `deny`",
        ),
        (
            r#"{"name":"x","kind":"emojis","max":1,"action":"replace"}"#,
            "filter `x`: `action` must be `block` or `flag` for this kind",
        ),
        (
            r#"{"name":"x","kind":"trim","channels":["a..b"]}"#,
            "filter `x`: `channels` `a..b` is not a pattern of channels",
        ),
        (
            r#"{"name":"x","kind":"patterns","patterns":["(\\w{1000}){1000}"]}"#,
            "filter `x`: `patterns` cannot be compiled",
        ),
    ] {
        let error = config(json).build().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let unknown = serde_json::from_str::<FilterConfig>(r#"{"name":"x","kind":"trim","wrods":[]}"#);
    assert!(unknown.unwrap_err().to_string().contains("`wrods`"));
}

/// Notes what it saw.
struct Noting(
    &'static str,
    i32,
    Arc<parking_lot::Mutex<Vec<&'static str>>>,
);

impl ContentFilter for Noting {
    fn name(&self) -> &str {
        self.0
    }

    fn priority(&self) -> i32 {
        self.1
    }

    fn filter(&self, _: &CallerInfo, _: &mut Draft) -> Filtered {
        self.2.lock().push(self.0);
        assert_ne!(self.0, "broken", "this is what is tested");
        Filtered::Pass
    }
}

#[test]
fn filters_are_asked_by_priority_and_one_that_panics_blocks() {
    let seen = Arc::default();
    let filters = Filters::new(Arc::default());
    for (name, priority) in [("late", 5), ("first", -1), ("second", -1), ("late", -5)] {
        filters.add(Noting(name, priority, Arc::clone(&seen)));
    }
    let command = Request::parse(r#"{"type":"publish","channel_id":"c","data":1}"#).unwrap();
    let check = || {
        let mut draft = Draft::of(&command.command, None).unwrap();
        filters.check(&CallerInfo::of(&Caller::server()), &mut draft)
    };
    assert_eq!(check(), Ok(()));
    assert_eq!(*seen.lock(), ["late", "first", "second"]);
    filters.add(Noting("broken", 0, Arc::clone(&seen)));
    assert_eq!(check().unwrap_err().code(), ErrorCode::HookFailed);
    assert!(filters.remove("broken") && !filters.remove("broken"));
    assert_eq!(check(), Ok(()));
}
