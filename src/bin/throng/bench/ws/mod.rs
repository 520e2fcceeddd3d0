//! `throng bench ws`: WebSocket clients of a throng server, and those of `throng bench sse`.
//!
//! Each client is a task that does little but read; on the machine that it measures, a load
//! generator must not be the bottleneck. The clients connect, subscribe and are confirmed before
//! the first message is published.

mod address;
mod events;
mod http;
mod options;
mod pacer;
mod publisher;
mod report;
mod shared;
mod socket;
mod stamp;
mod subscriber;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::net;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::failed::Failed;
use super::options::is_slow;
use super::print_reports;
use super::process::Process;
use super::process::Work;
use super::progress::Progress;
use super::segments;

pub(crate) use self::address::Address;
pub(super) use self::address::local;
pub(super) use self::options::Case;
use self::options::Load;
pub(crate) use self::options::Options;
pub(super) use self::options::Speaks;
use self::pacer::Paced;
use self::pacer::Pacer;
use self::publisher::Publisher;
pub(super) use self::report::Report;
pub(super) use self::report::Server;
use self::shared::Counts;
use self::shared::Shared;
pub(crate) use self::socket::Dial;
pub(crate) use self::socket::Received;
pub(crate) use self::socket::Socket;
pub(super) use self::socket::closed_with;
pub(crate) use self::socket::write_text;
pub(super) use self::stamp::Finder;
pub(super) use self::stamp::LEAST as LEAST_SIZE;
pub(super) use self::stamp::MessageHeader;
use self::subscriber::Subscriber;

/// Connects the clients, publishes, and prints what was found.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    let html = options.html.as_deref();
    print_reports(
        &measured(options)?,
        options.json,
        html.map(|file| (file, "throng bench ws")),
    )
}

/// Connects the clients, publishes, and returns what was found at each load.
pub(super) fn measured(options: &Options) -> Result<Vec<Report>, Failed> {
    options.check()?;
    allow_files(options.clients + options.publishers + OTHER_FILES)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .map_err(|error| Failed::io("no runtime", error))?;
    let reports = measure(options, &runtime);
    runtime.shutdown_background();
    reports
}

fn measure(options: &Options, runtime: &Runtime) -> Result<Vec<Report>, Failed> {
    let server = runtime.block_on(resolve(&options.url))?;
    let process = options.pid.map(Process::other);
    let before = Sample::resident(process.as_ref())?;
    let crowd = runtime.block_on(Crowd::gather(options, server))?;
    let idle = Sample::resident(process.as_ref())?;
    let mut scene = Scene {
        options,
        runtime,
        server,
        process,
        resident: [before, idle],
        paced: fill(options, &crowd, runtime, server)?,
        // What was lost while the slow were filled up is lost as well.
        before: Totals::default(),
        crowd,
    };
    let loads = options.loads();
    loads.into_iter().map(|load| scene.measure(load)).collect()
}

/// All that stays from one load to the next.
struct Scene<'a> {
    options: &'a Options,
    runtime: &'a Runtime,
    server: SocketAddr,
    process: Option<Process>,
    /// The server's memory before the clients, and with them.
    resident: [Option<u64>; 2],
    crowd: Crowd,
    paced: Paced,
    /// What had been published and received when the last load ended.
    before: Totals,
}

/// What was published and received since the clients connected.
#[derive(Clone, Copy, Default)]
struct Totals {
    paced: Paced,
    received: usize,
}

impl Scene<'_> {
    /// Publishes at this load for a while.
    fn measure(&mut self, load: Load) -> Result<Report, Failed> {
        let Self {
            options, process, ..
        } = &*self;
        let shared = Arc::clone(&self.crowd.shared);
        let publishers = self.crowd.publishers(options, self.server);
        let pacer = Pacer {
            paced: self.paced,
            ..self.runtime.block_on(publishers)?
        };
        // While nothing is published, so that all of them belong to the deliveries.
        let sent = || options.pid.and_then(|_| segments::sent_from(self.server));
        let sent_before = sent();
        let received = shared.counts().received;

        let begin = Instant::now();
        let paced = pace((*options).clone(), load, pacer, begin)?;
        thread::sleep(options.warm_up);
        shared.record();
        let first = Sample::take(&shared, process.as_ref())?;
        let paced = watch(&shared, paced, begin + options.warm_up, options.seconds);
        let at = Pacer::settle(&shared, paced);
        let last = Sample {
            at,
            ..Sample::take(&shared, process.as_ref())?
        };
        if let Some(why) = shared.events().publisher_ended {
            return Err(Failed::new(format!(
                "a publisher has lost its connection: {why}"
            )));
        }
        let used = Sample::resident(process.as_ref())?;
        let deliveries = (last.counts.received - received).max(1) as f64;
        let segments = sent().zip(sent_before);
        let segments = segments.map(|(now, before)| now.saturating_sub(before) as f64 / deliveries);
        let totals = Totals {
            paced,
            received: last.counts.received,
        };
        let [before, idle] = self.resident;
        let report = Report::new(
            options,
            load,
            &self.crowd,
            [self.before, totals],
            &[first, last],
            [before, idle, used],
            segments,
        );
        (self.paced, self.before) = (paced, totals);
        Ok(report)
    }
}

/// What was there at one moment.
struct Sample {
    at: Instant,
    counts: Counts,
    work: Option<Work>,
}

impl Sample {
    fn take(shared: &Shared, process: Option<&Process>) -> Result<Self, Failed> {
        let work = process.map(Process::work).transpose();
        let work = work.map_err(|error| Failed::io("cannot read the figures of --pid", error))?;
        Ok(Self {
            at: Instant::now(),
            counts: shared.counts(),
            work,
        })
    }

    fn resident(process: Option<&Process>) -> Result<Option<u64>, Failed> {
        let resident = process.map(Process::resident).transpose();
        resident.map_err(|error| Failed::io("cannot read the memory of --pid", error))
    }
}

/// All clients.
struct Crowd {
    shared: Arc<Shared>,
    /// Clients that do not read; kept.
    slow: Vec<Subscriber>,
}

impl Crowd {
    async fn gather(options: &Options, server: SocketAddr) -> Result<Self, Failed> {
        let is_slow = |client: &usize| is_slow(*client, options.slow_share);
        let slow = (0..options.clients).filter(is_slow).count();
        let shared = Arc::new(Shared::new(options.clients, options.clients - slow));
        let mut crowd = Self {
            shared,
            slow: Vec::with_capacity(slow),
        };
        let progress = Progress::new("clients", options.clients);
        let connect = |client| async move {
            let dial = Dial {
                server,
                local: local(client, options.clients, server),
                receive_buffer: is_slow(&client).then_some(SLOW_RECEIVE_BUFFER),
            };
            let opened = Subscriber::open(client, &dial, options).await;
            opened.map_err(|e| Failed::io(format!("cannot connect client {client}"), e))
        };
        let mut opened = stream::iter((0..options.clients).map(connect))
            .buffer_unordered(options.connecting)
            .enumerate();
        while let Some((done, subscriber)) = opened.next().await {
            let subscriber = subscriber?;
            if subscriber.is_slow(options) {
                crowd.slow.push(subscriber);
            } else {
                tokio::spawn(subscriber.run(Arc::clone(&crowd.shared)));
            }
            progress.set(done);
        }
        drop(opened);
        Ok(crowd)
    }

    async fn publishers(&self, options: &Options, server: SocketAddr) -> Result<Pacer, Failed> {
        let dial = Dial {
            server,
            local: None,
            receive_buffer: None,
        };
        let mut publishers = Vec::with_capacity(options.publishers);
        for _ in 0..options.publishers {
            let opened = Publisher::open(options, &dial, Arc::clone(&self.shared)).await;
            let opened = opened.map_err(|e| Failed::io("cannot connect a publisher", e));
            let (publisher, stamps): (_, mpsc::Sender<MessageHeader>) = opened?;
            tokio::spawn(publisher.run());
            publishers.push(stamps);
        }
        Ok(Pacer {
            shared: Arc::clone(&self.shared),
            publishers,
            paced: Paced::default(),
        })
    }
}

/// Those who do not read are to be felt from the first message that is measured: what the kernel
/// takes for them is filled up before, and then their outboxes.
fn fill(
    options: &Options,
    crowd: &Crowd,
    runtime: &Runtime,
    server: SocketAddr,
) -> Result<Paced, Failed> {
    let mut paced = Paced::default();
    if crowd.slow.is_empty() {
        return Ok(paced);
    }
    for (messages, size) in [(FOR_KERNEL, FOR_KERNEL_SIZE), (FOR_OUTBOX, options.size)] {
        let options = Options {
            size,
            ..options.clone()
        };
        let pacer = runtime.block_on(crowd.publishers(&options, server))?;
        paced = Pacer { paced, ..pacer }.fill(messages);
    }
    Ok(paced)
}

pub(super) async fn resolve(url: &Address) -> Result<SocketAddr, Failed> {
    let target = &url.target;
    let failed = |why: io::Error| Failed::io(format!("cannot find {target}"), why);
    let mut addresses = net::lookup_host(target).await.map_err(failed)?;
    addresses
        .next()
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// Asks for room for so many open files.
pub(super) fn allow_files(needed: usize) -> Result<(), Failed> {
    let allowed = rlimit::increase_nofile_limit(needed as u64);
    match allowed.map_err(|error| Failed::io("cannot ask for more open files", error))? {
        allowed if allowed < needed as u64 => Err(Failed::new(format!(
            "{needed} open files are needed, and {allowed} allowed: see `ulimit -n`"
        ))),
        _ => Ok(()),
    }
}

/// Starts the thread that says when to publish.
fn pace(
    options: Options,
    load: Load,
    pacer: Pacer,
    begin: Instant,
) -> Result<JoinHandle<Paced>, Failed> {
    let thread = thread::Builder::new().name("pacer".to_owned());
    let thread = thread.spawn(move || pacer.run(load, &options, begin));
    thread.map_err(|error| Failed::io("no thread", error))
}

/// Shows how far it is, and looks at how old what clients have is, until it is done.
fn watch(shared: &Shared, paced: JoinHandle<Paced>, from: Instant, duration: Duration) -> Paced {
    let milliseconds = |d: Duration| usize::try_from(d.as_millis()).unwrap_or(usize::MAX);
    let progress = Progress::new("milliseconds", milliseconds(duration));
    while !paced.is_finished() {
        thread::park_timeout(Duration::from_millis(50));
        shared.look();
        progress.set(milliseconds(from.elapsed()));
    }
    // A panic of the pacer is a bug, and goes on here.
    paced.join().expect("the pacer does not panic")
}

/// Files beside the connections: the runtime's own, the standard streams, `/proc`.
pub(super) const OTHER_FILES: usize = 64;

/// Messages, and the bytes of each, that fill what the kernel may keep for a client that does not
/// read: 4 MiB, unless the system is told otherwise.
const FOR_KERNEL: usize = 80;
const FOR_KERNEL_SIZE: usize = 60_000;

/// Messages that fill an outbox, unless it is a large one.
const FOR_OUTBOX: usize = 300;

/// What the kernel keeps for a client that does not read: little, so that the server soon feels it.
const SLOW_RECEIVE_BUFFER: u32 = 4_096;
