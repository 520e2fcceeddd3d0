//! `curl -N`.

use std::env;
use std::io::BufReader;
use std::io::Read;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::event_stream::Event;
use crate::event_stream::EventStream;

/// A running `curl -N`, killed when dropped.
pub(crate) struct Curl {
    child: Child,
    output: BufReader<ChildStdout>,
    source: EventStream,
}

impl Curl {
    /// `None` when it is not installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let child = Command::new("curl")
            .args(["-sSN", "--max-time", "25"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            assert!(
                env::var_os("THRONG_REQUIRE_ALL").is_none(),
                "curl is not installed"
            );
            println!("skipped: curl is not installed");
            return None;
        };
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            output,
            source: EventStream::default(),
        })
    }

    /// The next event; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let mut byte = [0];
        loop {
            if self.output.read(&mut byte).unwrap() == 0 {
                return None;
            }
            if let Some(event) = self.source.feed(&byte).pop() {
                return Some(event);
            }
        }
    }

    /// Everything, as text.
    pub(crate) fn all(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn expect(&mut self, name: &str) -> Value {
        let event = self.next().unwrap();
        assert_eq!(event.name, name);
        serde_json::from_str(&event.data).unwrap()
    }

    /// What `Last-Event-ID` would be.
    pub(crate) fn last_event_id(&self) -> &str {
        &self.source.last_event_id
    }

    /// Whether it ends as it should.
    pub(crate) fn succeeds(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
