//! Authentication: the credentials that are accepted, and what they are good for.

use std::error::Error;
use std::future;
use std::num::NonZeroUsize;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use throng::GatewayBuilder;
use throng::channels::PrivateChannels;
use throng::policy::ApiKeys;
use throng::policy::Revocations;
use throng::policy::RevocationsConfig;
use throng::policy::SubscriptionTokens;
use throng::policy::jwt::Algorithm;
#[cfg(feature = "jwks")]
use throng::policy::jwt::JwksUrl;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::Keys;
use throng::session::Permissions;
use throng::session::Right;
use throng::transport::Lobby;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::info;
use tracing::warn;

use crate::cli::millis;

/// The credentials that are accepted.
#[derive(Debug, Args)]
pub(crate) struct AuthOptions {
    /// File with the secret that tokens (JWT) are signed with, of 32 bytes or more; white space at
    /// its end does not count. It is read again on SIGHUP, as the other files with keys are.
    #[arg(long, value_name = "FILE", group = "jwt")]
    jwt_secret_file: Option<PathBuf>,

    /// PEM file with the public key that tokens are verified with.
    #[arg(long, value_name = "FILE", group = "jwt", requires = "jwt_algorithm")]
    jwt_key_file: Option<PathBuf>,

    /// Algorithm of the tokens: HS256 for a secret, unless given. What a token says of it does not
    /// choose.
    #[arg(long, value_name = "NAME")]
    jwt_algorithm: Option<Algorithm>,

    /// File with a JSON Web Key Set that tokens are verified with.
    #[arg(long, value_name = "FILE", group = "jwt")]
    jwks_file: Option<PathBuf>,

    /// URL of a JSON Web Key Set: https, or http to this machine.
    #[arg(long, value_name = "URL", group = "jwt")]
    jwks_url: Option<String>,

    /// Audience of which tokens must name one; may be given several times. Without it, tokens that
    /// name an audience are refused.
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_audience: Vec<String>,

    /// Issuer of tokens; may be given several times. Any unless given.
    #[arg(long, value_name = "NAME", requires = "jwt")]
    jwt_issuer: Vec<String>,

    /// File with API keys, as `throng key` makes it.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,

    /// Permissions of clients without credentials, over WebSocket and event streams; they are
    /// refused unless given. Rights are sub, pub, read and rooms, each with a pattern:
    /// sub=news.>,read=news.>
    #[arg(long, value_name = "RIGHT=PATTERN,...", value_parser = permissions)]
    guest_permissions: Option<Permissions>,

    /// Accept tokens in the query, as ?token=, where they are likely to end up in logs. Tickets are
    /// always accepted there.
    #[arg(long)]
    token_in_query: bool,

    /// Cookie that credentials may be in, of requests by the server's own pages and those of
    /// --allow-origin.
    #[arg(long, value_name = "NAME")]
    auth_cookie: Option<String>,

    /// Refuse each request from the moment at which the token of its connection has expired, and
    /// not only at the end of the connection.
    #[arg(long)]
    validate_on_message: bool,

    /// Channels that belong to one user each: a pattern in which {user} stands for the user, such
    /// as user.{user}.>; may be given several times. No other user can join them, publish to them
    /// or read about them.
    #[arg(long, value_name = "PATTERN", value_parser = PrivateChannels::parse)]
    private_channel: Vec<PrivateChannels>,

    /// Milliseconds that a decision about credentials may take.
    #[arg(long, value_name = "MS", default_value = "1000", value_parser = millis)]
    auth_timeout: Duration,

    /// Milliseconds that a WebSocket connection may take to show credentials.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = millis)]
    lobby_timeout: Duration,

    /// WebSocket connections at a time that have not shown credentials yet.
    #[arg(long, value_name = "N", default_value = "1024")]
    max_lobby: NonZeroUsize,

    /// Connections there from one IPv4 address, or from one /64 of IPv6.
    #[arg(long, value_name = "N", default_value = "16")]
    max_lobby_per_ip: NonZeroUsize,

    /// Revocations at a time; beyond it, revoking is refused.
    #[arg(long, value_name = "N", default_value = "100000")]
    max_revocations: NonZeroUsize,
}

/// The credentials, read.
pub(crate) struct Auth {
    jwt: Option<Jwt>,
    keys: Option<Keys>,
    api_keys: Option<ApiKeys>,
    revocations: Revocations,
    /// SIGHUP, if there is anything to read again.
    again: Option<Signal>,
}

impl AuthOptions {
    /// Returns whether clients and callers of the API have to show credentials.
    pub(crate) fn is_on(&self) -> bool {
        self.has_tokens() || self.api_key_file.is_some()
    }

    fn has_tokens(&self) -> bool {
        self.jwt_secret_file.is_some()
            || self.jwt_key_file.is_some()
            || self.jwks_file.is_some()
            || self.jwks_url.is_some()
    }

    /// Reads the keys; revocations are kept in `data`, if there is such a folder.
    pub(crate) fn read(&self, data: Option<&Path>) -> Result<Auth, Box<dyn Error>> {
        let keys = self.keys()?;
        let jwt = keys.clone().map(|keys| {
            let audiences = self.jwt_audience.iter();
            let jwt = audiences.fold(Jwt::keys(keys), |jwt, name| jwt.audience(name.as_str()));
            let issuers = self.jwt_issuer.iter();
            issuers.fold(jwt, |jwt, name| jwt.issuer(name.as_str()))
        });
        let api_keys = self.api_key_file.as_ref();
        let api_keys = api_keys.map(|path| {
            let read = ApiKeys::from_file(path);
            read.map_err(|error| format!("{}: {error}", path.display()))
        });
        let config = RevocationsConfig::new().max_entries(self.max_revocations.get());
        let revocations = match data.filter(|_| self.is_on()) {
            Some(folder) => Revocations::open(folder, config)?,
            None => Revocations::new(config),
        };
        let again = self.is_on().then(|| signal(SignalKind::hangup()));
        Ok(Auth {
            jwt,
            keys,
            api_keys: api_keys.transpose()?,
            revocations,
            again: again.transpose()?,
        })
    }

    fn keys(&self) -> Result<Option<Keys>, Box<dyn Error>> {
        let named = |path: &Path, error: &dyn Error| format!("{}: {error}", path.display());
        let secret = self.jwt_algorithm.unwrap_or(Algorithm::Hs256);
        let read = if let Some(path) = &self.jwt_secret_file {
            Keys::from_secret_file(path, secret).map_err(|error| named(path, &error))?
        } else if let (Some(path), Some(algorithm)) = (&self.jwt_key_file, self.jwt_algorithm) {
            Keys::from_pem_file(path, algorithm).map_err(|error| named(path, &error))?
        } else if let Some(path) = &self.jwks_file {
            Keys::from_jwks_file(path).map_err(|error| named(path, &error))?
        } else if let Some(url) = &self.jwks_url {
            from_url(url)?
        } else {
            return Ok(None);
        };
        Ok(Some(read))
    }

    /// Sets what these options say.
    pub(crate) fn configure(&self, builder: GatewayBuilder, auth: &Auth) -> GatewayBuilder {
        let lobby = Lobby::new()
            .timeout(self.lobby_timeout)
            .max_connections(self.max_lobby.get())
            .max_per_address(self.max_lobby_per_ip.get());
        let mut builder = builder
            .auth_timeout(self.auth_timeout)
            .lobby(lobby)
            .token_in_query(self.token_in_query)
            .validate_on_message(self.validate_on_message)
            .revocations(auth.revocations.clone());
        if let Some(jwt) = &auth.jwt {
            builder = builder
                .authenticator(jwt.clone())
                .subscription_tokens(SubscriptionTokens::new(jwt.clone()));
        }
        if let Some(keys) = &auth.api_keys {
            builder = builder.authenticator(keys.clone());
        }
        if let Some(permissions) = &self.guest_permissions {
            builder = builder.guests(permissions.clone());
        }
        if let Some(cookie) = &self.auth_cookie {
            builder = builder.auth_cookie(cookie.as_str());
        }
        let private = self.private_channel.iter().cloned();
        private.fold(builder, GatewayBuilder::private_channels)
    }
}

impl Auth {
    /// Fetches keys from a URL, so that a wrong one is noticed now.
    pub(crate) async fn fetch(&self) {
        #[cfg(feature = "jwks")]
        if let Some(keys) = &self.keys
            && let Err(error) = keys.refresh().await
        {
            warn!("the keys of tokens could not be fetched, and tokens are refused: {error}");
        }
    }

    /// Reads the files with keys again whenever SIGHUP comes. Never ends.
    pub(crate) async fn reload_when_told(&mut self) -> ! {
        loop {
            match &mut self.again {
                Some(again) => again.recv().await,
                None => future::pending().await,
            };
            let tokens = self.keys.as_ref().map(Keys::reload);
            match tokens.transpose() {
                Ok(Some(())) => info!("the keys of tokens were read again"),
                Ok(None) => {}
                Err(error) => warn!("the keys of tokens stay the old ones: {error}"),
            }
            let api_keys = self.api_keys.as_ref().map(ApiKeys::reload);
            match api_keys.transpose() {
                Ok(Some(())) => info!("the API keys were read again"),
                Ok(None) => {}
                Err(error) => warn!("the API keys stay the old ones: {error}"),
            }
        }
    }
}

#[cfg(feature = "jwks")]
fn from_url(url: &str) -> Result<Keys, Box<dyn Error>> {
    Ok(Keys::from_url(JwksUrl::parse(url)?)?)
}

#[cfg(not(feature = "jwks"))]
fn from_url(_: &str) -> Result<Keys, Box<dyn Error>> {
    Err("--jwks-url needs a throng that was built with the feature `jwks`".into())
}

/// Permissions such as `sub=news.>,read=news.>`.
fn permissions(text: &str) -> Result<Permissions, String> {
    let mut permissions = Permissions::none();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (right, pattern) = part
            .split_once('=')
            .ok_or("use RIGHT=PATTERN, with commas between them")?;
        let right = match right {
            "sub" => Right::Subscribe,
            "pub" => Right::Publish,
            "read" => Right::Read,
            "rooms" => Right::Rooms,
            _ => return Err(format!("`{right}` is none of sub, pub, read and rooms")),
        };
        let allowed = permissions.allow(right, pattern);
        permissions = allowed.map_err(|error| format!("`{pattern}`: {error}"))?;
    }
    Ok(permissions)
}
