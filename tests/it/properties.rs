//! What holds of every sequence of operations, each carried out on a hub and on a dull model of
//! it, and compared after every step:
//!
//! * each client receives what the model says, exactly: events, offsets, payloads, in order;
//! * `delivered + dropped = addressed`, for every publish, and gap notices name what was lost;
//! * an outbox never holds more than its limits, in messages and in bytes (G2);
//! * the publications of a channel come in the order of their offsets, whatever is lost (G3);
//! * a full outbox is treated as the policy in force says, and no other outbox notices;
//! * nothing is conflated while there is room, and only messages of one channel and key are;
//! * counts, figures, rosters and what hooks are told are those of the model;
//! * a payload is alive while it waits for somebody, and no longer;
//! * when all is let go, nothing is left: no client, channel, subscription, member, payload (G7).
//!
//! The properties differ in what they do most, so that each reaches deep where it looks.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::replay::Newcomer;
use crate::replay::Operation;
use crate::replay::Parcel;
use crate::replay::Policy;
use crate::replay::Replay;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_hub_does_what_the_model_does(
        policy in policy(),
        operations in vec(anything(), 0..200),
    ) {
        Replay::run(policy, &operations);
    }

    #[test]
    fn a_slow_client_gets_what_its_policy_says(
        policy in policy(),
        newcomer in newcomer(),
        operations in vec(slowness(), 0..200),
    ) {
        let mut all = vec![
            Operation::Connect(Newcomer { bytes: newcomer.bytes.max(1), ..newcomer }),
            Operation::Subscribe(0, 0, false),
            Operation::Subscribe(0, 4, false),
        ];
        all.extend(operations);
        Replay::run(policy, &all);
    }

    #[test]
    fn presence_is_balanced(
        policy in policy(),
        operations in vec(presence(), 0..200),
    ) {
        Replay::run(policy, &operations);
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Disconnect),
        Just(Policy::DisconnectLater),
        Just(Policy::DropNewest),
        Just(Policy::DropOldest),
        Just(Policy::KeepLatest),
    ]
}

fn parcel() -> impl Strategy<Value = Parcel> {
    (any::<u8>(), any::<Option<bool>>()).prop_map(|(size, key)| Parcel { size, key })
}

fn newcomer() -> impl Strategy<Value = Newcomer> {
    let limits = (0..8_u8, 0..5_u8, proptest::option::of(policy()));
    let manners = (any::<bool>(), any::<bool>(), 0..3_u8, 0..16_u8);
    (limits, manners).prop_map(|(limits, manners)| Newcomer {
        messages: limits.0,
        bytes: limits.1,
        policy: limits.2,
        gap_notices: manners.0,
        join_notices: manners.1,
        user: manners.2,
        info: manners.3,
    })
}

/// A client or a handle: few numbers, so that the same are met again.
fn number() -> impl Strategy<Value = u8> {
    0..6_u8
}

fn anything() -> impl Strategy<Value = Operation> {
    let maybe = proptest::option::of;
    prop_oneof![
        2 => (0..60_u8).prop_map(Operation::Advance),
        6 => parcel().prop_map(Operation::Broadcast),
        1 => number().prop_map(Operation::CloseClient),
        1 => any::<u8>().prop_map(Operation::CloseHub),
        4 => newcomer().prop_map(Operation::Connect),
        1 => number().prop_map(Operation::DropOutbox),
        1 => (number(), number()).prop_map(|(client, name)| Operation::Expel(client, name)),
        2 => number().prop_map(Operation::Hold),
        20 => (number(), parcel()).prop_map(|(name, parcel)| Operation::Publish(name, parcel)),
        4 => (number(), parcel(), number())
            .prop_map(|(name, parcel, not)| Operation::PublishExcept(name, parcel, not)),
        4 => (any::<[u8; 3]>(), parcel())
            .prop_map(|(names, parcel)| Operation::PublishMany(names, parcel)),
        6 => (number(), parcel())
            .prop_map(|(handle, parcel)| Operation::PublishThrough(handle, parcel)),
        8 => (number(), 0..8_u8).prop_map(|(client, most)| Operation::Receive(client, most)),
        8 => (number(), 0..12_u8).prop_map(|(client, most)| Operation::ReceiveBatch(client, most)),
        2 => number().prop_map(Operation::Release),
        6 => (number(), parcel()).prop_map(|(client, parcel)| Operation::Send(client, parcel)),
        2 => (number(), maybe(policy()))
            .prop_map(|(handle, policy)| Operation::SetChannelPolicy(handle, policy)),
        3 => (number(), maybe(policy()))
            .prop_map(|(client, policy)| Operation::SetClientPolicy(client, policy)),
        14 => (number(), number(), any::<bool>())
            .prop_map(|(client, name, since)| Operation::Subscribe(client, name, since)),
        3 => (number(), number()).prop_map(|(client, name)| Operation::Unsubscribe(client, name)),
    ]
}

/// What a client that does not keep up goes through.
fn slowness() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (0..60_u8).prop_map(Operation::Advance),
        2 => parcel().prop_map(Operation::Broadcast),
        20 => (Just(0), parcel()).prop_map(|(name, parcel)| Operation::Publish(name, parcel)),
        10 => (Just(4), parcel()).prop_map(|(name, parcel)| Operation::Publish(name, parcel)),
        3 => (0..3_u8).prop_map(|most| Operation::Receive(0, most)),
        3 => (0..12_u8).prop_map(|most| Operation::ReceiveBatch(0, most)),
        3 => parcel().prop_map(|parcel| Operation::Send(0, parcel)),
        1 => proptest::option::of(policy()).prop_map(|policy| Operation::SetClientPolicy(0, policy)),
        1 => (Just(0), any::<bool>())
            .prop_map(|(name, since)| Operation::Subscribe(0, name, since)),
        1 => Just(Operation::Unsubscribe(0, 0)),
    ]
}

/// Comings and goings.
fn presence() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => newcomer().prop_map(Operation::Connect),
        2 => number().prop_map(Operation::CloseClient),
        2 => number().prop_map(Operation::DropOutbox),
        1 => number().prop_map(|client| Operation::Expel(client, 4)),
        6 => (4..6_u8, parcel()).prop_map(|(name, parcel)| Operation::Publish(name, parcel)),
        2 => (number(), 0..12_u8).prop_map(|(client, most)| Operation::ReceiveBatch(client, most)),
        16 => (number(), 4..6_u8)
            .prop_map(|(client, name)| Operation::Subscribe(client, name, false)),
        6 => (number(), 4..6_u8).prop_map(|(client, name)| Operation::Unsubscribe(client, name)),
        1 => number().prop_map(|client| Operation::Subscribe(client, 3, false)),
    ]
}

/// Sequences that the properties have found, each shrunk.
mod found {
    use super::Newcomer;
    use super::Operation;
    use super::Operation::Advance;
    use super::Operation::Broadcast;
    use super::Operation::Publish;
    use super::Operation::Receive;
    use super::Operation::Send;
    use super::Operation::SetClientPolicy;
    use super::Operation::Subscribe;
    use super::Operation::Unsubscribe;
    use super::Parcel;
    use super::Policy;
    use super::Replay;

    const SMALL: Parcel = Parcel { size: 0, key: None };

    fn connect(messages: u8, bytes: u8, user: u8) -> Operation {
        Operation::Connect(Newcomer {
            messages,
            bytes,
            policy: None,
            gap_notices: false,
            join_notices: true,
            user,
            info: 0,
        })
    }

    #[test]
    fn a_grace_ends_after_another_policy_has_interrupted_it() {
        let mut operations = vec![connect(0, 1, 0), Send(0, SMALL), Broadcast(SMALL)];
        operations.extend([Receive(0, 1), SetClientPolicy(0, Some(Policy::DropNewest))]);
        operations.extend([Broadcast(SMALL), Broadcast(SMALL), Receive(0, 0)]);
        operations.extend([SetClientPolicy(0, None), Advance(40)]);
        operations.extend([Broadcast(SMALL), Broadcast(SMALL), Advance(40)]);
        Replay::run(Policy::DisconnectLater, &operations);
    }

    #[test]
    fn a_failed_join_does_not_undo_the_policy_of_the_client() {
        let mut operations = vec![connect(0, 1, 2), connect(1, 2, 0), connect(0, 1, 1)];
        operations.extend([
            SetClientPolicy(1, Some(Policy::DropOldest)),
            Subscribe(2, 5, false),
            connect(0, 1, 0),
            Subscribe(0, 5, false),
            Send(1, SMALL),
            Subscribe(1, 0, false),
            Publish(0, SMALL),
            Subscribe(5, 5, false),
            Broadcast(SMALL),
        ]);
        Replay::run(Policy::DisconnectLater, &operations);
    }

    #[test]
    fn a_failed_join_does_not_undo_an_earlier_leave() {
        let mut operations = vec![connect(0, 1, 0), Operation::CloseClient(0)];
        operations.extend([connect(0, 1, 1), connect(0, 1, 2), connect(0, 1, 1)]);
        operations.extend([connect(0, 1, 0), Subscribe(2, 5, false)]);
        operations.extend([Subscribe(4, 5, false), Publish(5, SMALL), Unsubscribe(4, 5)]);
        operations.extend([Subscribe(1, 5, false), Subscribe(4, 5, false)]);
        operations.extend([Subscribe(4, 4, false), Subscribe(1, 4, false)]);
        Replay::run(Policy::DropOldest, &operations);
    }

    #[test]
    fn a_leave_cuts_also_while_notices_are_left() {
        let mut operations = vec![connect(3, 3, 0), Subscribe(0, 0, false)];
        operations.extend([Subscribe(0, 4, false), Receive(0, 0), Broadcast(SMALL)]);
        operations.extend([Publish(0, SMALL), Broadcast(SMALL), Send(0, SMALL)]);
        operations.extend([Broadcast(SMALL), Unsubscribe(0, 0), Receive(0, 0)]);
        Replay::run(Policy::DropOldest, &operations);
    }
}
