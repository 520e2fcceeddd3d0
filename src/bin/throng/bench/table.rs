//! `throng bench table`: what `cargo bench` has measured, as a table.
//!
//! criterion leaves, for each bench, a folder with a `new/benchmark.json` that names it and a
//! `new/estimates.json` with its times. They say nothing of the machine: the line below the table
//! is about the one that makes it, with the profile that `cargo bench` builds with.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::environment::Environment;
use super::failed::Failed;
use super::marked;
use super::marked::grouped;
use super::marked::push;

/// What `throng bench table` can be told.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where criterion keeps its results.
    #[arg(long, default_value = "target/criterion")]
    dir: PathBuf,

    /// The group of benches to print.
    #[arg(long, default_value = "fanout")]
    group: String,

    /// Instead of printing one: write the table of each group into this file, between the lines
    /// `<!-- bench:GROUP -->` and `<!-- /bench:GROUP -->`.
    #[arg(long, conflicts_with = "group")]
    write: Option<PathBuf>,
}

/// Prints the table of one group, or writes all that a file has a place for.
pub(super) fn run(options: &Options) -> Result<(), Failed> {
    let groups = read_groups(&options.dir)?;
    // The benches were built by `cargo bench`, on the machine that this runs on.
    let environment = Environment::read().with_profile("bench");
    let table = |name: &str| {
        let table = find(&groups, name)?.markdown();
        Ok(format!("{table}\nMeasured on {environment}.\n"))
    };
    let Some(file) = &options.write else {
        print!("{}", table(&options.group)?);
        return Ok(());
    };
    marked::write(file, "bench", table)
}

type Groups = BTreeMap<String, Group>;

/// The benches of one group: nanoseconds per delivery, by contender and parameter.
#[derive(Default)]
struct Group {
    times: BTreeMap<String, BTreeMap<u64, f64>>,
}

impl Group {
    /// One row per contender, throng's first; one column per parameter.
    fn markdown(&self) -> String {
        let mut parameters: Vec<_> = self.times.values().flat_map(BTreeMap::keys).collect();
        parameters.sort_unstable();
        parameters.dedup();
        let mut contenders: Vec<_> = self.times.keys().collect();
        contenders.sort_by_key(|name| (!name.starts_with(OURS), name.as_str()));

        let mut table = "| ns per delivery |".to_owned();
        for parameter in &parameters {
            push(&mut table, format_args!(" {} |", grouped(**parameter)));
        }
        table.push_str("\n|---|");
        table.push_str(&"---:|".repeat(parameters.len()));
        for contender in contenders {
            push(&mut table, format_args!("\n| {contender} |"));
            for parameter in &parameters {
                push(
                    &mut table,
                    format_args!(" {} |", self.cell(contender, **parameter)),
                );
            }
        }
        table.push('\n');
        table
    }

    /// A time, and how many times ours it is.
    fn cell(&self, contender: &str, parameter: u64) -> String {
        let time = |name: &str| self.times.get(name)?.get(&parameter).copied();
        match (time(contender), time(OURS)) {
            (None, _) => "–".to_owned(),
            (Some(theirs), Some(ours)) if contender != OURS => {
                format!("{theirs:.1} ({:.1}x)", theirs / ours)
            }
            (Some(time), _) => format!("{time:.1}"),
        }
    }
}

/// `benchmark.json`, as far as it matters here.
#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "Elements")]
    elements: Option<f64>,
}

/// `estimates.json`, as far as it matters here: nanoseconds per iteration.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

fn read_groups(dir: &Path) -> Result<Groups, Failed> {
    let mut found = Vec::new();
    walk(dir, &mut found).map_err(|e| Failed::io(format!("cannot read {}", dir.display()), e))?;
    let mut groups = Groups::new();
    for folder in found {
        let benchmark: Benchmark = read_json(&folder.join("benchmark.json"))?;
        let estimates: Estimates = read_json(&folder.join("estimates.json"))?;
        let elements = benchmark
            .throughput
            .and_then(|throughput| throughput.elements);
        let parameter = benchmark.value_str.and_then(|value| value.parse().ok());
        // Benches of another form have no place in a table of deliveries.
        if let (Some(name), Some(parameter), Some(elements)) =
            (benchmark.function_id, parameter, elements)
        {
            let time = estimates.median.point_estimate / elements;
            let group = groups.entry(benchmark.group_id).or_default();
            group.times.entry(name).or_default().insert(parameter, time);
        }
    }
    Ok(groups)
}

/// Finds the folders that are called `new`.
fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        if entry.file_name() == "new" {
            found.push(entry.path());
        } else {
            walk(&entry.path(), found)?;
        }
    }
    Ok(())
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, Failed> {
    let failed = |error| Failed::io(format!("cannot read {}", file.display()), error);
    let text = fs::read(file).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

fn find<'a>(groups: &'a Groups, name: &str) -> Result<&'a Group, Failed> {
    groups.get(name).ok_or_else(|| {
        let known: Vec<_> = groups.keys().map(String::as_str).collect();
        let known = known.join(", ");
        Failed::new(format!(
            "no group `{name}` was measured; these were: {known}"
        ))
    })
}

/// The contender that the others are compared with.
const OURS: &str = "throng";
