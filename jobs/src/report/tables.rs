//! A report as one long table for programs: a line for each number. As CSV and as Parquet.

use anyhow::Context as _;
use polars::prelude::*;

use super::{Amount, Report, Unit};

/// One number with everything that tells which.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    section: String,
    /// `figure`, `series`, `table`, `check` or `highlight`.
    kind: &'static str,
    /// The figure's, series' or table's key.
    item: String,
    /// What the number is of: a day, or a line of a list.
    row: String,
    /// More about it.
    detail: String,
    column: String,
    unit: &'static str,
    value: Option<f64>,
    before: Option<f64>,
    /// Why there is no number, or the words of a highlight.
    note: String,
}

const HEADERS: [&str; 10] = [
    "section", "kind", "item", "row", "detail", "column", "unit", "value", "before", "note",
];

/// As CSV (RFC 4180). No cell that holds a text is taken for a formula by a spreadsheet.
pub(crate) fn csv(report: &Report) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADERS)?;
    for line in lines(report) {
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        writer.write_record([
            harmless(&line.section),
            line.kind.to_owned(),
            harmless(&line.item),
            harmless(&line.row),
            harmless(&line.detail),
            harmless(&line.column),
            line.unit.to_owned(),
            number(line.value),
            number(line.before),
            harmless(&line.note),
        ])?;
    }
    writer.into_inner().context("write CSV")
}

/// As Parquet, numbers as numbers.
pub(crate) fn parquet(report: &Report) -> anyhow::Result<Vec<u8>> {
    let lines = lines(report);
    let text = |name: &str, of: fn(&Line) -> &str| {
        let values: Vec<&str> = lines.iter().map(of).collect();
        Column::new(name.into(), values)
    };
    let numbers = |name: &str, of: fn(&Line) -> Option<f64>| {
        let values: Vec<Option<f64>> = lines.iter().map(of).collect();
        Column::new(name.into(), values)
    };
    let mut frame = DataFrame::new(
        lines.len(),
        vec![
            text("section", |line| &line.section),
            text("kind", |line| line.kind),
            text("item", |line| &line.item),
            text("row", |line| &line.row),
            text("detail", |line| &line.detail),
            text("column", |line| &line.column),
            text("unit", |line| line.unit),
            numbers("value", |line| line.value),
            numbers("before", |line| line.before),
            text("note", |line| &line.note),
        ],
    )?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

fn lines(report: &Report) -> Vec<Line> {
    let mut lines: Vec<Line> = report
        .highlights
        .iter()
        .map(|words| Line {
            kind: "highlight",
            note: words.clone(),
            ..Line::default()
        })
        .collect();
    for section in &report.sections {
        let of = |kind, item: &str| Line {
            section: section.key.clone(),
            kind,
            item: item.to_owned(),
            ..Line::default()
        };
        lines.extend(section.figures.iter().map(|figure| Line {
            unit: name_of(figure.unit),
            value: figure.value.map(Amount::as_f64),
            before: figure.before.map(Amount::as_f64),
            note: figure.no_data.clone().unwrap_or_default(),
            ..of("figure", &figure.key)
        }));
        for series in &section.series {
            lines.extend(series.points.iter().map(|point| Line {
                row: point.day.to_string(),
                unit: name_of(Unit::Count),
                value: point.value.map(|count| count as f64),
                before: point.before.map(|count| count as f64),
                ..of("series", &series.key)
            }));
        }
        for table in &section.tables {
            for row in &table.rows {
                lines.extend(table.columns.iter().zip(&row.values).map(|(column, value)| Line {
                    row: row.name.clone(),
                    detail: row.detail.clone().unwrap_or_default(),
                    column: column.key.clone(),
                    unit: name_of(column.unit),
                    value: value.map(Amount::as_f64),
                    ..of("table", &table.key)
                }));
            }
            if let Some(reason) = &table.no_data {
                lines.push(Line {
                    note: reason.clone(),
                    ..of("table", &table.key)
                });
            }
        }
    }
    lines.extend(report.checks.iter().map(|check| Line {
        kind: "check",
        row: check.what.clone(),
        unit: name_of(Unit::Count),
        value: Some(check.one as f64),
        before: Some(check.other as f64),
        note: if check.holds { "agrees" } else { "differs" }.to_owned(),
        ..Line::default()
    }));
    lines
}

fn name_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Share => "share",
        Unit::Seconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::Number => "number",
    }
}

/// A text that no spreadsheet runs: one that begins as a formula does, in any width, gets an apostrophe before it (OWASP, "CSV Injection").
fn harmless(text: &str) -> String {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}', '"', '\'']).chars().next();
    let is_formula = first.is_some_and(|first| "=+-@\t\r\n＝＋－＠|%".contains(first)) || text.starts_with(['\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for formula in [
            "=HYPERLINK(\"http://example.org\")",
            "+1",
            "-1+2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{feff}=1",
            "＝1",
            "\"=1",
        ] {
            assert!(harmless(formula).starts_with('\''), "{formula:?}");
        }
        for text in ["Warm Pad", "1 = 1", "a-b", ""] {
            assert_eq!(harmless(text), text);
        }
    }
}
