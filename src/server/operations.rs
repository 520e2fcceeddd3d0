//! The operations of the layers over HTTP: a route for each row of their table.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::RawPathParams;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::rejection::RawPathParamsRejection;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::get;
use axum::routing::on;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::layers::Actor;
use crate::layers::UserId;
use crate::protocol::Arguments;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::MOST_FIELDS;
use crate::protocol::Quota;
use crate::protocol::invalid;
use crate::server::body;
use crate::server::routes::App;
use crate::session;
use crate::session::Caller;
use crate::session::Identity;
use crate::session::Moments;
use crate::session::Origin;
use crate::session::Reply;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::all;
use crate::session::operations::asyncapi;
use crate::session::operations::openapi;
use crate::transport::PeerAddress;
use crate::transport::Problem;
use crate::transport::announce;

type Named = Result<RawPathParams, RawPathParamsRejection>;

/// The routes of all operations, and of the document that describes them.
pub(super) fn router() -> Router<App> {
    let routes = all().filter(|operation| operation.who != Who::Connection);
    let router = Router::new()
        .route("/asyncapi.json", get(asyncapi_document))
        .route("/openapi.json", get(async || document(&openapi())));
    routes.fold(router, |router, operation| {
        let handler =
            async move |State(app): State<App>, path: Named, request: Request| match answer(
                &app, operation, path, request,
            )
            .await
            {
                Ok((reply, quota)) => respond(&reply, quota.as_ref()),
                Err(problem) => IntoResponse::into_response(problem),
            };
        router.route(operation.path, on(filter(operation.method), handler))
    })
}

pub(super) async fn asyncapi_document() -> impl IntoResponse {
    document(&asyncapi())
}

/// The response with a document.
fn document(document: &Value) -> impl IntoResponse + use<> {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, document.to_string())
}

async fn answer(
    app: &App,
    operation: &Operation,
    path: Named,
    request: Request,
) -> Result<(Reply, Option<Quota>), Problem> {
    let path = path.map_err(|error| Problem::new(ErrorCode::InvalidPath, error))?;
    let address = request.extensions().get::<PeerAddress>();
    let address = address.map(|PeerAddress(address)| *address);
    let identity = request.extensions().get::<Identified>();
    let identity = identity.map(|Identified(identity)| Arc::clone(identity));
    let query = pairs(request.uri())?;
    let in_query = matches!(operation.method, Method::Get | Method::Delete);
    let mut actor = own(identity.as_deref());
    let mut given = Vec::new();
    for (name, value) in query {
        match &*name {
            "actor" => actor = on_behalf_of(&value, identity.as_deref())?,
            _ if in_query => given.push((name, value)),
            _ => {
                let why = format!("`{name}` in the query: this takes its arguments in the body");
                return Err(Fault::new(ErrorCode::InvalidField, why).field(name).into());
            }
        }
    }
    let caller = Caller::acting(actor, Origin::Api).from_address(address);
    let caller = caller.identified(identity);
    let raw = |body: Bytes| {
        let hooks = app.gateway.hooks();
        match hooks.wants(Moments::RAW) {
            true => hooks.raw(&caller, body),
            false => Ok(body),
        }
    };
    let (mut arguments, bytes) =
        body::arguments(operation, request, app.config.max_body, raw).await?;
    for (name, value) in given {
        set(operation, &mut arguments, &name, value)?;
    }
    for (name, value) in &path {
        arguments.set(name, value);
    }
    let request = session::Request::from(Command::named(operation.name, arguments)?);
    let watched = app.gateway.limits().watch(&caller, &request);
    let reply = app.gateway.execute_read(caller, request, bytes).await?;
    Ok((reply, watched.and_then(|limits| limits.quota())))
}

/// Takes an argument out of a query: an object is JSON there, too.
fn set(
    operation: &Operation,
    arguments: &mut Arguments,
    name: &str,
    value: String,
) -> Result<(), Fault> {
    let known = operation.arguments.iter().find(|known| known.name == name);
    match known {
        Some(known) if matches!(known.kind, Kind::Any | Kind::Object) => {
            let json = RawValue::from_string(value).map_err(|_| invalid(known.name, "JSON"))?;
            arguments.set_json(name, json);
        }
        _ => arguments.set(name, &value),
    }
    Ok(())
}

/// The identity that the credentials of a request have.
#[derive(Clone, Debug)]
pub(super) struct Identified(pub(super) Arc<Identity>);

/// On whose behalf a request is that does not say it: of the user of its token, or of the server.
fn own(identity: Option<&Identity>) -> Actor {
    let user = identity.and_then(Identity::user);
    user.cloned().map_or(Actor::Server, Actor::User)
}

/// The user that a request names to be on its behalf: its own, or any if its scopes allow it.
fn on_behalf_of(id: &str, identity: Option<&Identity>) -> Result<Actor, Fault> {
    let actor = user(id)?;
    let may = |identity: &Identity| {
        identity.all_permissions().allows_actor() || actor.user() == identity.user()
    };
    if identity.is_some_and(|identity| !may(identity)) {
        let why = "the credentials do not have the scope `actor`";
        return Err(Fault::new(ErrorCode::InsufficientScope, why).field("actor"));
    }
    Ok(actor)
}

fn user(id: &str) -> Result<Actor, Fault> {
    let user = UserId::parse(id);
    user.map(Actor::User)
        .map_err(|error| invalid("actor", "the id of a user").because(&error))
}

/// The names and values of a query, read as a form is; as many as a body may have fields.
fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    match Query::<Vec<_>>::try_from_uri(uri) {
        Ok(Query(pairs)) if pairs.len() > MOST_FIELDS => {
            let why = format!("more than {MOST_FIELDS} fields in the query");
            Err(Problem::new(ErrorCode::InvalidField, why))
        }
        Ok(Query(pairs)) => Ok(pairs),
        Err(error) => Err(Problem::new(
            ErrorCode::InvalidField,
            format!("the query cannot be read: {error}"),
        )),
    }
}

fn respond(reply: &Reply, quota: Option<&Quota>) -> Response {
    let mut response = match reply.to_json() {
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    };
    if let Some(quota) = quota {
        announce(quota, response.headers_mut());
    }
    response
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Delete => MethodFilter::DELETE,
        Method::Get => MethodFilter::GET,
        Method::Patch => MethodFilter::PATCH,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
    }
}
