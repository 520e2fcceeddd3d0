//! `throng token` and `throng key`, run as a person would run them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use throng::policy::ApiKeys;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::Keys;
use throng::session::Right;

/// A directory of a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("credentials-{name}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The output of a command, and whether it succeeded.
struct Ran {
    out: String,
    err: String,
    succeeded: bool,
}

fn throng(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(arguments).current_dir(folder);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended without reading.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    Ran {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        succeeded: output.status.success(),
    }
}

/// Runs a command that must succeed, and returns what it prints, without white space at its end.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let ran = throng(folder, arguments, "");
    assert!(ran.succeeded, "{arguments:?}: {}", ran.err);
    ran.out.trim_end().to_owned()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let ran = throng(folder, arguments, "");
    assert!(!ran.succeeded, "{arguments:?}: {}", ran.out);
    ran.err
}

const SECRET: &str = "a secret of the tests, with more than 32 bytes\n";

#[test]
fn a_token_that_is_made_is_accepted_and_shown() {
    let folder = folder("token");
    fs::write(folder.join("secret"), SECRET).unwrap();
    let arguments = [
        "token",
        "make",
        "--secret-file",
        "secret",
        "--sub",
        "ada",
        "--ttl",
        "15m",
        "--jti",
        "t1",
        "--aud",
        "chat",
        "--iss",
        "me",
        "--kid",
        "k1",
        "--channel",
        "news",
        "--channel",
        "a.>",
        "--perm",
        "sub=news.>",
        "--perm",
        "sub=lobby",
        "--perm",
        "pub=lobby",
        "--info",
        r#"{"name": "Ada"}"#,
    ];
    let token = printed(&folder, &arguments);
    let keys = Keys::from_secret_file(folder.join("secret"), Algorithm::Hs256).unwrap();
    let identity = Jwt::keys(keys)
        .audience("chat")
        .issuer("me")
        .check(&token)
        .unwrap();
    assert_eq!(identity.user().unwrap().as_str(), "ada");
    assert_eq!(identity.token(), Some("t1"));
    assert_eq!(identity.member_info(), Some(r#"{"name":"Ada"}"#));
    assert_eq!(identity.subscriptions().collect::<Vec<_>>(), ["news"]);
    assert_eq!(identity.patterns()[0].text(), "a.>");
    assert!(identity.may(Right::Subscribe, "lobby") && identity.may(Right::Publish, "lobby"));
    assert!(!identity.may(Right::Publish, "news.today"));

    let inspect = ["token", "inspect", "--secret-file", "secret"];
    let shown = throng(&folder, &inspect, &format!("{token}\n"));
    assert!(shown.succeeded, "{}", shown.err);
    for part in [
        "\"alg\": \"HS256\"",
        "\"kid\": \"k1\"",
        "\"sub\": \"ada\"",
        "expires: 20",
        "(in 14m ",
        "result: valid",
    ] {
        // A slow machine may have taken no second yet.
        let shown = shown.out.replace("(in 15m)", "(in 14m 59s)");
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let unchecked = printed(&folder, &["token", "inspect", &token]);
    assert!(unchecked.contains("result: not checked"), "{unchecked}");
}

#[test]
fn a_token_that_is_refused_is_shown_with_the_reason() {
    let folder = folder("refused");
    fs::write(folder.join("secret"), SECRET).unwrap();
    fs::write(folder.join("other"), SECRET.to_uppercase()).unwrap();
    let make = ["token", "make", "--secret-file", "secret", "--sub", "ada"];
    let token = printed(&folder, &make);
    let inspected = |token: &str, flags: &[&str]| {
        let arguments = [&["token", "inspect", token], flags].concat();
        let ran = throng(&folder, &arguments, "");
        (ran.succeeded, ran.out + &ran.err)
    };
    let (message, signature) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{message}.");
    let swapped: String = signature.chars().rev().collect();
    let swapped = format!("{message}.{swapped}");
    for (token, flags, expected) in [
        (
            &token,
            ["--secret-file", "other"],
            "signature does not match",
        ),
        (
            &unsigned,
            ["--secret-file", "secret"],
            "signature does not match",
        ),
        (&swapped, ["--secret-file", "secret"], "signature"),
        (
            &"x.y.z".to_owned(),
            ["--secret-file", "secret"],
            "not a token",
        ),
        (&token, ["--secret-file", "none"], "cannot read none"),
    ] {
        let (succeeded, shown) = inspected(token, &flags);
        assert!(!succeeded && shown.contains(expected), "{shown}");
    }
    for (flags, expected) in [
        (
            ["--secret-file", "secret", "--alg", "HS512"],
            "algorithm is not that of the key",
        ),
        (
            ["--secret-file", "secret", "--aud", "chat"],
            "names no audience",
        ),
        (["--secret-file", "secret", "--iss", "me"], "another issuer"),
    ] {
        let (succeeded, shown) = inspected(&token, &flags);
        assert!(!succeeded && shown.contains(expected), "{shown}");
    }
    let ended = printed(
        &folder,
        &[&make[..], &["--ttl", "30s", "--jti", "x"]].concat(),
    );
    assert!(inspected(&ended, &["--secret-file", "secret"]).0);
}

#[test]
fn mistakes_in_making_a_token_are_named() {
    let folder = folder("mistakes");
    fs::write(folder.join("secret"), SECRET).unwrap();
    fs::write(folder.join("short"), "short").unwrap();
    let make = |flags: &[&str]| {
        let arguments = [&["token", "make"], flags].concat();
        refused(&folder, &arguments)
    };
    for (flags, expected) in [
        (&["--sub", "ada"][..], "--secret-file"),
        (&["--secret-file", "short"], "at least 32 bytes"),
        (
            &["--secret-file", "secret", "--alg", "ES256"],
            "not one for ES256",
        ),
        (
            &["--secret-file", "secret", "--alg", "none"],
            "unknown algorithm",
        ),
        (&["--key-file", "secret", "--alg", "ES256"], "PRIVATE KEY"),
        (
            &["--secret-file", "secret", "--ttl", "soon"],
            "30s, 15m, 12h or 90d",
        ),
        (
            &["--secret-file", "secret", "--perm", "fly=x"],
            "sub, pub, read",
        ),
        (
            &["--secret-file", "secret", "--perm", "sub=a..b"],
            "no empty segments",
        ),
        (&["--secret-file", "secret", "--info", "{"], "not JSON"),
        (&["--secret-file", "secret", "--sub", ""], "not a user id"),
        (&["--secret-file", "none"], "cannot read none"),
    ] {
        let error = make(flags);
        assert!(error.contains(expected), "{flags:?}: {error}");
        assert!(!error.contains("a secret of the tests"), "{error}");
    }
}

#[test]
fn a_private_key_signs_and_its_public_key_or_key_set_checks() {
    let folder = folder("pairs");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    fs::write(folder.join("private.pem"), pair.serialize_pem()).unwrap();
    fs::write(folder.join("public.pem"), pair.public_key_pem()).unwrap();
    let make = [
        "token",
        "make",
        "--alg",
        "ES256",
        "--key-file",
        "private.pem",
        "--sub",
        "ada",
    ];
    let token = printed(&folder, &make);
    let check = [
        "token",
        "inspect",
        &token,
        "--alg",
        "ES256",
        "--key-file",
        "public.pem",
    ];
    assert!(printed(&folder, &check).contains("result: valid"));

    let leave = [&make[..], &["--subscribe-to", "private-a"]].concat();
    let token = printed(&folder, &leave);
    let check = [
        "token",
        "inspect",
        &token,
        "--alg",
        "ES256",
        "--key-file",
        "public.pem",
    ];
    let shown = printed(&folder, &check);
    assert!(shown.contains("\"channel\": \"private-a\"") && shown.contains("result: valid"));
}

#[test]
fn keys_are_made_listed_rotated_and_revoked() {
    let folder = folder("keys");
    let path = folder.join("keys");
    let new = [
        "key", "new", "--file", "keys", "--id", "ops", "--scope", "publish",
    ];
    let first = printed(
        &folder,
        &[&new[..], &["--scope", "room.*", "--rate", "5"]].concat(),
    );
    assert!(first.starts_with("thr_ops_"), "{first}");
    let other = printed(
        &folder,
        &[
            "key", "new", "--file", "keys", "--scope", "*", "--ttl", "90d",
        ],
    );
    assert!(refused(&folder, &new).contains("two API keys have the id `ops`"));

    let keys = ApiKeys::from_file(&path).unwrap();
    assert!(accepts(&keys, &first) && accepts(&keys, &other));
    let listed = printed(&folder, &["key", "list", "--file", "keys"]);
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines[0], "ops  publish,room.*  5/s");
    assert!(lines[1].contains("  *  expires 20"), "{listed}");

    let rotate = ["key", "rotate", "--file", "keys", "ops"];
    let second = printed(&folder, &rotate);
    keys.reload().unwrap();
    assert!(accepts(&keys, &first) && accepts(&keys, &second));
    let listed = printed(&folder, &["key", "list", "--file", "keys"]);
    assert!(listed.contains("old secret valid until 20"), "{listed}");
    let third = printed(&folder, &[&rotate[..], &["--keep-old", "0s"]].concat());
    keys.reload().unwrap();
    assert!(!accepts(&keys, &first) && !accepts(&keys, &second) && accepts(&keys, &third));

    let revoke = ["key", "revoke", "--file", "keys", "ops"];
    printed(&folder, &revoke);
    keys.reload().unwrap();
    assert!(!accepts(&keys, &third) && accepts(&keys, &other));
    for gone in [&revoke[..], &rotate[..]] {
        assert!(refused(&folder, gone).contains("no key in this file has the id `ops`"));
    }
    let text = fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["scopes"][0], "*");
    assert!(
        !text.contains(other.rsplit('_').next().unwrap()),
        "the secret is not stored"
    );
}

/// Asks the library, which a server asks as well.
fn accepts(keys: &ApiKeys, secret: &str) -> bool {
    keys.check(secret).is_ok()
}

#[test]
fn mistakes_with_keys_are_named() {
    let folder = folder("key-mistakes");
    fs::write(folder.join("broken"), "{}\n").unwrap();
    for (arguments, expected) in [
        (&["new", "--file", "keys"][..], "--scope"),
        (&["new", "--scope", "*"], "--file"),
        (
            &["new", "--file", "keys", "--scope", "a..b"],
            "a scope is the name",
        ),
        (
            &["new", "--file", "keys", "--scope", "*", "--id", "A"],
            "a-z, 0-9 and -",
        ),
        (
            &["new", "--file", "keys", "--scope", "*", "--ttl", "1w"],
            "30s, 15m, 12h or 90d",
        ),
        (
            &["new", "--file", "no/keys", "--scope", "*"],
            "cannot read no/keys",
        ),
        (
            &["list", "--file", "broken"],
            "line 1, column 2 of the API keys",
        ),
    ] {
        let arguments = [&["key"], arguments].concat();
        let error = refused(&folder, &arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    assert!(!folder.join("keys").exists());
}
