//! A client's side of server-sent events: the algorithm of the WHATWG HTML standard, section
//! "Interpreting an event stream", to the letter and nothing more.

/// One event, as a browser would dispatch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` when the stream names none.
    pub(crate) name: String,
    pub(crate) data: String,
    /// The last event id string when it was dispatched.
    pub(crate) id: String,
}

/// The state of an event source.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    bytes: Vec<u8>,
    begun: bool,
    /// The last line ended with CR: an LF that comes next belongs to it.
    after_return: bool,
    data: String,
    name: String,
    id_buffer: String,
    /// The last event id string.
    pub(crate) last_event_id: String,
    /// The reconnection time.
    pub(crate) retry: Option<u64>,
    /// How many comments there were.
    pub(crate) comments: usize,
}

impl EventStream {
    /// Takes bytes as they come, and gives the events that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(line) = self.line() {
            events.extend(self.interpret(&line));
        }
        events
    }

    /// Whether everything that came was complete lines.
    pub(crate) fn is_between_lines(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<String> {
        if self.after_return && !self.bytes.is_empty() {
            self.after_return = false;
            if self.bytes[0] == b'\n' {
                self.bytes.remove(0);
            }
        }
        let end = self.bytes.iter().position(|byte| b"\r\n".contains(byte))?;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        self.after_return = line.pop() == Some(b'\r');
        let line = String::from_utf8_lossy(&line).into_owned();
        let begun = std::mem::replace(&mut self.begun, true);
        match line.strip_prefix('\u{feff}') {
            Some(rest) if !begun => Some(rest.to_owned()),
            _ => Some(line),
        }
    }

    fn interpret(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return self.dispatch();
        }
        if line.starts_with(':') {
            self.comments += 1;
            return None;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id_buffer = value.to_owned(),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.last_event_id = self.id_buffer.clone();
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        if data.is_empty() {
            return None;
        }
        data.pop();
        Some(Event {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
            id: self.last_event_id.clone(),
        })
    }
}

fn event(name: &str, data: &str, id: &str) -> Event {
    Event {
        name: name.to_owned(),
        data: data.to_owned(),
        id: id.to_owned(),
    }
}

#[test]
fn the_examples_of_the_standard_are_read_as_it_says() {
    for (stream, expected) in [
        (
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            vec![event("message", "YHOO\n+2\n10", "")],
        ),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\ndata: lost",
            vec![
                event("message", "first event", "1"),
                event("message", "second event", ""),
                event("message", " third event", ""),
            ],
        ),
        (
            "data\n\ndata\ndata\n\ndata:",
            vec![event("message", "", ""), event("message", "\n", "")],
        ),
        (
            "data:test\n\ndata: test\n\n",
            vec![event("message", "test", ""), event("message", "test", "")],
        ),
        (
            "\u{feff}event: add\r\ndata: 1\r\rid: 7\r\n\r\n",
            vec![event("add", "1", "")],
        ),
    ] {
        assert_eq!(EventStream::default().feed(stream.as_bytes()), expected);
        // However it is cut.
        let mut source = EventStream::default();
        let bytes = stream.bytes();
        let events: Vec<_> = bytes.flat_map(|byte| source.feed(&[byte])).collect();
        assert_eq!(events, expected);
    }
    let mut source = EventStream::default();
    source.feed(b"id: 7\nretry: 12x\nretry: 12\n\nid: 8");
    assert_eq!(
        (source.last_event_id.as_str(), source.retry),
        ("7", Some(12))
    );
}
