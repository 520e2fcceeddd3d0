//! The one entrance: whatever transport a request comes by, the same is asked, done and answered.

mod described;
mod documents;
mod policies;
mod rows;
mod table;
mod world;
