//! A hook: a name, and a function for each moment that it is called at.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time;

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::layers::RoomId;
use crate::protocol::Fault;
use crate::quiet::quietly;

use super::CallerInfo;
use super::Draft;
use super::Event;
use super::Moments;
use super::Observer;
use super::queue::Queue;

/// Code of the application that is called at [`Moments`] of its choice.
///
/// ```
/// use throng::policy::{Hook, Moments};
/// use throng::protocol::{ErrorCode, Fault};
/// use throng::{Gateway, Hub};
///
/// let gateway = Gateway::builder(Hub::new())
///     .hook(Hook::new("no shouting").message(|_, message| match message.text() {
///         Some(text) if text.ends_with("!!!") => {
///             Err(Fault::new(ErrorCode::MessageBlocked, "no shouting, please"))
///         }
///         _ => Ok(message),
///     }))
///     .hook(Hook::new("audit").observe(Moments::REFUSED, |event: &throng::policy::Event| {
///         println!("{event:?}");
///     }))
///     .build();
/// assert!(gateway.hooks().remove("audit"));
/// ```
///
/// # Isolation
///
/// A hook that decides fails closed: if it panics, its request is refused with
/// [`ErrorCode::HookFailed`]; if an asynchronous hook takes longer than its
/// [timeout](Self::timeout), with [`ErrorCode::HookTimeout`]. An observer fails open: the failure
/// is counted and the event continues to the next observer.
#[must_use = "a hook is called after it was added"]
pub struct Hook {
    name: Box<str>,
    timeout: Duration,
    queue_len: usize,
    connect: Option<Ask<Arrival, (), Disconnect>>,
    raw: Option<OnBytes>,
    message: Option<Ask<(CallerInfo, Draft), Draft, Fault>>,
    join: Option<Ask<(CallerInfo, RoomId), (), Fault>>,
    create: Option<Ask<(CallerInfo, NewRoom), (), Fault>>,
    observers: Vec<(Moments, Box<dyn Observer>)>,
    queues: Vec<(Moments, Queue)>,
    counts: Arc<Counts>,
}

type OnBytes = Box<dyn Fn(&CallerInfo, Bytes) -> Result<Bytes, Fault> + Send + Sync>;

/// A client that asks to connect.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Arrival {
    /// The user; `None` for an anonymous client.
    pub user: Option<Box<str>>,
    /// Name of the transport: `ws`, `sse` or `other`.
    pub transport: &'static str,
    /// The address of the client, where it is known.
    pub address: Option<IpAddr>,
}

impl Arrival {
    pub(crate) fn new(user: Option<&str>, transport: &'static str) -> Self {
        Self {
            user: user.map(Into::into),
            transport,
            address: None,
        }
    }

    pub(crate) fn from(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }
}

/// A room that a caller asks to create.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NewRoom {
    /// The id that the caller chose, if any.
    pub room: Option<Box<str>>,
    /// The name of the room; `None` for a direct room.
    pub name: Option<Box<str>>,
    /// The category of the room, if any.
    pub category: Option<Box<str>>,
    /// The other user of a direct room.
    pub with: Option<Box<str>>,
}

/// Number of calls of a hook, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) dropped: AtomicU64,
}

/// A function that decides, now or later.
enum Ask<A, B, E> {
    Now(Box<dyn Fn(A) -> Result<B, E> + Send + Sync>),
    Later(Box<dyn Fn(A) -> Deciding<B, E> + Send + Sync>),
}

type Deciding<B, E> = Pin<Box<dyn Future<Output = Result<B, E>> + Send>>;

/// The answer of a hook.
pub(super) enum Asked<B, E> {
    Now(Result<B, Refused<E>>),
    Later(Deciding<B, Refused<E>>),
}

/// A hook did not let something pass.
pub(super) enum Refused<E> {
    /// It decided so.
    By(E),
    /// It panicked.
    Failed,
    /// It took too long.
    TimedOut,
}

impl<A, B, E> Ask<A, B, E> {
    fn later<F>(ask: impl Fn(A) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<B, E>> + Send + 'static,
    {
        Self::Later(Box::new(move |about| Box::pin(ask(about))))
    }
}

impl Hook {
    /// Creates a hook that is called at no moment yet.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self {
            name: name.into(),
            timeout: TIMEOUT,
            queue_len: QUEUE,
            connect: None,
            raw: None,
            message: None,
            join: None,
            create: None,
            observers: Vec::new(),
            queues: Vec::new(),
            counts: Arc::default(),
        }
    }

    /// Sets the time that an asynchronous decision, and an asynchronous observer with one event,
    /// may take. Default 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the number of events that may wait for an asynchronous observer that is added after
    /// this call; an event beyond it is dropped and counted. Default 1,024.
    pub fn queue(mut self, events: usize) -> Self {
        self.queue_len = events;
        self
    }

    /// Decides whether a client may connect. A refusal closes the connection with that code and
    /// reason; over SSE it is answered with 403.
    pub fn connect<F>(mut self, decide: F) -> Self
    where
        F: Fn(&Arrival) -> Result<(), Disconnect> + Send + Sync + 'static,
    {
        let decide = move |arrival: Arrival| decide(&arrival);
        self.connect = Some(Ask::Now(Box::new(decide)));
        self
    }

    /// [`Self::connect`], with a decision that takes time.
    pub fn connect_async<F, D>(mut self, decide: F) -> Self
    where
        F: Fn(Arrival) -> D + Send + Sync + 'static,
        D: Future<Output = Result<(), Disconnect>> + Send + 'static,
    {
        self.connect = Some(Ask::later(decide));
        self
    }

    /// Changes or refuses the bytes of a command before they are read. It runs where bytes arrive,
    /// on every transport, and must not block.
    pub fn raw<F>(mut self, decide: F) -> Self
    where
        F: Fn(&CallerInfo, Bytes) -> Result<Bytes, Fault> + Send + Sync + 'static,
    {
        self.raw = Some(Box::new(decide));
        self
    }

    /// Changes or refuses a message before it is published: after the policies, before schemas and
    /// filters. An edit is a message too.
    pub fn message<F>(mut self, decide: F) -> Self
    where
        F: Fn(&CallerInfo, Draft) -> Result<Draft, Fault> + Send + Sync + 'static,
    {
        let decide = move |(who, draft): (CallerInfo, Draft)| decide(&who, draft);
        self.message = Some(Ask::Now(Box::new(decide)));
        self
    }

    /// [`Self::message`], with a decision that takes time.
    pub fn message_async<F, D>(mut self, decide: F) -> Self
    where
        F: Fn(CallerInfo, Draft) -> D + Send + Sync + 'static,
        D: Future<Output = Result<Draft, Fault>> + Send + 'static,
    {
        let decide = move |(who, draft)| decide(who, draft);
        self.message = Some(Ask::later(decide));
        self
    }

    /// Decides whether a caller may join a room. Called for each room of a request.
    pub fn join<F>(mut self, decide: F) -> Self
    where
        F: Fn(&CallerInfo, &RoomId) -> Result<(), Fault> + Send + Sync + 'static,
    {
        let decide = move |(who, room): (CallerInfo, RoomId)| decide(&who, &room);
        self.join = Some(Ask::Now(Box::new(decide)));
        self
    }

    /// [`Self::join`], with a decision that takes time.
    pub fn join_async<F, D>(mut self, decide: F) -> Self
    where
        F: Fn(CallerInfo, RoomId) -> D + Send + Sync + 'static,
        D: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let decide = move |(who, room)| decide(who, room);
        self.join = Some(Ask::later(decide));
        self
    }

    /// Decides whether a caller may create a room.
    pub fn create<F>(mut self, decide: F) -> Self
    where
        F: Fn(&CallerInfo, &NewRoom) -> Result<(), Fault> + Send + Sync + 'static,
    {
        let decide = move |(who, room): (CallerInfo, NewRoom)| decide(&who, &room);
        self.create = Some(Ask::Now(Box::new(decide)));
        self
    }

    /// [`Self::create`], with a decision that takes time.
    pub fn create_async<F, D>(mut self, decide: F) -> Self
    where
        F: Fn(CallerInfo, NewRoom) -> D + Send + Sync + 'static,
        D: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let decide = move |(who, room)| decide(who, room);
        self.create = Some(Ask::later(decide));
        self
    }

    /// Adds an observer of events at these moments.
    pub fn observe(mut self, moments: Moments, observer: impl Observer) -> Self {
        let moments = moments.without(DECIDING);
        self.observers.push((moments, Box::new(observer)));
        self
    }

    /// Adds an asynchronous observer of events at these moments: called for one event after the
    /// other, in a task. Events wait in a [bounded queue](Self::queue); without a tokio runtime
    /// they are dropped and counted.
    pub fn observe_async<F, D>(mut self, moments: Moments, observer: F) -> Self
    where
        F: Fn(Event) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let observer = Arc::new(move |event| Box::pin(observer(event)) as _);
        let counts = Arc::clone(&self.counts);
        let queue = Queue::new(observer, self.queue_len, self.timeout, counts);
        self.queues.push((moments.without(DECIDING), queue));
        self
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the moments at which it is called.
    #[must_use]
    pub fn moments(&self) -> Moments {
        let decides = [
            (self.connect.is_some(), Moments::CONNECT),
            (self.raw.is_some(), Moments::RAW),
            (self.message.is_some(), Moments::MESSAGE),
            (self.join.is_some(), Moments::JOIN),
            (self.create.is_some(), Moments::CREATE),
        ];
        let decides = decides.iter().filter(|(is_set, _)| *is_set);
        let decides = decides.map(|(_, moment)| *moment);
        let observers = self.observers.iter().map(|(moments, _)| *moments);
        let queues = self.queues.iter().map(|(moments, _)| *moments);
        decides
            .chain(observers)
            .chain(queues)
            .fold(Moments::NONE, Moments::or)
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn ask_connect(&self, arrival: &Arrival) -> Option<Asked<(), Disconnect>> {
        let ask = self.connect.as_ref()?;
        Some(self.ask(ask, arrival.clone()))
    }

    pub(super) fn ask_raw(
        &self,
        caller: &CallerInfo,
        bytes: Bytes,
    ) -> Result<Bytes, Refused<Fault>> {
        let Some(raw) = &self.raw else {
            return Ok(bytes);
        };
        self.counts.add(&self.counts.calls);
        let decided = quietly(|| raw(caller, bytes));
        self.counts.decided(decided)
    }

    pub(super) fn ask_message(
        &self,
        who: &CallerInfo,
        draft: Box<Draft>,
    ) -> Result<Asked<Draft, Fault>, Box<Draft>> {
        match &self.message {
            Some(ask) => Ok(self.ask(ask, (who.clone(), *draft))),
            None => Err(draft),
        }
    }

    pub(super) fn ask_join(&self, who: &CallerInfo, room: &RoomId) -> Option<Asked<(), Fault>> {
        let ask = self.join.as_ref()?;
        Some(self.ask(ask, (who.clone(), room.clone())))
    }

    pub(super) fn ask_create(&self, who: &CallerInfo, room: &NewRoom) -> Option<Asked<(), Fault>> {
        let ask = self.create.as_ref()?;
        Some(self.ask(ask, (who.clone(), room.clone())))
    }

    fn ask<A, B, E>(&self, ask: &Ask<A, B, E>, about: A) -> Asked<B, E>
    where
        B: Send + 'static,
        E: Send + 'static,
    {
        self.counts.add(&self.counts.calls);
        let future = match ask {
            Ask::Now(decide) => {
                let decided = quietly(|| decide(about));
                return Asked::Now(self.counts.decided(decided));
            }
            Ask::Later(decide) => quietly(|| decide(about)),
        };
        let Some(future) = future else {
            return Asked::Now(self.counts.decided(None));
        };
        let (timeout, counts) = (self.timeout, Arc::clone(&self.counts));
        Asked::Later(Box::pin(async move {
            match time::timeout(timeout, Quietly(future)).await {
                Ok(decided) => counts.decided(decided),
                Err(_) => {
                    counts.add(&counts.timed_out);
                    Err(Refused::TimedOut)
                }
            }
        }))
    }

    /// Calls its observers.
    pub(super) fn notify(&self, event: &Event) {
        let moment = event.moment();
        for (moments, observer) in &self.observers {
            if moments.meets(moment) {
                self.counts.add(&self.counts.calls);
                if quietly(|| observer.notify(event)).is_none() {
                    self.counts.add(&self.counts.failed);
                }
            }
        }
        for (moments, queue) in &self.queues {
            if moments.meets(moment) {
                queue.push(event);
            }
        }
    }
}

impl Counts {
    /// Adds one to a count.
    pub(super) fn add(&self, count: &AtomicU64) {
        // Relaxed: nothing else is concluded from it.
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a panic.
    fn decided<B, E>(&self, decided: Option<Result<B, E>>) -> Result<B, Refused<E>> {
        let Some(decided) = decided else {
            self.add(&self.failed);
            return Err(Refused::Failed);
        };
        decided.map_err(Refused::By)
    }
}

impl Refused<Fault> {
    /// The fault that the caller receives.
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::By(fault) => fault,
            Self::Failed => {
                let why = "a hook of this server failed; the request was not carried out";
                Fault::new(ErrorCode::HookFailed, why)
            }
            Self::TimedOut => {
                let why = "a hook of this server took too long; the request was not carried out";
                Fault::new(ErrorCode::HookTimeout, why)
            }
        }
    }
}

impl Refused<Disconnect> {
    /// The close that the client receives.
    pub(super) fn disconnect(self) -> Disconnect {
        match self {
            Self::By(disconnect) => disconnect,
            Self::Failed => Disconnect::INTERNAL,
            Self::TimedOut => Disconnect::BUSY,
        }
    }
}

/// A foreign future: `None` if it panicked.
pub(crate) struct Quietly<F>(pub(crate) F);

impl<F: Future + Unpin> Future for Quietly<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = Pin::new(&mut self.0);
        match quietly(|| future.poll(cx)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(done)) => Poll::Ready(Some(done)),
            None => Poll::Ready(None),
        }
    }
}

/// The moments that only decide, of which there are no events.
const DECIDING: Moments = Moments::CONNECT
    .or(Moments::RAW)
    .or(Moments::MESSAGE)
    .or(Moments::JOIN)
    .or(Moments::CREATE);

/// The default of [`Hook::timeout`].
const TIMEOUT: Duration = Duration::from_secs(1);

/// The default of [`Hook::queue`].
const QUEUE: usize = 1024;

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("name", &self.name)
            .field("moments", &self.moments())
            .finish_non_exhaustive()
    }
}
