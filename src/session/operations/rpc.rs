//! Methods of the application.

#[cfg(feature = "openapi")]
use std::borrow::Cow;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
#[cfg(feature = "openapi")]
use schemars::Schema;
#[cfg(feature = "openapi")]
use schemars::SchemaGenerator;
#[cfg(feature = "openapi")]
use schemars::json_schema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::protocol::Fault;
use crate::session::CallerInfo;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;

const METHOD: Argument = Argument::needed("method", Kind::Text, "The name of the method.");

const ARGS: Argument = Argument::optional(
    "args",
    Kind::Any,
    "The arguments, as the method takes them; `null` if not given.",
);

pub(super) const TABLE: &[Operation] = &[Operation {
    name: "rpc",
    method: Method::Post,
    path: "/rpc/{method}",
    summary: "Calls a method of the application; the answer is what the method returns.",
    who: Who::Anyone,
    arguments: &[METHOD, ARGS],
    run: &rpc,
}];

/// The answer of a method of the application.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct RpcAnswer(Box<RawValue>);

#[cfg(feature = "openapi")]
impl JsonSchema for RpcAnswer {
    fn schema_name() -> Cow<'static, str> {
        "RpcAnswer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "The value that the method returns." })
    }
}

fn rpc(call: &Call<'_>) -> Result<Answer<RpcAnswer>, Fault> {
    let method = call.text(METHOD.name, usize::MAX)?;
    let who = CallerInfo::of(call.caller);
    let args = call.arguments.raw(ARGS.name);
    let calling = call.entrance.rpc().call(&method, who, args)?;
    Ok(Answer::later(async move { calling.await.map(RpcAnswer) }))
}
