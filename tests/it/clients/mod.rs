//! Programs of other make that the tests run, and where `.ci/run install` puts what they need.

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Node's modules, when node is installed and the npm package `ws` is among them; else says that
/// the test is skipped, which fails where nothing may be.
pub(crate) fn node_modules() -> Option<PathBuf> {
    let modules = folder().join("node_modules");
    let there = runs("node") && modules.join("ws").is_dir();
    there.then_some(modules).or_else(|| skip("node with ws"))
}

/// Says that a test is skipped for want of a program; fails if none may be.
pub(crate) fn skip<T>(what: &str) -> Option<T> {
    assert!(
        env::var_os("THRONG_REQUIRE_ALL").is_none(),
        "{what} is not installed: see `.ci/run install`"
    );
    println!("skipped: {what} not installed");
    None
}

/// Where the clients are installed, outside of what is committed.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("clients")
}

fn runs(program: impl AsRef<Path>) -> bool {
    let mut version = Command::new(program.as_ref());
    version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}
