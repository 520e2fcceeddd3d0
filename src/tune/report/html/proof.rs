//! The card of a proof.

use crate::report::Card;
use crate::report::Cell;
use crate::report::Table;
use crate::report::Tone;
use crate::tune::figures::Figure;
use crate::tune::proof::Pair;
use crate::tune::proof::Proof;
use crate::tune::setting::Setting;
use crate::tune::words::percent;
use crate::tune::words::policy;
use crate::tune::words::seconds;

pub(super) fn proof_card(proof: &Proof) -> Card {
    let heads = [
        Cell::text("Setting"),
        Cell::text("Clients"),
        Cell::number("Lost: model"),
        Cell::number("real"),
        Cell::number("Stale p50: model"),
        Cell::number("real"),
        Cell::number("p90: model"),
        Cell::number("real"),
        Cell::text("Verdict"),
    ];
    let mut table = Table::new(heads);
    for row in &proof.rows {
        let range = |figure: &Figure| format!("({}–{})", seconds(figure.low), seconds(figure.high));
        let model = |pair: &Pair| Cell::number(&seconds(pair.model.mid)).note(&range(&pair.model));
        let tone = if row.holds() { Tone::Good } else { Tone::Warn };
        let setting = format!("{} · {}", policy(row.setting.policy), row.setting.outbox);
        let mut first = Cell::text(&setting);
        if row.setting == Setting::shipped() {
            first = first.chip(Tone::Plain, "today’s default");
        }
        table = table.row([
            first,
            Cell::text(&row.class),
            Cell::number(&percent(row.lost.model.mid)),
            Cell::number(&percent(row.lost.real)),
            model(&row.stale_p50),
            Cell::number(&seconds(row.stale_p50.real)),
            model(&row.stale_p90),
            Cell::number(&seconds(row.stale_p90.real)),
            Cell::text("").chip(tone, &row.verdict()),
        ]);
    }
    let aside = format!(
        "{} clients, {:.0} s each · model: the same arrivals (range of its seeds)",
        proof.clients, proof.seconds
    );
    Card::whole("Does it hold on real sockets?")
        .aside(&aside)
        .table(&table)
}
