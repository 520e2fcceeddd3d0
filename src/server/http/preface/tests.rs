//! - The version is known with the first byte that differs, and every byte that was read is kept.
//! - A stream that ends early is of HTTP/1.1, which answers what is wrong with it.

use std::io::ErrorKind;

use tokio::io::AsyncReadExt;

use super::HTTP2;
use super::Preface;

async fn read(bytes: &[u8]) -> (Result<Preface, ErrorKind>, Vec<u8>) {
    let mut rest = bytes;
    let preface = Preface::read(&mut rest).await;
    (preface.map_err(|error| error.kind()), rest.to_vec())
}

#[tokio::test]
async fn the_version_is_found_and_no_byte_is_lost() {
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "P",
        "POST",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r..",
    ] {
        let (preface, rest) = read(head.as_bytes()).await;
        let Ok(Preface::Http1(mut all)) = preface.map(|it| match it {
            Preface::Http1(read) => Preface::Http1([&read[..], &rest].concat().into()),
            other @ Preface::Http2(_) => other,
        }) else {
            panic!("{head:?}");
        };
        assert_eq!(all.split_off(0), head.as_bytes());
    }
    let with_more = [&HTTP2[..], b"more"].concat();
    let (preface, rest) = read(&with_more).await;
    assert_eq!(preface, Ok(Preface::Http2(HTTP2.to_vec().into())));
    assert_eq!(rest, b"more");
    assert_eq!(read(b"").await.0, Err(ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_byte_at_a_time_is_enough() {
    let (mut theirs, mut ours) = tokio::io::duplex(1);
    let writing = tokio::spawn(async move {
        for byte in HTTP2 {
            tokio::io::AsyncWriteExt::write_u8(&mut theirs, byte)
                .await
                .unwrap();
        }
        theirs
    });
    let preface = Preface::read(&mut ours).await;
    assert_eq!(preface.unwrap(), Preface::Http2(HTTP2.to_vec().into()));
    drop(writing.await.unwrap());
    assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
}
