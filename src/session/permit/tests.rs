//! - Every operation has a right that a token can lack, or is about the caller itself.

use crate::layers::Actor;
use crate::layers::UserId;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::session::Identity;
use crate::session::Permissions;
use crate::session::operations::Who;
use crate::session::operations::all;

use super::Caller;
use super::Origin;
use super::Permit;
use super::need::Need;

/// Operations that a token without any right may call, of other users where a user is named: they
/// are about the connection itself, end something, or are made of others. A method of the
/// application decides itself what its caller may do.
const FREE: &[&str] = &[
    "auth",
    "auth.refresh",
    "batch",
    "channel.subscriptions",
    "client.get",
    "client.kick",
    "client.list",
    "client.me",
    "pattern.list",
    "pattern.unsubscribe",
    "ping",
    "rpc",
    "session.resume",
    "ticket.create",
    "typing.clear",
    "unsubscribe",
];

#[test]
fn every_operation_needs_a_right_or_is_about_the_caller() {
    let arguments = r#"{"channel_id": "c", "room_id": "r", "pattern": "p.>", "user_id": "bob",
        "data": 1}"#;
    let identity = Identity::guest().permissions(Permissions::none());
    let caller = Caller::acting(Actor::User(UserId::parse("ada").unwrap()), Origin::Client)
        .identified(Some(identity.clone().into()));
    let mut free = Vec::new();
    for operation in all() {
        let mut given = Arguments::parse(arguments).unwrap();
        for name in ["channel_id", "room_id", "pattern", "user_id", "data"] {
            if operation.arguments.iter().all(|it| it.name != name) {
                given.remove(name);
            }
        }
        let command = Command::named(operation.name, given).unwrap();
        let need = Need::of(&caller, &command).unwrap();
        let is_met = need.is_none_or(|need| need.is_met(&identity));
        let permit = Permit::default();
        assert_eq!(permit.check(&caller, &command, || 0).is_ok(), is_met);
        if is_met {
            assert_ne!(operation.who, Who::Server, "{}", operation.name);
            free.push(operation.name);
        }
    }
    free.sort_unstable();
    assert_eq!(free, FREE);
}
