//! The transports of a gateway as a service, for whoever serves HTTP without axum.

use std::convert::Infallible;
use std::future;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;
use hyper::Request;
use hyper::Response;

use crate::protocol::ErrorCode;
use crate::transport::gateway::Gateway;
use crate::transport::problem::Problem;
use crate::transport::sse::SseBody;

/// All the transports of a gateway, as a service of hyper and one of tower.
///
/// | route | what it does |
/// |---|---|
/// | `GET /ws` | [WebSocket](Gateway::websocket) |
/// | `GET /sse` | [server-sent events](Gateway::sse) |
/// | `POST /sse/{stream_token}/subscribe` | [subscribes](Gateway::sse_subscribe) a stream |
/// | `POST /sse/{stream_token}/unsubscribe` | [unsubscribes](Gateway::sse_unsubscribe) one |
///
/// Anything else is answered with 404. The connection has to be served with upgrades.
///
/// ```no_run
/// use hyper::server::conn::http1;
/// use hyper_util::rt::TokioIo;
/// use throng::{Gateway, Hub};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = Gateway::new(Hub::new()).service();
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// loop {
///     let (stream, _) = listener.accept().await?;
///     let connection = http1::Builder::new()
///         .serve_connection(TokioIo::new(stream), service.clone())
///         .with_upgrades();
///     tokio::spawn(connection);
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GatewayService {
    gateway: Gateway,
}

/// The response to a request, once it is there.
type Responding = Pin<Box<dyn Future<Output = Result<Response<SseBody>, Infallible>> + Send>>;

impl Gateway {
    /// All the transports, as a service.
    #[must_use]
    pub fn service(&self) -> GatewayService {
        GatewayService {
            gateway: self.clone(),
        }
    }
}

impl GatewayService {
    fn respond<B>(&self, request: Request<B>) -> Responding
    where
        B: Body<Data: Send, Error: Send> + Send + 'static,
    {
        let path = request.uri().path().to_owned();
        match path.split('/').collect::<Vec<_>>()[..] {
            ["", "ws"] => {
                let answering = self.gateway.websocket(request);
                Box::pin(async move {
                    Ok(match answering.await {
                        Ok(response) => response.map(|()| Bytes::new().into()),
                        Err(problem) => problem.into_response(),
                    })
                })
            }
            ["", "sse"] => {
                let (gateway, request) = (self.gateway.clone(), request.into_parts().0);
                Box::pin(async move { Ok(gateway.sse(&request).await) })
            }
            ["", "sse", token, "subscribe"] => {
                let (gateway, token) = (self.gateway.clone(), token.to_owned());
                Box::pin(async move { Ok(gateway.sse_subscribe(&token, request).await) })
            }
            ["", "sse", token, "unsubscribe"] => {
                let (gateway, token) = (self.gateway.clone(), token.to_owned());
                Box::pin(async move { Ok(gateway.sse_unsubscribe(&token, request).await) })
            }
            _ => {
                let why = "nothing is here";
                let problem = Problem::new(ErrorCode::NotFound, why);
                Box::pin(future::ready(Ok(problem.into_response())))
            }
        }
    }
}

impl<B> hyper::service::Service<Request<B>> for GatewayService
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<SseBody>;
    type Error = Infallible;
    type Future = Responding;

    fn call(&self, request: Request<B>) -> Responding {
        self.respond(request)
    }
}

impl<B> tower_service::Service<Request<B>> for GatewayService
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<SseBody>;
    type Error = Infallible;
    type Future = Responding;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Responding {
        self.respond(request)
    }
}
