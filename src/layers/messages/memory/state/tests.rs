//! What the lists say of the messages, whatever has been done:
//!
//! * rooms, authors and who has reacted are found by what there is, and by nothing else;
//! * counts and bytes are the sums of what there is;
//! * a line has no holes at its ends, and no more of them than messages.

use std::collections::BTreeMap;

use ahash::HashMap;
use ahash::HashSet;

use super::State;
use crate::layers::messages::contract::model;
use crate::layers::messages::memory::MemoryLimits;
use crate::layers::messages::memory::MemoryStore;

/// Computes all lists anew.
fn audit(state: &State) {
    let mut fronts = BTreeMap::new();
    let mut authors = HashMap::<_, HashSet<_>>::default();
    let mut reacted = HashMap::<_, HashSet<_>>::default();
    let (mut messages, mut bytes, mut room_bytes) = (0, 0, 0);
    for (name, room) in &state.rooms {
        room.audit();
        room_bytes += room.bytes(name);
        fronts.extend(room.front().map(|(id, _)| (id, name.clone())));
        for (sequence, message) in room.messages() {
            messages += 1;
            bytes += message.bytes;
            if let Some(user) = message.user.clone() {
                authors.entry(user).or_default().insert(name.clone());
            }
            for user in message.reactions.users().cloned() {
                let places = reacted.entry(user).or_default();
                places.insert((name.clone(), sequence));
            }
        }
    }
    assert_eq!(state.fronts, fronts);
    assert_eq!(state.authors, authors);
    assert_eq!(state.reacted, reacted);
    let counted = (state.messages, state.bytes, state.room_bytes);
    assert_eq!(counted, (messages, bytes, room_bytes));
    assert!(state.messages <= state.limits.max_messages);
    assert!(state.bytes() <= state.limits.max_bytes);
}

#[test]
fn the_lists_are_of_what_is_there() {
    model::watch(Box::<MemoryStore>::default, |store| {
        audit(&store.state.read());
    });
}

#[test]
fn the_lists_are_of_what_is_there_when_it_is_little() {
    let store = |limits| Box::new(MemoryStore::new(limits));
    let few = || store(MemoryLimits::new().max_messages(5));
    model::watch(few, |store| audit(&store.state.read()));
    let small = || store(MemoryLimits::new().max_bytes(3000));
    model::watch(small, |store| audit(&store.state.read()));
}
