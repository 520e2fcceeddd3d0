//! Any address of a stream, and any id that a client may bring: read without a panic, within the
//! bounds, and an id that is read is the same once it is written and read again.

#![no_main]

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::transport::sse::fuzzing;

#[derive(Debug, arbitrary::Arbitrary)]
struct Address {
    query: String,
    id: String,
    places: Vec<fuzzing::Place>,
    max_channels: u8,
    max_name: u8,
    max_id: u8,
}

fuzz_target!(|address: Address| {
    let bounds = (
        usize::from(address.max_channels),
        usize::from(address.max_name),
        usize::from(address.max_id),
    );
    if let Some((channels, id)) = fuzzing::query(&address.query, bounds) {
        assert!(channels.len() <= bounds.0 && id.len() <= bounds.2);
        for (at, name) in channels.iter().enumerate() {
            assert!(!name.is_empty() && name.len() <= bounds.1);
            assert!(!name.contains(char::is_control));
            assert!(!channels[..at].contains(name), "each once");
        }
        check(&id);
        // What was read is what is read of it, however it is encoded.
        let encoded = |text: &str| {
            text.bytes()
                .map(|byte| format!("%{byte:02x}"))
                .collect::<String>()
        };
        let names = channels
            .iter()
            .map(|name| format!("channel={}&", encoded(name)));
        let query = names.collect::<String>() + "last_event_id=" + &encoded(&id);
        assert_eq!(fuzzing::query(&query, bounds), Some((channels, id)));
    }
    check(&address.id);
    let mut places = address.places;
    places.sort();
    places.dedup_by(|one, other| one.0 == other.0);
    places.retain(|(name, _)| !name.is_empty());
    let written = fuzzing::write(&places);
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(fuzzing::read(&written), Some(places));
});

/// What is read of an id is what is read of it once it is written again, in no more bytes than
/// encoding may take.
fn check(id: &str) {
    if let Some(places) = fuzzing::read(id) {
        let written = fuzzing::write(&places);
        assert!(written.len() <= 3 * id.len());
        assert_eq!(fuzzing::read(&written), Some(places));
    }
}
