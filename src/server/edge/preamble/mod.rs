//! The PROXY protocol, versions 1 and 2: what a proxy of TCP writes before the bytes of its client.
//!
//! Exactly the header is read, never a byte behind it, so that TLS and HTTP begin where they
//! should. At most [`MOST`] bytes are read.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

/// The bytes of a header so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::server) enum Preamble {
    /// The header is not complete: at least so many bytes are missing.
    Incomplete(usize),
    /// The header has this length. `None`: the proxy speaks for itself, or does not say for whom.
    Complete {
        length: usize,
        client: Option<IpAddr>,
    },
}

/// Reads a header from `io`, and returns the client that it names, if it names one.
///
/// # Errors
///
/// Those of `io`, and [`InvalidData`](io::ErrorKind::InvalidData) where there is no header.
pub(in crate::server) async fn read<IO>(io: &mut IO) -> io::Result<Option<IpAddr>>
where
    IO: AsyncRead + Unpin,
{
    let mut bytes = Vec::with_capacity(SIGNATURE.len());
    loop {
        let missing = match parse(&bytes) {
            Ok(Preamble::Complete { client, .. }) => return Ok(client),
            Ok(Preamble::Incomplete(missing)) => missing,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        let begun = bytes.len();
        bytes.resize(begun + missing, 0);
        io.read_exact(&mut bytes[begun..]).await?;
    }
}

/// Reads what there is of a header.
pub(in crate::server) fn parse(bytes: &[u8]) -> Result<Preamble, NoPreamble> {
    if bytes.is_empty() {
        // No header of either version is shorter.
        return Ok(Preamble::Incomplete(SIGNATURE.len()));
    }
    let begun = bytes.len().min(SIGNATURE.len());
    if bytes[..begun] == SIGNATURE[..begun] {
        return binary(bytes);
    }
    let begun = bytes.len().min(WORD.len());
    if bytes[..begun] == WORD[..begun] {
        return text(bytes);
    }
    Err(NoPreamble)
}

/// Version 1: a line.
fn text(bytes: &[u8]) -> Result<Preamble, NoPreamble> {
    let line = &bytes[..bytes.len().min(MOST_TEXT)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        if bytes.len() >= MOST_TEXT {
            return Err(NoPreamble);
        }
        // No header is shorter than the signature of the other version.
        let missing = match bytes.last() {
            _ if bytes.len() < SIGNATURE.len() => SIGNATURE.len() - bytes.len(),
            Some(b'\r') => 1,
            _ => 2.min(MOST_TEXT - bytes.len()),
        };
        return Ok(Preamble::Incomplete(missing));
    };
    let line = std::str::from_utf8(&line[WORD.len()..end]).map_err(|_| NoPreamble)?;
    let mut words = line.split(' ');
    let client = match words.next() {
        Some("UNKNOWN") => None,
        Some(family @ ("TCP4" | "TCP6")) => {
            let client = words.next().and_then(|word| word.parse::<IpAddr>().ok());
            let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
            let (client, server) = client.zip(server).ok_or(NoPreamble)?;
            let mut is_port = || words.next().is_some_and(|word| word.parse::<u16>().is_ok());
            let are_ports = is_port() && is_port();
            let is_family = |ip: IpAddr| ip.is_ipv4() == (family == "TCP4");
            if !are_ports || !is_family(client) || !is_family(server) || words.next().is_some() {
                return Err(NoPreamble);
            }
            Some(client.to_canonical())
        }
        _ => return Err(NoPreamble),
    };
    Ok(Preamble::Complete {
        length: end + 2,
        client,
    })
}

/// Version 2: a head of 16 bytes, the addresses, and more that is skipped.
fn binary(bytes: &[u8]) -> Result<Preamble, NoPreamble> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(Preamble::Incomplete(HEAD - bytes.len()));
    };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if HEAD + length > MOST {
        return Err(NoPreamble);
    }
    let Some(addresses) = rest.get(..length) else {
        return Ok(Preamble::Incomplete(length - rest.len()));
    };
    let client = match (command, family) {
        (LOCAL, _) => None,
        (PROXY, TCP4) => {
            let ip = addresses.first_chunk::<4>().filter(|_| length >= 12);
            Some(IpAddr::from(Ipv4Addr::from(*ip.ok_or(NoPreamble)?)))
        }
        (PROXY, TCP6) => {
            let ip = addresses.first_chunk::<16>().filter(|_| length >= 36);
            Some(IpAddr::from(Ipv6Addr::from(*ip.ok_or(NoPreamble)?)).to_canonical())
        }
        // A Unix socket, or a family that is not named.
        (PROXY, _) => None,
        _ => return Err(NoPreamble),
    };
    Ok(Preamble::Complete {
        length: HEAD + length,
        client,
    })
}

/// The bytes that version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The bytes that version 1 begins with.
const WORD: [u8; 6] = *b"PROXY ";

/// The length of the head of version 2.
const HEAD: usize = 16;

/// The longest line of version 1.
const MOST_TEXT: usize = 107;

/// The longest header, with everything that proxies add to the addresses.
const MOST: usize = 4096;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The error of bytes that begin no PROXY header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::server) struct NoPreamble;

impl fmt::Display for NoPreamble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection does not begin with a PROXY header")
    }
}

impl Error for NoPreamble {}

#[cfg(test)]
mod tests;
