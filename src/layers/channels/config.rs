//! What can be set for channels.

/// How channels are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelsConfig {
    /// Whether clients may use declared channels only. Default: they may use any.
    pub declared_only: bool,
    /// Channels that may be declared; 0, the default, for as many as the hub may have
    /// ([`Limits::max_channels`](crate::Limits::max_channels)). About 300 bytes each, and what
    /// they say.
    pub max_declared: usize,
    /// Patterns that one client may subscribe to. Default 32; about 200 bytes each.
    pub max_patterns: usize,
}

impl ChannelsConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            declared_only: false,
            max_declared: 0,
            max_patterns: 32,
        }
    }

    /// Sets [`Self::declared_only`].
    #[must_use]
    pub const fn declared_only(mut self, only: bool) -> Self {
        self.declared_only = only;
        self
    }

    /// Sets [`Self::max_declared`].
    #[must_use]
    pub const fn max_declared(mut self, channels: usize) -> Self {
        self.max_declared = channels;
        self
    }

    /// Sets [`Self::max_patterns`].
    #[must_use]
    pub const fn max_patterns(mut self, patterns: usize) -> Self {
        self.max_patterns = patterns;
        self
    }
}

impl Default for ChannelsConfig {
    fn default() -> Self {
        Self::new()
    }
}
