//! The rate limits.

use std::num::NonZeroU32;

use clap::Args;
use clap::ValueEnum;
use throng::GatewayBuilder;
use throng::policy::Limit;
use throng::server::ServerConfig;

/// Rate limits of requests.
#[derive(Clone, Debug, Args)]
pub(crate) struct LimitOptions {
    /// Rate limits to begin with: `auto` is `default` on other addresses than loopback and behind
    /// trusted proxies, and `off` on loopback; `default` lets each connection send 100 commands a
    /// second with a burst of 200, and each user 100 messages with a burst of 20; `forge` is the
    /// table of the reference system.
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    rate_limits: Preset,

    /// Rate limit, in place of that of the same name; may be given several times:
    /// chat=per-user:publish:100/s:burst=20. Keys are per-user, per-connection, per-address,
    /// per-room, per-channel, per-action, per-api-key, products such as per-user+room, and overall.
    /// Actions are publish, send, subscribe, unsubscribe, join, change, read, ping, all, and
    /// operations such as room.join, with commas between them. Options are burst=N,
    /// sliding-window, keys=N and server.
    #[arg(long, value_name = "NAME=KEYS:ACTIONS:RATE")]
    rate_limit: Vec<Limit>,

    /// Commands that one connection may send in a second, over every transport: the rate limit
    /// named `commands`. 0 for no such limit.
    #[arg(long, value_name = "N")]
    max_commands: Option<u32>,

    /// Requests in a row that are refused as too many before their client is disconnected; 0 for
    /// no end.
    #[arg(long, value_name = "N", default_value = "100")]
    max_rate_limited: u32,

    /// New connections in a second, as many at once; beyond it they are told to come back later.
    /// No limit unless given.
    #[arg(long, value_name = "N")]
    max_connects_per_second: Option<NonZeroU32>,

    /// New connections in a second from one IPv4 address, or from one /64 of IPv6, as many at once;
    /// of a --trusted-proxy the clients are counted that it forwards. No limit unless given.
    #[arg(long, value_name = "N")]
    max_connects_per_ip: Option<NonZeroU32>,

    /// Leave the headers RateLimit and RateLimit-Policy out of responses.
    #[arg(long)]
    no_rate_limit_headers: bool,
}

/// Rate limits to begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Preset {
    Auto,
    Default,
    Forge,
    Off,
}

impl LimitOptions {
    /// Sets the limits on new connections.
    pub(crate) fn connects(&self, config: ServerConfig) -> ServerConfig {
        config
            .max_connects_per_ip(self.max_connects_per_ip)
            .max_connects_per_second(self.max_connects_per_second)
    }

    /// Sets the limits of a server that is reached from other machines, or not.
    pub(crate) fn configure(&self, builder: GatewayBuilder, is_public: bool) -> GatewayBuilder {
        let preset = match self.rate_limits {
            Preset::Auto if is_public => Preset::Default,
            Preset::Auto => Preset::Off,
            preset => preset,
        };
        let limits = match preset {
            Preset::Default => Limit::defaults(),
            Preset::Forge => Limit::reference(),
            Preset::Auto | Preset::Off => Vec::new(),
        };
        let mut builder = limits.into_iter().fold(builder, GatewayBuilder::limit);
        if let Some(commands) = self.max_commands {
            builder = builder.max_commands(NonZeroU32::new(commands));
        }
        let limits = self.rate_limit.iter().cloned();
        limits
            .fold(builder, GatewayBuilder::limit)
            .max_rate_limited(NonZeroU32::new(self.max_rate_limited))
            .rate_limit_headers(!self.no_rate_limit_headers)
    }
}
