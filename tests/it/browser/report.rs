//! The report of `throng tune` in a real browser: what it shows, light and dark, that it is
//! accessible, and that it loads nothing; and its script under the compiler of TypeScript.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;
use serde_json::json;

use crate::bench_pages::ws_page;
use crate::clients::axe;
use crate::clients::tsc;
use crate::tune::report::tuned;

use super::browser;
use super::devtools::Browser;
use super::devtools::Tab;

/// Serves a page for as long as the tests run. It answers every request so: one that asks for more
/// than the page is seen by what the page says of it.
pub(crate) fn serve(html: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            drop(stream.read(&mut request));
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                html.len()
            );
            drop(stream.write_all(head.as_bytes()));
            drop(stream.write_all(html.as_bytes()));
        }
    });
    address
}

/// Takes a picture of the whole page into `target/`.
pub(crate) fn picture(browser: &mut Browser, tab: &Tab, width: u32, scheme: &str, name: &str) {
    drop(browser.screenshot(tab, (width, 900), scheme));
    let height = browser.evaluate(tab, "document.documentElement.scrollHeight");
    let height = u32::try_from(height.as_u64().unwrap()).unwrap();
    let png = browser.screenshot(tab, (width, height), scheme);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    fs::write(target.join(name), &png).unwrap();
    assert!(
        png.len() > 60_000,
        "an empty page takes less than {} bytes",
        png.len()
    );
}

/// What axe-core finds on a page, in both colour schemes.
pub(crate) fn violations(browser: &mut Browser, tab: &Tab) -> Vec<String> {
    let Some(axe) = axe() else { return Vec::new() };
    let script = fs::read_to_string(axe).unwrap();
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        drop(browser.screenshot(tab, (1_320, 900), scheme));
        browser.evaluate(tab, &format!("(() => {{ {script}\n }})()"));
        let run = "axe.run(document).then(result => result.violations.map(it =>
            it.id + ': ' + it.nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' | ')))";
        let violations = browser.evaluate(tab, run);
        let violations = violations.as_array().unwrap().iter();
        found.extend(violations.map(|it| format!("{scheme}: {it}")));
    }
    found
}

/// The addresses that a page has loaded, itself left out.
pub(crate) fn loaded(browser: &mut Browser, tab: &Tab) -> Value {
    let script = "performance.getEntriesByType('resource').map(it => it.name).filter(it => !it.endsWith('favicon.ico'))";
    browser.evaluate(tab, script)
}

#[test]
fn the_report_of_tune_shows_the_recommendation_and_is_accessible() {
    let Some(mut browser) = browser("tune") else {
        return;
    };
    let tuning = tuned();
    let address = serve(tuning.to_html(None));
    let tab = browser.open(&format!("http://{address}/"));
    let outbox = tuning.best().unwrap().figures.setting.outbox;
    let verdict = browser.evaluate(&tab, "document.querySelector('.rec h2').textContent");
    assert!(
        verdict
            .as_str()
            .unwrap()
            .contains(&format!("{outbox} messages")),
        "{verdict}"
    );
    let charts = browser.evaluate(&tab, "document.querySelectorAll('svg').length");
    assert_eq!(charts, 4);
    assert_eq!(loaded(&mut browser, &tab), json!([]));
    // A cross-hair by the keyboard: the figures of the first step.
    let key = "(() => { const chart = document.querySelector('svg'); chart.focus();
        chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
        return document.querySelector('.tip').textContent; })()";
    let tip = browser.evaluate(&tab, key);
    assert!(
        tip.as_str()
            .unwrap()
            .starts_with("outbox 16\nkeep latest  "),
        "{tip}"
    );
    browser.evaluate(&tab, "document.activeElement.blur()");

    picture(&mut browser, &tab, 1_320, "light", "tune-light.png");
    picture(&mut browser, &tab, 1_320, "dark", "tune-dark.png");
    picture(&mut browser, &tab, 390, "light", "tune-narrow.png");
    let violations = violations(&mut browser, &tab);
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn the_pages_of_benchmarks_are_accessible() {
    let Some(mut browser) = browser("bench") else {
        return;
    };
    let address = serve(ws_page());
    let tab = browser.open(&format!("http://{address}/"));
    assert_eq!(loaded(&mut browser, &tab), json!([]));
    picture(&mut browser, &tab, 1_320, "light", "bench-light.png");
    picture(&mut browser, &tab, 1_320, "dark", "bench-dark.png");
    let violations = violations(&mut browser, &tab);
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn what_is_not_accessible_is_found() {
    let Some(mut browser) = browser("axe") else {
        return;
    };
    let address =
        serve("<!doctype html><title>x</title><main><h1>x</h1><button></button></main>".to_owned());
    let tab = browser.open(&format!("http://{address}/"));
    let violations = violations(&mut browser, &tab);
    let is_there = axe().is_some();
    assert_eq!(
        violations.iter().any(|it| it.contains("button-name")),
        is_there,
        "{violations:#?}"
    );
}

#[test]
fn the_script_of_reports_passes_the_compiler() {
    let Some(tsc) = tsc() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/script.js");
    let output = Command::new(&tsc)
        .args([
            "--noEmit",
            "--allowJs",
            "--checkJs",
            "--strict",
            "--target",
            "es2022",
        ])
        .args([
            "--noUncheckedIndexedAccess",
            "--lib",
            "es2022,dom,dom.iterable",
            "--types",
            "",
        ])
        .arg(script)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
