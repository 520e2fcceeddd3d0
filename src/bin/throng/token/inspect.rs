//! `throng token inspect`.

use std::error::Error;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use throng::Timestamp;
use throng::UserId;
use throng::policy::SubscriptionTokens;
use throng::policy::jwt;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::Keys;

use crate::key;
use crate::span;

use super::algorithm;

/// The token to look into, and the key to check it with.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Token; read from the standard input if not given, where other users of the machine do not
    /// see it.
    #[arg(value_name = "TOKEN")]
    token: Option<String>,

    /// Algorithm of the key; that of the server, not the one that the token names.
    #[arg(long, value_name = "ALG", default_value = "HS256", value_parser = algorithm)]
    alg: Algorithm,

    /// File with the secret to check the signature with.
    #[arg(long, value_name = "FILE", group = "key")]
    secret_file: Option<PathBuf>,

    /// PEM file with the public key to check the signature with.
    #[arg(long, value_name = "FILE", group = "key")]
    key_file: Option<PathBuf>,

    /// File with a JSON Web Key Set to check the signature with.
    #[arg(long, value_name = "FILE", group = "key")]
    jwks_file: Option<PathBuf>,

    /// Audience that the token must name; whichever it names if not given.
    #[arg(long, value_name = "NAME")]
    aud: Option<String>,

    /// Issuer that the token must be by; whichever it is by if not given.
    #[arg(long, value_name = "NAME")]
    iss: Option<String>,
}

/// The longest token that is read.
const MAX_TOKEN: u64 = 1 << 20;

pub(super) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let token = match &options.token {
        Some(token) => token.clone(),
        None => {
            let mut token = String::new();
            io::stdin().take(MAX_TOKEN).read_to_string(&mut token)?;
            token
        }
    };
    let token = token.trim();
    let (header, claims) = jwt::unverified(token)?;
    let mut out = io::stdout().lock();
    writeln!(out, "header: {header:#}")?;
    writeln!(out, "claims: {claims:#}")?;
    for (claim, label) in [("iat", "issued"), ("nbf", "not before"), ("exp", "expires")] {
        if let Some(at) = claims.get(claim).and_then(Value::as_f64) {
            writeln!(out, "{label}: {}", moment(at))?;
        }
    }
    if claims.get("exp").is_none() {
        writeln!(out, "expires: never")?;
    }
    let keys = match (&options.secret_file, &options.key_file, &options.jwks_file) {
        (Some(path), _, _) => Keys::from_secret_file(path, options.alg)?,
        (_, Some(path), _) => Keys::from_pem_file(path, options.alg)?,
        (_, _, Some(path)) => Keys::from_jwks_file(path)?,
        (None, None, None) => {
            writeln!(out, "result: not checked; give the key to check it")?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    match check(token, &claims, keys, options) {
        Ok(()) => {
            writeln!(out, "result: valid")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            writeln!(out, "result: refused: {reason}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn check(token: &str, claims: &Value, keys: Keys, options: &Options) -> Result<(), String> {
    let mut jwt = Jwt::keys(keys).guests(true).without_expiry(true);
    match (&options.aud, &claims["aud"]) {
        (Some(name), _) => jwt = jwt.audience(name.as_str()),
        (None, Value::String(name)) => jwt = jwt.audience(name.as_str()),
        (None, Value::Array(names)) => {
            for name in names.iter().filter_map(Value::as_str) {
                jwt = jwt.audience(name);
            }
        }
        (None, _) => {}
    }
    if let Some(name) = &options.iss {
        jwt = jwt.issuer(name.as_str());
    }
    let checked = match &claims["channel"] {
        Value::String(channel) => {
            let user = claims["sub"].as_str().map(UserId::parse).transpose();
            let user = user.map_err(|error| error.to_string())?;
            let tokens = SubscriptionTokens::new(jwt);
            tokens.check(token, user.as_ref(), channel).map(drop)
        }
        _ => jwt.check(token).map(drop),
    };
    checked.map_err(|refusal| refusal.reason().to_owned())
}

/// Writes a time, and how far away it is.
fn moment(seconds: f64) -> String {
    let at = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    let now = key::unix();
    let distance = match at.checked_sub(now) {
        Some(ahead) => format!("in {}", span::text(ahead)),
        None => format!("{} ago", span::text(now.saturating_sub(at))),
    };
    // Years of more than four digits are no dates of RFC 3339.
    match at < Duration::from_secs(253_402_300_800) {
        true => format!("{} ({distance})", Timestamp::since_unix_epoch(at)),
        false => distance,
    }
}
