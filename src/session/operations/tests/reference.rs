//! The page of the documentation that lists the operations: written from the table, and checked
//! against it.

use std::env;
use std::fmt::Write;
use std::fs;

use crate::session::operations::Argument;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::all;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/operations.md");

/// Run with `THRONG_WRITE=1` to have the page written.
#[test]
fn the_page_lists_what_the_table_has() {
    let page = page();
    if env::var_os("THRONG_WRITE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(PAGE).unwrap(),
        page,
        "src/docs/operations.md is out of date: run this test with THRONG_WRITE=1"
    );
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut area = "";
    for operation in sorted() {
        let prefix = area_of(operation);
        if prefix != area {
            area = prefix;
            write!(page, "\n# {}\n", area.trim()).unwrap();
        }
        entry(operation, &mut page);
    }
    page
}

fn sorted() -> Vec<&'static Operation> {
    let mut operations: Vec<_> = all().collect();
    operations.sort_by_key(|operation| (area_of(operation), operation.name));
    operations
}

/// The area of an operation; those of the hub itself come first.
fn area_of(operation: &Operation) -> &'static str {
    let area = operation.name.split_once('.');
    area.map_or(" the hub itself", |(area, _)| area)
}

fn entry(operation: &Operation, page: &mut String) {
    let Operation { name, summary, .. } = operation;
    write!(page, "\n**`{name}`**").unwrap();
    if operation.who != Who::Connection {
        let method = verb(operation.method);
        write!(page, " · `{method} /api/v1{}`", operation.path).unwrap();
    }
    let who = match operation.who {
        Who::Anyone => "",
        Who::Connection => " (over a connection only)",
        Who::Server => " (over HTTP only)",
    };
    writeln!(page, "{who}\\\n{summary}").unwrap();
    for argument in operation.arguments {
        line(argument, page);
    }
}

fn line(argument: &Argument, page: &mut String) {
    let Argument { name, about, .. } = argument;
    let kind = match argument.kind {
        Kind::Any => "any JSON",
        Kind::Flag => "boolean",
        Kind::List => "list of strings",
        Kind::Number => "whole number",
        Kind::Object => "object",
        Kind::Objects => "list of objects",
        Kind::Text => "string",
    };
    let mark = if argument.required { "" } else { "?" };
    writeln!(page, "* `{name}`{mark}, {kind}: {about}").unwrap();
}

fn verb(method: Method) -> &'static str {
    match method {
        Method::Delete => "DELETE",
        Method::Get => "GET",
        Method::Patch => "PATCH",
        Method::Post => "POST",
        Method::Put => "PUT",
    }
}

const HEAD: &str = "\
All operations, of the hub and of the layers: each is a command of the [native protocol](crate::docs::protocol) and a
route of the REST API, with the same arguments, the same answer and the same errors. A program finds
the same at `GET /api/v1/openapi.json`, with the schemas of all answers, and at `GET /asyncapi.json`.

```text
{\"id\":1,\"type\":\"room.ban\",\"room_id\":\"lobby\",\"user_id\":\"eve\",\"reason\":\"spam\"}

POST /api/v1/rooms/lobby/bans?actor=ada
content-type: application/json

{\"user_id\":\"eve\",\"reason\":\"spam\"}
```

Over a connection, an operation is done on behalf of the connection's user, and the answer is the
`data` of an `ack`, for commands that have an `id`. Over HTTP it is done on behalf of the user that
`?actor=` names, and otherwise of the server itself, which may do everything; the answer is the body:
200, or 204 when there is nothing to say. Arguments that are not in the path are in the query of a
`GET` or a `DELETE`, and else in the JSON of the body. Times are RFC 3339; durations end in `_ms`. An
argument with a `?` may be left out.
";
