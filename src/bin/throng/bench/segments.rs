//! What a server has sent, as the kernel tells of its connections.

use std::net::SocketAddr;
use std::process::Command;

/// TCP segments with data that a server on this machine has sent over all connections that it has
/// now. None when the program `ss`, of iproute2, is not there to ask.
pub(super) fn sent_from(server: SocketAddr) -> Option<u64> {
    let port = format!(":{}", server.port());
    let mut ss = Command::new("ss");
    ss.args(["-Htin", "state", "established", "sport", "=", &port]);
    let output = ss.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sent = text.split_whitespace().filter_map(|word| {
        let sent = word.strip_prefix("data_segs_out:")?;
        sent.parse::<u64>().ok()
    });
    Some(sent.sum())
}
