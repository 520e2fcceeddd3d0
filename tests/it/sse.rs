//! Server-sent events over real sockets, against the shipped server.
