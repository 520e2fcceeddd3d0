//! Named channels: patterns, filters on metadata, declared channels.
