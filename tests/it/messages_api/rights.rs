//! Who may change what was sent.

use serde_json::json;

use super::World;
use super::about;
use super::edit;
use super::of;
use super::react;
use super::send;
use super::with;

#[test]
fn f18_what_one_may_not_do_to_a_message_is_refused_over_both_ways() {
    let (world, mut ada) = World::with_room(&[]);
    let (mut bob, mut out) = (world.member("bob"), world.member("out"));
    ada.say("of ada");
    let refused = |status: u16, code: &str| (status, code.to_owned());
    for command in [edit(1, "stolen"), about("message.delete", 1)] {
        let denied = world.refused(&mut bob, "bob", &command);
        assert_eq!(denied, refused(403, "permission_denied"), "{command}");
    }
    for command in [
        edit(1, "stolen"),
        about("message.delete", 1),
        react(1, "+"),
        with(about("message.unreact", 1), "reaction", "+"),
        about("message.get", 1),
        about("message.revisions", 1),
        about("message.thread", 1),
        of("message.history"),
        of("message.unread"),
        with(of("message.search"), "query", "ada"),
        with(about("message.reactions", 1), "reaction", "+"),
        send("from outside"),
    ] {
        let denied = world.refused(&mut out, "out", &command);
        assert_eq!(denied, refused(403, "not_member"), "{command}");
    }
    bob.say("of bob");
    let denied = world.refused(&mut ada, "ada", &edit(2, "by the owner"));
    assert_eq!(
        denied,
        refused(403, "permission_denied"),
        "only its sender may"
    );
    for command in [edit(9, "none"), about("message.delete", 9), react(9, "+")] {
        let denied = world.refused(&mut bob, "bob", &command);
        assert_eq!(denied, refused(404, "unknown_message"), "{command}");
    }
    let shown = world.done(None, &about("message.get", 1));
    assert_eq!(
        (&shown["text"], shown.get("reactions")),
        (&json!("of ada"), None)
    );
    // Moderators delete what others have sent, and their own is everybody's to delete.
    ada.done(&about("message.delete", 2));
    for command in [edit(2, "again"), react(2, "+")] {
        let denied = world.refused(&mut bob, "bob", &command);
        assert_eq!(denied, refused(410, "message_deleted"), "{command}");
    }
    let denied = world.refused(&mut bob, "bob", &about("message.revisions", 2));
    assert_eq!(denied, refused(410, "message_deleted"));
    bob.say("of bob, too");
    world.done(Some("bob"), &about("message.delete", 3));
    let shown = world.read(&mut bob, "bob", &about("message.get", 3));
    assert_eq!(
        (&shown["deleted"]["by"], shown.get("text")),
        (&json!("bob"), None)
    );
}

#[test]
fn f18_who_may_not_send_may_not_change_either() {
    let (world, mut ada) = World::with_room(&[]);
    let mut bob = world.member("bob");
    assert_eq!(bob.say("before"), 1);
    let changes = [edit(1, "after"), react(1, "+"), about("message.delete", 1)];
    let mut all_refused = |code: &str, status: u16| {
        for command in &changes {
            let denied = world.refused(&mut bob, "bob", command);
            assert_eq!(denied, (status, code.to_owned()), "{command}");
        }
    };
    ada.done(&with(of("room.mute"), "user_id", "bob"));
    all_refused("muted", 403);
    ada.done(&with(of("room.unmute"), "user_id", "bob"));
    ada.done(&with(
        with(of("room.set_role"), "user_id", "bob"),
        "role",
        "guest",
    ));
    all_refused("send_denied", 403);
    ada.done(&with(
        with(of("room.set_role"), "user_id", "bob"),
        "role",
        "member",
    ));
    ada.done(&of("room.archive"));
    all_refused("room_archived", 409);
    ada.done(&of("room.restore"));
    ada.done(&with(of("room.ban"), "user_id", "bob"));
    for (command, code) in changes.iter().zip(["banned", "banned", "not_member"]) {
        let denied = world.refused(&mut bob, "bob", command);
        assert_eq!(denied, (403, code.to_owned()), "{command}");
    }
    let shown = world.done(None, &about("message.get", 1));
    assert_eq!(
        (&shown["text"], shown.get("edits")),
        (&json!("before"), None)
    );
}

#[test]
fn f18_what_is_wrong_with_a_change_is_said() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("one");
    for (command, code) in [
        (react(1, &"x".repeat(65)), "invalid_field"),
        (react(1, "a\nb"), "invalid_field"),
        (
            with(about("message.edit", 1), "base64", "!"),
            "invalid_field",
        ),
        (about("message.edit", 1), "missing_field"),
        (
            with(about("message.get", 1), "message_id", "first"),
            "invalid_field",
        ),
        (
            with(of("message.history"), "cursor", "elsewhere"),
            "invalid_field",
        ),
        (with(of("message.history"), "limit", 501), "invalid_field"),
        (
            with(of("message.history"), "order", "random"),
            "invalid_field",
        ),
        (
            with(of("message.history"), "from", "yesterday"),
            "invalid_field",
        ),
        (
            with(of("message.search"), "query", "-nothing"),
            "invalid_field",
        ),
        (
            with(of("message.search"), "query", "\"open"),
            "invalid_field",
        ),
    ] {
        let denied = world.refused(&mut ada, "ada", &command);
        assert_eq!(denied, (400, code.to_owned()), "{command}");
    }
    for number in 0..32 {
        ada.done(&react(1, &format!("r{number}")));
    }
    let denied = world.refused(&mut ada, "ada", &react(1, "one more"));
    assert_eq!(denied, (409, "too_many_reactions".to_owned()));
    for number in 0..100 {
        ada.done(&edit(1, &format!("edit {number}")));
    }
    let denied = world.refused(&mut ada, "ada", &edit(1, "one more"));
    assert_eq!(denied, (409, "too_many_edits".to_owned()));
    let answer = with(send("to nothing"), "thread_id", "99");
    let denied = world.refused(&mut ada, "ada", &answer);
    assert_eq!(denied, (404, "unknown_thread".to_owned()));
}

#[test]
fn f18_an_edit_that_comes_too_late_is_refused_and_the_server_may_still() {
    let (world, mut ada) = World::with_room(&["--edit-window", "1"]);
    ada.say("one");
    // Until a millisecond has gone by, by whatever clock.
    while ada.ask(&edit(1, "soon")).is_ok() {}
    let denied = world.refused(&mut ada, "ada", &edit(1, "late"));
    assert_eq!(denied, (403, "edit_window_over".to_owned()));
    assert_eq!(
        world.done(None, &edit(1, "by the server"))["text"],
        "by the server"
    );
}

#[test]
fn f18_nobody_and_the_tasks_of_the_server() {
    let (world, mut ada) = World::with_room(&[]);
    ada.say("one");
    let mut nobody = super::Member {
        socket: world.throng.ws(),
        kept: Vec::new(),
    };
    for command in [
        send("x"),
        edit(1, "x"),
        react(1, "+"),
        of("message.history"),
    ] {
        assert_eq!(
            nobody.ask(&command),
            Err("unauthenticated".into()),
            "{command}"
        );
    }
    for command in [
        json!({"type": "message.forget_user", "user_id": "ada"}),
        json!({"type": "message.stats"}),
    ] {
        assert_eq!(
            ada.ask(&command),
            Err("permission_denied".into()),
            "{command}"
        );
    }
    let forgotten = json!({"type": "message.forget_user", "user_id": "ada"});
    assert_eq!(world.done(None, &forgotten)["removed"], 1);
}
