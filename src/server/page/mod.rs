//! The page: one file, nothing from elsewhere.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use axum::extract::State;
use axum::http::header;
use axum::http::header::HeaderName;
use axum::response::Html;
use axum::response::IntoResponse;

use crate::server::routes::App;

/// The page, under a policy that lets it load and run nothing but itself.
pub(super) async fn page(State(app): State<App>) -> impl IntoResponse {
    let nonce = nonce();
    let open = app.config.development;
    let mode = if open { "open" } else { "public" };
    let html = PAGE
        .replace("{{rooms}}", ROOMS)
        .replace("{{messages}}", MESSAGES)
        .replace("{{nonce}}", &nonce)
        .replace("{{mode}}", mode);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers: [(HeaderName, String); 4] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Html(html))
}

const PAGE: &str = include_str!("page.html");

/// What the page does about rooms.
const ROOMS: &str = include_str!("rooms.js");

/// What it does about their messages.
const MESSAGES: &str = include_str!("messages.js");

/// 128 bits that a stranger cannot guess: the standard library seeds its hash keys from the
/// operating system, and changes them with each use.
fn nonce() -> String {
    let random = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", random(), random())
}
