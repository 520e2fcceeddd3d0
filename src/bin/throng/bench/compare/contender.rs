//! A server of any make, started and stopped.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use crate::bench::failed::Failed;
use crate::bench::ws::Address;

/// How to start a server.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Contender {
    pub(in crate::bench) name: String,
    pub(in crate::bench) command: String,
}

impl Contender {
    pub(in crate::bench) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => Ok(Self {
                name: name.to_owned(),
                command: command.to_owned(),
            }),
            _ => Err("must be `NAME=COMMAND`".to_owned()),
        }
    }

    /// Starts it, and waits until it says where it listens.
    pub(in crate::bench) fn start(&self) -> Result<Started, Failed> {
        let mut child = Command::new("sh")
            // The shell steps aside: what is measured is the process of the server.
            .args(["-c", &format!("exec {}", self.command)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Failed::io("cannot start a shell", e))?;
        let output = child.stdout.take().map(BufReader::new);
        let address = String::new();
        let mut started = Started {
            child,
            address,
            output,
        };
        let mut line = String::new();
        if let Some(output) = &mut started.output {
            let read = output.read_line(&mut line);
            read.map_err(|e| Failed::io(format!("cannot hear {}", self.name), e))?;
        }
        started.address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .map(str::to_owned)
            .ok_or_else(|| {
                let Self { name, command } = self;
                Failed::new(format!(
                    "{name} did not say where it listens, but {line:?}: {command}"
                ))
            })?;
        Ok(started)
    }
}

/// A server that runs; stopped when dropped.
pub(in crate::bench) struct Started {
    child: Child,
    address: String,
    /// Kept open, so that the server can go on talking.
    output: Option<BufReader<ChildStdout>>,
}

impl Started {
    /// The process.
    pub(in crate::bench) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its WebSocket is.
    pub(in crate::bench) fn url(&self, path: &str) -> Result<Address, Failed> {
        let url = format!("ws://{}{path}", self.address);
        Address::parse::<true>(&url).map_err(|why| Failed::new(format!("{url} {why}")))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
