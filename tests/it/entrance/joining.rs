//! A hook is asked about every way into a room.

use serde_json::json;
use throng::policy::Hook;
use throng::protocol::ErrorCode;
use throng::protocol::Fault;

use super::world::World;

#[test]
fn a_join_hook_is_asked_whatever_the_way_into_the_room() {
    let nobody = Hook::new("nobody").join(|who, _| match who.user.as_deref() {
        Some("eve") => Err(Fault::new(ErrorCode::Forbidden, "not in here")),
        _ => Ok(()),
    });
    let world = World::new(|builder| builder.hook(nobody));
    let mut ada = world.ws("ada");
    let create = r#"{"id":1,"type":"room.create","room_id":"den","name":"den"}"#;
    assert_eq!(ada.reply(create)["type"], "ack");
    let invite = ada.reply(r#"{"id":2,"type":"invite.create","room_id":"den"}"#);
    let invite = &invite["data"]["invite"];
    let join = json!({"id": 3, "type": "room.join", "room_id": "den"});
    let with_invite = json!({"id": 4, "type": "room.join", "room_id": "den", "invite": invite});
    let accept = json!({"id": 5, "type": "invite.accept", "invite": invite});
    let mut eve = world.ws("eve");
    for way in [&join, &with_invite, &accept] {
        let refused = eve.reply(&way.to_string());
        assert_eq!(refused["data"]["code"], "forbidden", "{way}: {refused}");
    }
    let joined = world.ws("bob").reply(&accept.to_string());
    assert_eq!(joined["type"], "ack", "{joined}");
}
