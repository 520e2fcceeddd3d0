//! A content filter of the application's own: it blocks banned words in `content`, and tidies the
//! white space of the rest.
//!
//! `cargo run --example profanity`, and then:
//!
//! ```text
//! curl -d '{"data":{"content":"buy SPAM"}}' -H 'content-type: application/json' \
//!     localhost:3000/api/v1/channels/chat/publish
//! ```

use std::io;

use serde_json::Value;
use serde_json::json;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::policy::CallerInfo;
use throng::policy::ContentFilter;
use throng::policy::Draft;
use throng::policy::Filtered;
use throng::protocol::Payload;
use throng::session::ClientPublish;
use tokio::net::TcpListener;

/// Blocks messages whose `content` has a banned word in it.
struct ProfanityFilter {
    banned: Vec<&'static str>,
}

impl ContentFilter for ProfanityFilter {
    fn name(&self) -> &str {
        "profanity"
    }

    fn filter(&self, _: &CallerInfo, message: &mut Draft) -> Filtered {
        let data: Option<Value> = message.json();
        let Some(mut data) = data else {
            return Filtered::Pass;
        };
        let Some(content) = data["content"].as_str() else {
            return Filtered::Pass;
        };
        let words = content.split(|c: char| !c.is_alphanumeric());
        let is_banned = |word: &str| self.banned.iter().any(|it| it.eq_ignore_ascii_case(word));
        if words.clone().any(is_banned) {
            return Filtered::Block("profanity".into());
        }
        let tidy = content.split_whitespace().collect::<Vec<_>>().join(" ");
        if tidy != content {
            data["content"] = json!(tidy);
            message.set_payload(Payload::Json(data.to_string()));
        }
        Filtered::Pass
    }
}

pub(crate) async fn serve(listener: TcpListener, told: impl Future<Output = ()>) {
    let hub = Hub::new();
    let layers = Layers::new(&hub);
    let banned = vec!["spam", "abuse", "inappropriate"];
    let gateway = Gateway::builder(hub)
        .layers(layers)
        .client_publish(ClientPublish::Allow)
        .filter(ProfanityFilter { banned })
        .build();
    throng::serve(listener, gateway, told).await;
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
