//! Why the crate is as it is: pages of prose, kept beside the code and compiled with it.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("failures.md")]
pub mod failures {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("contributing.md")]
pub mod contributing {}

#[doc = include_str!("changelog.md")]
pub mod changelog {}

#[cfg(feature = "tune")]
#[doc = include_str!("tuning.md")]
pub mod tuning {}

#[cfg(feature = "ws")]
#[doc = include_str!("protocol.md")]
pub mod protocol {}

#[cfg(all(feature = "filter", feature = "schema"))]
#[doc = include_str!("hooks.md")]
pub mod hooks {}

#[cfg(feature = "ws")]
#[doc = include_str!("limits.md")]
pub mod limits {}

#[cfg(feature = "ws")]
#[doc = include_str!("operations.md")]
pub mod operations {}

#[cfg(feature = "ws")]
#[doc = include_str!("features.md")]
pub mod features {}

#[cfg(feature = "jwt")]
#[doc = include_str!("authentication.md")]
pub mod authentication {}

#[cfg(feature = "server")]
#[doc = include_str!("security.md")]
pub mod security {}
