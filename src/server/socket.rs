//! `GET /ws`: from a request to a client of the hub.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use hyper::upgrade;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::hub::ConnectOptions;
use crate::server::Users;
use crate::server::problem::Problem;
use crate::server::routes::App;
use crate::transport::ws;
use crate::transport::ws::Refusal;

/// Where the handler leaves what the connection's task does once HTTP is over, so that a
/// connection is one task from accept to close.
#[derive(Clone, Default)]
pub(super) struct Afterwards(Arc<Mutex<Option<Session>>>);

type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Afterwards {
    pub(super) fn take(&self) -> Option<Session> {
        mem::take(&mut *self.0.lock())
    }

    fn set(&self, session: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock() = Some(Box::pin(session));
    }
}

/// Upgrades to WebSocket.
pub(super) async fn connect(State(app): State<App>, mut request: Request) -> Response {
    let response = match ws::upgrade(&request, &app.config.origins, &app.config.ws) {
        Ok((response, _)) => response,
        Err(refusal) => return refuse(refusal),
    };
    let options = match options(&app, request.uri()) {
        Ok(options) => options,
        Err(problem) => return problem.into_response(),
    };
    let Some(afterwards) = request.extensions().get::<Afterwards>().cloned() else {
        return refuse(Refusal::NotWebSocket);
    };
    afterwards.set(serve(app, options, upgrade::on(&mut request)));
    response.map(|()| Body::empty())
}

async fn serve(app: App, options: ConnectOptions, upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut draining = app.draining.clone();
    let shutdown = async move {
        // The sender is gone only when the server is.
        drop(draining.wait_for(|draining| *draining).await);
    };
    let config = app.config.ws;
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let io = parts.io.into_inner();
            ws::serve(io, parts.read_buf, &app.hub, options, config, shutdown).await;
        }
        Err(other) => {
            let io = TokioIo::new(other);
            ws::serve(io, Bytes::new(), &app.hub, options, config, shutdown).await;
        }
    }
}

fn options(app: &App, uri: &Uri) -> Result<ConnectOptions, Problem> {
    let options = ConnectOptions::new();
    if app.config.users == Users::Anonymous {
        return Ok(options);
    }
    let query = Query::<Claim>::try_from_uri(uri).map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_query",
            "the query cannot be read",
        )
    })?;
    match query.0.user.as_deref().unwrap_or_default() {
        "" => Ok(options),
        user if user.len() > MAX_USER => {
            let why = format!("`user` is longer than {MAX_USER} bytes");
            Err(Problem::new(StatusCode::BAD_REQUEST, "too_large", why))
        }
        user => Ok(options.user(user)),
    }
}

#[derive(Debug, Deserialize)]
struct Claim {
    user: Option<String>,
}

/// The longest user that a client may claim to be, in bytes.
const MAX_USER: usize = 128;

fn refuse(refusal: Refusal) -> Response {
    let code = match refusal {
        Refusal::Origin => "forbidden_origin",
        Refusal::NotWebSocket => "not_websocket",
        Refusal::Version => "unsupported_version",
    };
    let mut response = Problem::new(refusal.status(), code, refusal).into_response();
    if refusal == Refusal::Version {
        let ours = HeaderValue::from_static("13");
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, ours);
    }
    response
}
