//! What a report says of what was searched.

use chrono::TimeDelta;
use store::{Conn, search_log};

use super::content::{ByDay, Maker, check, share, sum};
use super::{Amount, Check, Section, Table, Unit};

/// Lines of the lists of searches.
const SEARCHES: u32 = 15;

impl Maker<'_> {
    pub(super) async fn searches(&self, db: &mut Conn, daily: &ByDay, checks: &mut Vec<Check>) -> anyhow::Result<Section> {
        let mut section = Section::new("searches", "Searches");
        let kept_since = self.now - TimeDelta::days(self.context.settings.search_log.keep_days.into());
        if self.span.from < kept_since {
            section.no_data(
                "searches",
                "Searches",
                Unit::Count,
                "searches of that time were forgotten (`search_log.keep_days`)",
            );
            return Ok(section);
        }
        let all = search_log::by_day(db, self.span.from, self.span.to).await?;
        let all_before = search_log::by_day(db, self.span_before.from, self.span_before.to).await?;
        let total =
            |days: &[search_log::DayOfSearches], of: fn(&search_log::DayOfSearches) -> u64| -> u64 { days.iter().map(of).sum() };
        let is_before_kept = self.span_before.from >= kept_since;
        let both = |of: fn(&search_log::DayOfSearches) -> u64| (total(&all, of), is_before_kept.then(|| total(&all_before, of)));
        let ((searches, before), (empty, empty_before), (clicked, clicked_before)) = (
            both(|day| day.searches),
            both(|day| day.without_hits),
            both(|day| day.clicked),
        );
        let share_before = |part: Option<u64>| share(part?, before?).ok();
        section.count("searches", "Searches", searches, before);
        section.count("without_hits", "Searches that found nothing", empty, empty_before);
        section.number(
            "without_hits_share",
            "Share that found nothing",
            Unit::Share,
            share(empty, searches),
            share_before(empty_before),
        );
        section.number(
            "click_through",
            "Share that led to a click",
            Unit::Share,
            share(clicked, searches),
            share_before(clicked_before),
        );
        let mean = |days: &[search_log::DayOfSearches]| {
            let count: u64 = days.iter().map(|day| day.searches).sum();
            let took: f64 = days.iter().map(|day| day.mean_took_us * day.searches as f64).sum();
            (count > 0).then(|| Amount::Real(took / count as f64 / 1e6))
        };
        section.number(
            "mean_s",
            "Mean time to answer",
            Unit::Seconds,
            mean(&all).ok_or("nobody searched"),
            mean(&all_before).filter(|_| is_before_kept),
        );
        checks.push(check(
            "searches, and searches by day",
            searches,
            sum(&daily.searches, self.period),
        ));
        let columns = [
            ("searches", "Searches", Unit::Count),
            ("without_hits", "found nothing", Unit::Count),
            ("click_through", "led to a click", Unit::Share),
            ("mean_click_position", "Place clicked", Unit::Number),
        ];
        let top = search_log::most_frequent(db, self.span.from, self.span.to, SEARCHES).await?;
        let empty = search_log::without_hits(db, self.span.from, self.span.to, SEARCHES).await?;
        for (key, title, lines) in [
            ("top_searches", "Most frequent searches", top),
            ("searches_without_hits", "Searches that never found anything", empty),
        ] {
            let mut table = Table::new(key, title, &columns);
            for line in lines {
                let click_through = Amount::Real(line.click_through());
                table.row(
                    line.text,
                    None,
                    vec![
                        Some(Amount::Whole(line.searches)),
                        Some(Amount::Whole(line.without_hits)),
                        Some(click_through),
                        line.mean_click_position.map(Amount::Real),
                    ],
                );
            }
            section.tables.push(table);
        }
        section.series.push(self.series("searches_by_day", "Searches by day", |day| {
            Some(daily.searches.get(&day).copied().unwrap_or_default())
        }));
        Ok(section)
    }
}
