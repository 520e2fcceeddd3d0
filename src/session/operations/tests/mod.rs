//! The table has to be in order, for three readers go by it.

mod reference;

use std::collections::BTreeSet;

use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::all;
use crate::session::operations::find;
#[cfg(feature = "openapi")]
use crate::session::operations::openapi;

#[test]
fn names_and_routes_are_unique() {
    let mut names = BTreeSet::new();
    let mut routes = BTreeSet::new();
    for operation in all() {
        assert!(names.insert(operation.name), "twice: {}", operation.name);
        let route = format!("{:?} {}", operation.method, operation.path);
        let is_route = operation.who != Who::Connection;
        assert!(!is_route || routes.insert(route.clone()), "twice: {route}");
    }
}

/// What is asked of the hub itself.
const VERBS: [&str; 10] = [
    "auth",
    "batch",
    "broadcast",
    "ping",
    "presence",
    "publish",
    "rpc",
    "stats",
    "subscribe",
    "unsubscribe",
];

#[test]
fn names_are_an_area_and_a_verb() {
    for operation in all() {
        let name = operation.name;
        let fine = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        let is_verb = VERBS.contains(&name);
        assert!(
            name.contains('.') != is_verb && name.chars().all(fine),
            "{name}"
        );
        assert!(find(name).is_some_and(|found| found.name == name));
        assert!(operation.summary.ends_with('.'), "{name}: one sentence");
    }
}

#[test]
fn what_is_in_the_path_is_an_argument() {
    for operation in all().filter(|operation| operation.who != Who::Connection) {
        for name in in_braces(operation) {
            let argument = operation.arguments.iter().find(|it| it.name == name);
            let argument = argument.unwrap_or_else(|| panic!("{}: {name}", operation.name));
            assert!(argument.required, "{}: {name}", operation.name);
        }
    }
}

#[test]
fn arguments_are_named_once_and_are_not_the_envelopes() {
    for operation in all() {
        let mut names = BTreeSet::from(["id", "type", "actor"]);
        for argument in operation.arguments {
            let name = argument.name;
            assert!(names.insert(name), "{}: {name}", operation.name);
            assert!(argument.about.ends_with('.'), "{}: {name}", operation.name);
        }
    }
}

#[cfg(feature = "openapi")]
#[test]
fn the_document_has_every_operation() {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<_> = paths
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|entry| entry["operationId"].as_str().unwrap().to_owned())
        .collect();
    let expected: BTreeSet<_> = all()
        .filter(|operation| operation.who != Who::Connection)
        .map(|operation| operation.name.to_owned())
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn what_is_asked_with_get_changes_nothing() {
    // By their names: a GET is asked again by whoever likes to.
    let changing = [
        "create", "delete", "kick", "ban", "set", "send", "join", "leave",
    ];
    for operation in all().filter(|operation| operation.method == Method::Get) {
        let verb = operation.name.rsplit('.').next().unwrap();
        assert!(!changing.contains(&verb), "{}", operation.name);
    }
}

fn in_braces(operation: &Operation) -> Vec<&str> {
    let segments = operation.path.split('/');
    segments
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}
