//! Reports of what came of tuning: a table for the terminal, JSON, and a page.

mod html;
mod json;
mod proof;
mod terminal;

pub use self::terminal::Terminal;
