//! Schemas and content filters, while the server runs.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::code::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::missing;
use crate::session::content::FilterView;
use crate::session::content::Moderator;
use crate::session::content::SchemaView;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;

const FILTER: Argument = Argument::needed(
    "filter",
    Kind::Object,
    "The filter: `name`, `kind` (`emojis`, `links`, `mentions`, `patterns`, `repeats`, `security`, `size`, \
     `trim`, `words`), `action` (`block`, `flag`, `replace`), `with`, `priority`, `channels`, `categories`, \
     `events`, and the fields of its kind.",
);

const SCHEMA: Argument = Argument::needed(
    "schema",
    Kind::Object,
    "The schema: `name`, `schema` (a JSON Schema), and at least one of `channels`, `categories` and `events`.",
);

const NAME: Argument = Argument::needed("name", Kind::Text, "The name.");

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "filter.list",
        method: Method::Get,
        path: "/filters",
        summary: "Lists the content filters in the order in which they are asked.",
        who: Who::Server,
        arguments: &[],
        run: &|call: &Call<'_>| {
            Ok(Answer::of(FilterList {
                filters: moderator(call)?.filters(),
            }))
        },
    },
    Operation {
        name: "filter.add",
        method: Method::Post,
        path: "/filters",
        summary: "Adds a content filter, or replaces the one of the same name.",
        who: Who::Server,
        arguments: &[FILTER],
        run: &|call: &Call<'_>| {
            let filter = call.arguments.raw(FILTER.name);
            let filter = filter.ok_or_else(|| missing(FILTER.name))?;
            moderator(call)?.add_filter(filter)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "filter.remove",
        method: Method::Delete,
        path: "/filters/{name}",
        summary: "Removes a content filter.",
        who: Who::Server,
        arguments: &[NAME],
        run: &|call: &Call<'_>| {
            let name = call.text(NAME.name, usize::MAX)?;
            if moderator(call)?.remove_filter(&name) {
                return Ok(Answer::done());
            }
            let why = "there is no filter of this name";
            Err(Fault::new(ErrorCode::UnknownFilter, why).field(NAME.name))
        },
    },
    Operation {
        name: "schema.list",
        method: Method::Get,
        path: "/schemas",
        summary: "Lists the schemas that messages are validated by.",
        who: Who::Server,
        arguments: &[],
        run: &|call: &Call<'_>| {
            Ok(Answer::of(SchemaList {
                schemas: moderator(call)?.schemas(),
            }))
        },
    },
    Operation {
        name: "schema.add",
        method: Method::Post,
        path: "/schemas",
        summary: "Adds a schema, or replaces the one of the same name.",
        who: Who::Server,
        arguments: &[SCHEMA],
        run: &|call: &Call<'_>| {
            let schema = call.arguments.raw(SCHEMA.name);
            let schema = schema.ok_or_else(|| missing(SCHEMA.name))?;
            moderator(call)?.add_schema(schema)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "schema.remove",
        method: Method::Delete,
        path: "/schemas/{name}",
        summary: "Removes a schema.",
        who: Who::Server,
        arguments: &[NAME],
        run: &|call: &Call<'_>| {
            let name = call.text(NAME.name, usize::MAX)?;
            if moderator(call)?.remove_schema(&name) {
                return Ok(Answer::done());
            }
            let why = "there is no schema of this name";
            Err(Fault::new(ErrorCode::UnknownSchema, why).field(NAME.name))
        },
    },
];

fn moderator<'a>(call: &Call<'a>) -> Result<&'a dyn Moderator, Fault> {
    let moderator = call.entrance.moderator.as_deref();
    moderator.ok_or_else(|| super::disabled("content filters and schemas"))
}

answers! {
    /// The content filters.
    struct FilterList {
        /// The filters, in the order in which they are asked.
        filters: Vec<FilterView>,
    }

    /// The schemas.
    struct SchemaList {
        /// The schemas, in the order in which they were added.
        schemas: Vec<SchemaView>,
    }
}
