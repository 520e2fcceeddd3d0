//! Clients that are slow, or gone, each in its way.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::Command;
use std::process::Stdio;

use serde_json::json;

use crate::binary::Came;
use crate::binary::Raw;

/// Clients that are slow, or gone, each in its way.
#[derive(Default)]
pub(super) struct Crowd {
    /// They have the buffers that everybody has, and never read.
    sleeping: Vec<Raw>,
    /// They read a little after each message, far less than it has.
    trickling: Vec<Raw>,
    /// They never read, and their window is zero after the first message.
    narrow: Vec<Raw>,
    /// They have said that they will send nothing more.
    half_closed: Vec<Raw>,
    /// They will be gone with a reset.
    to_reset: Vec<Raw>,
    /// Their processes are stopped by a signal.
    frozen: Vec<Raw>,
    /// Their packets are lost.
    cut_off: Vec<Raw>,
    /// Whose those are.
    network: Option<Network>,
}

impl Crowd {
    /// All that [`Crowd::gather`] connects.
    pub(super) const COUNT: usize = 6 * EACH;

    /// Those of them that are slow, and not gone.
    pub(super) const SLOW: usize = 4 * EACH;

    /// Some of each kind, subscribed to `c`.
    pub(super) fn gather(server: SocketAddr) -> Self {
        Self {
            sleeping: joined(server, None),
            trickling: joined(server, None),
            narrow: joined(server, Some(NARROW)),
            half_closed: joined(server, None),
            to_reset: joined(server, None),
            frozen: processes(server, || Command::new("env")),
            ..Self::default()
        }
    }

    /// Some of each kind that will not say when it goes.
    pub(super) fn gather_mute(server: SocketAddr) -> Self {
        let network = Network::new();
        let cut_off = network.as_ref().map(|network| {
            let there = SocketAddr::new(network.host.parse().unwrap(), server.port());
            processes(there, || network.launcher())
        });
        Self {
            sleeping: joined(server, None),
            narrow: joined(server, Some(NARROW)),
            frozen: processes(server, || Command::new("env")),
            cut_off: cut_off.unwrap_or_default(),
            network,
            ..Self::default()
        }
    }

    /// How many [`Crowd::gather_mute`] connected.
    pub(super) fn count(&self) -> usize {
        let silent = [&self.sleeping, &self.narrow, &self.frozen, &self.cut_off];
        silent.iter().map(|clients| clients.len()).sum()
    }

    /// The ids of those that are slow.
    pub(super) fn ids(&self) -> HashSet<String> {
        let slow = [&self.sleeping, &self.trickling, &self.narrow, &self.frozen];
        let ids = slow.into_iter().flatten().map(|client| client.id.clone());
        ids.collect()
    }

    /// Some are half closed, some are gone; the process stands still.
    pub(super) fn half_close_and_reset(&mut self) {
        self.freeze();
        self.half_closed.iter().for_each(Raw::half_close);
        self.to_reset.drain(..).for_each(Raw::reset);
        // The server ends these connections as well, and says nothing more.
        for client in &mut self.half_closed {
            while !matches!(client.next(), Came::End) {}
        }
    }

    /// The processes are there no more, and say nothing of it.
    pub(super) fn vanish(&self) {
        self.freeze();
        self.network.iter().for_each(Network::cut);
    }

    fn freeze(&self) {
        self.frozen.iter().for_each(|client| client.signal("STOP"));
    }

    /// Those that were stopped go on.
    pub(super) fn thaw(&self) {
        self.frozen.iter().for_each(|client| client.signal("CONT"));
    }

    /// Those that read a little do.
    pub(super) fn trickle(&mut self) {
        for client in &mut self.trickling {
            client.read(1 << 10);
        }
    }

    /// All read on, and find a prefix without a gap, and the reason, twice: for themselves and for
    /// their library.
    pub(super) fn are_told_why(&mut self) {
        for client in self.slow() {
            let mut expected = 1;
            let farewell = loop {
                match client.next() {
                    Came::Push(push) if push["type"] == "message" => {
                        assert_eq!(push["offset"], expected);
                        expected += 1;
                    }
                    Came::Push(push) => break push,
                    other => panic!("{other:?} after {expected} messages"),
                }
            };
            assert_eq!(farewell["type"], "disconnect", "{farewell}");
            let told = &farewell["data"];
            assert_eq!(
                (&told["code"], &told["reconnect"]),
                (&json!(3008), &json!(true))
            );
            assert!(matches!(client.next(), Came::Close(3008)));
        }
    }

    /// All read on until they know of so many messages: each was received, or they were told that
    /// they missed it.
    pub(super) fn catch_up(&mut self, published: u64) {
        for client in self.slow() {
            let (mut last, mut missed, mut received) = (0, 0, 0);
            while received + missed < published {
                match next(client, last) {
                    Next::Gap(more) => missed += more,
                    Next::Message(offset) => (last, received) = (offset, received + 1),
                }
            }
            assert_eq!(received + missed, published);
        }
    }

    /// All read on until the last message; the last ones, whose keys are all different, are there.
    pub(super) fn have_the_latest(&mut self, published: u64, keys: u64) {
        for client in self.slow() {
            let mut offsets = vec![0];
            while offsets.last() != Some(&published) {
                match next(client, *offsets.last().unwrap()) {
                    Next::Gap(missed) => panic!("missed {missed}"),
                    Next::Message(offset) => offsets.push(offset),
                }
            }
            let latest: Vec<_> = (published - keys + 1..=published).collect();
            assert!(offsets.ends_with(&latest), "{offsets:?}");
        }
    }

    /// All are still there, and get the message that was published now.
    pub(super) fn get_the_next(&mut self) {
        for client in self.slow() {
            match client.next() {
                Came::Push(push) => assert!(push["text"].as_str().unwrap().starts_with("last")),
                other => panic!("{other:?}"),
            }
        }
    }

    fn slow(&mut self) -> impl Iterator<Item = &mut Raw> {
        let slow = self.sleeping.iter_mut().chain(&mut self.trickling);
        slow.chain(&mut self.narrow).chain(&mut self.frozen)
    }
}

/// What a client that is behind is told.
enum Next {
    /// So many messages it will not get.
    Gap(u64),
    /// It got this one.
    Message(u64),
}

fn next(client: &mut Raw, last: u64) -> Next {
    let push = match client.next() {
        Came::Push(push) => push,
        other => panic!("{other:?} after {last}"),
    };
    if push["type"] == "gap" {
        return Next::Gap(push["data"]["missed"].as_u64().unwrap());
    }
    let offset = push["offset"].as_u64().unwrap();
    assert!(offset > last, "{offset} after {last}");
    Next::Message(offset)
}

fn joined(server: SocketAddr, receive_buffer: Option<usize>) -> Vec<Raw> {
    let open = |_| {
        let mut client = Raw::open(server, receive_buffer);
        client.join("c");
        client
    };
    (0..EACH).map(open).collect()
}

fn processes(server: SocketAddr, launcher: impl Fn() -> Command) -> Vec<Raw> {
    let start = |_| Raw::process(launcher(), server, "c");
    (0..EACH).map(start).collect()
}

/// A network of its own, whose only cable can be cut. It takes the right to make one: without, none
/// is made, and processes that stand still have to do.
struct Network {
    name: String,
    /// The address of this side.
    host: String,
}

impl Network {
    fn new() -> Option<Self> {
        // Tests of one process run at the same time, and so may other processes.
        let [high, low] = std::process::id().to_be_bytes()[2..] else {
            unreachable!("four bytes less two");
        };
        let unique = std::thread::current().id();
        let number: String = format!("{unique:?}")
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        let number = number.parse::<usize>().unwrap() % 64;
        let name = format!("thr{high:02x}{low:02x}n{number}");
        let subnet = format!("10.{}.{low}.", 64 + usize::from(high) % 128);
        let host = format!("{subnet}{}", 4 * number + 1);
        let network = Self { name, host };
        let Self { name, host } = &network;
        let there = format!("{subnet}{}/30", 4 * number + 2);
        let inner = format!("{name}i");
        let steps = [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name {inner} netns {name}"),
            format!("addr add {host}/30 dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} addr add {there} dev {inner}"),
            format!("-n {name} link set {inner} up"),
        ];
        let made = steps.iter().all(|step| ip(step));
        if !made {
            println!("no network of its own can be made here: a stopped process has to do");
        }
        made.then_some(network)
    }

    /// Starts a program there.
    fn launcher(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command
    }

    fn cut(&self) {
        assert!(ip(&format!("link set {} down", self.name)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cable goes with it.
        ip(&format!("link del {}", self.name));
        ip(&format!("netns del {}", self.name));
    }
}

fn ip(arguments: &str) -> bool {
    let mut ip = Command::new("ip");
    ip.args(arguments.split(' ')).stderr(Stdio::null());
    ip.status().is_ok_and(|status| status.success())
}

/// How many there are of each kind.
const EACH: usize = 2;

/// The least that the kernel lets a client have, nearly.
const NARROW: usize = 4 << 10;
