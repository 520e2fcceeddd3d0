//! Bytes on sockets. tokio starts here.

pub(crate) mod fault;
mod rate;
mod session;

pub mod ws;
