//! Whatever place a client says it has been at, it gets what a channel remembers from there, and
//! nothing else: as a page, and as the rest of a stream.

#![no_main]

use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::ConnectOptions;
use throng::Frame;
use throng::HistoryOptions;
use throng::HistoryQuery;
use throng::Hub;
use throng::Message;
use throng::StreamPosition;
use throng::SubscribeOptions;
use throng::protocol::Arguments;
use throng::transport::sse::fuzzing;

#[derive(Debug, arbitrary::Arbitrary)]
struct Story<'a> {
    published: u8,
    remembered: u8,
    /// The arguments of `channel.history`, as they come.
    arguments: &'a str,
    queries: Vec<Asked>,
    /// What a stream brings along.
    last_event_id: &'a str,
    since: Place,
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
struct Asked {
    after: Option<Place>,
    before: Option<Place>,
    limit: u16,
    newest_first: bool,
}

/// Near the beginning, near the end, or anywhere.
#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Place {
    Any(u64),
    Early(u8),
    Late(u8),
}

impl Place {
    fn at(self) -> u64 {
        match self {
            Self::Any(at) => at,
            Self::Early(at) => at.into(),
            Self::Late(back) => u64::MAX - u64::from(back),
        }
    }
}

const CHANNEL: &str = "news";

fuzz_target!(|story: Story<'_>| run(&story));

fn run(story: &Story<'_>) {
    let remembered = usize::from(story.remembered).max(1);
    let hub = Hub::builder()
        .history(move |_: &_| Some(HistoryOptions::new().messages(remembered)))
        .build()
        .expect("a hub");
    let channel = hub.channel(CHANNEL).expect("a channel");
    for number in 1..=story.published {
        let message = Message::text(number.to_string());
        let _delivery = channel.publish(message).expect("published");
    }
    let last = u64::from(story.published);
    let floor = last.saturating_sub(remembered as u64);
    let there: Vec<u64> = (floor + 1..=last).collect();
    let mut queries: Vec<_> = story
        .queries
        .iter()
        .take(8)
        .map(|asked| asked.query())
        .collect();
    queries.extend(parsed(story.arguments));
    for query in &queries {
        let page = channel.history(query);
        assert_eq!((page.position.offset, page.floor), (last, floor));
        let (expected, more) = wanted(&there, query);
        let given: Vec<_> = page.frames.iter().map(Frame::offset).collect();
        assert_eq!((given, page.more), (expected, more), "{query:?}");
    }
    let now = channel.history(&HistoryQuery::new()).position;
    for epoch in [now.epoch, now.epoch ^ 1] {
        let offset = story.since.at();
        come_back(&hub, StreamPosition { offset, epoch }, &there, now);
    }
    // What a stream says of where it was is where it was, or is refused.
    for (name, place) in fuzzing::read(story.last_event_id).unwrap_or_default() {
        if let Some((offset, epoch)) = place {
            come_back(&hub, StreamPosition { offset, epoch }, &there, now);
            let place = (CHANNEL.to_owned(), Some((offset, epoch)));
            let written = fuzzing::write(&[place.clone()]);
            assert_eq!(fuzzing::read(&written), Some(vec![place]), "{name:?}");
        }
    }
}

impl Asked {
    fn query(self) -> HistoryQuery {
        let mut query = HistoryQuery::new().limit(self.limit.into());
        query.after = self.after.map(Place::at);
        query.before = self.before.map(Place::at);
        query.newest_first = self.newest_first;
        query
    }
}

/// The query that these arguments make, within the bounds that are documented.
fn parsed(arguments: &str) -> Option<HistoryQuery> {
    let arguments = Arguments::parse(arguments).ok()?;
    let mut query = HistoryQuery::new();
    query.after = arguments.number("after", 0, u64::MAX).ok()?;
    query.before = arguments.number("before", 0, u64::MAX).ok()?;
    if let Some(limit) = arguments.number("limit", 1, 1000).ok()? {
        query.limit = usize::try_from(limit).expect("at most a thousand");
    }
    query.newest_first = arguments.text("order", 16).ok()?.as_deref() == Some("newest");
    Some(query)
}

/// What the page should have, and whether there should be more.
fn wanted(there: &[u64], query: &HistoryQuery) -> (Vec<u64>, bool) {
    let mut all = there.to_vec();
    all.retain(|at| query.after.is_none_or(|after| *at > after));
    all.retain(|at| query.before.is_none_or(|before| *at < before));
    if query.newest_first {
        all.reverse();
    }
    let limit = query.limit.clamp(1, HistoryQuery::MAX_LIMIT);
    let more = all.len() > limit;
    all.truncate(limit);
    (all, more)
}

/// Somebody who has been there gets the rest, each once and in order. Of another life, or of what
/// is forgotten or to come, there is no rest, and it is told so.
fn come_back(hub: &Hub, since: StreamPosition, there: &[u64], now: StreamPosition) {
    let (client, mut outbox) = hub.connect(ConnectOptions::new()).expect("room");
    let options = SubscribeOptions::new().since(since);
    let joining = pin!(client.subscribe_with(CHANNEL, options));
    let joined = joining.poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(joined)) = joined else {
        panic!("nobody else is there: {joined:?}");
    };
    let floor = now.offset - there.len() as u64;
    let is_there = since.epoch == now.epoch && (floor..=now.offset).contains(&since.offset);
    assert_eq!(
        joined.recovered, is_there,
        "{since:?} of {floor} to {now:?}"
    );
    assert_eq!(joined.position, now);
    let frames = std::iter::from_fn(|| outbox.try_recv().ok());
    let got = frames.filter(|frame| frame.message().is_some());
    let got: Vec<_> = got.map(|frame| frame.offset()).collect();
    let start = if is_there { since } else { joined.start };
    let rest = there.iter().copied().filter(|at| *at > start.offset);
    assert_eq!(got, rest.collect::<Vec<_>>(), "after {since:?}");
}
