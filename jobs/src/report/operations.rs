//! What a report says of jobs, storage and counters, for who runs all this.

use chrono::TimeDelta;
use futures::TryStreamExt;
use store::report::sources;
use store::{Conn, recount};

use super::content::Maker;
use super::{Amount, Report, Section, Table, Unit};

/// Largest tables that are listed.
const TABLES: usize = 10;

/// How long after a period's end what is measured "now" says something about it.
const STILL_NOW: TimeDelta = TimeDelta::hours(48);

/// Why there is no number of what was measured.
const LONG_PAST: &str = "measured when a report is made, and this period was long past";

impl Maker<'_> {
    /// Whether what is measured now says something about the period.
    fn is_still_now(&self) -> bool {
        self.now - self.span.to < STILL_NOW
    }

    pub(super) async fn jobs(&self, db: &mut Conn, earlier: Option<&Report>) -> anyhow::Result<Section> {
        let mut section = Section::new("jobs", "Jobs");
        let before = |key: &str| earlier.and_then(|report| report.value("jobs", key));
        if self.is_still_now() {
            let dead = sources::dead_letters(db).await?;
            let waiting = sources::waiting_jobs(db).await?;
            let oldest = waiting.iter().map(|queue| queue.oldest_s).fold(0.0, f64::max);
            let jobs: u64 = waiting.iter().map(|queue| queue.jobs).sum();
            let mut add = |key: &str, title: &str, unit, value: Amount| {
                section.number(key, title, unit, Ok(value), before(key));
            };
            add("dead_letters", "Dead letters, when this was made", Unit::Count, dead.into());
            add(
                "waiting",
                "Due jobs that waited, when this was made",
                Unit::Count,
                jobs.into(),
            );
            add("oldest_waiting", "The longest wait among them", Unit::Seconds, oldest.into());
        } else {
            section.no_data("dead_letters", "Dead letters", Unit::Count, LONG_PAST);
            section.no_data("waiting", "Due jobs that waited", Unit::Count, LONG_PAST);
            section.no_data("oldest_waiting", "The longest wait among them", Unit::Seconds, LONG_PAST);
        }
        let kept_since = self.now - TimeDelta::days(self.context.settings.jobs.keep_done_days.into());
        let columns = [
            ("done", "Done", Unit::Count),
            ("retried", "took more than one attempt", Unit::Count),
            ("dead", "Died", Unit::Count),
            ("mean_s", "From due to done, in the mean", Unit::Seconds),
        ];
        let mut table = Table::new("queues", "Jobs that ended, by queue", &columns);
        if self.span.from < kept_since {
            let reason = "finished jobs of that time were deleted (`jobs.keep_done_days`)";
            section.no_data("done", "Jobs done", Unit::Count, reason);
            table.no_data = Some(reason.to_owned());
        } else {
            let ended = sources::ended_jobs(db, self.span).await?;
            section.number(
                "done",
                "Jobs done",
                Unit::Count,
                Ok(ended.iter().map(|queue| queue.done).sum::<u64>().into()),
                before("done"),
            );
            section.number(
                "died",
                "Jobs that died and were not tried again",
                Unit::Count,
                Ok(ended.iter().map(|queue| queue.dead).sum::<u64>().into()),
                before("died"),
            );
            for queue in ended {
                table.row(
                    queue.queue,
                    None,
                    vec![
                        Some(queue.done.into()),
                        Some(queue.retried.into()),
                        Some(queue.dead.into()),
                        queue.mean_s.map(Amount::Real),
                    ],
                );
            }
        }
        section.tables.push(table);
        Ok(section)
    }

    pub(super) async fn storage(&self, db: &mut Conn, earlier: Option<&Report>) -> anyhow::Result<Section> {
        let mut section = Section::new("storage", "Storage");
        if !self.is_still_now() {
            section.no_data("database", "Database", Unit::Bytes, LONG_PAST);
            section.no_data("files", "Uploaded files", Unit::Count, LONG_PAST);
            return Ok(section);
        }
        let tables = sources::table_sizes(db).await?;
        let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
        let before = |key: &str| earlier.and_then(|report| report.value("storage", key));
        section.number(
            "database",
            "Database, as the server estimates it",
            Unit::Bytes,
            Ok(bytes.into()),
            before("database"),
        );
        let listed = self
            .context
            .files
            .list()
            .try_fold((0_u64, 0_u64), |(count, bytes), file| {
                std::future::ready(Ok((count + 1, bytes + file.size)))
            })
            .await;
        match listed {
            Ok((count, bytes)) => {
                section.number("files", "Uploaded files", Unit::Count, Ok(count.into()), before("files"));
                section.number(
                    "file_bytes",
                    "All of them",
                    Unit::Bytes,
                    Ok(bytes.into()),
                    before("file_bytes"),
                );
            }
            // A report without this is better than none.
            Err(error) => {
                tracing::warn!(%error, "the file store could not be listed for a report");
                section.no_data("files", "Uploaded files", Unit::Count, "the file store could not be listed");
            }
        }
        let columns = [("bytes", "Size", Unit::Bytes), ("rows", "Rows, roughly", Unit::Count)];
        let mut table = Table::new("tables", "Largest tables", &columns);
        for size in tables.into_iter().take(TABLES) {
            table.row(size.name, None, vec![Some(size.bytes.into()), Some(size.rows.into())]);
        }
        section.tables.push(table);
        Ok(section)
    }

    pub(super) async fn counts(&self, db: &mut Conn) -> anyhow::Result<Section> {
        let mut section = Section::new("counts", "Kept counts");
        let now = recount::runs(db, self.span).await?;
        let before = recount::runs(db, self.span_before).await?;
        section.count(
            "reconciliations",
            "Times that all counts were compared",
            now.runs,
            before.runs,
        );
        if now.runs == 0 {
            section.no_data(
                "repaired",
                "Rows whose counts were wrong",
                Unit::Count,
                "counts were not compared",
            );
            return Ok(section);
        }
        section.count(
            "repaired",
            "Rows whose counts were wrong, and were mended",
            now.repaired(),
            before.repaired(),
        );
        let mut table = Table::new(
            "repaired",
            "Wrong counts by what they were of",
            &[("rows", "Rows", Unit::Count)],
        );
        for (name, count) in now.by_kind() {
            table.row(name, None, vec![Some(count.into())]);
        }
        section.tables.push(table);
        Ok(section)
    }
}
