//! Names the build, for `throng bench env`: the profile and the compiler.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rustc-env=THRONG_PROFILE={}", profile());
    println!("cargo::rustc-env=THRONG_RUSTC={}", rustc());
}

/// `.../dist/build/throng-.../out` is of the profile `dist`; `PROFILE` says only what that
/// inherits.
fn profile() -> String {
    let out = env::var("OUT_DIR").unwrap_or_default();
    let profile = Path::new(&out).ancestors().nth(3);
    let profile = profile.and_then(Path::file_name);
    profile.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn rustc() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    version.unwrap_or_default().trim().to_owned()
}
