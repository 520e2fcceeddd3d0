//! The link and the socket in front of it.

use super::Item;
use super::Kernel;
use super::Link;
use super::NEVER;
use super::Piece;
use super::SECOND;
use super::Socket;

fn link(pieces: &[(u64, u64)]) -> Link {
    let piece = |&(from, rate)| Piece { from, rate };
    Link {
        pieces: pieces.iter().map(piece).collect(),
    }
}

#[test]
fn a_link_carries_its_rate_however_often_it_is_looked_at() {
    let link = link(&[(0, 1_000)]);
    for step in [7, 1_000_003, SECOND / 3, 10 * SECOND] {
        let mut socket = Socket::new(Kernel::new(16_384, 0, 1), 0, 0, &link);
        (0..100).for_each(|n| socket.write(Item::Message(n), 100));
        let (mut at, mut got) = (0, Vec::new());
        while got.len() < 30 {
            at = if step == 7 {
                at + 70_000_001
            } else {
                at + step
            };
            socket.advance(&link, at, |item, at| got.push((item, at)));
        }
        for (n, (item, at)) in got.into_iter().enumerate() {
            assert_eq!(item, Item::Message(u32::try_from(n).unwrap()));
            // To the nanosecond and one for each message.
            let due = (n as u64 + 1) * SECOND / 10;
            assert!((due..=due + n as u64 + 1).contains(&at), "{step}: {at}");
        }
    }
}

#[test]
fn nothing_is_carried_while_the_link_is_down() {
    let link = link(&[(0, 1_000), (SECOND, 0), (3 * SECOND, 1_000)]);
    let mut socket = Socket::new(Kernel::new(16_384, 0, 1), 5, 0, &link);
    socket.write(Item::Message(0), 1_500);
    assert_eq!(socket.drained_at(&link), 3 * SECOND + SECOND / 2 + 5);
    let mut got = Vec::new();
    socket.advance(&link, 3 * SECOND, |item, at| got.push((item, at)));
    assert!(got.is_empty());
    socket.advance(&link, 4 * SECOND, |item, at| got.push((item, at)));
    assert_eq!(got, [(Item::Message(0), 3 * SECOND + SECOND / 2 + 5)]);
    assert!(link.is_up(0) && !link.is_up(2 * SECOND));
    assert_eq!(link.up_from(2 * SECOND), 3 * SECOND);
}

#[test]
fn the_mark_holds_and_is_left_when_half_of_it_is_sent() {
    let link = link(&[(0, 1_000)]);
    let mut socket = Socket::new(Kernel::new(1_000, 500, 1), 0, 0, &link);
    let mut taken = 0;
    while !socket.is_full() {
        socket.write(Item::Message(taken), 100);
        taken += 1;
    }
    // 1,000 unsent and 500 in flight.
    assert_eq!(taken, 15);
    assert_eq!(socket.writable_at(&link), SECOND / 2);
    socket.advance(&link, SECOND / 2 - 1, |_, _| ());
    socket.look_again();
    assert!(socket.is_full());
    socket.advance(&link, SECOND / 2, |_, _| ());
    socket.look_again();
    assert!(!socket.is_full());
}

#[test]
fn idle_time_is_not_saved_up() {
    let link = link(&[(0, 1_000)]);
    let mut socket = Socket::new(Kernel::new(16_384, 0, 1), 0, 0, &link);
    socket.advance(&link, 10 * SECOND, |_, _| ());
    socket.write(Item::Message(0), 1_000);
    assert_eq!(socket.drained_at(&link), 11 * SECOND);
    assert_eq!(socket.held(), 1_000);
}

#[test]
fn a_trace_becomes_a_link() {
    let link = Link::traced(&[(0, 100), (2 * SECOND, 0), (3 * SECOND, 50)], 0);
    assert!(!link.is_up(2 * SECOND + 1));
    let mut socket = Socket::new(Kernel::new(16_384, 0, 1), 0, 0, &link);
    socket.write(Item::Message(0), 250);
    assert_eq!(socket.drained_at(&link), 4 * SECOND);
    let down = Link {
        pieces: vec![Piece { from: 0, rate: 0 }],
    };
    assert_eq!(down.up_from(1), NEVER);
}

#[test]
fn what_was_carried_is_acknowledged_in_pieces() {
    let link = link(&[(0, 1_000)]);
    let mut socket = Socket::new(Kernel::new(1_000, 500, 400), 0, 0, &link);
    (0..15).for_each(|n| socket.write(Item::Message(n), 100));
    assert!(socket.is_full());
    // Half of the mark is free when 500 bytes are acknowledged: with the second piece.
    assert_eq!(socket.writable_at(&link), 8 * SECOND / 10);
    socket.advance(&link, 8 * SECOND / 10 - 1, |_, _| ());
    assert_eq!(socket.unsent(), 600);
    socket.advance(&link, 8 * SECOND / 10, |_, _| ());
    assert_eq!(socket.unsent(), 200);
    socket.advance(&link, 2 * SECOND, |_, _| ());
    assert_eq!(
        (socket.unsent(), socket.held()),
        (0, 0),
        "the last piece is not waited for"
    );
}
