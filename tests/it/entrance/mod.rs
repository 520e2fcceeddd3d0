//! The one entrance: whatever transport a request comes by, the same is asked, done and answered.

mod described;
mod documents;
mod filters;
mod hooks;
mod joining;
mod policies;
pub(crate) mod rows;
mod rpc;
mod table;
mod world;
