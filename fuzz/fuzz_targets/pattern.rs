//! Whatever patterns there are, a publication reaches those that match its channel, and no others.

#![no_main]

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::ChannelKind;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::channels::Channels;
use throng::channels::ChannelsConfig;
use throng::channels::Pattern;

#[derive(Debug, arbitrary::Arbitrary)]
struct Story<'a> {
    patterns: Vec<(Kind, &'a str)>,
    removed: Vec<u8>,
    channels: Vec<&'a str>,
}

#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Kind {
    Prefix,
    Segments,
    Suffix,
}

fuzz_target!(|story: Story<'_>| run(&story));

fn run(story: &Story<'_>) {
    let hub = Hub::new();
    let channels = Channels::new(&hub, ChannelsConfig::new());
    let mut subscribed = Vec::new();
    for (kind, text) in story.patterns.iter().take(16) {
        let parsed = match kind {
            Kind::Prefix => Pattern::prefix(text),
            Kind::Segments => Pattern::parse(text),
            Kind::Suffix => Pattern::suffix(text),
        };
        let Ok(pattern) = parsed else { continue };
        assert_eq!(
            Pattern::from_canonical(&pattern.to_string()),
            Ok(pattern.clone())
        );
        let Ok((client, outbox)) = hub.connect(ConnectOptions::new()) else {
            continue;
        };
        // Its channel's name may be longer than the hub allows.
        if channels.subscribe(&client, &pattern, None).is_ok() {
            subscribed.push((pattern, client, outbox));
        }
    }
    for index in &story.removed {
        if subscribed.is_empty() {
            break;
        }
        let (pattern, client, _) = subscribed.swap_remove(usize::from(*index) % subscribed.len());
        channels
            .unsubscribe(&client, &pattern)
            .expect("it was subscribed");
    }
    for name in story.channels.iter().take(8) {
        let published = hub.publish(name, Message::static_text("x"));
        let is_public = ChannelKind::of(name) == ChannelKind::Public;
        let reached = published.is_ok() && is_public && !name.starts_with('$');
        for (pattern, _, outbox) in &mut subscribed {
            let expected = reached && pattern.matches(name);
            assert_eq!(outbox.try_recv().is_ok(), expected, "{pattern} {name:?}");
        }
    }
    for (_, client, _) in &subscribed {
        channels.forget(client.id());
    }
    assert_eq!(channels.pattern_count(), 0);
}
