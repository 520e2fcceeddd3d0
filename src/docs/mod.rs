//! Why the crate is as it is: pages of prose, kept beside the code and compiled with it.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("failures.md")]
pub mod failures {}

#[doc = include_str!("contributing.md")]
pub mod contributing {}

#[doc = include_str!("changelog.md")]
pub mod changelog {}
