//! Reactions, and what is removed for good.
