//! A report as a page of its own: no scripts, no fonts, nothing to load; light or dark as the reader has it; made to be printed too.

use anyhow::Context as _;
use askama::Template;

use super::{Report, Series, Table, chart, moved, shown};

/// The page. Everything in it is escaped by the template, but for the charts, which are the program's own drawings.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    report: &'a Report,
    colours: &'static [(&'static str, &'static str)],
    sections: Vec<PageSection<'a>>,
}

struct PageSection<'a> {
    key: &'a str,
    title: &'a str,
    figures: Vec<PageFigure<'a>>,
    charts: Vec<PageChart<'a>>,
    tables: Vec<PageTable<'a>>,
}

struct PageFigure<'a> {
    title: &'a str,
    value: Option<String>,
    change: Option<String>,
    no_data: &'a str,
}

struct PageChart<'a> {
    title: &'a str,
    svg: String,
    has_before: bool,
}

struct PageTable<'a> {
    title: &'a str,
    columns: Vec<&'a str>,
    rows: Vec<PageRow<'a>>,
    nothing: &'a str,
}

struct PageRow<'a> {
    name: &'a str,
    detail: Option<&'a str>,
    values: Vec<String>,
}

/// Makes the page.
pub(crate) fn page(report: &Report) -> anyhow::Result<Vec<u8>> {
    let sections = report
        .sections
        .iter()
        .map(|section| {
            Ok(PageSection {
                key: &section.key,
                title: &section.title,
                figures: section
                    .figures
                    .iter()
                    .map(|figure| PageFigure {
                        title: &figure.title,
                        value: figure.value.map(|value| shown(value, figure.unit)),
                        change: moved(figure.value, figure.before),
                        no_data: figure.no_data.as_deref().unwrap_or("no row tells"),
                    })
                    .collect(),
                charts: section.series.iter().map(page_chart).collect::<anyhow::Result<_>>()?,
                tables: section.tables.iter().map(page_table).collect(),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let page = Page {
        title: format!("{} report, {}", report.report, report.period),
        report,
        colours: &chart::COLOURS,
        sections,
    };
    Ok(page.render().context("write the page")?.into_bytes())
}

fn page_chart(series: &Series) -> anyhow::Result<PageChart<'_>> {
    Ok(PageChart {
        title: &series.title,
        svg: chart::svg(series)?,
        has_before: series.points.iter().any(|point| point.before.is_some()),
    })
}

fn page_table(table: &Table) -> PageTable<'_> {
    PageTable {
        title: &table.title,
        columns: table.columns.iter().map(|column| column.title.as_str()).collect(),
        rows: table
            .rows
            .iter()
            .map(|row| PageRow {
                name: &row.name,
                detail: row.detail.as_deref(),
                values: table
                    .columns
                    .iter()
                    .zip(&row.values)
                    .map(|(column, value)| value.map(|value| shown(value, column.unit)).unwrap_or_default())
                    .collect(),
            })
            .collect(),
        nothing: table.no_data.as_deref().unwrap_or("Nothing in this period."),
    }
}
