//! The operations of the layers over HTTP: a route for each row of their table.

use axum::Json;
use axum::Router;
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
use serde_json::value::RawValue;

use crate::layers::Actor;
use crate::layers::UserId;
use crate::operations::Answer;
use crate::operations::Call;
use crate::operations::Caller;
use crate::operations::Method;
use crate::operations::Operation;
use crate::operations::Who;
use crate::operations::all;
use crate::operations::document;
use crate::protocol::Fault;
use crate::protocol::MOST_FIELDS;
use crate::protocol::invalid;
use crate::server::api::bad_path;
use crate::server::body;
use crate::server::routes::App;
use crate::transport::Problem;
use crate::transport::fault::no_layers;

type Named = Result<RawPathParams, RawPathParamsRejection>;

/// The routes of all operations, and of the document that describes them.
pub(super) fn router() -> Router<App> {
    let routes = all().filter(|operation| operation.who != Who::Connection);
    let router = Router::new().route("/openapi.json", get(openapi));
    routes.fold(router, |router, operation| {
        let handler =
            async move |State(app): State<App>, path: Named, request: Request| match answer(
                &app, operation, path, request,
            )
            .await
            {
                Ok(answer) => respond(&answer),
                Err(problem) => IntoResponse::into_response(problem),
            };
        router.route(operation.path, on(filter(operation.method), handler))
    })
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}

async fn answer(
    app: &App,
    operation: &Operation,
    path: Named,
    request: Request,
) -> Result<Answer, Problem> {
    let path = path.map_err(bad_path)?;
    let layers = app.gateway.layers().ok_or_else(no_layers)?;
    let query = pairs(request.uri())?;
    let in_query = matches!(operation.method, Method::Get | Method::Delete);
    let mut arguments = body::object(request, app.config.max_body).await?;
    let mut actor = Actor::Server;
    for (name, value) in query {
        match &*name {
            "actor" if operation.who == Who::Anyone => actor = user(&value)?,
            _ if in_query => arguments.set(&name, &value),
            _ => {}
        }
    }
    for (name, value) in &path {
        arguments.set(name, value);
    }
    let call = Call {
        layers,
        caller: Caller::Api(actor),
        arguments: &arguments,
    };
    let mut answered = (operation.run)(&call)?.settled();
    loop {
        match answered {
            Ok(answer) => return Ok(answer),
            Err(later) => answered = later.await?.settled(),
        }
    }
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
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_field", why))
        }
        Ok(Query(pairs)) => Ok(pairs),
        Err(error) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            format!("the query cannot be read: {error}"),
        )),
    }
}

fn respond(answer: &Answer) -> Response {
    match answer.json() {
        Some(json) => Json::<&RawValue>(json).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
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
