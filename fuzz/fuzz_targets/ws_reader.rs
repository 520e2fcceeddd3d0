//! Whatever a client sends, however it is split: the reader does not panic, says the same, and
//! holds no more than its limits allow.

#![no_main]

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use throng::transport::ws::fuzzing;

/// What a client sends, and how it arrives.
#[derive(Debug, arbitrary::Arbitrary)]
struct Stream {
    parts: Vec<Part>,
    pieces: Vec<u8>,
    inflates: bool,
}

/// Mostly frames, so that what is behind them is reached too.
#[derive(Debug, arbitrary::Arbitrary)]
enum Part {
    Bytes(Vec<u8>),
    Frame {
        first: u8,
        mask: [u8; 4],
        payload: Vec<u8>,
    },
    Text {
        is_last: bool,
        text: String,
    },
}

impl Part {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Bytes(some) => bytes.extend(some),
            Self::Frame {
                first,
                mask,
                payload,
            } => frame(*first, *mask, payload, bytes),
            Self::Text { is_last, text } => {
                frame(u8::from(*is_last) << 7 | 1, [0; 4], text.as_bytes(), bytes);
            }
        }
    }
}

fn frame(first: u8, mask: [u8; 4], payload: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(first);
    match u16::try_from(payload.len()) {
        Ok(len @ 0..=125) => bytes.push(0x80 | len as u8),
        Ok(len) => {
            bytes.push(0x80 | 126);
            bytes.extend(len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload);
}

fuzz_target!(|stream: Stream| {
    let mut bytes = Vec::new();
    stream.parts.iter().for_each(|part| part.write(&mut bytes));
    let whole = fuzzing::read(&bytes, [], stream.inflates);
    let pieces = stream.pieces.iter().copied().map(usize::from);
    assert_eq!(fuzzing::read(&bytes, pieces, stream.inflates), whole);
    let single = (0..bytes.len()).map(|_| 1);
    assert_eq!(fuzzing::read(&bytes, single, stream.inflates), whole);
});
