//! What the server starts with, and what it refuses to start with.

use std::process::Command;
use std::process::Output;

use crate::binary::Throng;

/// Starts the binary with arguments that keep it from serving.
fn refused(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.arg("serve").args(arguments).output().unwrap()
}

#[test]
fn t12_no_other_address_than_loopback_is_served_without_authentication() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let output = refused(&["--listen", address]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert_eq!(output.stdout, b"", "it never listened");
        for flag in ["--jwt-secret-file", "--api-key-file", "--insecure", address] {
            assert!(said.contains(flag), "{flag}: {said}");
        }
    }
    // Who means it is served.
    let throng = Throng::start_at("0.0.0.0:0", &["--insecure"]);
    assert_eq!(throng.get("/healthz").status, 200);
}

#[test]
fn with_authentication_any_address_is_served() {
    let name = format!("throng-edge-{}.secret", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, "a secret of more than thirty-two bytes\n").unwrap();
    let secret = file.to_str().unwrap();
    let throng = Throng::start_at("0.0.0.0:0", &["--jwt-secret-file", secret]);
    std::fs::remove_file(&file).unwrap();
    for (path, status) in [("/live", 200), ("/ready", 200), ("/api/v1/stats", 401)] {
        assert_eq!(throng.get(path).status, status, "{path}");
    }
    // A proxy is as good as any other client; what it says is not believed.
    let proxied = [("x-forwarded-for", "192.0.2.1")];
    let answer = throng.request("GET", "/live", &proxied, b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn loopback_starts_with_one_line_of_warning() {
    let script = "exec \"$0\" --listen 127.0.0.1:0 2>&1 >/dev/null";
    let mut server = Command::new("timeout")
        .args(["2", "sh", "-c", script, env!("CARGO_BIN_EXE_throng")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut server.stdout.take().unwrap(), &mut said).unwrap();
    server.wait().unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("warning: no authentication"), "{said}");
}

#[test]
fn options_that_mean_nothing_are_refused_at_the_start() {
    for (arguments, named) in [
        (["--host", "https://example.com"], "https://example.com"),
        (["--host", "a.*"], "a.*"),
        (["--trusted-proxy", "proxy.example"], "proxy.example"),
        (["--trusted-proxy", "10.0.0.0/40"], "10.0.0.0/40"),
    ] {
        let output = refused(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(named), "{said}");
    }
}
