//! The documents of the operations, read by programs of other make.

use std::process::Command;
use std::process::Output;

use crate::binary::Throng;

use super::programs::asyncapi_parser;
use super::programs::schemathesis;
use super::programs::script;

/// Has thousands of requests made up from the document, valid ones and others, for 40 seconds.
#[test]
fn schemathesis_meets_no_server_error_and_no_undeclared_answer() {
    let Some(program) = schemathesis() else {
        return;
    };
    let throng = Throng::start(&[]);
    let document = format!("http://{}/api/v1/openapi.json", throng.address);
    let checks = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ];
    let mut run = Command::new(program);
    // It leaves a folder behind.
    run.current_dir(env!("CARGO_TARGET_TMPDIR"));
    run.args(["run", &document, "--checks", &checks.join(",")]);
    run.args(["--phases", "examples,coverage,fuzzing", "--max-time", "40"]);
    run.args(["--seed", "1", "--no-color", "--continue-on-failure"]);
    run.args(["--generation-database", "none"]);
    let said = passes(&mut run);
    let tested = said.lines().find(|line| line.contains("Tested:"));
    let tested = tested.and_then(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    assert!(tested > Some(115), "{said}");
}

#[test]
fn the_parser_of_asyncapi_takes_the_document() {
    let Some(modules) = asyncapi_parser() else {
        return;
    };
    let throng = Throng::start(&[]);
    let document = format!("http://{}/asyncapi.json", throng.address);
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules);
    passes(node.arg(script("asyncapi.cjs")).arg(document));
}

/// Runs a program that has to succeed, and returns what it has printed.
fn passes(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    let error = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{said}\n{error}");
    said
}
