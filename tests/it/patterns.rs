//! Channels over the shipped binary: patterns, filters, declared channels, and what no client can
//! say of itself.

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;
use crate::binary::Ws;

#[test]
fn a_pattern_receives_every_channel_that_matches_and_those_to_come() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    let mut other = throng.ws_joined("sport.tennis.live");
    done(
        &mut client,
        &json!({"type": "pattern.subscribe", "pattern": "sport.*.live"}),
    );

    for (channel, text) in [
        ("sport.tennis.live", "one"),
        ("sport.golf.live", "two, of a channel that nobody is in"),
        ("sport.golf", "not"),
        ("sport.golf.live.junior", "not"),
        ("sport.tennis.live", "three"),
    ] {
        throng.publish(channel, &json!(text));
    }
    let got: Vec<_> = (0..3).map(|_| client.expect("message")).collect();
    let texts: Vec<_> = got.iter().map(|push| push["data"].clone()).collect();
    assert_eq!(
        texts,
        [
            json!("one"),
            json!("two, of a channel that nobody is in"),
            json!("three")
        ]
    );
    assert_eq!(got[0]["channel_id"], "sport.tennis.live");
    // The very same push, with the number that it has in its channel.
    assert_eq!(other.expect("message"), got[0]);
    assert_eq!(
        (&got[0]["offset"], &got[2]["offset"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn t10_a_message_that_several_patterns_match_comes_once_on_every_transport() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws_joined("news.p");
    let (mut stream, connected) = throng.sse("/sse?channels=news.p");
    stream.expect("joined");
    let stream_client = connected["data"]["client_id"].as_str().unwrap();
    for pattern in ["news.*", "news.>"] {
        let subscribe = json!({"type": "pattern.subscribe", "pattern": pattern});
        done(&mut client, &subscribe);
        let body = json!({"client_id": stream_client, "pattern": pattern});
        let body = body.to_string();
        let answer = throng.post("/api/v1/patterns", "application/json", &body);
        assert!(answer.status < 300, "{answer:?}");
        stream.expect("joined");
    }
    let mut publisher = throng.ws();
    for text in ["one", "two"] {
        let publish = json!({"id": 1, "type": "publish", "channel_id": "news.p", "text": text});
        let ack = publisher.ask(&publish.to_string());
        let report = |field: &str| ack["data"][field].clone();
        assert_eq!(
            (report("addressed"), report("routed")),
            (json!(2), json!(4)),
            "{ack}"
        );
    }
    for text in ["one", "two"] {
        assert_eq!(client.expect("message")["text"], text);
        assert_eq!(stream.expect("message")["text"], text);
    }
    let publish = json!({"id": 1, "type": "publish", "channel_id": "news.q", "text": "x"});
    let ack = publisher.ask(&publish.to_string());
    let report = |field: &str| ack["data"][field].clone();
    assert_eq!(
        (report("addressed"), report("routed")),
        (json!(0), json!(4)),
        "{ack}"
    );
    assert_eq!(client.expect("message")["channel_id"], "news.q");
    assert_eq!(stream.expect("message")["channel_id"], "news.q");
}

#[test]
fn a_slow_socket_with_patterns_gets_each_message_once() {
    const BYTES: usize = 60_000;
    let outbox = ["--outbox-messages", "512", "--outbox-bytes", "100000000"];
    let throng = Throng::start(&outbox);
    let mut client = throng.ws_joined("news.p");
    for pattern in ["news.*", "news.>"] {
        let subscribe = json!({"type": "pattern.subscribe", "pattern": pattern});
        done(&mut client, &subscribe);
    }
    // More than the socket takes: what does not fit goes back into the outbox, and comes again.
    for number in 1..=80 {
        throng.publish("news.p", &json!(format!("{number:BYTES$}")));
    }
    for number in 1..=80 {
        let push = client.expect("message");
        let text = push["data"].as_str().unwrap();
        assert_eq!(
            (&push["offset"], text.trim()),
            (&json!(number), &*number.to_string())
        );
    }
    assert_eq!(client.ask(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
}

#[test]
fn prefixes_suffixes_and_rests_match_as_they_say() {
    let throng = Throng::start(&[]);
    for (pattern, expected) in [
        (json!({"prefix": "tick"}), vec!["ticks", "ticks.eu.x"]),
        (json!({"suffix": ".x"}), vec!["ticks.eu.x"]),
        (json!({"pattern": "ticks.>"}), vec!["ticks.eu.x"]),
        (json!({"pattern": "ticks"}), vec!["ticks"]),
        (
            json!({"pattern": ">"}),
            vec!["ticks", "ticks.eu.x", "other"],
        ),
    ] {
        let mut client = throng.ws();
        let mut command = pattern.clone();
        command["type"] = json!("pattern.subscribe");
        done(&mut client, &command);
        for channel in ["ticks", "ticks.eu.x", "other"] {
            throng.publish(channel, &json!(channel));
        }
        for channel in expected {
            assert_eq!(client.expect("message")["channel_id"], channel, "{pattern}");
        }
        quiet(&mut client);
    }
}

#[test]
fn a_pattern_ends_when_its_client_says_so_and_can_be_listed() {
    let throng = Throng::start(&["--max-patterns", "2"]);
    let mut client = throng.ws();
    let subscribe = json!({"type": "pattern.subscribe", "pattern": "a.*", "filter": {"x": 1}});
    done(&mut client, &subscribe);
    assert_eq!(
        refused(&mut client, &subscribe),
        ("already_subscribed".into(), Some("pattern".into()))
    );
    done(
        &mut client,
        &json!({"type": "pattern.subscribe", "prefix": "b"}),
    );
    let third = json!({"type": "pattern.subscribe", "suffix": "c"});
    assert_eq!(refused(&mut client, &third).0, "too_many_patterns");
    let listed = done(&mut client, &json!({"type": "pattern.list"}));
    assert_eq!(
        listed["patterns"],
        json!([{"pattern": "p:b", "filter": null}, {"pattern": "s:a.*", "filter": {"x": 1}}])
    );
    done(
        &mut client,
        &json!({"type": "pattern.unsubscribe", "prefix": "b"}),
    );
    throng.publish("bx", &json!("nobody wants it"));
    quiet(&mut client);
    let again = json!({"type": "pattern.unsubscribe", "prefix": "b"});
    assert_eq!(refused(&mut client, &again).0, "not_subscribed");
}

#[test]
fn what_is_no_pattern_and_no_filter_says_why() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    for (command, code, field) in [
        (json!({}), "missing_field", "pattern"),
        (json!({"pattern": "a..b"}), "invalid_pattern", "pattern"),
        (json!({"prefix": ""}), "invalid_pattern", "prefix"),
        (
            json!({"pattern": "a", "prefix": "a"}),
            "invalid_field",
            "pattern",
        ),
        (
            json!({"pattern": "a", "filter": {"x": {"about": 1}}}),
            "invalid_filter",
            "filter",
        ),
        (
            json!({"pattern": "a", "filter": []}),
            "invalid_filter",
            "filter",
        ),
    ] {
        let mut command = command.clone();
        command["type"] = json!("pattern.subscribe");
        assert_eq!(
            refused(&mut client, &command),
            (code.into(), Some(field.into())),
            "{command}"
        );
    }
}

#[test]
fn a_filter_is_evaluated_on_the_server_for_plain_channels_and_patterns() {
    let throng = Throng::start(&[]);
    let mut plain = throng.ws();
    let filter = json!({"symbol": ["XY", "YZ"], "price": {"gte": 100, "lt": 200}});
    let subscribe = json!({"type": "subscribe", "id": 1, "channel_id": "ticks", "filter": filter});
    plain.say(&subscribe.to_string());
    plain.expect("joined");
    let mut pattern = throng.ws();
    done(
        &mut pattern,
        &json!({"type": "pattern.subscribe", "pattern": "*", "filter": {"symbol": "XY"}}),
    );
    let mut publisher = throng.ws();
    for (symbol, price) in [("XY", 99), ("XY", 150), ("ZZ", 150), ("YZ", 199)] {
        let command = json!({
            "type": "publish", "id": 2, "channel_id": "ticks", "data": price,
            "metadata": {"symbol": symbol, "price": price},
        });
        publisher.ask(&command.to_string());
    }
    for (price, symbol, offset) in [(150, "XY", 2), (199, "YZ", 4)] {
        let push = plain.expect("message");
        assert_eq!(push["data"], price);
        assert_eq!(push["offset"], offset, "the numbers of the channel");
        assert_eq!(
            push["metadata"],
            json!({"symbol": symbol, "price": price}),
            "as it was sent"
        );
    }
    quiet(&mut plain);
    let prices = [99, 150].map(|price| (pattern.expect("message")["data"].clone(), json!(price)));
    for (got, expected) in prices {
        assert_eq!(got, expected);
    }
    quiet(&mut pattern);
    // Over HTTP too, and without metadata it matches no filter that asks for some.
    let body = json!({"data": 1, "metadata": {"symbol": "XY", "price": 100}}).to_string();
    throng.post("/api/v1/channels/ticks/publish", "application/json", body);
    throng.publish("ticks", &json!("without"));
    assert_eq!(plain.expect("message")["data"], 1);
    quiet(&mut plain);
}

#[test]
fn channels_are_declared_changed_listed_found_and_deleted() {
    let throng = Throng::start(&[]);
    let put = |name: &str, body: Value| {
        let path = format!("/api/v1/channels/{name}");
        throng.request(
            "PUT",
            &path,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    };
    let made = put(
        "alerts.eu",
        json!({"description": "for Europe", "metadata": {"tier": 1}}),
    );
    assert_eq!(
        (made.status, made.json()["declared"].clone()),
        (200, json!(true))
    );
    assert_eq!(
        put("alerts.eu", json!({})).problem(),
        (409, "channel_exists".into())
    );
    assert_eq!(
        put("$mine", json!({})).problem(),
        (400, "invalid_channel".into())
    );
    let body = json!({"description": "for the Union"}).to_string();
    let json = [("content-type", "application/json")];
    let changed = throng.request(
        "PATCH",
        "/api/v1/channels/alerts.eu",
        &json,
        body.as_bytes(),
    );
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.json()["description"], "for the Union");
    assert_eq!(
        changed.json()["metadata"],
        json!({"tier": 1}),
        "what is not named stays"
    );
    put("alerts.us", json!({}));
    let mut client = throng.ws_joined("alerts.asia");
    let find = |query: &str| {
        let found = throng.get(&format!("/api/v1/channels/{query}")).json();
        let names = found["channels"].as_array().unwrap().clone();
        let names = names
            .iter()
            .map(|it| it["channel_id"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), found["next"].clone())
    };
    assert_eq!(
        find("find?pattern=alerts.*").0,
        ["alerts.asia", "alerts.eu", "alerts.us"]
    );
    assert_eq!(find("declared").0, ["alerts.eu", "alerts.us"]);
    let (page, next) = find("find?prefix=alerts&limit=2");
    assert_eq!(
        (page, next),
        (
            vec!["alerts.asia".into(), "alerts.eu".into()],
            json!("alerts.eu")
        )
    );
    assert_eq!(find("find?suffix=us&after=alerts.eu").0, ["alerts.us"]);

    client.join("alerts.eu");
    throng.publish("alerts.eu", &json!("hello"));
    client.expect("message");
    let stats = throng.get("/api/v1/channels/alerts.eu/stats").json();
    assert_eq!(
        (&stats["subscribers"], &stats["published"]),
        (&json!(1), &json!(1))
    );
    let subscribers = throng.get("/api/v1/channels/alerts.eu/subscribers").json();
    assert_eq!(subscribers["clients"], json!([client.id()]));
    assert_eq!(
        throng
            .request("DELETE", "/api/v1/channels/alerts.eu", &[], b"")
            .status,
        204
    );
    let left = client.expect("left");
    assert_eq!(
        (&left["channel_id"], &left["data"]["reason"]),
        (&json!("alerts.eu"), &json!("deleted"))
    );
    assert_eq!(
        throng.get("/api/v1/channels/alerts.eu/info").problem(),
        (404, "unknown_channel".into())
    );
}

#[test]
fn where_only_declared_channels_are_others_cannot_be_used() {
    let throng = Throng::start(&["--declared-only"]);
    let mut client = throng.ws();
    let subscribe = json!({"type": "subscribe", "channel_id": "news"});
    assert_eq!(
        refused(&mut client, &subscribe),
        ("unknown_channel".into(), Some("channel_id".into()))
    );
    let publish = json!({"type": "publish", "channel_id": "news", "data": 1});
    assert_eq!(refused(&mut client, &publish).0, "unknown_channel");
    throng.request("PUT", "/api/v1/channels/news", &[], b"");
    client.join("news");
}

#[test]
fn f4_a_client_can_forge_nothing_of_the_envelope() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let mut bob = throng.ws_as("bob");
    bob.join("news");
    let mut eve = throng.ws_as("eve");
    let publish = json!({
        "id": 1, "type": "publish", "channel_id": "news", "data": {"type": "disconnect"},
        "metadata": {"user_id": "ada", "type": "system"},
    });
    for (field, value) in [
        ("user_id", json!("ada")),
        ("offset", json!(9_223_372_036_854_775_807_u64)),
        ("epoch", json!("1")),
        ("published_at", json!("1970-01-01T00:00:00.000Z")),
        ("content_type", json!("text/plain")),
        ("room_id", json!("den")),
        ("pattern", json!("p:x")),
    ] {
        let mut forged = publish.clone();
        forged[field] = value;
        let fault = ("invalid_field".to_owned(), Some(field.to_owned()));
        assert_eq!(refused(&mut eve, &forged), fault);
    }
    let ack = eve.ask(&publish.to_string());
    assert_eq!(ack["type"], "ack");
    let push = bob.expect("message");
    assert_eq!(push["user_id"], "eve");
    assert_eq!(push["offset"], 1);
    assert_eq!(push["data"], json!({"type": "disconnect"}));
    assert_eq!(
        push["metadata"],
        json!({"user_id": "ada", "type": "system"})
    );
    for absent in ["content_type", "room_id", "pattern", "id"] {
        assert_eq!(push.get(absent), None, "{absent}");
    }
}

#[test]
fn f19_channels_ask_who_may_and_keep_nothing_of_who_has_gone() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--max-channels-per-user",
        "3",
    ]);
    let mut ada = throng.ws_as("ada");
    for own in ["$room:den", "$pattern:s:>", "$presence:bob"] {
        let subscribe = json!({"type": "subscribe", "channel_id": own});
        assert_eq!(refused(&mut ada, &subscribe).0, "invalid_channel");
    }
    // Three channels of one user, over all of its connections; the same one counts once.
    ada.join("a");
    ada.join("b");
    let mut again = throng.ws_as("ada");
    again.join("a");
    again.join("c");
    let fourth = json!({"type": "subscribe", "channel_id": "d"});
    assert_eq!(
        refused(&mut again, &fourth),
        ("channel_limit_reached".into(), Some("channel_id".into()))
    );
    again.ask(&json!({"id": 9, "type": "unsubscribe", "channel_id": "c"}).to_string());
    again.join("d");
    done(
        &mut ada,
        &json!({"type": "pattern.subscribe", "pattern": "x.>"}),
    );
    drop((ada, again));
    throng.stats_until(|stats| stats["clients"] == 0);
    let found = throng.get("/api/v1/channels/find").json();
    assert_eq!(found["channels"], json!([]));
    let stats = throng.stats();
    assert_eq!(
        (&stats["channels"], &stats["subscriptions"]),
        (&json!(0), &json!(0))
    );
    let mut anew = throng.ws_as("ada");
    for channel in ["e", "f", "g"] {
        anew.join(channel);
    }
}

#[test]
fn a_stream_has_patterns_and_filters_as_well() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let filter = "%7B%22level%22%3A%22high%22%7D";
    let path = format!("/sse?user=ada&channels=news&filter={filter}");
    let (mut stream, connected) = throng.sse(&path);
    stream.expect("joined");
    let client = connected["data"]["client_id"].as_str().unwrap();
    let body = json!({"client_id": client, "pattern": "sport.*", "filter": {"live": true}});
    let patterns = "/api/v1/patterns?actor=ada";
    let subscribed = throng.post(patterns, "application/json", body.to_string());
    assert_eq!(subscribed.status, 200, "{subscribed:?}");
    let foreign = patterns.replace("ada", "eve");
    let foreign = throng.post(&foreign, "application/json", body.to_string());
    assert_eq!(foreign.problem(), (404, "unknown_client".into()));
    let nameless = throng.post(patterns, "application/json", r#"{"pattern":"a.*"}"#);
    assert_eq!(nameless.problem(), (400, "missing_field".into()));
    let list = format!("{patterns}&client_id={client}");
    assert_eq!(
        throng.get(&list).json()["patterns"][0]["pattern"],
        "s:sport.*"
    );
    stream.expect("joined");

    let mut other = throng.ws_as("bob");
    for (channel, metadata) in [
        ("news", json!({"level": "low"})),
        ("news", json!({"level": "high"})),
        ("sport.golf", json!({"live": false})),
        ("sport.golf", json!({"live": true})),
    ] {
        let publish = json!({
            "type": "publish", "channel_id": channel, "data": metadata, "metadata": metadata,
        });
        done(&mut other, &publish);
    }
    assert_eq!(stream.expect("message")["data"], json!({"level": "high"}));
    assert_eq!(stream.expect("message")["data"], json!({"live": true}));

    let gone = throng.request("DELETE", &format!("{list}&pattern=sport.*"), &[], b"");
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(throng.get(&list).json()["patterns"], json!([]));
    for (filter, code) in [
        ("x", "invalid_filter"),
        ("%7B%22a%22%3A%7B%22b%22%3A1%7D%7D", "invalid_filter"),
    ] {
        let refused = throng.get(&format!("/sse?channels=news&filter={filter}"));
        assert_eq!(refused.problem(), (400, code.into()), "{filter}");
    }
}

#[test]
fn f19_a_pattern_is_no_way_around_the_authorizer() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let mut ada = throng.ws_as("ada");
    ada.join("private-x");
    let mut eve = throng.ws_as("eve");
    for pattern in [
        json!({"pattern": ">"}),
        json!({"prefix": "private-"}),
        json!({"suffix": "x"}),
    ] {
        let mut command = pattern;
        command["type"] = json!("pattern.subscribe");
        done(&mut eve, &command);
    }
    throng.publish("private-x", &json!("for ada"));
    assert_eq!(ada.expect("message")["data"], "for ada");
    quiet(&mut eve);
    let found = done(&mut eve, &json!({"type": "channel.find"}));
    assert_eq!(found["channels"], json!([]));
    let stats = json!({"type": "channel.stats", "channel_id": "private-x"});
    assert_eq!(refused(&mut eve, &stats).0, "unknown_channel");
    assert_eq!(done(&mut ada, &stats)["subscribers"], 1);
}

#[test]
fn f19_no_page_tells_the_name_of_a_private_channel() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let mut ada = throng.ws_as("ada");
    let hidden = ["presence-board", "private-acquisition", "private-merger"];
    for channel in hidden.iter().chain(&["price", "quote"]) {
        ada.join(channel);
    }
    let declare = json!({"description": "secret"}).to_string();
    let declared = "/api/v1/channels/private-declared";
    let put = throng.request(
        "PUT",
        declared,
        &[("content-type", "application/json")],
        declare.as_bytes(),
    );
    assert_eq!(put.status, 200, "{put:?}");
    let mut eve = throng.ws_as("eve");
    eve.join("private-merger");
    let mut pages = |command: &Value| {
        let mut names: Vec<String> = Vec::new();
        let mut command = command.clone();
        loop {
            let page = done(&mut eve, &command);
            let channels = page["channels"].as_array().unwrap().iter();
            names.extend(channels.map(|it| it["channel_id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else {
                return names;
            };
            let told = names.iter().any(|name| name == next);
            assert!(told, "{next} is told by a cursor");
            command["after"] = json!(next);
        }
    };
    let find = json!({"type": "channel.find", "limit": 1});
    assert_eq!(pages(&find), ["price", "private-merger", "quote"]);
    let find = json!({"type": "channel.find", "limit": 1, "prefix": "private-"});
    assert_eq!(pages(&find), ["private-merger"]);
    let list = json!({"type": "channel.declared", "limit": 1});
    assert_eq!(pages(&list), [""; 0]);
    let all = throng.get("/api/v1/channels/find").json();
    assert_eq!(all["channels"].as_array().unwrap().len(), 6, "{all}");
}

#[test]
fn private_channels_are_the_authorizers_to_give() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    let subscribe = json!({"type": "subscribe", "channel_id": "private-x"});
    assert_eq!(refused(&mut client, &subscribe).0, "unauthorized");
}

/// Asks for something, and gives the data of the answer; a pattern is then joined, too.
fn done(client: &mut Ws, command: &Value) -> Value {
    let mut command = command.clone();
    command["id"] = json!("asked");
    client.say(&command.to_string());
    let mut data = None;
    let mut joined = command["type"] != "pattern.subscribe";
    while data.is_none() || !joined {
        let push = client.push();
        if push["reply_to"] == "asked" {
            assert_eq!(push["type"], "ack", "{push}");
            data = Some(push["data"].clone());
        } else {
            assert_eq!(push["type"], "joined", "{push}");
            assert!(push["pattern"].is_string(), "{push}");
            joined = true;
        }
    }
    data.unwrap()
}

/// Asks for something that is refused: the code, and the field.
fn refused(client: &mut Ws, command: &Value) -> (String, Option<String>) {
    let mut command = command.clone();
    command["id"] = json!("refused");
    client.say(&command.to_string());
    loop {
        let push = client.push();
        if push["reply_to"] == "refused" {
            assert_eq!(push["type"], "error", "{push}");
            let field = push["data"]["field"].as_str().map(str::to_owned);
            return (push["data"]["code"].as_str().unwrap().to_owned(), field);
        }
    }
}

/// Nothing has come but the answer to this.
fn quiet(client: &mut Ws) {
    assert_eq!(
        client.ask(r#"{"id":"quiet","type":"ping"}"#)["type"],
        "pong"
    );
}

#[test]
fn a_declared_channel_may_be_private() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let json = [("content-type", "application/json")];
    let path = "/api/v1/channels/vault";
    let made = throng.request("PUT", path, &json, br#"{"private":true}"#);
    assert_eq!(made.json()["private"], true, "{made:?}");
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let subscribe = r#"{"id":1,"type":"subscribe","channel_id":"vault"}"#;
    assert_eq!(bob.ask(subscribe)["data"]["code"], "unauthorized");
    let info = r#"{"id":1,"type":"channel.info","channel_id":"vault"}"#;
    assert_eq!(bob.ask(info)["data"]["code"], "unknown_channel");
    let find = r#"{"id":1,"type":"channel.find"}"#;
    assert!(!bob.ask(find).to_string().contains("vault"));
    bob.say(r#"{"id":"p","type":"pattern.subscribe","pattern":">"}"#);
    bob.wait_for("joined");
    // The server's side lets users in.
    let body = r#"{"user_id":"ada"}"#;
    let let_in = throng.post(&format!("{path}/subscribe"), json[0].1, body);
    assert_eq!(let_in.status, 200, "{let_in:?}");
    ada.expect("joined");
    assert_eq!(ada.ask(info)["data"]["private"], true);
    let publish = r#"{"id":2,"type":"publish","channel_id":"vault","data":1}"#;
    bob.say(publish);
    assert_eq!(bob.wait_for("error")["data"]["code"], "not_subscribed");
    ada.say(publish);
    assert_eq!(ada.wait_for("message")["data"], 1);
    // Nothing of it came by the pattern.
    throng.publish("open", &json!(2));
    assert_eq!(bob.wait_for("message")["data"], 2);
    let opened = throng.request("PATCH", path, &json, br#"{"private":false}"#);
    assert_eq!(opened.status, 200, "{opened:?}");
    throng.publish("vault", &json!(3));
    assert_eq!(bob.wait_for("message")["data"], 3);
    bob.say(subscribe);
    assert_eq!(bob.wait_for("joined")["channel_id"], "vault");
}
