//! Several requests at once.

use std::mem;
use std::sync::Arc;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::protocol::RequestId;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::Caller;
use crate::session::Effort;
use crate::session::Entrance;
use crate::session::Outcome;
use crate::session::request_cost;
use crate::session::spend;

use super::Argument;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;
use super::reply;
use super::verbs::never;
use super::view::Refusal;

pub(crate) const BATCH: &str = "batch";

pub(super) const TABLE: &[Operation] = &[Operation {
    name: BATCH,
    method: Method::Post,
    path: "/batch",
    summary: "Carries out several requests, one after the other; one that is refused does not keep those \
              after it from being carried out. Over HTTP the body may be the list itself.",
    who: Who::Anyone,
    arguments: &[Argument::needed(
        "requests",
        Kind::Objects,
        "At most 64, each as it is over a connection: `{\"type\":\"ping\"}`. None may be a batch.",
    )],
    // The entrance takes it before it gets here.
    run: &never::<Replies>,
}];

/// The most requests of a batch.
const MOST_REQUESTS: usize = 64;

answers! {
    /// The replies to the requests of a batch.
    struct Replies {
        /// The replies, in the order of the requests.
        replies: Vec<Line>,
    }

    /// The reply to a request of a batch.
    struct Line {
        /// The `id` of the request, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<RequestId>,
        /// Whether it was carried out.
        ok: bool,
        /// The answer, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Box<RawValue>>,
        /// The error, if it was refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Refusal>,
    }
}

/// Begins a batch.
pub(crate) fn run(entrance: &Arc<Entrance>, caller: &Caller<'_>, arguments: &Arguments) -> Outcome {
    let requests = match read(arguments) {
        Ok(requests) => requests,
        Err(fault) => return Outcome::Now(Err(fault)),
    };
    let entrance = Arc::clone(entrance);
    let caller = caller.to_owned();
    Outcome::Holding(Box::pin(async move {
        let mut lines = Vec::with_capacity(requests.len());
        let mut effort = Effort::default();
        for request in requests {
            let done = one(&entrance, &caller.caller(), &request, &mut effort).await;
            lines.push(line(done));
            spend(mem::take(&mut effort.cost) + request_cost(request.get().len())).await;
        }
        Ok(reply(&Replies { replies: lines }))
    }))
}

fn read(arguments: &Arguments) -> Result<Vec<Box<RawValue>>, Fault> {
    arguments.only(BATCH, ["requests"].into_iter())?;
    let expected = "a list of at most 64 requests";
    let requests: Option<Vec<Box<RawValue>>> = arguments.json("requests", expected)?;
    let requests = requests.ok_or_else(|| missing("requests"))?;
    if requests.len() > MOST_REQUESTS {
        return Err(invalid("requests", expected));
    }
    Ok(requests)
}

type Done = (Option<RequestId>, Result<Option<String>, Fault>);

async fn one(
    entrance: &Arc<Entrance>,
    caller: &Caller<'_>,
    request: &RawValue,
    effort: &mut Effort,
) -> Done {
    let mut request = match Request::parse(request.get()) {
        Ok(request) => request,
        Err(fault) => return (fault.request().cloned(), Err(fault)),
    };
    let id = request.id.take();
    if matches!(&request.command, Command::Operation { name, .. } if **name == *BATCH) {
        return (
            id,
            Err(invalid(
                "type",
                "something else than a batch: this is in one",
            )),
        );
    }
    // In a box, for a request may be a batch as far as the compiler knows.
    let reply = Box::pin(entrance.settle(caller, request, effort)).await;
    (id, reply.map(|reply| reply.to_json()))
}

/// The reply to a request.
fn line((id, done): Done) -> Line {
    let (data, error) = match done {
        Ok(data) => (data.and_then(|data| RawValue::from_string(data).ok()), None),
        Err(fault) => (None, Some(Refusal::of(&fault))),
    };
    Line {
        reply_to: id,
        ok: error.is_none(),
        data,
        error,
    }
}
