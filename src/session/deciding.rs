//! A request about which something has not decided yet.

use std::task::Context;
use std::task::Poll;

use crate::protocol::Fault;

use super::gate;
use super::hooks::Vetting;

/// A request about which a policy or a hook has not decided yet.
pub(crate) enum Deciding {
    Gate(gate::Deciding),
    Hooks(Vetting),
}

impl Deciding {
    /// Ready when it is decided.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        match self {
            Self::Gate(deciding) => deciding.poll(cx),
            Self::Hooks(vetting) => vetting.poll(cx),
        }
    }
}
