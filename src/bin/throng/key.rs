//! `throng key`: makes, replaces and removes API keys.

use std::error::Error;
use std::fmt;
use std::io;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::time::SystemTime;

use clap::Args;
use clap::Subcommand;
use throng::Timestamp;
use throng::policy::ApiKey;
use throng::policy::ApiKeyFile;

use crate::span;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the keys in a file. Their secrets are not stored and cannot be shown.
    List(KeyFile),
    /// Make a key, add it to a file, and print it. It is printed this once.
    New(New),
    /// Remove a key from a file.
    Revoke(Revoke),
    /// Replace the secret of a key, and print the new key. It is printed this once.
    Rotate(Rotate),
}

#[derive(Args, Debug)]
pub(crate) struct KeyFile {
    /// File of API keys, one JSON object in each line; see `throng serve --api-key-file`, which
    /// reads it again on SIGHUP.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct New {
    #[command(flatten)]
    file: KeyFile,

    /// Id of the key, which its holder and logs see: a-z, 0-9 and `-`. Random if not given.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Operation that the key allows, such as `publish`; `room.*` for all of one kind, `*` for all.
    /// `actor` allows to act for users by `?actor=`. May be given several times.
    #[arg(long, value_name = "SCOPE", required = true)]
    scope: Vec<String>,

    /// Time after which the key expires, such as 90d; never if not given.
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    ttl: Option<Duration>,

    /// Requests that the key allows in a second; the limit of every caller if not given.
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
}

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    file: KeyFile,

    /// Id of the key.
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    file: KeyFile,

    /// Id of the key.
    #[arg(value_name = "ID")]
    id: String,

    /// Time for which the old secret is still valid, such as 24h; 0s ends it at once.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = span::parse)]
    keep_old: Duration,
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self {
            Self::List(options) => list(options),
            Self::New(options) => new(options),
            Self::Revoke(options) => revoke(options),
            Self::Rotate(options) => rotate(options),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("throng key: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn list(options: KeyFile) -> Result<(), Box<dyn Error>> {
    let file = ApiKeyFile::open(options.file)?;
    let mut out = io::stdout().lock();
    for key in file.keys() {
        let scopes: Vec<_> = key.scopes().collect();
        write!(out, "{}  {}", key.id(), scopes.join(","))?;
        if let Some(expiry) = key.expiry() {
            let over = if expiry <= now() {
                "expired"
            } else {
                "expires"
            };
            write!(out, "  {over} {expiry}")?;
        }
        if let Some(rate) = key.max_rate() {
            write!(out, "  {rate}/s")?;
        }
        if let Some(until) = key.old_secret_until().filter(|until| *until > now()) {
            write!(out, "  old secret valid until {until}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn new(options: New) -> Result<(), Box<dyn Error>> {
    let mut file = ApiKeyFile::open(options.file.file)?;
    let made = match &options.id {
        Some(id) => ApiKey::generate(id)?,
        None => ApiKey::generate_any()?,
    };
    let mut key = made.key;
    for scope in &options.scope {
        key = key.scope(scope)?;
    }
    if let Some(ttl) = options.ttl {
        key = key.expires_at(after(ttl));
    }
    if let Some(rate) = options.rate {
        key = key.rate(rate);
    }
    file.insert(key)?;
    file.save()?;
    show(&made.secret)
}

fn revoke(options: Revoke) -> Result<(), Box<dyn Error>> {
    let mut file = ApiKeyFile::open(options.file.file)?;
    if !file.remove(&options.id) {
        return Err(NoSuchKey(options.id).into());
    }
    file.save()?;
    let id = options.id;
    eprintln!("{id} is removed; a server that runs reads its keys again on SIGHUP");
    Ok(())
}

fn rotate(options: Rotate) -> Result<(), Box<dyn Error>> {
    let mut file = ApiKeyFile::open(options.file.file)?;
    let Some(key) = file.key_mut(&options.id) else {
        return Err(NoSuchKey(options.id).into());
    };
    let keep = Some(options.keep_old).filter(|span| !span.is_zero());
    let secret = key.rotate(keep.map(after))?;
    file.save()?;
    show(&secret)
}

/// Prints a key alone, so that a script can take it.
fn show(secret: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{secret}")?;
    eprintln!("This key is shown once: store it now. Send it as `Authorization: Bearer ...`.");
    Ok(())
}

fn after(span: Duration) -> Timestamp {
    Timestamp::since_unix_epoch(unix() + span)
}

fn now() -> Timestamp {
    Timestamp::since_unix_epoch(unix())
}

/// Returns the time since 1970 began.
pub(crate) fn unix() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

#[derive(Debug)]
struct NoSuchKey(String);

impl fmt::Display for NoSuchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no key in this file has the id `{}`", self.0)
    }
}

impl Error for NoSuchKey {}
