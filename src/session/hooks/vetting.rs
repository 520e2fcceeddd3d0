//! Decisions about requests and connections: now, or later.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use crate::disconnect::Disconnect;
use crate::layers::RoomId;
use crate::layers::rooms::Rooms;
use crate::protocol::Command;
use crate::protocol::Fault;
use crate::session::Caller;

use super::Arrival;
use super::CallerInfo;
use super::Draft;
use super::Hook;
use super::Hooks;
use super::Inner;
use super::List;
use super::Moments;
use super::NewRoom;
use super::hook::Asked;

/// The decision of the hooks, schemas and filters about a command.
pub(crate) enum Vetted {
    Passed(Command),
    Refused(Fault),
    Later(Vetting),
}

/// A command about which a hook has not decided yet.
pub(crate) struct Vetting {
    deciding: Pin<Box<dyn Future<Output = Result<Command, Fault>> + Send>>,
    passed: Option<Box<Command>>,
}

impl Vetting {
    /// Ready when the hooks have decided.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let decided = self.deciding.as_mut().poll(cx);
        decided.map_ok(|command| self.passed = Some(Box::new(command)))
    }

    /// Returns the command that passed, once [`Self::poll`] has returned `Ok`.
    pub(crate) fn into_command(self) -> Option<Command> {
        self.passed.map(|command| *command)
    }
}

/// The subject of a decision.
enum Subject {
    Message(Box<Draft>),
    Join(RoomId),
    Create(NewRoom),
}

impl Subject {
    fn of(inner: &Inner, command: &Command) -> Option<Self> {
        let live = inner.live();
        if let Command::Operation { name, arguments } = command {
            let text = |name| arguments.text(name, usize::MAX).ok().flatten();
            match &**name {
                "room.add_member" | "room.bulk_join" | "room.join" => {
                    let room = RoomId::parse(&text("room_id")?).ok()?;
                    return live.meets(Moments::JOIN).then_some(Self::Join(room));
                }
                "invite.accept" => {
                    let room = Rooms::room_of_invite(&text("invite")?).ok()?;
                    return live.meets(Moments::JOIN).then_some(Self::Join(room));
                }
                "room.create" | "room.direct" => {
                    let room = NewRoom {
                        room: text("room_id").map(Into::into),
                        name: text("name").map(Into::into),
                        category: text("category").map(Into::into),
                        with: text("other_id").map(Into::into),
                    };
                    return live.meets(Moments::CREATE).then_some(Self::Create(room));
                }
                _ => {}
            }
        }
        if !live.meets(Moments::MESSAGE | Moments::CONTENT) {
            return None;
        }
        let draft = Draft::of(command, inner.layers.as_ref())?;
        Some(Self::Message(Box::new(draft)))
    }

    /// Asks one hook; `Err` if it has no opinion.
    fn ask(self, hook: &Hook, who: &CallerInfo) -> Result<Asked<Self, Fault>, Self> {
        match self {
            Self::Message(draft) => match hook.ask_message(who, draft) {
                Ok(asked) => Ok(asked.map(|draft| Self::Message(Box::new(draft)))),
                Err(draft) => Err(Self::Message(draft)),
            },
            Self::Join(room) => match hook.ask_join(who, &room) {
                Some(asked) => Ok(asked.map(|()| Self::Join(room))),
                None => Err(Self::Join(room)),
            },
            Self::Create(room) => match hook.ask_create(who, &room) {
                Some(asked) => Ok(asked.map(|()| Self::Create(room))),
                None => Err(Self::Create(room)),
            },
        }
    }
}

impl<B: Send + 'static, E: Send + 'static> Asked<B, E> {
    fn map<T: Send + 'static>(self, f: impl FnOnce(B) -> T + Send + 'static) -> Asked<T, E> {
        match self {
            Self::Now(decided) => Asked::Now(decided.map(f)),
            Self::Later(deciding) => Asked::Later(Box::pin(async move { deciding.await.map(f) })),
        }
    }
}

impl Hooks {
    /// Asks the hooks, the schemas and the filters about a command that has passed the policies.
    #[inline]
    pub(crate) fn vet(&self, caller: &Caller<'_>, command: Command) -> Vetted {
        if !self.wants(Moments::REQUESTS) {
            return Vetted::Passed(command);
        }
        self.vet_wanted(caller, command)
    }

    fn vet_wanted(&self, caller: &Caller<'_>, command: Command) -> Vetted {
        let Some(mut subject) = Subject::of(&self.inner, &command) else {
            return Vetted::Passed(command);
        };
        let hooks = self.inner.list();
        let who = CallerInfo::of(caller);
        for (index, hook) in hooks.iter().enumerate() {
            subject = match subject.ask(hook, &who) {
                Ok(Asked::Now(Ok(subject))) | Err(subject) => subject,
                Ok(Asked::Now(Err(refused))) => return Vetted::Refused(refused.fault()),
                Ok(Asked::Later(deciding)) => {
                    let inner = Arc::clone(&self.inner);
                    let hooks = Arc::clone(&hooks);
                    let rest = async move {
                        let subject = deciding.await.map_err(|refused| refused.fault())?;
                        let subject = go_on(&hooks, index + 1, &who, subject).await?;
                        inner.moderate(&who, subject, command)
                    };
                    return Vetted::Later(Vetting {
                        deciding: Box::pin(rest),
                        passed: None,
                    });
                }
            };
        }
        match self.inner.moderate(&who, subject, command) {
            Ok(command) => Vetted::Passed(command),
            Err(fault) => Vetted::Refused(fault),
        }
    }

    /// Asks the hooks whether a client may connect.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub(crate) async fn admit(&self, arrival: Arrival) -> Result<(), Disconnect> {
        for hook in &*self.inner.list() {
            let admitted = match hook.ask_connect(&arrival) {
                None => continue,
                Some(Asked::Now(admitted)) => admitted,
                Some(Asked::Later(deciding)) => deciding.await,
            };
            admitted.map_err(|refused| refused.disconnect())?;
        }
        Ok(())
    }
}

/// Asks the hooks from `first` on.
async fn go_on(
    hooks: &List,
    first: usize,
    who: &CallerInfo,
    mut subject: Subject,
) -> Result<Subject, Fault> {
    for hook in hooks.iter().skip(first) {
        subject = match subject.ask(hook, who) {
            Err(subject) => subject,
            Ok(Asked::Now(decided)) => decided.map_err(|refused| refused.fault())?,
            Ok(Asked::Later(deciding)) => deciding.await.map_err(|refused| refused.fault())?,
        };
    }
    Ok(subject)
}

impl Inner {
    /// Asks the schemas and the filters, and puts what was changed into the command.
    fn moderate(
        &self,
        who: &CallerInfo,
        subject: Subject,
        mut command: Command,
    ) -> Result<Command, Fault> {
        let Subject::Message(mut draft) = subject else {
            return Ok(command);
        };
        if let Some(moderator) = &self.moderator {
            moderator.check(who, &mut draft)?;
        }
        draft.put_into(&mut command)?;
        Ok(command)
    }
}
