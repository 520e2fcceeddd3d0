//! `throng token make`.

use std::error::Error;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgGroup;
use clap::Args;
use serde_json::Map;
use serde_json::Value;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::SigningKey;

use crate::key;
use crate::span;

use super::algorithm;
use super::read;

/// The token to make.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("key").required(true).args(["secret_file", "key_file"]))]
pub(crate) struct Options {
    /// Algorithm: HS256, HS384, HS512 with a secret; RS256 to RS512, PS256 to PS512, ES256, ES384
    /// or EdDSA with a private key.
    #[arg(long, value_name = "ALG", default_value = "HS256", value_parser = algorithm)]
    alg: Algorithm,

    /// File with the secret, at least 32 bytes; white space at its end does not count.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// PEM file with the private key (PKCS #8).
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Id of the key (`kid`), which a server with several keys needs.
    #[arg(long, value_name = "ID")]
    kid: Option<String>,

    /// User that the token is for (`sub`). Without it the token is for an anonymous client.
    #[arg(long, value_name = "USER")]
    sub: Option<String>,

    /// Time after which the token expires (`exp`), such as 30s, 15m, 12h or 90d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span::parse)]
    ttl: Duration,

    /// Id of the token (`jti`), by which it can be revoked.
    #[arg(long, value_name = "ID")]
    jti: Option<String>,

    /// Audience (`aud`); must be one that the server was told.
    #[arg(long, value_name = "NAME")]
    aud: Option<String>,

    /// Issuer (`iss`).
    #[arg(long, value_name = "NAME")]
    iss: Option<String>,

    /// Channel or pattern that the server subscribes the client to (`channels`); may be given
    /// several times.
    #[arg(long, value_name = "NAME")]
    channel: Vec<String>,

    /// Permission (`perms`): one of sub, pub, read, rooms and admin, and a pattern, such as
    /// `sub=news.>`; may be given several times. With any, the token has no other rights.
    #[arg(long, value_name = "RIGHT=PATTERN", value_parser = permission)]
    perm: Vec<(String, String)>,

    /// JSON that members of presence channels see of the user (`info`).
    #[arg(long, value_name = "JSON", value_parser = json)]
    info: Option<Value>,

    /// Make a token for a subscription to this one channel, in place of one for a connection.
    #[arg(long, value_name = "CHANNEL", conflicts_with_all = ["channel", "perm", "info"])]
    subscribe_to: Option<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let key = match (&options.secret_file, &options.key_file) {
        (Some(path), _) => SigningKey::secret(options.alg, read(path)?.trim_ascii_end())?,
        (None, Some(path)) => SigningKey::pem(options.alg, &read(path)?)?,
        (None, None) => return Err("a key is required".into()),
    };
    let key = match &options.kid {
        Some(id) => key.with_id(id.as_str()),
        None => key,
    };
    let token = key.sign(&claims(options))?;
    // A token that no server would accept is noticed here, not by its user.
    if options.subscribe_to.is_none() {
        let mut jwt = Jwt::keys(key.verifying_key()?).guests(true);
        if let Some(audience) = &options.aud {
            jwt = jwt.audience(audience.as_str());
        }
        jwt.check(&token)
            .map_err(|refusal| refusal.reason().to_owned())?;
    }
    writeln!(io::stdout(), "{token}")?;
    Ok(())
}

fn claims(options: &Options) -> Value {
    let now = key::unix();
    let mut claims = Map::new();
    let texts = [
        ("sub", &options.sub),
        ("jti", &options.jti),
        ("aud", &options.aud),
        ("iss", &options.iss),
        ("channel", &options.subscribe_to),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            claims.insert(name.into(), text.as_str().into());
        }
    }
    claims.insert("iat".into(), now.as_secs().into());
    claims.insert("exp".into(), (now + options.ttl).as_secs().into());
    if !options.channel.is_empty() {
        claims.insert("channels".into(), options.channel.clone().into());
    }
    if !options.perm.is_empty() {
        let mut rights: Map<String, Value> = Map::new();
        for (right, pattern) in &options.perm {
            let patterns = rights
                .entry(right)
                .or_insert_with(|| Vec::<Value>::new().into());
            if let Value::Array(patterns) = patterns {
                patterns.push(pattern.as_str().into());
            }
        }
        claims.insert("perms".into(), rights.into());
    }
    if let Some(info) = &options.info {
        claims.insert("info".into(), info.clone());
    }
    claims.into()
}

fn permission(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((right @ ("sub" | "pub" | "read" | "rooms" | "admin"), pattern)) => {
            Ok((right.to_owned(), pattern.to_owned()))
        }
        _ => Err("use sub, pub, read, rooms or admin, `=` and a pattern".to_owned()),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}
