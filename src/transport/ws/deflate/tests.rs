//! - The examples of RFC 7692 §7.2.3 inflate, and no part of one does.
//! - What is compressed inflates to what it was, and is smaller.
//! - However much a message would inflate to, no more than the limit is held.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;
use proptest::test_runner::Config as ProptestConfig;

use super::*;

const MAX: usize = 64 * 1024;

/// What the examples are made of, each with its name in §7.2.3.
const EXAMPLES: [(&str, &[u8]); 4] = [
    ("one block", b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
    (
        "without compression",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
    ),
    ("marked as the last", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
    (
        "two blocks",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ),
];

/// The payload of a compressed frame.
fn payload(frame: &Bytes) -> &[u8] {
    let mut cursor = Cursor::new(frame);
    let (head, length) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
    let start = usize::try_from(cursor.position()).unwrap();
    assert!(head.is_final && head.rsv1 && head.mask.is_none());
    assert_eq!(length, (frame.len() - start) as u64);
    &frame[start..]
}

#[test]
fn the_examples_inflate() {
    for (name, compressed) in EXAMPLES {
        assert_eq!(
            inflate(compressed, MAX).as_deref(),
            Ok(b"Hello".as_slice()),
            "{name}"
        );
        assert_eq!(
            inflate(compressed, 5).as_deref(),
            Ok(b"Hello".as_slice()),
            "{name}"
        );
        assert_eq!(
            inflate(compressed, 4),
            Err(Violation::MESSAGE_TOO_LARGE),
            "{name}"
        );
    }
    assert_eq!(
        inflate(&[0], 0).as_deref(),
        Ok([].as_slice()),
        "the empty message of §7.2.3.6"
    );
}

#[test]
fn what_is_broken_off_or_damaged_is_refused() {
    for (name, compressed) in EXAMPLES {
        // The last octet of an example is padding that the tail may stand in for.
        for end in 0..compressed.len() - 1 {
            let part = &compressed[..end];
            let inflated = inflate(part, MAX);
            assert!(inflated.as_deref() != Ok(b"Hello"), "{name} up to {end}");
        }
    }
    for (name, damaged) in [
        ("nothing", b"".as_slice()),
        ("block type 3", b"\x06"),
        (
            "length and its complement differ",
            b"\x00\x05\x00\xfa\xfeHello\x00",
        ),
        (
            "reaches into the message before (§7.2.3.2)",
            b"\xf2\x00\x11\x00\x00",
        ),
        ("cut", b"\xf2\x48\xcd"),
        (
            "more after the last block",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48",
        ),
    ] {
        assert_eq!(inflate(damaged, MAX), Err(NOT_DEFLATED), "{name}");
    }
    // What went wrong before is forgotten.
    assert_eq!(
        inflate(EXAMPLES[0].1, MAX).as_deref(),
        Ok(b"Hello".as_slice())
    );
}

/// A GiB of zeros, compressed: a MiB that stands alone, over and over.
fn bomb() -> Vec<u8> {
    let mut compressor = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(8192);
    compressor
        .compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full)
        .unwrap();
    let mut bomb = block.repeat(1 << 10);
    bomb.truncate(bomb.len() - TAIL.len());
    bomb
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = bomb();
    assert!(bomb.len() < 1 << 21, "{}", bomb.len());
    assert_eq!(inflate(&bomb, MAX), Err(Violation::MESSAGE_TOO_LARGE));

    let mut inflated = Vec::new();
    let mut decompressor = Decompress::new(false);
    let stopped = inflate_into(&mut decompressor, &bomb, &mut inflated, MAX);
    assert_eq!(stopped, Err(Violation::MESSAGE_TOO_LARGE));
    assert!(inflated.capacity() <= MAX + 1, "{}", inflated.capacity());
    assert!(decompressor.total_in() < 100, "{}", decompressor.total_in());
}

#[test]
fn a_message_of_any_size_up_to_the_limit_inflates() {
    for size in [1, 255, 256, 257, 511, 512, 513, 4095, MAX - 1, MAX] {
        let text = vec![b'x'; size];
        let Some(frame) = Deflate::new().min_size(0).text(&text) else {
            assert!(size < 10, "{size}");
            continue;
        };
        assert_eq!(inflate(payload(&frame), MAX), Ok(text.clone()), "{size}");
        assert_eq!(
            inflate(payload(&frame), size - 1),
            Err(Violation::MESSAGE_TOO_LARGE)
        );
    }
}

#[test]
fn what_is_small_or_does_not_shrink_is_not_compressed() {
    let text = [b'x'; 128];
    assert_eq!(Deflate::new().text(&text[..127]), None);
    assert!(Deflate::new().text(&text).unwrap().len() < 20);
    let mut random = 1_u32;
    let noise: Vec<_> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random.to_be_bytes()[0]
    })
    .take(10_000)
    .collect();
    assert_eq!(Deflate::new().text(&noise), None);
}

#[test]
fn each_message_stands_alone_at_any_level() {
    let text =
        br#"{"type":"message","channel_id":"ticks","data":{"bid":1.25,"ask":1.26}}"#.repeat(4);
    let sizes: Vec<_> = [1, 9, 0, 200, 1]
        .map(|level| {
            let deflate = Deflate::new().level(level);
            let frame = deflate.text(&text).unwrap();
            assert_eq!(deflate.text(&text), Some(frame.clone()), "the same again");
            assert_eq!(
                inflate(payload(&frame), MAX).as_deref(),
                Ok(text.as_slice())
            );
            frame.len()
        })
        .into();
    assert_eq!(
        (sizes[0], sizes[1]),
        (sizes[2], sizes[3]),
        "as the nearest level"
    );
    assert!(sizes[1] < sizes[0], "more for more work: {sizes:?}");
    assert!(sizes.iter().all(|size| *size < text.len() / 3), "{sizes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_compressed_inflates_to_what_it_was(
        words in vec(0..20_u16, 0..400),
        level in 1..=9_u8,
    ) {
        let text: String = words.iter().map(|word| format!("{}-", word * 997)).collect();
        if let Some(frame) = Deflate::new().level(level).text(text.as_bytes()) {
            prop_assert!(payload(&frame).len() < text.len());
            let inflated = inflate(payload(&frame), MAX);
            prop_assert_eq!(inflated.as_deref(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn any_bytes_inflate_to_the_limit_at_most(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(inflated) = inflate(&bytes, 1000) {
            prop_assert!(inflated.len() <= 1000);
        }
    }
}
