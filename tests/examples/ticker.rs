//! Prices: whoever is fast gets every tick, whoever is slow the latest price of each symbol.
//!
//! `cargo run --example ticker`

use std::error::Error;
use std::io;
use std::io::Write;

use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::TryRecvError;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}

const SYMBOLS: [&str; 3] = ["ACME", "GLOBEX", "INITECH"];

/// A thousand rounds of ticks, then what the two clients got.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // Two places for each symbol: none is lost, and each comes in its turn.
    let places = 2 * SYMBOLS.len();
    let hub = Hub::builder()
        .outbox(OutboxLimits::new().messages(places))
        .slow_consumer(SlowConsumer::KeepLatest)
        .build()?;
    let (fast, mut fast_outbox) = hub.connect(ConnectOptions::new().user("fast"))?;
    let (slow, mut slow_outbox) = hub.connect(ConnectOptions::new().user("slow"))?;
    fast.subscribe_blocking("ticks")?;
    slow.subscribe_blocking("ticks")?;

    let ticks = hub.channel("ticks")?;
    let mut received = 0;
    for price in 1..=1_000 {
        for symbol in SYMBOLS {
            let tick = Message::text(format!("{symbol} {price}")).key(symbol);
            let delivery = ticks.publish(tick)?;
            // Nothing is ever refused: what waits is conflated to make room.
            assert_eq!((delivery.delivered(), delivery.dropped()), (2, 0));
        }
        received += prices(&mut fast_outbox)?.len();
    }
    writeln!(out, "fast: {received} ticks")?;

    let waiting = prices(&mut slow_outbox)?;
    writeln!(out, "slow: {} ticks, the last ones:", waiting.len())?;
    for price in &waiting[waiting.len() - SYMBOLS.len()..] {
        writeln!(out, "  {price}")?;
    }
    writeln!(out, "conflated for it: {}", slow.stats().conflated)?;
    Ok(())
}

/// All that waits, as text.
fn prices(outbox: &mut Outbox) -> Result<Vec<String>, TryRecvError> {
    let mut prices = Vec::new();
    loop {
        match outbox.try_recv() {
            Ok(frame) => prices.push(String::from_utf8_lossy(frame.payload()).into_owned()),
            Err(TryRecvError::Empty) => return Ok(prices),
            Err(closed) => return Err(closed),
        }
    }
}
