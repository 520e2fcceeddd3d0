//! The flusher's pace on this machine: how often a connection is visited while there is something
//! to write to it.
//!
//! A server in this process, on loopback, with real WebSockets that are read as fast as they can
//! be. Messages are published 50 us apart for a quarter of a second; a visit is one write, so the
//! pace is that time, divided by the writes to one connection.

use std::io;
use std::time::Duration;
use std::time::Instant;

use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::server;
use throng::server::ServerConfig;
use throng::transport::Transport;
use throng::tune::Scenario;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time;

use super::peer::subscribed;

/// Measures the pace for as many clients as the scenario has, at most 200.
pub(super) fn measured(scenario: &Scenario) -> io::Result<Duration> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let pace = runtime.block_on(measure(scenario.population.min(MOST_CLIENTS)));
    runtime.shutdown_background();
    pace
}

async fn measure(clients: usize) -> io::Result<Duration> {
    let outbox = OutboxLimits::new().messages(OUTBOX);
    let hub = Hub::builder()
        .outbox(outbox)
        .build()
        .map_err(io::Error::other)?;
    let gateway = Gateway::builder(hub.clone()).build();
    let listener = server::listen(([127, 0, 0, 1], 0).into(), 1_024)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let stopping = async { drop(stopped.await) };
    let serving = server::serve(listener, gateway.clone(), ServerConfig::new(), stopping);
    let serving = tokio::spawn(serving);
    let mut readers = JoinSet::new();
    for _ in 0..clients {
        let mut socket = subscribed(address, "/ws", &[CHANNEL], None).await?;
        readers.spawn(async move { while socket.read(|_| ()).await.is_ok() {} });
    }
    let pace = publish(&hub, &gateway, clients).await?;
    hub.close(Disconnect::SHUTDOWN);
    drop(stop);
    readers.shutdown().await;
    serving.abort();
    Ok(pace)
}

async fn publish(hub: &Hub, gateway: &Gateway, clients: usize) -> io::Result<Duration> {
    let channel = hub.channel(CHANNEL).map_err(io::Error::other)?;
    let text = "x".repeat(120);
    let writes = || gateway.stats(Transport::Ws).writes;
    let begin = Instant::now();
    let first = writes();
    let mut next = begin;
    while begin.elapsed() < MEASURED {
        next += SPACING;
        // What is lost for a client that this machine cannot keep up with does not matter here.
        drop(channel.publish(Message::text(text.clone())));
        while Instant::now() < next {
            tokio::task::yield_now().await;
        }
    }
    let elapsed = begin.elapsed();
    time::sleep(SPACING).await;
    let visits = (writes() - first) as f64 / clients.max(1) as f64;
    let pace = elapsed.div_f64(visits.max(1.0));
    // Whole microseconds, so that the file that has it is short.
    let micros = u64::try_from(pace.as_micros()).unwrap_or(u64::MAX);
    Ok(Duration::from_micros(micros.max(1)))
}

const MOST_CLIENTS: usize = 200;
const OUTBOX: usize = 1 << 16;
const CHANNEL: &str = "pace";
const MEASURED: Duration = Duration::from_millis(250);
const SPACING: Duration = Duration::from_micros(50);
