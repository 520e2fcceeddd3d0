//! The floor: the least that a server on epoll can do for the same deliveries, to compare all
//! others with. Linux only.
//!
//! One thread, one dense row for each client, no runtime and no library for WebSockets. All that a
//! read of a publisher brings becomes one buffer of frames, which goes to every subscriber with one
//! `send`. There are no channels, policies, pings, timeouts or limits but the one for what waits
//! for a client.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    epoll::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the floor is built on epoll, which only Linux has");
}
