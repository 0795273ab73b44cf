//! A report in a few lines of text, for mail and terminals: what is out of the ordinary, then every figure.

use std::fmt::Write;

use super::{Report, moved, shown};

/// The report without its lists.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{} report of {} ({})", report.report, report.period, report.zone);
    let _ = writeln!(out, "Compared with {}.\n", report.previous_period);
    for words in &report.highlights {
        let _ = writeln!(out, "! {words}");
    }
    for section in report.sections.iter().filter(|section| !section.figures.is_empty()) {
        let _ = writeln!(out, "\n{}", section.title.to_uppercase());
        for figure in &section.figures {
            let value = match (figure.value, &figure.no_data) {
                (Some(value), _) => shown(value, figure.unit),
                (None, Some(reason)) => format!("no data: {reason}"),
                (None, None) => "no data".to_owned(),
            };
            let change = moved(figure.value, figure.before)
                .map(|change| format!("  ({change})"))
                .unwrap_or_default();
            let _ = writeln!(out, "  {:<52} {value}{change}", figure.title);
        }
    }
    out
}
