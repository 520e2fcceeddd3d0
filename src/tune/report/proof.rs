//! A proof as a table for a terminal.

use super::terminal::Ink;
use super::terminal::Terminal;
use crate::tune::proof::Proof;
use crate::tune::setting::Setting;
use crate::tune::words::percent;
use crate::tune::words::seconds;
use crate::tune::words::short_policy;

impl Proof {
    /// Returns the proof as a table for a terminal.
    #[must_use]
    pub fn to_terminal(&self, terminal: Terminal) -> String {
        let (holding, all) = (self.holding(), self.rows.len());
        let title = format!(
            "On real sockets, {} clients: {holding} of {all} hold.",
            self.clients
        );
        let mut text = format!("{}\n", terminal.ink(Ink::Bold, &title));
        let heads = ["lost", "", "p50", "", "p90", ""];
        let seconds_each = format!("{:.0} s each", self.seconds);
        for head in [
            proof_line("setting", "clients", heads, ""),
            proof_line(
                &seconds_each,
                "",
                ["model", "real", "model", "real", "model", "real"],
                "",
            ),
        ] {
            text.push_str(&terminal.ink(Ink::Dim, head.trim_end()));
            text.push('\n');
        }
        for row in &self.rows {
            let setting = format!(
                "{} {}",
                short_policy(row.setting.policy),
                row.setting.outbox
            );
            let defaults = if row.setting == Setting::shipped() {
                "←"
            } else {
                ""
            };
            let cells = [
                percent(row.lost.model.mid),
                percent(row.lost.real),
                seconds(row.stale_p50.model.mid),
                seconds(row.stale_p50.real),
                seconds(row.stale_p90.model.mid),
                seconds(row.stale_p90.real),
            ];
            let cells = cells.each_ref().map(String::as_str);
            let line = proof_line(&setting, &row.class, cells, defaults);
            let ink = if row.holds() { Ink::Best } else { Ink::Warn };
            text.push_str(&terminal.ink(ink, line.trim_end()));
            text.push('\n');
            if !row.holds() {
                text.push_str(&terminal.ink(Ink::Warn, &format!("      {}", row.verdict())));
                text.push('\n');
            }
        }
        text
    }
}

/// One line of a proof: 78 columns.
fn proof_line(setting: &str, class: &str, cells: [&str; 6], end: &str) -> String {
    let [lost, real_lost, p50, real_p50, p90, real_p90] = cells;
    format!(
        "  {setting:<19} {class:<7} {lost:>6} {real_lost:>6}  {p50:>7} {real_p50:>7}  {p90:>7} {real_p90:>7} {end}"
    )
}
