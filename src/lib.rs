mod sync;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the hub that stands on it comes later")
)]
mod raw;
pub mod message; pub mod time; pub mod disconnect; pub mod id; pub mod limits;
pub use message::*; pub use limits::*;pub use disconnect::*;
pub struct Authorizer;
