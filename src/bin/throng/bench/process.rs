//! What the kernel knows about a process: memory, processor time, system calls.

use std::fs;
use std::io;
use std::path::PathBuf;

/// A process, looked at through `/proc`.
pub(super) struct Process {
    folder: PathBuf,
}

impl Process {
    /// This process.
    pub(super) fn this() -> Self {
        let folder = PathBuf::from("/proc/self");
        Self { folder }
    }

    /// Another process, of the same user.
    pub(super) fn other(pid: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        Self { folder }
    }

    /// Resident memory, in bytes.
    pub(super) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(self.folder.join("status"))?;
        let kib = field(&status, "VmRSS:").ok_or_else(|| malformed("VmRSS"))?;
        Ok(kib * 1_024)
    }

    /// Processor time and write calls since it was started.
    pub(super) fn work(&self) -> io::Result<Work> {
        let stat = fs::read_to_string(self.folder.join("stat"))?;
        let io = fs::read_to_string(self.folder.join("io"))?;
        // The name, in brackets, may hold anything; the numbers start after it.
        let (_, numbers) = stat.rsplit_once(')').ok_or_else(|| malformed("stat"))?;
        let ticks = |index| numbers.split_whitespace().nth(index)?.parse::<u64>().ok();
        Ok(Work {
            user_nanos: ticks(11).ok_or_else(|| malformed("utime"))? * TICK_NANOS,
            system_nanos: ticks(12).ok_or_else(|| malformed("stime"))? * TICK_NANOS,
            writes: field(&io, "syscw:").ok_or_else(|| malformed("syscw"))?,
        })
    }
}

/// What a process has done since its start.
#[derive(Clone, Copy)]
pub(super) struct Work {
    /// In user mode; a multiple of 10 ms.
    pub(super) user_nanos: u64,
    /// In the kernel; a multiple of 10 ms.
    pub(super) system_nanos: u64,
    /// Calls of `write`, `writev` and their like. The kernel does not count `send` here.
    pub(super) writes: u64,
}

impl Work {
    /// What was done since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            user_nanos: self.user_nanos.saturating_sub(earlier.user_nanos),
            system_nanos: self.system_nanos.saturating_sub(earlier.system_nanos),
            writes: self.writes.saturating_sub(earlier.writes),
        }
    }
}

/// The first number on the line that starts with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no {what} there"))
}

/// Linux tells user space of processor time in hundredths of a second, whatever its own clock is.
const TICK_NANOS: u64 = 10_000_000;
