//! Rooms over the shipped binary: who comes in, what members may do, what they are told, and that
//! all of it is enforced.

use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;
use crate::binary::Ws;

#[test]
fn a_room_is_made_shown_changed_and_deleted() {
    let throng = start();
    let mut ada = Member::of(&throng, "ada");
    let made = ada.done(json!({
        "type": "room.create", "name": "Project Alpha", "room_id": "alpha", "description": "secret",
        "category": "work", "tags": ["rust", "team"], "metadata": {"tier": 1}, "max_members": 9,
    }));
    assert_eq!(made["room"]["owner"], "ada");
    assert_eq!(made["room"]["members"], 1, "whoever makes it is in it");
    let again = json!({"type": "room.create", "name": "Other", "room_id": "alpha"});
    assert_eq!(
        ada.refused(again),
        ("room_exists".into(), Some("room_id".into()))
    );
    let patch =
        json!({"type": "room.update", "room_id": "alpha", "name": "Beta", "category": null});
    let changed = ada.done(patch);
    assert_eq!(
        (&changed["room"]["name"], changed["room"].get("category")),
        (&json!("Beta"), None)
    );
    assert_eq!(
        changed["room"]["tags"],
        json!(["rust", "team"]),
        "what is not said stays"
    );
    let shown = throng.get("/api/v1/rooms/alpha").json();
    assert_eq!(shown["room"]["description"], "secret");
    ada.done(json!({"type": "room.delete", "room_id": "alpha"}));
    let left = ada.next("left");
    assert_eq!(
        (&left["room_id"], &left["data"]["reason"]),
        (&json!("alpha"), &json!("deleted"))
    );
    assert_eq!(
        throng.get("/api/v1/rooms/alpha").problem(),
        (404, "unknown_room".into())
    );
}

#[test]
fn what_a_room_cannot_be_is_said() {
    let throng = start();
    let mut ada = Member::of(&throng, "ada");
    for (field, value, code) in [
        ("name", json!(""), "invalid_field"),
        ("name", json!("x".repeat(129)), "too_large"),
        ("name", json!(7), "invalid_field"),
        ("room_id", json!("x".repeat(129)), "invalid_field"),
        ("description", json!("x".repeat(1025)), "too_large"),
        ("tags", json!(vec!["t"; 17]), "invalid_field"),
        ("metadata", json!({"x": "y".repeat(5000)}), "too_large"),
        ("max_members", json!(-1), "invalid_field"),
        ("private", json!("yes"), "invalid_field"),
    ] {
        let mut command = json!({"type": "room.create", "name": "ok"});
        command[field] = value;
        assert_eq!(
            ada.refused(command),
            (code.into(), Some(field.into())),
            "{field}"
        );
    }
    let nobody = throng.ws();
    let mut nobody = Member(nobody, Vec::new());
    let create = json!({"type": "room.create", "name": "mine"});
    assert_eq!(nobody.refused(create).0, "unauthenticated");
}

#[test]
fn f1_a_client_joins_a_room_over_its_websocket_and_hears_it() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = Member::of(&throng, "bob");
    let joined = bob.done(json!({"type": "room.join", "room_id": "den"}));
    assert_eq!(joined["member"]["role"], "member");
    ada.next_where("room.members", |it| {
        it["data"]["joined"] == json!([{"user_id": "bob", "role": "member"}])
    });
    bob.say("hello");
    for member in [&mut ada, &mut bob] {
        let push = member.next("message");
        assert_eq!(
            (&push["room_id"], &push["user_id"]),
            (&json!("den"), &json!("bob"))
        );
        assert_eq!(
            (&push["message_id"], &push["text"]),
            (&json!("1"), &json!("hello"))
        );
    }
    // All connections of a member receive the room, those to come too; and none after it has left.
    let mut second = Member::of(&throng, "bob");
    assert_eq!(second.next("joined")["room_id"], "den");
    ada.say("to both");
    for member in [&mut bob, &mut second] {
        assert_eq!(member.next("message")["text"], "to both");
    }
    second.done(json!({"type": "room.leave", "room_id": "den"}));
    for member in [&mut bob, &mut second] {
        assert_eq!(member.next("left")["data"]["reason"], "left");
    }
    ada.next_where("room.members", |it| {
        it["data"]["left"] == json!([{"user_id": "bob", "reason": "left"}])
    });
    assert_eq!(bob.refused(send("late")).0, "not_member");
}

#[test]
fn membership_survives_the_connection() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    drop(joined(&throng, "bob"));
    let mut bob = Member::of(&throng, "bob");
    assert_eq!(bob.next("joined")["room_id"], "den");
    ada.say("welcome back");
    assert_eq!(bob.next("message")["text"], "welcome back");
}

#[test]
fn f10_a_private_room_lets_nobody_in_without_an_invite_and_shows_nothing() {
    let throng = start();
    let mut ada = room(&throng, json!({"private": true}));
    let mut bob = Member::of(&throng, "bob");
    assert_eq!(bob.refused(join()).0, "unknown_room");
    let get = json!({"type": "room.get", "room_id": "den"});
    assert_eq!(bob.refused(get).0, "unknown_room");
    let members = json!({"type": "room.members", "room_id": "den"});
    assert_eq!(bob.refused(members).0, "unknown_room");
    let invite = ada.invite(json!({"max_uses": 1, "user_id": "bob"}));
    let told = bob.next("room.invited");
    assert_eq!(
        (&told["data"]["invite"], &told["data"]["by"]),
        (&json!(invite), &json!("ada"))
    );
    bob.done(json!({"type": "invite.accept", "invite": invite}));
    let mut eve = Member::of(&throng, "eve");
    let used = json!({"type": "invite.accept", "invite": invite});
    assert_eq!(
        eve.refused(used),
        ("invite_exhausted".into(), Some("invite".into()))
    );
    let old = ada.invite(json!({"expires_in_ms": 1}));
    while throng.get(&format!("/api/v1/invites/{old}")).status == 200 {}
    let accept = json!({"type": "room.join", "room_id": "den", "invite": old});
    assert_eq!(eve.refused(accept).0, "invite_expired");
    let good = ada.invite(json!({}));
    ada.done(json!({"type": "invite.revoke", "invite": good}));
    let revoked = json!({"type": "invite.accept", "invite": good});
    assert_eq!(eve.refused(revoked).0, "unknown_invite");
    let listed = ada.done(json!({"type": "invite.list", "room_id": "den"}));
    assert_eq!(listed["invites"], json!([]));
    let last = ada.invite(json!({}));
    let seen = throng.get(&format!("/api/v1/invites/{last}")).json();
    assert_eq!(seen["room"]["name"], "Den");
    ada.done(json!({"type": "room.add_member", "room_id": "den", "user_id": "eve"}));
    assert_eq!(eve.next("room.added")["data"]["room"]["id"], "den");
}

#[test]
fn f10_who_is_banned_is_out_and_stays_out_until_it_is_over() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    let ban = json!({"type": "room.ban", "room_id": "den", "user_id": "bob", "reason": "spam"});
    ada.done(ban);
    assert_eq!(bob.next("left")["data"]["reason"], "banned");
    let told = bob.next("room.member_banned");
    assert_eq!(
        (&told["data"]["by"], &told["data"]["reason"]),
        (&json!("ada"), &json!("spam"))
    );
    assert_eq!(bob.refused(join()).0, "banned");
    assert_eq!(bob.refused(send("let me in")).0, "banned");
    let invite = ada.invite(json!({}));
    let accept = json!({"type": "invite.accept", "invite": invite});
    assert_eq!(bob.refused(accept).0, "banned");
    let bans = ada.done(json!({"type": "room.bans", "room_id": "den"}));
    assert_eq!(
        (&bans["bans"][0]["user_id"], &bans["bans"][0]["by"]),
        (&json!("bob"), &json!("ada"))
    );
    ada.done(json!({"type": "room.unban", "room_id": "den", "user_id": "bob"}));
    let unban = json!({"type": "room.unban", "room_id": "den", "user_id": "bob"});
    assert_eq!(
        ada.refused(unban),
        ("not_banned".into(), Some("user_id".into()))
    );
    bob.done(join());
    // For a time: it ends by itself, and the room is told.
    let short = json!({"type": "room.ban", "room_id": "den", "user_id": "bob", "duration_ms": 300});
    ada.done(short);
    assert_eq!(bob.refused(join()).0, "banned");
    assert_eq!(
        ada.next_where("room.member_unbanned", |it| it["data"]["expired"] == true)["data"]["user_id"],
        "bob"
    );
    bob.done(join());
    let log = ada.done(json!({"type": "room.log", "room_id": "den", "limit": 10}));
    let actions: Vec<_> = log["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].clone())
        .collect();
    assert_eq!(
        actions,
        [json!("ban"), json!("unban"), json!("ban")],
        "the last first"
    );
}

#[test]
fn f10_who_is_muted_is_heard_no_more_until_it_is_over() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    let mute =
        json!({"type": "room.mute", "room_id": "den", "user_id": "bob", "duration_ms": 60000});
    ada.done(mute);
    assert_eq!(bob.next("room.member_muted")["data"]["duration_ms"], 60000);
    let why = bob.fault(send("mm"));
    assert_eq!(why["code"], "muted");
    assert!(
        why["message"].as_str().unwrap().contains(" ms yet"),
        "{why}"
    );
    bob.done(json!({"type": "room.leave", "room_id": "den"}));
    bob.done(join());
    assert_eq!(
        bob.refused(send("mm")).0,
        "muted",
        "a mute outlasts a leave"
    );
    ada.done(json!({"type": "room.unmute", "room_id": "den", "user_id": "bob"}));
    bob.say("at last");
    let short =
        json!({"type": "room.mute", "room_id": "den", "user_id": "bob", "duration_ms": 200});
    ada.done(short);
    ada.next_where("room.member_unmuted", |it| it["data"]["expired"] == true);
    bob.say("again");
}

#[test]
fn f10_roles_say_who_may_do_what_to_whom() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    let mut eve = joined(&throng, "eve");
    let set = |user: &str, role: &str| json!({"type": "room.set_role", "room_id": "den", "user_id": user, "role": role});
    let kick = |user: &str| json!({"type": "room.kick", "room_id": "den", "user_id": user});
    for command in [
        kick("eve"),
        set("eve", "guest"),
        json!({"type": "room.update", "room_id": "den", "name": "Bob's"}),
    ] {
        assert_eq!(
            bob.refused(command.clone()).0,
            "permission_denied",
            "{command}"
        );
    }
    ada.done(set("bob", "moderator"));
    assert_eq!(bob.next("room.role_changed")["data"]["role"], "moderator");
    assert_eq!(
        bob.refused(kick("ada")).0,
        "insufficient_role",
        "nobody above"
    );
    assert_eq!(bob.refused(set("eve", "guest")).0, "permission_denied");
    ada.done(set("eve", "guest"));
    assert_eq!(eve.refused(send("I?")).0, "send_denied");
    let grant = json!({"type": "room.grant", "room_id": "den", "user_id": "eve", "permission": "send_message"});
    assert_eq!(bob.refused(grant.clone()).0, "permission_denied");
    ada.done(grant.clone());
    eve.say("I may");
    let mut revoke = grant;
    revoke["type"] = json!("room.revoke");
    ada.done(revoke);
    assert_eq!(eve.refused(send("I?")).0, "send_denied");
    assert_eq!(
        ada.refused(set("eve", "owner")),
        ("invalid_role".into(), Some("role".into()))
    );
    assert_eq!(ada.refused(set("eve", "king")).0, "invalid_role");
    ada.done(set("eve", "admin"));
    assert_eq!(
        eve.refused(set("bob", "admin")).0,
        "insufficient_role",
        "none as high as one's own"
    );
    eve.done(kick("bob"));
    assert_eq!(bob.next("left")["data"]["reason"], "kicked");
    bob.done(join());
    assert_eq!(
        eve.refused(json!({"type": "room.delete", "room_id": "den"}))
            .0,
        "insufficient_role"
    );
    let page = ada.done(json!({"type": "room.members", "room_id": "den", "role": "admin"}));
    assert_eq!(page["members"][0]["user_id"], "eve");
    assert_eq!(page["members"].as_array().unwrap().len(), 1);
}

#[test]
fn f10_full_locked_archived_and_slow_rooms_are_what_they_say() {
    let throng = start();
    let mut ada = room(&throng, json!({"max_members": 2}));
    let mut bob = joined(&throng, "bob");
    let mut eve = Member::of(&throng, "eve");
    assert_eq!(eve.refused(join()).0, "room_full");
    ada.done(json!({"type": "room.update", "room_id": "den", "max_members": 0}));
    ada.done(json!({"type": "room.lock", "room_id": "den"}));
    assert_eq!(eve.refused(join()).0, "room_locked");
    bob.say("we go on");
    ada.done(json!({"type": "room.unlock", "room_id": "den"}));
    eve.done(join());
    ada.done(json!({"type": "room.slow_mode", "room_id": "den", "slow_mode_ms": 60000}));
    eve.say("one");
    let why = eve.fault(send("two"));
    assert_eq!(why["code"], "slow_mode");
    ada.say("moderators");
    ada.say("need not wait");
    ada.done(json!({"type": "room.slow_mode", "room_id": "den", "slow_mode_ms": 0}));
    eve.say("two");
    ada.done(json!({"type": "room.archive", "room_id": "den"}));
    assert_eq!(eve.next("room.archived")["data"]["by"], "ada");
    assert_eq!(eve.refused(send("three")).0, "room_archived");
    assert_eq!(ada.refused(send("three")).0, "room_archived");
    let mut late = Member::of(&throng, "late");
    assert_eq!(late.refused(join()).0, "room_archived");
    ada.done(json!({"type": "room.restore", "room_id": "den"}));
    eve.say("three");
}

#[test]
fn f11_owners_are_in_their_private_rooms_and_direct_rooms_are_of_two() {
    let throng = start();
    let mut ada = room(&throng, json!({"private": true}));
    ada.say("my own");
    assert_eq!(ada.next("message")["text"], "my own");
    let mut bob = Member::of(&throng, "bob");
    let direct = json!({"type": "room.direct", "user_id": "ada", "other_id": "bob"});
    let made = ada.done(direct);
    let id = made["room"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        bob.next("joined")["room_id"],
        json!(id),
        "both are in, at once"
    );
    bob.done(json!({"type": "room.send", "room_id": id, "text": "psst"}));
    assert_eq!(
        ada.next_where("message", |it| it["room_id"] == json!(id))["text"],
        "psst"
    );
    let same = bob.done(json!({"type": "room.direct", "user_id": "bob", "other_id": "ada"}));
    assert_eq!(same["room"]["id"], json!(id), "there is one");
    let mut eve = Member::of(&throng, "eve");
    let join = json!({"type": "room.join", "room_id": id});
    assert_eq!(eve.refused(join).0, "unknown_room");
    let foreign = json!({"type": "room.direct", "user_id": "ada", "other_id": "bob"});
    assert_eq!(eve.refused(foreign).0, "insufficient_role");
    let add = json!({"type": "room.add_member", "room_id": id, "user_id": "eve"});
    assert_eq!(ada.refused(add).0, "invalid_room");
    let directs = bob.done(json!({"type": "room.list_direct", "user_id": "bob"}));
    assert_eq!(
        directs["directs"],
        json!([{"user_id": "ada", "room_id": id}])
    );
    // Users whose ids together read the same have different rooms.
    let put = |one: &str, other: &str| {
        let path = format!("/api/v1/users/{one}/direct/{other}");
        throng.request("PUT", &path, &[], b"").json()["room"]["id"].clone()
    };
    assert_ne!(put("a", "b:c"), put("a:b", "c"));
}

#[test]
fn a_room_is_handed_over_and_its_owner_does_not_just_leave() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    let leave = json!({"type": "room.leave", "room_id": "den"});
    assert_eq!(ada.refused(leave.clone()).0, "owner_cannot_leave");
    let transfer = |user: &str| json!({"type": "room.transfer", "room_id": "den", "user_id": user});
    assert_eq!(bob.refused(transfer("bob")).0, "insufficient_role");
    assert_eq!(ada.refused(transfer("eve")).0, "not_member");
    ada.done(transfer("bob"));
    assert_eq!(bob.next("room.owner_changed")["data"]["user_id"], "bob");
    assert_eq!(
        throng.get("/api/v1/rooms/den").json()["room"]["owner"],
        "bob"
    );
    let own = ada.done(json!({"type": "room.get", "room_id": "den"}));
    assert_eq!(own["member"]["role"], "admin");
    ada.done(leave.clone());
    bob.done(leave);
    assert_eq!(
        throng.get("/api/v1/rooms/den").problem().1,
        "unknown_room",
        "the last one out"
    );
}

#[test]
fn messages_are_numbered_pinned_and_read() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    for text in ["one", "two", "three"] {
        ada.say(text);
    }
    let pin = |id: &str| json!({"type": "room.pin", "room_id": "den", "message_id": id});
    assert_eq!(bob.refused(pin("1")).0, "permission_denied");
    ada.done(pin("2"));
    assert_eq!(bob.next("room.message_pinned")["data"]["message_id"], "2");
    assert_eq!(
        ada.refused(pin("4")),
        ("unknown_message".into(), Some("message_id".into()))
    );
    let pins = bob.done(json!({"type": "room.pins", "room_id": "den"}));
    assert_eq!(
        (&pins["pins"][0]["message_id"], &pins["pins"][0]["by"]),
        (&json!("2"), &json!("ada"))
    );
    ada.done(json!({"type": "room.unpin", "room_id": "den", "message_id": "2"}));
    let read = |id: &str| json!({"type": "room.mark_read", "room_id": "den", "message_id": id});
    let read_to = bob.done(read("2"));
    assert_eq!(
        (&read_to["message_id"], &read_to["unread"]),
        (&json!("2"), &json!(1))
    );
    assert_eq!(
        ada.next("room.read")["data"],
        json!({"user_id": "bob", "message_id": "2"})
    );
    assert_eq!(bob.done(read("1"))["message_id"], "2", "never back");
    let reads = ada.done(json!({"type": "room.read_markers", "room_id": "den"}));
    assert_eq!(reads["reads"][1]["unread"], 1);
    assert_eq!(reads["reads"][0]["unread"], 0, "one's own are read");
}

#[test]
fn rooms_are_listed_searched_and_seen_by_those_who_may() {
    let throng = start();
    let mut ada = Member::of(&throng, "ada");
    for (id, extra) in [
        (
            "r1",
            json!({"name": "Chess club", "tags": ["game"], "category": "play"}),
        ),
        (
            "r2",
            json!({"name": "Music", "description": "all about chess music"}),
        ),
        (
            "r3",
            json!({"name": "Secret chess", "private": true, "metadata": {"level": 3}}),
        ),
    ] {
        let mut command = extra.clone();
        command["type"] = json!("room.create");
        command["room_id"] = json!(id);
        ada.done(command);
    }
    ada.done(json!({"type": "room.archive", "room_id": "r2"}));
    let mut bob = Member::of(&throng, "bob");
    let list = |member: &mut Member, query: Value| {
        let mut command = query;
        command["type"] = json!("room.list");
        let page = member.done(command);
        let ids = page["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].clone())
    };
    assert_eq!(
        list(&mut ada, json!({})).0,
        ["r3", "r2", "r1"],
        "the newest first"
    );
    assert_eq!(
        list(&mut bob, json!({})).0,
        ["r2", "r1"],
        "no private ones of others"
    );
    assert_eq!(
        list(&mut ada, json!({"text": "CHESS"})).0,
        ["r3", "r2", "r1"]
    );
    assert_eq!(list(&mut ada, json!({"text": "ch cl"})).0, ["r1"]);
    assert_eq!(list(&mut ada, json!({"tags": ["game"]})).0, ["r1"]);
    assert_eq!(list(&mut ada, json!({"category": "play"})).0, ["r1"]);
    assert_eq!(list(&mut ada, json!({"metadata": {"level": 3}})).0, ["r3"]);
    assert_eq!(
        list(&mut bob, json!({"metadata": {"level": 3}})).0,
        Vec::<String>::new()
    );
    assert_eq!(list(&mut ada, json!({"private": true})).0, ["r3"]);
    assert_eq!(list(&mut ada, json!({"archived": false})).0, ["r3", "r1"]);
    assert_eq!(list(&mut bob, json!({"owner": "ada"})).0, ["r2", "r1"]);
    let (first, next) = list(&mut ada, json!({"limit": 2}));
    assert_eq!(first, ["r3", "r2"]);
    assert_eq!(list(&mut ada, json!({"limit": 2, "after": next})).0, ["r1"]);
    let found = throng
        .get("/api/v1/rooms?text=chess&metadata=%7B%22level%22%3A3%7D")
        .json();
    assert_eq!(found["rooms"][0]["id"], "r3", "the server sees all");
    assert_eq!(
        ada.refused(json!({"type": "room.list", "after": "x"}))
            .1
            .as_deref(),
        Some("after")
    );
    assert_eq!(
        ada.refused(json!({"type": "room.list", "limit": 0}))
            .1
            .as_deref(),
        Some("limit")
    );
}

#[test]
fn many_join_at_once_and_a_role_is_told_alone() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = Member::of(&throng, "bob");
    let mut eve = Member::of(&throng, "eve");
    let path = "/api/v1/rooms/den/members?actor=ada";
    let body = json!({"user_ids": ["bob", "eve", "bob", "ada"]}).to_string();
    let results = throng.post(path, "application/json", body).json();
    let added: Vec<_> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["added"].clone())
        .collect();
    assert_eq!(
        added,
        [json!(true), json!(true), json!(false), json!(false)]
    );
    assert_eq!(bob.next("room.added")["data"]["by"], "ada");
    ada.done(
        json!({"type": "room.set_role", "room_id": "den", "user_id": "eve", "role": "moderator"}),
    );
    let told = ada.done(json!({"type": "room.send_to_role", "room_id": "den", "role": "moderator", "text": "a word"}));
    assert_eq!(told["delivered"], 1);
    assert_eq!(eve.next("message")["text"], "a word");
    let mine = bob.done(json!({"type": "user.rooms", "user_id": "bob"}));
    assert_eq!(mine["rooms"][0]["id"], "den");
    let common = bob.done(json!({"type": "room.common", "user_id": "bob", "other_id": "eve"}));
    assert_eq!(common["rooms"][0]["id"], "den");
    assert_eq!(
        bob.refused(json!({"type": "user.rooms", "user_id": "eve"}))
            .0,
        "permission_denied"
    );
}

#[test]
fn a_user_is_in_fifty_rooms_and_not_in_one_more() {
    let throng = Throng::start(&["--insecure-trust-query-user", "--max-rooms-per-user", "3"]);
    let mut ada = Member::of(&throng, "ada");
    for number in 0..3 {
        ada.done(json!({"type": "room.create", "name": format!("room {number}")}));
    }
    let fourth = json!({"type": "room.create", "name": "one more"});
    assert_eq!(ada.refused(fourth).0, "room_limit_reached");
    let found = ada.done(json!({"type": "room.list"}));
    assert_eq!(
        found["rooms"].as_array().unwrap().len(),
        3,
        "nothing is left of it"
    );
    ada.done(json!({"type": "room.direct", "user_id": "ada", "other_id": "bob"}));
    let id = found["rooms"][0]["id"].clone();
    ada.done(json!({"type": "room.leave", "room_id": id}));
    ada.done(json!({"type": "room.create", "name": "in its place"}));
}

#[test]
fn f20_errors_name_the_request_and_the_field_over_both_ways() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let fault = ada.fault(json!({"type": "room.ban", "room_id": "den", "user_id": ""}));
    assert_eq!(
        (&fault["code"], &fault["field"]),
        (&json!("invalid_field"), &json!("user_id"))
    );
    let fault = ada.fault(json!({"type": "room.ban", "room_id": "den"}));
    assert_eq!(
        (&fault["code"], &fault["field"]),
        (&json!("missing_field"), &json!("user_id"))
    );
    let fault = ada.fault(json!({"type": "room.dance", "room_id": "den"}));
    assert_eq!(fault["code"], "unknown_type");
    let body = json!({"user_id": "bob", "duration_ms": "long"}).to_string();
    let answer = throng.post(
        "/api/v1/rooms/den/mutes?actor=ada",
        "application/json",
        body,
    );
    let problem = answer.json();
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        (answer.status, &problem["code"], &problem["field"]),
        (400, &json!("invalid_field"), &json!("duration_ms"))
    );
    for (path, status, code) in [
        ("/api/v1/rooms/nowhere", 404, "unknown_room"),
        ("/api/v1/rooms/den/bans?actor=eve", 403, "not_member"),
        ("/api/v1/rooms/den/members?limit=9999", 400, "invalid_field"),
        ("/api/v1/rooms/den?actor=%00", 400, "invalid_field"),
    ] {
        assert_eq!(throng.get(path).problem(), (status, code.into()), "{path}");
    }
    let document = throng.get("/api/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["paths"]["/api/v1/rooms/{room_id}/bans"]["post"]["operationId"],
        "room.ban"
    );
}

#[test]
fn every_change_is_told_to_the_members() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let (mut bob, _eve) = (joined(&throng, "bob"), joined(&throng, "eve"));
    let id = ada.done(send("hello"))["message_id"].clone();
    let eve = json!({"user_id": "eve", "reason": "enough"});
    for (command, more, told) in [
        (
            "room.update",
            json!({"description": "cosy"}),
            "room.updated",
        ),
        ("room.lock", json!({}), "room.locked"),
        ("room.unlock", json!({}), "room.unlocked"),
        (
            "room.slow_mode",
            json!({"slow_mode_ms": 10}),
            "room.slow_mode",
        ),
        (
            "room.slow_mode",
            json!({"slow_mode_ms": 0}),
            "room.slow_mode",
        ),
        ("room.pin", json!({"message_id": id}), "room.message_pinned"),
        (
            "room.unpin",
            json!({"message_id": id}),
            "room.message_unpinned",
        ),
        (
            "room.set_role",
            json!({"user_id": "eve", "role": "guest"}),
            "room.role_changed",
        ),
        (
            "room.grant",
            json!({"user_id": "eve", "permission": "pin_messages"}),
            "room.permissions_changed",
        ),
        (
            "room.revoke",
            json!({"user_id": "eve", "permission": "pin_messages"}),
            "room.permissions_changed",
        ),
        ("room.mute", eve.clone(), "room.member_muted"),
        (
            "room.unmute",
            json!({"user_id": "eve"}),
            "room.member_unmuted",
        ),
        ("room.kick", eve.clone(), "room.member_kicked"),
        ("room.ban", eve, "room.member_banned"),
        (
            "room.unban",
            json!({"user_id": "eve"}),
            "room.member_unbanned",
        ),
        ("room.archive", json!({}), "room.archived"),
        ("room.restore", json!({}), "room.restored"),
        (
            "room.transfer",
            json!({"user_id": "bob"}),
            "room.owner_changed",
        ),
    ] {
        let mut command = merged(json!({"type": command, "room_id": "den"}), &more);
        command["id"] = json!(1);
        ada.done(command);
        let push = bob.next(told);
        assert_eq!(
            (&push["room_id"], &push["data"]["by"]),
            (&json!("den"), &json!("ada")),
            "{push}"
        );
        if let Some(user) = more.get("user_id") {
            assert_eq!(&push["data"]["user_id"], user, "{push}");
        }
    }
}

/// An object with what another has as well.
fn merged(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

#[test]
fn f20_errors_say_after_how_long_to_try_again() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let mut bob = joined(&throng, "bob");
    ada.done(json!({"type": "room.slow_mode", "room_id": "den", "slow_mode_ms": 60000}));
    let send = json!({"type": "room.send", "room_id": "den", "text": "hello"});
    bob.done(send.clone());
    let too_soon = |fault: &Value, code: &str, most: u64| {
        assert_eq!(fault["code"], code);
        let wait = fault["retry_after_ms"].as_u64().unwrap();
        assert!((1..=most).contains(&wait), "{wait}");
    };
    too_soon(&bob.fault(send), "slow_mode", 60_000);
    let post = || {
        let path = "/api/v1/rooms/den/messages?actor=bob";
        throng.post(path, "application/json", r#"{"text":"hello"}"#)
    };
    let answer = post();
    too_soon(&answer.json(), "slow_mode", 60_000);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((answer.status, (1..=60).contains(&seconds)), (429, true));
    let mute = json!({"type": "room.mute", "room_id": "den", "user_id": "bob"});
    let mut mute_for = |duration: Value| {
        let mut mute = mute.clone();
        mute["duration_ms"] = duration;
        ada.done(mute);
    };
    mute_for(json!(90_000));
    too_soon(&post().json(), "muted", 90_000);
    mute_for(json!(null));
    let for_good = post();
    assert_eq!(for_good.problem(), (403, "muted".into()));
    assert_eq!(for_good.json()["retry_after_ms"], json!(null));
    assert_eq!(for_good.header("retry-after"), None);
}

#[test]
fn f23_who_is_kicked_off_is_told_by_a_close_code_and_a_reason() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    let path = "/api/v1/users/ada/clients?reason=enough";
    let kicked = throng.request("DELETE", path, &[], b"");
    assert!(kicked.status < 300, "{kicked:?}");
    let (pushes, close) = ada.rest();
    assert_eq!(pushes, Vec::<Value>::new());
    assert_eq!(close, (3503, "enough".into()));
}

#[test]
fn f26_the_api_shows_what_there_really_is() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    let _bob = joined(&throng, "bob");
    ada.say("one");
    let stats = throng.get("/api/v1/rooms/den/stats").json();
    for (what, count) in [
        ("members", 2),
        ("clients", 2),
        ("messages", 1),
        ("messages_today", 1),
        ("peak_members", 2),
    ] {
        assert_eq!(stats[what], count, "{what}");
    }
    let all = throng.stats();
    for (what, count) in [("rooms", 1), ("users", 2), ("present", 2)] {
        assert_eq!(all[what], count, "{what}");
    }
    assert!(all["uptime_ms"].is_u64(), "{all}");
    assert_eq!(throng.get("/api/v1/users/bob").json()["rooms"], 1);
    let members = throng.get("/api/v1/rooms/den/members").json();
    assert_eq!(members["members"][1]["presence"]["status"], "online");
    assert_eq!(
        throng.get("/api/v1/rooms/den").json()["room"]["last_message_id"],
        "1"
    );
}

#[test]
fn a_layer_that_is_turned_off_says_so() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--no-rooms",
        "--no-presence",
        "--no-typing",
        "--no-patterns",
    ]);
    let mut ada = Member::of(&throng, "ada");
    for command in ["room.list", "presence.count", "typing.list", "pattern.list"] {
        let mut asked = json!({ "type": command });
        if command == "typing.list" {
            asked["room_id"] = json!("den");
        }
        assert_eq!(ada.refused(asked).0, "feature_disabled", "{command}");
    }
    assert_eq!(
        throng.get("/api/v1/rooms").problem(),
        (404, "feature_disabled".into())
    );
}

#[test]
fn rooms_reach_those_who_listen_over_sse() {
    let throng = start();
    let mut ada = room(&throng, json!({}));
    throng.post("/api/v1/rooms/den/join?actor=bob", "application/json", "");
    let (mut bob, _) = throng.sse("/sse?user=bob&channels=news");
    ada.say("over the stream too");
    let message = loop {
        let event = bob.next().expect("the stream goes on");
        if event.name == "message" {
            break serde_json::from_str::<Value>(&event.data).unwrap();
        }
    };
    assert_eq!(
        (&message["room_id"], &message["text"]),
        (&json!("den"), &json!("over the stream too"))
    );
}

fn start() -> Throng {
    Throng::start(&["--insecure-trust-query-user"])
}

/// The room `den`, and its owner.
fn room(throng: &Throng, extra: Value) -> Member {
    let mut ada = Member::of(throng, "ada");
    let mut command = extra;
    command["type"] = json!("room.create");
    command["name"] = json!("Den");
    command["room_id"] = json!("den");
    ada.done(command);
    ada
}

fn joined(throng: &Throng, user: &str) -> Member {
    let mut member = Member::of(throng, user);
    member.done(join());
    member
}

fn join() -> Value {
    json!({"type": "room.join", "room_id": "den"})
}

fn send(text: &str) -> Value {
    json!({"type": "room.send", "room_id": "den", "text": text})
}

/// A connection of a user. What it is pushed while it waits for an answer is kept for later.
struct Member(Ws, Vec<Value>);

impl Member {
    fn of(throng: &Throng, user: &str) -> Self {
        Self(throng.ws_as(user), Vec::new())
    }

    fn answer(&mut self, mut command: Value) -> Value {
        command["id"] = json!("asked");
        self.0.say(&command.to_string());
        loop {
            let push = self.0.push();
            if push["reply_to"] == "asked" {
                return push;
            }
            self.1.push(push);
        }
    }

    /// Asks for something, and gives the data of the answer.
    fn done(&mut self, command: Value) -> Value {
        let answer = self.answer(command);
        assert_eq!(answer["type"], "ack", "{answer}");
        answer["data"].clone()
    }

    /// Asks for something that is refused: what is said of it.
    fn fault(&mut self, command: Value) -> Value {
        let answer = self.answer(command);
        assert_eq!(answer["type"], "error", "{answer}");
        answer["data"].clone()
    }

    fn refused(&mut self, command: Value) -> (String, Option<String>) {
        let fault = self.fault(command);
        let field = fault["field"].as_str().map(str::to_owned);
        (fault["code"].as_str().unwrap().to_owned(), field)
    }

    fn say(&mut self, text: &str) {
        self.done(send(text));
    }

    fn invite(&mut self, extra: Value) -> String {
        let mut command = extra;
        command["type"] = json!("invite.create");
        command["room_id"] = json!("den");
        self.done(command)["invite"].as_str().unwrap().to_owned()
    }

    /// The next push of this kind.
    fn next(&mut self, kind: &str) -> Value {
        self.next_where(kind, |_| true)
    }

    /// The next push of this kind that is wanted; others are kept, for what concerns one client
    /// alone may overtake what is told to all.
    fn next_where(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let is_it = |push: &Value| push["type"] == kind && wanted(push);
        if let Some(at) = self.1.iter().position(is_it) {
            return self.1.remove(at);
        }
        loop {
            let push = self.0.push();
            if is_it(&push) {
                return push;
            }
            self.1.push(push);
        }
    }
}
