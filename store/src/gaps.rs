//! Reading a table in the order of its AUTO_INCREMENT id while others write to it.
//!
//! Ids are handed out when a row is inserted and become visible when its transaction commits, so a lower id may appear after a higher
//! one was read, however long afterwards; and ids of transactions that were rolled back never appear. So a reader remembers, beside the
//! highest id that it has read, every run of ids that it has not seen below it. [`Position`] is that memory and knows no database.
//!
//! A run is open while one of its ids is locked, which means inserted and not yet committed, and closed when nothing was found there
//! twice, a second apart: an id may be handed out a moment before its row is inserted. Runs are settled as a whole, because a statement
//! that inserts many rows takes a whole run of ids beforehand and may need seconds to fill it: its first rows are locked while the ids
//! of its last ones still look like nothing.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Db, StoreError};

/// Time between two looks that must both find nothing before a run is closed.
pub const SETTLE: Duration = Duration::from_secs(1);

/// MariaDB's error for a lock that NOWAIT did not get.
const MARIADB_LOCKED: u16 = 1205;

/// MySQL's error for the same.
const MYSQL_LOCKED: u16 = 3572;

/// A run of ids that were not visible when a higher one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First id of the run.
    pub first: u64,
    /// Last id of the run.
    pub last: u64,
    /// Since when looks have found nothing. Forgotten when a position is stored: whoever opens it again looks twice again.
    empty_since: Option<Instant>,
    /// When it was last looked at.
    looked_at: Option<Instant>,
}

/// How far a table was read: everything up to `cursor`, but for the gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Position {
    cursor: u64,
    gaps: Vec<Gap>,
}

/// The stored form of a position.
#[derive(Serialize, Deserialize)]
struct Stored {
    cursor: u64,
    gaps: Vec<(u64, u64)>,
}

impl From<Stored> for Position {
    fn from(stored: Stored) -> Self {
        Self {
            cursor: stored.cursor,
            gaps: stored.gaps.into_iter().map(|(first, last)| Gap::new(first, last)).collect(),
        }
    }
}

impl From<Position> for Stored {
    fn from(position: Position) -> Self {
        Self {
            cursor: position.cursor,
            gaps: position.gaps.iter().map(|gap| (gap.first, gap.last)).collect(),
        }
    }
}

impl Gap {
    fn new(first: u64, last: u64) -> Self {
        Self {
            first,
            last,
            empty_since: None,
            looked_at: None,
        }
    }
}

impl Position {
    /// At an id, with every id of `visible` below it read and every other one from `oldest` on a gap. `visible` ascends.
    pub fn at(cursor: u64, oldest: u64, visible: impl IntoIterator<Item = u64>) -> Self {
        let mut position = Self {
            cursor: oldest.saturating_sub(1).min(cursor),
            gaps: Vec::new(),
        };
        for id in visible.into_iter().filter(|id| *id <= cursor) {
            position.saw(id);
        }
        if position.cursor < cursor {
            position.gaps.push(Gap::new(position.cursor + 1, cursor));
            position.cursor = cursor;
        }
        position
    }

    /// The highest id read.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The runs of ids below the cursor that have neither been seen nor settled.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Whether the row of an id, if it was visible when this position was taken, has been read.
    pub fn covers(&self, id: u64) -> bool {
        id <= self.cursor && !self.gaps.iter().any(|gap| (gap.first..=gap.last).contains(&id))
    }

    /// Notes that a row was read. Returns whether it was new.
    pub fn saw(&mut self, id: u64) -> bool {
        if id > self.cursor {
            if id > self.cursor + 1 {
                self.gaps.push(Gap::new(self.cursor + 1, id - 1));
            }
            self.cursor = id;
            return true;
        }
        let Some(at) = self.gaps.iter().position(|gap| (gap.first..=gap.last).contains(&id)) else {
            return false;
        };
        let gap = self.gaps.remove(at);
        if id < gap.last {
            self.gaps.insert(at, Gap::new(id + 1, gap.last));
        }
        if gap.first < id {
            self.gaps.insert(at, Gap::new(gap.first, id - 1));
        }
        true
    }

    /// The gaps that it is time to look at.
    pub fn due(&self, now: Instant) -> Vec<Gap> {
        self.gaps
            .iter()
            .filter(|gap| gap.looked_at.is_none_or(|looked_at| now.duration_since(looked_at) >= SETTLE))
            .copied()
            .collect()
    }

    /// Notes what a look at a gap has found. A gap that was split since is left alone: its parts are looked at afresh.
    pub fn looked(&mut self, gap: Gap, found: Look, now: Instant) {
        let Some(at) = self
            .gaps
            .iter()
            .position(|own| (own.first, own.last) == (gap.first, gap.last))
        else {
            return;
        };
        match found {
            Look::Nothing => match self.gaps[at].empty_since {
                Some(since) if now.duration_since(since) >= SETTLE => {
                    self.gaps.remove(at);
                }
                since => {
                    self.gaps[at].empty_since = since.or(Some(now));
                    self.gaps[at].looked_at = Some(now);
                }
            },
            Look::Something => {
                self.gaps[at].empty_since = None;
                self.gaps[at].looked_at = Some(now);
            }
        }
    }
}

/// What there is in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// No row, neither committed nor in progress.
    Nothing,
    /// A row: not yet committed, or committed since it was last read and to be read next.
    Something,
}

/// A table that is read by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// `index_log`.
    IndexLog,
    /// `user_activities`.
    UserActivities,
}

/// Looks at every gap that is due, and closes those that are settled. Rows that became visible must have been read before, in
/// the same round, with [`Position::saw`].
///
/// # Errors
/// The database refused for another reason than a lock.
pub async fn settle(db: &Db, table: Watched, position: &mut Position, now: Instant) -> Result<(), StoreError> {
    for gap in position.due(now) {
        let found = look(db, table, gap).await?;
        position.looked(gap, found, now);
    }
    Ok(())
}

/// Asks for the locks of a run's rows. READ COMMITTED, since otherwise the question itself would lock the gap against inserts;
/// NOWAIT, since the refusal is the answer. Both servers, no privilege beyond writing to the table.
async fn look(db: &Db, table: Watched, gap: Gap) -> Result<Look, StoreError> {
    let mut connection = db.acquire().await?;
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("START TRANSACTION").execute(&mut *connection).await?;
    let found = match table {
        // One id is asked for by equality, which touches no other row; the last of a range may also meet the row behind it, so a run
        // may be found open a round too long while somebody locks that row, never closed too early.
        Watched::IndexLog if gap.first == gap.last => {
            sqlx::query_scalar!("SELECT id FROM index_log WHERE id = ? FOR UPDATE NOWAIT", gap.first)
                .fetch_optional(&mut *connection)
                .await
        }
        Watched::IndexLog => {
            sqlx::query_scalar!(
                "SELECT id FROM index_log WHERE id BETWEEN ? AND ? LIMIT 1 FOR UPDATE NOWAIT",
                gap.first,
                gap.last
            )
            .fetch_optional(&mut *connection)
            .await
        }
        Watched::UserActivities if gap.first == gap.last => {
            sqlx::query_scalar!("SELECT id FROM user_activities WHERE id = ? FOR UPDATE NOWAIT", gap.first)
                .fetch_optional(&mut *connection)
                .await
        }
        Watched::UserActivities => {
            sqlx::query_scalar!(
                "SELECT id FROM user_activities WHERE id BETWEEN ? AND ? LIMIT 1 FOR UPDATE NOWAIT",
                gap.first,
                gap.last
            )
            .fetch_optional(&mut *connection)
            .await
        }
    };
    sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
    match found {
        Ok(None) => Ok(Look::Nothing),
        Ok(Some(_)) => Ok(Look::Something),
        Err(error) if is_lock_refused(&error) => Ok(Look::Something),
        Err(error) => Err(error.into()),
    }
}

fn is_lock_refused(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
        .is_some_and(|error| matches!(error.number(), MARIADB_LOCKED | MYSQL_LOCKED))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs(position: &Position) -> Vec<(u64, u64)> {
        position.gaps().iter().map(|gap| (gap.first, gap.last)).collect()
    }

    #[test]
    fn an_id_that_comes_late_closes_its_part_of_the_gap() {
        let mut position = Position::default();
        for id in [1, 2, 7] {
            assert!(position.saw(id));
        }
        assert_eq!(runs(&position), [(3, 6)]);
        assert!(position.saw(4));
        assert!(!position.saw(4));
        assert_eq!(runs(&position), [(3, 3), (5, 6)]);
        assert!(position.covers(4) && !position.covers(5) && !position.covers(8));
    }

    #[test]
    fn a_gap_closes_after_two_empty_looks_a_second_apart() {
        let mut position = Position::default();
        position.saw(3);
        let start = Instant::now();
        let gap = position.due(start)[0];
        position.looked(gap, Look::Nothing, start);
        assert!(position.due(start + SETTLE / 2).is_empty(), "looked at a moment ago");
        position.looked(gap, Look::Nothing, start + SETTLE);
        assert_eq!(runs(&position), []);
    }

    #[test]
    fn a_lock_between_two_empty_looks_starts_the_count_again() {
        let mut position = Position::default();
        position.saw(2);
        let start = Instant::now();
        let gap = position.due(start)[0];
        position.looked(gap, Look::Nothing, start);
        position.looked(gap, Look::Something, start + SETTLE);
        position.looked(gap, Look::Nothing, start + SETTLE * 2);
        assert_eq!(runs(&position), [(1, 1)]);
        position.looked(gap, Look::Nothing, start + SETTLE * 3);
        assert_eq!(runs(&position), []);
    }

    #[test]
    fn a_stored_position_keeps_its_gaps_and_looks_twice_again() {
        let mut position = Position::default();
        position.saw(2);
        let start = Instant::now();
        position.looked(position.due(start)[0], Look::Nothing, start);
        let text = serde_json::to_string(&position).expect("written");
        let mut opened: Position = serde_json::from_str(&text).expect("read");
        assert_eq!(runs(&opened), [(1, 1)]);
        let later = start + SETTLE * 5;
        opened.looked(opened.due(later)[0], Look::Nothing, later);
        assert_eq!(runs(&opened), [(1, 1)]);
    }

    proptest! {
        #[test]
        fn in_whatever_order_ids_appear_each_is_new_once_and_the_rest_are_gaps(
            order in Just((1_u64..60).collect::<Vec<_>>()).prop_shuffle(),
            seen in 1_usize..59,
        ) {
            let mut position = Position::default();
            for id in &order[..seen] {
                prop_assert!(position.saw(*id));
            }
            let highest = order[..seen].iter().max().copied().unwrap_or(0);
            prop_assert_eq!(position.cursor(), highest);
            for id in 1..60 {
                prop_assert_eq!(position.covers(id), order[..seen].contains(&id));
            }
            let again = Position::at(highest, 1, (1..60).filter(|id| order[..seen].contains(id)));
            prop_assert_eq!(runs(&again), runs(&position));
        }
    }
}
