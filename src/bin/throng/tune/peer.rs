//! A WebSocket client of a throng server that is subscribed.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use serde_json::json;

use crate::bench::ws::Address;
use crate::bench::ws::Dial;
use crate::bench::ws::Received;
use crate::bench::ws::Socket;
use crate::bench::ws::write_text;

/// Connects, subscribes to these channels, and waits until the server has confirmed all of them.
/// `path` is that of the WebSocket, with its query. `receive_buffer` is what the kernel holds for a
/// client that does not read, in bytes.
pub(crate) async fn subscribed(
    server: SocketAddr,
    path: &str,
    channels: &[&str],
    receive_buffer: Option<u32>,
) -> io::Result<Socket> {
    let url = format!("ws://{server}{path}");
    let url = Address::parse::<true>(&url).map_err(io::Error::other)?;
    let dial = Dial {
        server,
        local: None,
        receive_buffer,
    };
    let mut socket = Socket::open(&dial, &url, &[]).await?;
    let mut frames = Vec::new();
    for (number, channel) in channels.iter().enumerate() {
        let command = json!({"type": "subscribe", "id": number.to_string(), "channel_id": channel});
        write_text(&command.to_string(), &mut frames)?;
    }
    socket.send(&frames).await?;
    let mut answers = 0;
    let mut refused = None;
    while answers < channels.len() && refused.is_none() {
        let each = |received: Received<'_>| match received {
            Received::Close(code) => refused = Some(format!("closed with {code}")),
            Received::Message(message) => {
                let push: Value = serde_json::from_slice(message).unwrap_or_default();
                answers += usize::from(push.get("reply_to").is_some());
                if push["type"] == "error" {
                    refused = Some(push.to_string());
                }
            }
        };
        socket.read(each).await?;
        socket.pong().await?;
    }
    match refused {
        Some(why) => Err(io::Error::other(why)),
        None => Ok(socket),
    }
}
