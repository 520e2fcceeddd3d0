//! One HTTP request on one connection.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn request(
    mut stream: TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let host = stream.peer_addr().unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    if !headers.iter().any(|(name, _)| *name == "connection") {
        head += "connection: close\r\n";
    }
    if !headers
        .iter()
        .any(|(name, _)| ["content-length", "transfer-encoding"].contains(name))
    {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A server that refuses by the head need not read the rest.
    drop(stream.write_all(body));
    read(stream)
}

fn read(mut stream: TcpStream) -> Response {
    let mut bytes = Vec::new();
    let end = b"\r\n\r\n";
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == end) {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let status = head[9..12].parse().unwrap();
            let mut response = Response {
                status,
                head,
                body: String::new(),
            };
            let length = response
                .header("content-length")
                .unwrap_or("0")
                .parse::<usize>()
                .unwrap();
            if bytes.len() >= at + 4 + length {
                response.body = String::from_utf8(bytes[at + 4..at + 4 + length].to_vec()).unwrap();
                return response;
            }
        }
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(
            count,
            0,
            "broke off after {:?}",
            String::from_utf8_lossy(&bytes)
        );
        bytes.extend_from_slice(&chunk[..count]);
    }
}
