//! The reports: for a terminal of 80 columns, and JSON.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use throng::SlowConsumer;
use throng::tune::Scenario;
use throng::tune::Terminal;
use throng::tune::Tuning;

use super::ticker;

/// One sweep for all tests here.
pub(crate) fn tuned() -> &'static Tuning {
    static TUNED: OnceLock<Tuning> = OnceLock::new();
    TUNED.get_or_init(|| Tuning::run(&ticker(), |_| ()).unwrap())
}

/// Compares a text with the file that says how it should be; with `THRONG_BLESS` it is written
/// instead.
fn assert_snapshot(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/tune/snapshots")
        .join(name);
    if std::env::var_os("THRONG_BLESS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{} should be\n{text}", file.display());
}

#[test]
fn the_terminal_of_80_columns_reads_like_the_specification() {
    let tuning = tuned();
    let terminal = Terminal::new(80, false);
    let text = format!(
        "{}\n{}",
        tuning.scenario.to_terminal(terminal),
        tuning.to_terminal(terminal)
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_snapshot("ticks.txt", &text);
}

#[test]
fn colours_change_no_column() {
    let tuning = tuned();
    let plain = tuning.to_terminal(Terminal::new(80, false));
    let coloured = tuning.to_terminal(Terminal::new(80, true));
    assert!(coloured.contains("\x1b[32m▶"), "the best is green");
    assert_eq!(without_colours(&coloured), plain);
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn where_nothing_passes_the_bound_and_the_class_are_named() {
    let mut scenario = ticker();
    scenario.duration = Duration::from_secs(12);
    scenario.sweep.outbox = vec![16];
    scenario.sweep.policy = vec![SlowConsumer::DropNewest];
    scenario.sweep.unsent_mark = vec![16 << 10];
    let tuning = Tuning::run(&scenario, |_| ()).unwrap();
    assert!(tuning.best().is_none());
    let advice = tuning.advice();
    assert_eq!(advice.setting, None);
    let text = tuning.to_terminal(Terminal::new(80, false));
    assert!(text.contains("No setting keeps every bound."), "{text}");
    assert!(
        text.contains("clients lose") && text.contains("(the bound is 1.0 %)"),
        "{text}"
    );
    // What would pass, passes.
    let reason = advice
        .reasons
        .iter()
        .find(|reason| reason.topic == "would pass")
        .unwrap();
    let bounds = reason
        .text
        .replace("[bounds] ", "[bounds]\n")
        .replace(", ", "\n");
    scenario.bounds = Scenario::from_toml(&bounds).unwrap().bounds;
    assert!(
        Tuning::run(&scenario, |_| ()).unwrap().best().is_some(),
        "{bounds}"
    );
}

#[test]
fn the_recommendation_passes_and_its_reasons_are_figures_of_other_settings() {
    let tuning = tuned();
    let best = tuning.best().unwrap();
    assert!(best.broken.is_empty());
    let advice = tuning.advice();
    assert_eq!(advice.setting, Some(best.figures.setting));
    let topics: Vec<_> = advice
        .reasons
        .iter()
        .map(|reason| reason.topic.as_str())
        .collect();
    let outbox = format!("why {}", best.figures.setting.outbox);
    assert_eq!(topics, [&outbox, "why latest", "why a mark", "defaults"]);
    assert!(
        advice.beware[0].starts_with("weak clients get"),
        "{:?}",
        advice.beware
    );
    let outbox = best.figures.setting.outbox;
    assert!(
        advice.code.contains(&format!(".messages({outbox})")),
        "{}",
        advice.code
    );
    assert!(
        advice
            .command
            .contains(&format!("--outbox-messages {outbox} ")),
        "{}",
        advice.command
    );
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let html = tuned().to_html(None);
    for elsewhere in [
        "http:", "https:", "src=", "href=", "url(", "@import", "<link", "<iframe", "fetch(",
    ] {
        // The namespace of SVG is a name and no address.
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
    assert!(
        html.contains("default-src 'none'"),
        "and the browser would not let it"
    );
    assert_eq!(html, tuned().to_html(None), "the same bytes");
}

#[test]
fn a_name_is_text_whatever_it_looks_like() {
    let mut tuning = tuned().clone();
    tuning.scenario.clients[0].name = "<b>\"x\"&".to_owned();
    let html = tuning.to_html(None);
    assert!(!html.contains("<b>\"x\""));
    assert!(html.contains("&lt;b&gt;&quot;x&quot;&amp;: lost"));
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(Tuning::JSON_SCHEMA).unwrap();
    let json: Value = serde_json::from_str(&tuned().to_json(None)).unwrap();
    let mut findings = Vec::new();
    check(&schema, &schema, &json, "report", &mut findings);
    assert!(findings.is_empty(), "{findings:#?}");
    let mut broken = json;
    broken["ranked"][0]["seeds"] = Value::from("two");
    broken["advice"]["verdict"] = Value::Null;
    check(&schema, &schema, &broken, "report", &mut findings);
    assert_eq!(findings.len(), 2, "what is wrong is found: {findings:?}");
}

/// As much of JSON Schema as ours uses; a property that it does not name is a finding as well.
fn check(root: &Value, schema: &Value, value: &Value, at: &str, findings: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return check(root, target, value, at, findings);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let passes = |choice: &Value| {
            let mut inner = Vec::new();
            check(root, choice, value, at, &mut inner);
            inner.is_empty()
        };
        if choices.iter().filter(|choice| passes(choice)).count() != 1 {
            findings.push(format!("{at} is not one of the choices"));
        }
        return;
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => {
            let listed = schema["enum"]
                .as_array()
                .is_none_or(|list| list.contains(value));
            let constant = schema.get("const").is_none_or(|constant| constant == value);
            assert_eq!(other, None, "{at} has a type that is not known here");
            listed && constant
        }
    };
    if !fits {
        findings.push(format!("{at} is {value}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            findings.push(format!("{at} has no {name}"));
        }
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object())
    {
        for (name, value) in object {
            let at = format!("{at}.{name}");
            match properties.get(name) {
                Some(schema) => check(root, schema, value, &at, findings),
                None => findings.push(format!("{at} is not in the schema")),
            }
        }
    }
    if let (Some(items), Some(array)) = (schema.get("items"), value.as_array()) {
        for (index, value) in array.iter().enumerate() {
            check(root, items, value, &format!("{at}[{index}]"), findings);
        }
    }
}
