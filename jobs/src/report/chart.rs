//! Lines by day, as SVG that a page carries in itself.
//!
//! Colours are names here: each is a colour that occurs nowhere else, and the page's style gives it the one for light or dark. Fonts are
//! the reader's.

use anyhow::anyhow;
use chrono::NaiveDate;
use plotters::prelude::*;

use super::Series;

/// Size in the drawing's own units; pages scale it.
const SIZE: (u32, u32) = (640, 190);

/// Text.
const INK: RGBColor = RGBColor(0x01, 0x02, 0x03);
/// Lines of the grid.
const GRID: RGBColor = RGBColor(0x04, 0x05, 0x06);
/// The period.
const NOW: RGBColor = RGBColor(0x07, 0x08, 0x09);
/// The period before.
const BEFORE: RGBColor = RGBColor(0x0A, 0x0B, 0x0C);

/// Name of each colour for the page's style.
pub(super) const COLOURS: [(&str, &str); 4] = [
    ("#010203", "ink"),
    ("#040506", "grid"),
    ("#070809", "now"),
    ("#0A0B0C", "before"),
];

/// Draws a series.
pub(super) fn svg(series: &Series) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw(&mut svg, series).map_err(|error| anyhow!("draw `{}`: {error}", series.key))?;
    // Titles are the program's own words; escaped all the same.
    let label = series.title.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    Ok(svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1))
}

fn draw(svg: &mut String, series: &Series) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let of = |values: &dyn Fn(usize) -> Option<u64>| -> Vec<(f64, f64)> {
        (0..series.points.len())
            .filter_map(|index| Some((index as f64, values(index)? as f64)))
            .collect()
    };
    let now = of(&|index| series.points[index].value);
    let before = of(&|index| series.points[index].before);
    let highest = now.iter().chain(&before).map(|(_, value)| *value).fold(0.0, f64::max);
    let (top, step) = scale(highest);
    let last = series.points.len().saturating_sub(1).max(1) as f64;
    let days: Vec<NaiveDate> = series.points.iter().map(|point| point.day).collect();

    let failed =
        |error: DrawingAreaErrorKind<std::io::Error>| -> Box<dyn std::error::Error + Send + Sync> { error.to_string().into() };
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(6)
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..last, 0.0..top)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_labels(series.points.len().clamp(2, 8))
        .y_labels((top / step) as usize + 1)
        .x_label_formatter(&|at| {
            let day = days.get(at.round().max(0.0) as usize);
            day.map(|day| day.format("%-d %b").to_string()).unwrap_or_default()
        })
        .y_label_formatter(&|value| super::shown((*value).into(), super::Unit::Count))
        .draw()
        .map_err(failed)?;
    chart
        .draw_series(LineSeries::new(before, ShapeStyle::from(&BEFORE).stroke_width(2)))
        .map_err(failed)?;
    chart
        .draw_series(AreaSeries::new(now.iter().copied(), 0.0, NOW.mix(0.12)))
        .map_err(failed)?;
    chart
        .draw_series(LineSeries::new(now.iter().copied(), ShapeStyle::from(&NOW).stroke_width(2)))
        .map_err(failed)?;
    // The last day is what a day's report is about.
    chart
        .draw_series(now.last().map(|at| Circle::new(*at, 4, NOW.filled())))
        .map_err(failed)?;
    root.present().map_err(failed)
}

/// The top of an axis and the step between its lines: 1, 2 or 5 times a power of ten, so that four lines or so fit.
fn scale(highest: f64) -> (f64, f64) {
    let highest = highest.max(1.0);
    let rough = highest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power)
        .max(1.0);
    ((highest / step).ceil() * step, step)
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (highest, expected) in [
            (0.0, (1.0, 1.0)),
            (3.0, (3.0, 1.0)),
            (18.0, (20.0, 5.0)),
            (1204.0, (1500.0, 500.0)),
        ] {
            assert_eq!(scale(highest), expected, "{highest}");
        }
    }

    #[test]
    fn a_chart_has_named_colours_only_and_carries_its_title() {
        let day: NaiveDate = "2026-03-01".parse().expect("a day");
        let points = (0..7).map(|index| Point {
            day: day + chrono::Days::new(index),
            value: Some(index * 10),
            before: (index < 5).then_some(30),
        });
        let series = Series {
            key: "views_by_day".to_owned(),
            title: "Views & \"more\"".to_owned(),
            points: points.collect(),
        };
        let svg = svg(&series).expect("a chart");
        assert!(svg.contains("aria-label=\"Views &amp; &quot;more&quot;\""));
        for colour in svg.split('#').skip(1).map(|rest| format!("#{}", &rest[..6])) {
            assert!(
                COLOURS.iter().any(|(known, _)| *known == colour) || colour == "#FFFFFF",
                "`{colour}` is unknown to the page"
            );
        }
        assert!(svg.contains("1 Mar") && svg.contains("viewBox"));
        // Nothing to draw is no error.
        let nothing = Series {
            points: Vec::new(),
            ..series
        };
        assert!(super::svg(&nothing).is_ok());
    }
}
