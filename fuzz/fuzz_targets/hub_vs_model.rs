//! Any sequence of operations, on a hub and on the dull model of it, compared after each.

#![no_main]

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;

use self::replay::Operation;
use self::replay::Policy;
use self::replay::Replay;

#[path = "../../tests/support/model.rs"]
mod model;
#[path = "../../tests/support/replay.rs"]
mod replay;

/// A hub's policy, and what is done to it.
#[derive(Debug, arbitrary::Arbitrary)]
struct Story {
    policy: Policy,
    operations: Vec<Operation>,
}

fuzz_target!(|story: Story| {
    let most = story.operations.len().min(400);
    Replay::run(story.policy, &story.operations[..most]);
});
