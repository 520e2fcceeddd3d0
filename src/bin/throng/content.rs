//! Content filters and schemas.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use throng::GatewayBuilder;
use throng::policy::BuiltIn;
use throng::policy::FilterConfig;
use throng::policy::Schema;
use throng::policy::Scope;

/// Content filters and schemas of messages.
#[derive(Debug, Args)]
pub(crate) struct ContentOptions {
    /// File of content filters: TOML with a [[filter]] for each, with name, kind (words, patterns,
    /// links, mentions, emojis, repeats, size, trim, security), action (block, replace, flag) and
    /// the fields of its kind. May be given several times.
    #[arg(long, value_name = "FILE")]
    filter: Vec<PathBuf>,

    /// JSON Schema for the messages of the channels that a pattern matches, such as
    /// orders.*=order.json; what does not match is refused with validation_failed. May be given
    /// several times.
    #[arg(long, value_name = "PATTERN=FILE", value_parser = binding)]
    schema: Vec<Binding>,
}

/// A pattern of channels and the file of a schema.
#[derive(Clone, Debug)]
struct Binding {
    pattern: String,
    file: PathBuf,
}

/// A file of filters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterFile {
    #[serde(default)]
    filter: Vec<FilterConfig>,
}

impl ContentOptions {
    /// Adds the filters and the schemas to the gateway.
    pub(crate) fn configure(
        &self,
        mut builder: GatewayBuilder,
    ) -> Result<GatewayBuilder, Box<dyn Error>> {
        for file in &self.filter {
            let filters = filters(file).map_err(|error| about(file, &*error))?;
            for filter in filters {
                builder = builder.filter(filter);
            }
        }
        for Binding { pattern, file } in &self.schema {
            let schema = schema(pattern, file).map_err(|error| about(file, &*error))?;
            builder = builder.schema(schema);
        }
        Ok(builder)
    }
}

fn binding(text: &str) -> Result<Binding, &'static str> {
    let (pattern, file) = text
        .split_once('=')
        .ok_or("give a pattern of channels and a file: orders.*=order.json")?;
    Ok(Binding {
        pattern: pattern.to_owned(),
        file: file.into(),
    })
}

fn filters(file: &Path) -> Result<Vec<BuiltIn>, Box<dyn Error>> {
    let FilterFile { filter } = toml::from_str(&fs::read_to_string(file)?)?;
    let built = filter.iter().map(FilterConfig::build);
    Ok(built.collect::<Result<_, _>>()?)
}

fn schema(pattern: &str, file: &Path) -> Result<Schema, Box<dyn Error>> {
    let schema = serde_json::from_str(&fs::read_to_string(file)?)?;
    Ok(Schema::new(
        pattern,
        &schema,
        Scope::all().channels(pattern)?,
    )?)
}

/// The error with the file that it is about.
fn about(file: &Path, error: &dyn Error) -> String {
    format!("{}: {error}", file.display())
}
