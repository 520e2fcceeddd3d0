//! The floor: the least that a server on hyper can do for the same deliveries.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use bytes::Buf;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http_body::Body;
use http_body::Frame;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::bench::failed::Failed;

/// The queues of all clients.
type Clients = Arc<Mutex<Vec<mpsc::Sender<Bytes>>>>;

/// Serves on a port of the system's choice, which it prints, until the process is ended.
pub(in crate::bench) fn serve() -> Result<(), Failed> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::io("no runtime", error))?;
    let served = runtime.block_on(accept());
    served.map_err(|error| Failed::io("cannot serve", error))
}

async fn accept() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let clients = Clients::default();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true)?;
        let clients = Arc::clone(&clients);
        let service = service_fn(move |request| answer(Arc::clone(&clients), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
    Ok(())
}

async fn answer(
    clients: Clients,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    if request.method() != Method::POST {
        let (sender, queue) = mpsc::channel(QUEUE);
        // There is room.
        let _sent = sender.try_send(Bytes::from_static(b"event: joined\ndata: {}\n\n"));
        lock(&clients).push(sender);
        let mut response = Response::new(Answer::Stream(queue));
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        return Ok(response);
    }
    let mut body = request.into_body();
    let mut frames = stream::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
    let mut text = Vec::new();
    while let Some(Ok(frame)) = frames.next().await {
        if let Ok(mut data) = frame.into_data() {
            text.extend_from_slice(&data);
            data.advance(data.len());
        }
    }
    let event = event(&String::from_utf8_lossy(&text));
    lock(&clients).retain(|client| {
        let sent = client.try_send(event.clone());
        // A full queue loses the event, which the clients notice.
        !matches!(sent, Err(TrySendError::Closed(_)))
    });
    Ok(Response::new(Answer::Done))
}

/// An event as throng writes it.
fn event(text: &str) -> Bytes {
    let event = format!(
        "id: bench@100000.1796093317707755\nevent: message\ndata: {{\"type\":\"message\",\
         \"channel_id\":\"bench\",\"offset\":100000,\"epoch\":\"1796093317707755\",\
         \"text\":\"{text}\",\"published_at\":\"2026-12-01T02:48:39.426Z\"}}\n\n"
    );
    Bytes::from(event)
}

fn lock(clients: &Clients) -> MutexGuard<'_, Vec<mpsc::Sender<Bytes>>> {
    clients.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a response.
enum Answer {
    Done,
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Done => Poll::Ready(None),
            Self::Stream(queue) => queue
                .poll_recv(cx)
                .map(|event| Some(Ok(Frame::data(event?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// Events that may wait for a client, as many as in an outbox of throng.
const QUEUE: usize = 64;
