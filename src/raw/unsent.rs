//! How much of a TCP connection the kernel has not sent.

use std::os::fd::BorrowedFd;

use rustix::ioctl;
use rustix::ioctl::Getter;

/// Bytes that the kernel has taken for this connection and not sent once; `None` if it is no TCP
/// connection, or not connected.
pub(crate) fn unsent(socket: BorrowedFd<'_>) -> Option<u64> {
    // SAFETY: the opcode is Linux's SIOCOUTQNSD, which writes one `int`.
    let getter = unsafe { Getter::<SIOCOUTQNSD, i32>::new() };
    // SAFETY: on a descriptor that is no socket of TCP the opcode fails, or writes an `int` that
    // means something else.
    let bytes = unsafe { ioctl::ioctl(socket, getter) };
    u64::try_from(bytes.ok()?).ok()
}

/// `linux/sockios.h`, the same on every architecture.
const SIOCOUTQNSD: ioctl::Opcode = 0x894B;
