//! Likes, counted live: an axum application with a route and a state of its own, and throng in it.
//!
//! Try it with `curl -N localhost:3000/live/sse?channels=likes`, and in another terminal with
//! `curl -X POST localhost:3000/like`.

use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use tokio::net::TcpListener;

type App = (Gateway, Arc<Mutex<u64>>);

async fn like(State((gateway, likes)): State<App>) -> String {
    let mut likes = likes.lock().unwrap();
    *likes += 1;
    // Under the lock, so that the last message has the last count.
    let message = Message::text(likes.to_string());
    let told = gateway.hub().publish("likes", message).unwrap();
    format!("{likes} likes, {} told\n", told.delivered())
}

pub(crate) async fn serve(listener: TcpListener, told: impl Future<Output = ()> + Send + 'static) {
    let gateway = Gateway::new(Hub::new());
    let app = Router::new()
        .route("/like", post(like))
        .with_state((gateway.clone(), Arc::default()))
        .nest("/live", throng::handlers::router(gateway.clone()));
    let stop = async move {
        told.await;
        gateway.drain().await;
    };
    let served = axum::serve(listener, app).with_graceful_shutdown(stop);
    served.await.unwrap();
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:3000").await.unwrap();
    serve(listener, async { tokio::signal::ctrl_c().await.unwrap() }).await;
}
