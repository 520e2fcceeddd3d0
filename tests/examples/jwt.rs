//! A server whose clients show a signed token, of a user or of a moderator.
//!
//! `cargo run --example jwt` prints a token for each, and then, with one of them:
//!
//! ```text
//! websocat -H 'Authorization: Bearer TOKEN' ws://localhost:3000/ws
//! {"id":1,"type":"subscribe","channel_id":"news.today"}
//! {"id":2,"type":"publish","channel_id":"news.today","data":"rain"}
//! ```

use std::error::Error;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::json;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::SigningKey;
use throng::session::ClientPublish;
use tokio::net::TcpListener;

/// For the example: a service reads it from a file that it alone can read.
const SECRET: &[u8] = b"at least thirty-two bytes, and secret";

const HOUR: Duration = Duration::from_secs(3600);

/// Signs a token for `user`, who may follow the news, and publish there as a moderator.
pub(crate) fn token(user: &str, is_moderator: bool) -> Result<String, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let publish: &[&str] = if is_moderator { &["news.>"] } else { &[] };
    let claims = json!({
        "sub": user,
        "exp": (now + HOUR).as_secs(),
        "perms": { "sub": ["news.>"], "pub": publish, "read": ["news.>"] },
    });
    Ok(SigningKey::secret(Algorithm::Hs256, SECRET)?.sign(&claims)?)
}

pub(crate) async fn serve(
    listener: TcpListener,
    told: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let hub = Hub::new();
    let layers = Layers::new(&hub);
    let key = SigningKey::secret(Algorithm::Hs256, SECRET)?.verifying_key()?;
    let gateway = Gateway::builder(hub)
        .layers(layers)
        .authenticator(Jwt::keys(key))
        .client_publish(ClientPublish::Permitted)
        .build();
    throng::serve(listener, gateway, told).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("ada, a moderator: {}", token("ada", true)?);
    println!("bob: {}", token("bob", false)?);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await
}
