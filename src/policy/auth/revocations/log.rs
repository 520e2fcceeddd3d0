//! The file of revocations: a line for each, with a checksum in front.
//!
//! ```text
//! 3f2a90c1d5e6b788 {"token":{"id":"t1","until":1900000000000}}
//! ```

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::RevocationError;
use super::table::Entry;
use super::table::Table;

/// The name of the file.
pub(super) const FILE: &str = "revocations.log";
/// The file that is written in its place, and then renamed.
const NEW: &str = "revocations.new";
/// The file that is locked by the process that has the log open.
const LOCK: &str = "revocations.lock";

/// The fewest lines beyond twice the entries at which the file is written anew.
const SLACK: usize = 1024;

/// The most bytes of a line that may be right.
const MAX_LINE: usize = 4096;

pub(super) struct Log {
    folder: PathBuf,
    file: File,
    /// The bytes that are complete lines.
    length: u64,
    lines: usize,
    /// Whether a failed write could not be undone.
    is_broken: bool,
    _lock: File,
}

impl Log {
    /// Opens the file, drops a damaged end and what has expired, and returns the entries.
    pub(super) fn open(folder: &Path, now: u64) -> Result<(Self, Table), RevocationError> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock().map_err(io::Error::from)?;
        let mut table = match File::open(folder.join(FILE)) {
            Ok(file) => read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Table::default(),
            Err(error) => return Err(error.into()),
        };
        table.remove_ended(now);
        let (file, length) = write_anew(folder, &table)?;
        let log = Self {
            folder: folder.into(),
            file,
            length,
            lines: table.len(),
            is_broken: false,
            _lock: lock,
        };
        Ok((log, table))
    }

    /// Appends an entry and syncs it.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other(
                "an earlier write failed and could not be undone",
            ));
        }
        let line = line(entry)?;
        let appended = self
            .file
            .write_all(&line)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = appended {
            // Half a line in the middle of the file would be damage.
            self.is_broken = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += line.len() as u64;
        self.lines += 1;
        Ok(())
    }

    /// Writes the file anew if most of its lines are of entries that are gone.
    pub(super) fn compact_if_long(&mut self, table: &Table) -> io::Result<()> {
        if self.lines > 2 * table.len() + SLACK {
            (self.file, self.length) = write_anew(&self.folder, table)?;
            self.lines = table.len();
        }
        Ok(())
    }
}

/// Reads all entries. Lines at the end that cannot be understood were not acknowledged.
fn read(file: File) -> Result<Table, RevocationError> {
    let mut table = Table::default();
    let mut reader = BufReader::new(file);
    let mut damaged = None;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        match (entry(&bytes), damaged) {
            (Some(_), Some(before)) => return Err(RevocationError::Damaged(before)),
            (Some(entry), None) => table.insert(entry),
            (None, _) => damaged = damaged.or(Some(number)),
        }
    }
    Ok(table)
}

fn entry(line: &[u8]) -> Option<Entry> {
    let line = line
        .strip_suffix(b"\n")
        .filter(|line| line.len() <= MAX_LINE)?;
    let (sum, json) = line.split_at_checked(17)?;
    let sum = str::from_utf8(sum.strip_suffix(b" ")?).ok()?;
    let is_whole = u64::from_str_radix(sum, 16).ok()? == checksum(json);
    serde_json::from_slice(json).ok().filter(|_| is_whole)
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(entry)?;
    let mut line = format!("{:016x} ", checksum(&json)).into_bytes();
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

/// FNV-1a with 64 bits: against accidents, not against forgery.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Replaces the file by one with these entries, and opens it to append.
fn write_anew(folder: &Path, table: &Table) -> io::Result<(File, u64)> {
    let new = folder.join(NEW);
    let mut length = 0;
    let mut writer = BufWriter::new(File::create(&new)?);
    for entry in table.entries() {
        let line = line(&entry)?;
        writer.write_all(&line)?;
        length += line.len() as u64;
    }
    writer.into_inner()?.sync_all()?;
    let path = folder.join(FILE);
    fs::rename(&new, &path)?;
    // The new name survives the end of the power only when the folder is synced.
    File::open(folder)?.sync_all()?;
    let file = OpenOptions::new().append(true).open(path)?;
    Ok((file, length))
}

#[cfg(test)]
impl Log {
    /// Makes writes fail, or go elsewhere.
    pub(super) fn write_to(&mut self, file: File) {
        self.file = file;
    }
}
