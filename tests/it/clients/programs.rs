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
    let there = succeeds(Command::new("node").arg("--version")) && modules.join("ws").is_dir();
    there.then_some(modules).or_else(|| skip("node with ws"))
}

/// A Python that has the package `websockets`; else as [`node_modules`].
pub(crate) fn python() -> Option<PathBuf> {
    let python = folder().join("venv/bin/python");
    let there = succeeds(Command::new(&python).args(["-c", "import websockets.asyncio.client"]));
    there
        .then_some(python)
        .or_else(|| skip("python with websockets"))
}

/// The script of axe-core, which finds what is not accessible on a page; else as [`node_modules`].
pub(crate) fn axe() -> Option<PathBuf> {
    let script = folder().join("node_modules/axe-core/axe.min.js");
    script
        .is_file()
        .then_some(script)
        .or_else(|| skip("axe-core"))
}

/// The compiler of TypeScript, which checks scripts as well; else as [`node_modules`].
pub(crate) fn tsc() -> Option<PathBuf> {
    let tsc = folder().join("node_modules/.bin/tsc");
    let there = succeeds(Command::new(&tsc).arg("--version"));
    there.then_some(tsc).or_else(|| skip("typescript"))
}

/// The command of schemathesis, which makes requests up from an OpenAPI document; else as
/// [`node_modules`].
pub(super) fn schemathesis() -> Option<PathBuf> {
    let program = folder().join("venv/bin/schemathesis");
    let there = succeeds(Command::new(&program).arg("--version"));
    there.then_some(program).or_else(|| skip("schemathesis"))
}

/// Node's modules, when the parser of AsyncAPI is among them; else as [`node_modules`].
pub(super) fn asyncapi_parser() -> Option<PathBuf> {
    let modules = node_modules()?;
    let there = modules.join("@asyncapi/parser").is_dir();
    there
        .then_some(modules)
        .or_else(|| skip("@asyncapi/parser"))
}

/// A file of this folder.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/clients")
        .join(name)
}

/// Where the clients are installed, outside of what is committed.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("clients")
}

/// Says that a test is skipped for want of a program; fails if none may be.
fn skip<T>(what: &str) -> Option<T> {
    assert!(
        env::var_os("THRONG_REQUIRE_ALL").is_none(),
        "{what} is not installed: see `.ci/run install`"
    );
    println!("skipped: {what} not installed");
    None
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
