//! - Under hyper and under what chooses the version of HTTP, the bare stream is recovered, with
//!   what was read from it.
//! - A stream of another kind is not lost for that.

use std::cell::Cell;
use std::convert::Infallible;

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade;
use hyper::upgrade::OnUpgrade;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use super::recover;

#[derive(Clone, Copy, Debug)]
enum Server {
    Auto,
    Http1,
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nbehind";

/// A connection whose client asked for an upgrade and went on at once.
async fn upgraded(server: Server) -> (TcpStream, Upgraded) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut theirs = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let ours = TokioIo::new(listener.accept().await.unwrap().0);
    let (found, upgrade) = oneshot::channel::<OnUpgrade>();
    let found = Cell::new(Some(found));
    let service = service_fn(move |request: Request<Incoming>| {
        let sent = found.take().unwrap().send(upgrade::on(request));
        sent.unwrap();
        let response = Response::builder().status(101).header("upgrade", "x");
        let response = response.header("connection", "upgrade");
        async {
            Ok::<_, Infallible>(
                response
                    .body(http_body_util::Empty::<Bytes>::new())
                    .unwrap(),
            )
        }
    });
    tokio::spawn(async move {
        match server {
            Server::Auto => {
                let builder = auto::Builder::new(TokioExecutor::new());
                let serving = builder.serve_connection_with_upgrades(ours, service);
                serving.await.unwrap();
            }
            Server::Http1 => {
                let builder = http1::Builder::new();
                let serving = builder.serve_connection(ours, service).with_upgrades();
                serving.await.unwrap();
            }
        }
    });
    theirs.write_all(REQUEST).await.unwrap();
    (theirs, upgrade.await.unwrap().await.unwrap())
}

#[tokio::test]
async fn the_bare_stream_is_recovered() {
    for server in [Server::Auto, Server::Http1] {
        let (theirs, upgraded) = upgraded(server).await;
        let Ok((mut io, buffered)) = recover::<TcpStream>(upgraded) else {
            panic!("not recovered from {server:?}");
        };
        assert_eq!(io.peer_addr().unwrap(), theirs.local_addr().unwrap());
        let mut rest = buffered.to_vec();
        while rest.len() < 6 {
            assert_ne!(io.read_buf(&mut rest).await.unwrap(), 0);
        }
        assert_eq!(rest, b"behind");
    }
}

#[tokio::test]
async fn a_stream_of_another_kind_is_given_back() {
    for server in [Server::Auto, Server::Http1] {
        let (_theirs, upgraded) = upgraded(server).await;
        let Err(upgraded) = recover::<UnixStream>(upgraded) else {
            panic!("{server:?} had a Unix socket");
        };
        let mut rest = [0; 6];
        let mut io = TokioIo::new(upgraded);
        io.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"behind");
    }
}
