//! The report as JSON.
//!
//! It holds nothing that differs between two runs with the same scenario and pace.

use serde::Serialize;

use crate::tune::Tuning;
use crate::tune::advice::Advice;
use crate::tune::proof::Proof;
use crate::tune::rank::Ranked;
use crate::tune::scenario::Scenario;

/// The fields of the report; `schema.json` describes them.
#[derive(Serialize)]
struct Report<'a> {
    /// The version of the format.
    format: u32,
    version: &'static str,
    scenario: &'a Scenario,
    /// Bytes that a client is sent in a second.
    bytes_per_second: f64,
    advice: Advice,
    ranked: &'a [Ranked],
    /// What real sockets gave.
    proof: Option<&'a Proof>,
}

/// The version of the format: it is raised when a field changes its meaning or goes.
const FORMAT: u32 = 1;

impl Tuning {
    /// A JSON Schema (draft 2020-12) of [`Tuning::to_json`].
    pub const JSON_SCHEMA: &'static str = include_str!("schema.json");

    /// Returns the report as JSON: the scenario, the recommendation, and all settings in their
    /// order. The same scenario with the same pace gives the same bytes on the same machine, a
    /// proof aside.
    #[must_use]
    pub fn to_json(&self, proof: Option<&Proof>) -> String {
        let report = Report {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            scenario: &self.scenario,
            bytes_per_second: self.scenario.bytes_per_second(),
            advice: self.advice(),
            ranked: &self.ranked,
            proof,
        };
        match serde_json::to_string_pretty(&report) {
            Ok(json) => json,
            Err(error) => unreachable!("every key is a text: {error}"),
        }
    }
}
