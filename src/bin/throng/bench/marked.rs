//! Tables in a text, each between two lines that name it.

use std::fmt::Arguments;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::failed::Failed;

/// Replaces, in a file, what stands between each `<!-- KIND:NAME -->` and its `<!-- /KIND:NAME -->`
/// by the table of that name.
pub(super) fn write(
    file: &Path,
    kind: &str,
    table: impl Fn(&str) -> Result<String, Failed>,
) -> Result<(), Failed> {
    let failed = |what: &str, e| Failed::io(format!("cannot {what} {}", file.display()), e);
    let text = fs::read_to_string(file).map_err(|e| failed("read", e))?;
    let text = fill(&text, kind, table)?;
    fs::write(file, text).map_err(|e| failed("write", e))
}

fn fill(
    text: &str,
    kind: &str,
    table: impl Fn(&str) -> Result<String, Failed>,
) -> Result<String, Failed> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    let marker = format!("<!-- {kind}:");
    while let Some((before, after)) = rest.split_once(&marker) {
        let unfinished = || Failed::new(format!("a marker `{marker}... -->` has no end"));
        let (name, after) = after.split_once(" -->").ok_or_else(unfinished)?;
        let end = format!("<!-- /{kind}:{name} -->");
        let (_, after) = after.split_once(&end).ok_or_else(unfinished)?;
        let table = table(name)?;
        push(
            &mut filled,
            format_args!("{before}{marker}{name} -->\n\n{table}\n{end}"),
        );
        rest = after;
    }
    if filled.is_empty() {
        let what = format!("the file has no marker `{marker}... -->`");
        return Err(Failed::new(what));
    }
    filled.push_str(rest);
    Ok(filled)
}

/// 1000000 as 1,000,000.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Appends to a table.
pub(super) fn push(text: &mut String, more: Arguments<'_>) {
    // Writing into a string cannot fail.
    let _written = text.write_fmt(more);
}
