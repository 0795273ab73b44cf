//! Who came back: what a report says of those who registered in the same week.

use chrono::Days;
use store::Conn;
use store::report::sources;

use super::content::{ACTIVE_DAYS, ByDay, Maker, WEEK, mask, share};
use super::{Amount, Section, Table, Unit};

/// Whole weeks in [`ACTIVE_DAYS`].
const WEEKS: usize = 9;

impl Maker<'_> {
    /// Of those who registered in one week, how many did something in each week after. Weeks are counted back from the period's end.
    pub(super) async fn retention(&self, db: &mut Conn, daily: &ByDay) -> anyhow::Result<Section> {
        let mut section = Section::new("retention", "Who stays");
        let title = "Came back in the week after they registered";
        if let Err(reason) = daily.active(0, ACTIVE_DAYS) {
            section.no_data("second_week", title, Unit::Share, reason);
            return Ok(section);
        }
        let end = self.period.end();
        let first = end - Days::new((WEEKS * WEEK) as u64);
        let mut sizes = [0_u64; WEEKS];
        let mut stayed = [[0_u64; WEEKS]; WEEKS];
        let last = end - Days::new(1);
        let span = self.calendar.between(first, end);
        sources::registered(db, span, |user, at| {
            let back = (last - self.calendar.day_of(at)).num_days();
            let Some(week) = usize::try_from(back)
                .ok()
                .map(|back| back / WEEK)
                .filter(|week| *week < WEEKS)
            else {
                return;
            };
            sizes[week] += 1;
            let bits = daily.active.get(&user.0).copied().unwrap_or_default();
            for (after, count) in stayed[week].iter_mut().enumerate().take(week + 1).skip(1) {
                if bits & mask(((week - after) * WEEK) as u64, WEEK as u64) != 0 {
                    *count += 1;
                }
            }
        })
        .await?;
        let titles: Vec<(String, String)> = (1..WEEKS)
            .map(|week| (format!("week_{week}"), format!("week {week}")))
            .collect();
        let mut columns = vec![("registered", "Registered", Unit::Count)];
        columns.extend(titles.iter().map(|(key, title)| (key.as_str(), title.as_str(), Unit::Share)));
        let mut table = Table::new(
            "cohorts",
            "Of those who registered in a week, the part that did something in each week after",
            &columns,
        );
        for week in (1..WEEKS).rev() {
            let first = end - Days::new(((week + 1) * WEEK) as u64);
            let mut values = vec![Some(Amount::Whole(sizes[week]))];
            values.extend((1..WEEKS).map(|after| {
                let is_over = after <= week;
                is_over.then(|| share(stayed[week][after], sizes[week]).ok()).flatten()
            }));
            table.row(format!("from {first}"), None, values);
        }
        section.number(
            "second_week",
            title,
            Unit::Share,
            share(stayed[1][1], sizes[1]),
            share(stayed[2][1], sizes[2]).ok(),
        );
        section.tables.push(table);
        Ok(section)
    }
}
