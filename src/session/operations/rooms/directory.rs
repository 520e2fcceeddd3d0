//! Rooms, listed and found.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::layers::rooms::RoomQuery;
use crate::layers::rooms::RoomView;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::session::operations::Answer;
use crate::session::operations::Argument;
use crate::session::operations::Call;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::answers;
use crate::session::operations::page;

use super::rooms;

pub(in crate::session::operations) const TABLE: &[Operation] = &[Operation {
    name: "room.list",
    method: Method::Get,
    path: "/rooms",
    summary: "Rooms, the newest first: public ones and those of the user, that match what is said.",
    who: Who::Anyone,
    arguments: &[
        Argument::optional(
            "text",
            Kind::Text,
            "Words in name and description: of one or two letters where a word begins, longer \
             ones anywhere. At most 128 bytes.",
        ),
        Argument::optional("category", Kind::Text, "Only those of this category."),
        Argument::optional(
            "tags",
            Kind::List,
            "Only those with all of these tags; at most 8.",
        ),
        Argument::optional("owner", Kind::Text, "Only those of this user."),
        Argument::optional(
            "private",
            Kind::Flag,
            "Only private ones, or only public ones.",
        ),
        Argument::optional(
            "archived",
            Kind::Flag,
            "Only archived ones, or only others.",
        ),
        Argument::optional(
            "metadata",
            Kind::Object,
            "Only those whose metadata has these values; at most 8. Over HTTP as JSON text.",
        ),
        page::LIMIT,
        page::AFTER,
    ],
    run: &list,
}];

fn list(call: &Call<'_>) -> Result<Answer<RoomPage>, Fault> {
    let (limit, after) = call.page()?;
    let after = after.map(|after| after.parse::<u64>()).transpose();
    let after = after.map_err(|_| invalid("after", "`next` of the page before"))?;
    let query = query(call)?;
    let (rooms, next) = rooms(call)?.search(&call.actor()?, &query, after, limit);
    let next = next.map(|next| next.to_string());
    Ok(Answer::of(RoomPage { rooms, next }))
}

fn query(call: &Call<'_>) -> Result<RoomQuery, Fault> {
    let arguments = call.arguments;
    let mut query = RoomQuery::new();
    if let Some(text) = arguments.text("text", 128)? {
        query = query.text(text);
    }
    if let Some(category) = arguments.text("category", 64)? {
        query = query.category(category);
    }
    for tag in arguments.texts("tags", 8, 64)?.unwrap_or_default() {
        query = query.tag(tag);
    }
    if let Some(owner) = call.optional_user("owner")? {
        query = query.owner(owner);
    }
    if let Some(private) = arguments.flag("private")? {
        query = query.private(private);
    }
    if let Some(archived) = arguments.flag("archived")? {
        query = query.archived(archived);
    }
    for (key, value) in metadata(call)? {
        query = query.metadata(key, value);
    }
    Ok(query)
}

fn metadata(call: &Call<'_>) -> Result<Map<String, Value>, Fault> {
    let expected = "an object of at most 8 values that are no lists and no objects";
    let metadata: Option<Value> = call.arguments.json("metadata", expected)?;
    let metadata = match metadata {
        // Out of a query.
        Some(Value::String(text)) => serde_json::from_str(&text).ok(),
        metadata => metadata,
    };
    let Some(metadata) = metadata else {
        return Ok(Map::new());
    };
    match metadata {
        Value::Object(metadata)
            if metadata.len() <= 8
                && !metadata.values().any(|it| it.is_array() || it.is_object()) =>
        {
            Ok(metadata)
        }
        _ => Err(invalid("metadata", expected)),
    }
}

answers! {
    /// A page of rooms.
    struct RoomPage {
        /// The rooms, the newest first.
        rooms: Vec<RoomView>,
        /// The `after` of the next page; the last page has none.
        next: Option<String>,
    }
}
