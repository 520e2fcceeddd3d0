//! Permissions, against a model that compares a name with every pattern.

use proptest::prelude::*;

use crate::layers::channels::Pattern;

use super::Permissions;
use super::Right;

const ALL: [Right; 5] = [
    Right::Subscribe,
    Right::Publish,
    Right::Read,
    Right::Rooms,
    Right::Admin,
];

fn right() -> impl Strategy<Value = Right> {
    (0..ALL.len()).prop_map(|index| ALL[index])
}

/// Names of few segments, so that patterns often match.
fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]|news", 1..4).prop_map(|segments| segments.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    let head = proptest::collection::vec("[ab]|news|\\*", 0..3);
    (head, "[ab]|\\*|>").prop_map(|(mut segments, last)| {
        segments.push(last);
        segments.join(".")
    })
}

proptest! {
    #[test]
    fn a_name_is_allowed_by_a_pattern_of_its_right_alone(
        allowed in proptest::collection::vec((right(), pattern()), 0..8),
        asked in right(),
        name in name(),
    ) {
        let mut permissions = Permissions::none();
        for (right, pattern) in &allowed {
            permissions = permissions.allow(*right, pattern).unwrap();
        }
        let expected = allowed.iter().any(|(right, pattern)| {
            *right == asked && Pattern::parse(pattern).unwrap().matches(&name)
        });
        prop_assert_eq!(permissions.allow_name(asked, &name), expected);
        prop_assert!(!permissions.allows_actor());
    }

    #[test]
    fn more_permissions_never_take_one_away(
        first in (right(), pattern()),
        more in proptest::collection::vec((right(), pattern()), 0..6),
        name in name(),
    ) {
        let one = Permissions::none().allow(first.0, &first.1).unwrap();
        let mut all = one.clone();
        for (right, pattern) in &more {
            all = all.allow(*right, pattern).unwrap();
        }
        for right in ALL {
            prop_assert!(all.allow_name(right, &name) || !one.allow_name(right, &name));
        }
    }
}

#[test]
fn all_is_everything_but_the_servers_side() {
    let all = Permissions::all();
    for right in ALL {
        assert_eq!(all.allow_name(right, "a.b"), right != Right::Admin);
        assert!(!Permissions::none().allow_name(right, "a.b"));
    }
}

#[test]
fn scopes_are_operations_kinds_and_all_of_them() {
    let scoped = |scopes: &[&str]| {
        let none = Permissions::none();
        let scope =
            |permissions: Permissions, scope: &&str| permissions.allow_scope(scope).unwrap();
        scopes.iter().fold(none, scope)
    };
    let some = scoped(&["publish", "room.*"]);
    for (operation, expected) in [
        ("publish", true),
        ("room.create", true),
        ("room", false),
        ("rooms.create", false),
        ("stats", false),
    ] {
        assert_eq!(
            some.allow_name(Right::Admin, operation),
            expected,
            "{operation}"
        );
    }
    let all = scoped(&["*"]);
    assert!(all.allow_name(Right::Admin, "stats") && all.allow_name(Right::Admin, "room.ban"));
    assert!(
        !all.allows_actor(),
        "to act for users is named or not given"
    );
    assert!(scoped(&["actor"]).allows_actor());
    assert!(!scoped(&["actor"]).allow_name(Right::Admin, "actor"));
    for (right, name) in [
        (Right::Publish, "publish"),
        (Right::Subscribe, "room.create"),
    ] {
        assert!(
            !all.allow_name(right, name),
            "a scope is of the server's side"
        );
    }
    assert!(Permissions::none().allow_scope("").is_err());
    assert!(Permissions::none().allow_scope("room..create").is_err());
}
