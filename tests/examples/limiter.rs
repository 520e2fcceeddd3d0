//! A limiter of the application's own: who goes on although it was refused gets half the rate, and
//! who waits gets it back.
//!
//! `cargo run --example limiter`, and then, once a second and faster:
//!
//! ```text
//! curl -d '{"data":1}' -H 'content-type: application/json' \
//!     'localhost:3000/api/v1/channels/news/publish?actor=ada'
//! ```

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::policy::Allowance;
use throng::policy::Limiter;
use throng::session::Caller;
use throng::session::ClientPublish;
use throng::transport::Unauthenticated;
use tokio::net::TcpListener;

/// Requests in a second, until there are penalties.
const BASE: f64 = 10.0;

/// The most users that are remembered; beyond it, those without penalties are forgotten.
const MAX_USERS: usize = 100_000;

/// Sixteen times as expensive is the most.
const MAX_PENALTY: f64 = 16.0;

#[derive(Default)]
struct Penalties {
    users: Mutex<HashMap<String, Record>>,
}

struct Record {
    /// Requests that may pass, as of `at`.
    left: f64,
    /// By which the rate is divided.
    penalty: f64,
    at: Instant,
}

impl Record {
    fn new(now: Instant) -> Self {
        Self {
            left: BASE,
            penalty: 1.0,
            at: now,
        }
    }

    fn rate(&self) -> f64 {
        BASE / self.penalty
    }

    /// Takes a request; otherwise returns how long to wait.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let elapsed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + elapsed * self.rate()).min(BASE);
        // A quiet second halves the penalty.
        self.penalty = (self.penalty / 2_f64.powf(elapsed.floor())).max(1.0);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        self.penalty = (self.penalty * 2.0).min(MAX_PENALTY);
        Err(Duration::from_secs_f64((1.0 - self.left) / self.rate()))
    }
}

impl Limiter for Penalties {
    fn check(&self, caller: &Caller<'_>, action: &str) -> Allowance {
        let (Some(user), "publish" | "room.send") = (caller.user(), action) else {
            return Allowance::Pass;
        };
        let now = Instant::now();
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MAX_USERS {
            users.retain(|_, record| record.left < BASE - 1.0);
        }
        let record = users.entry(user.to_owned());
        match record.or_insert_with(|| Record::new(now)).take(now) {
            Ok(()) => Allowance::Pass,
            Err(wait) => Allowance::Refuse(Some(wait)),
        }
    }
}

pub(crate) async fn serve(listener: TcpListener, told: impl Future<Output = ()>) {
    let hub = Hub::new();
    let layers = Layers::new(&hub);
    let gateway = Gateway::builder(hub)
        .layers(layers)
        .authenticate(|request| {
            // For the example: a service checks a token here.
            let query = request.uri.query().unwrap_or_default();
            let user = query.split('&').find_map(|pair| pair.strip_prefix("user="));
            let user = user.ok_or_else(|| Unauthenticated::new("say who you are: ?user=ada"))?;
            Ok(ConnectOptions::new().user(user))
        })
        .client_publish(ClientPublish::Allow)
        .limiter(Penalties::default())
        .build();
    throng::serve(listener, gateway, told).await;
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
