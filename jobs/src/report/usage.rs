//! What a report says of feeds and of recommendations.

use std::collections::HashMap;

use store::Conn;
use store::report::{Period, sources};
use store::usage::{self, Use};

use super::content::{Maker, OFF_THE_HOUR, share};
use super::{Section, Table, Unit};

/// Why there is no number where nobody counted.
const NOT_COUNTED: &str = "not counted yet when the period began";

/// How often things were used in a period, or why it is not known, and in the one before.
struct Uses {
    now: Result<HashMap<Use, u64>, &'static str>,
    before: Option<HashMap<Use, u64>>,
}

impl Uses {
    fn add_to(&self, section: &mut Section, key: &str, title: &str, kind: Use) {
        match &self.now {
            Ok(uses) => section.count(key, title, uses[&kind], self.before.as_ref().map(|before| before[&kind])),
            Err(reason) => section.no_data(key, title, Unit::Count, reason),
        }
    }
}

impl Maker<'_> {
    async fn uses(&self, db: &mut Conn) -> anyhow::Result<Uses> {
        Ok(Uses {
            now: self.uses_in(db, self.period).await?,
            before: self.uses_in(db, self.period.previous()).await?.ok(),
        })
    }

    async fn uses_in(&self, db: &mut Conn, period: Period) -> anyhow::Result<Result<HashMap<Use, u64>, &'static str>> {
        if !self.calendar.keeps_to_hours(period.first(), period.end()) {
            return Ok(Err(OFF_THE_HOUR));
        }
        Ok(usage::sums(db, self.calendar.span(period)).await?.ok_or(NOT_COUNTED))
    }

    /// How feeds are used, and what is in them.
    pub(super) async fn feed(&self, db: &mut Conn) -> anyhow::Result<Section> {
        let mut section = Section::new("feed", "Feeds");
        let uses = self.uses(db).await?;
        uses.add_to(&mut section, "pages", "Pages of feeds that were read", Use::FeedPage);
        let title = "Open pages that were told of what is new";
        uses.add_to(&mut section, "streams", title, Use::FeedStream);
        section.count(
            "first_asked",
            "Feeds asked for that were not kept ready before",
            sources::feeds_wanted(db, self.span).await?,
            None,
        );
        let activities = sources::activities(db, self.span).await?;
        let before: HashMap<String, u64> = sources::activities(db, self.span_before).await?.into_iter().collect();
        section.count(
            "activities",
            "Activities for feeds",
            activities.iter().map(|(_, count)| count).sum(),
            before.values().sum::<u64>(),
        );
        let columns = [("activities", "Activities", Unit::Count), ("before", "before", Unit::Count)];
        let mut table = Table::new("activities", "Activities by kind", &columns);
        for (kind, count) in activities {
            let before = before.get(&kind).copied().unwrap_or_default();
            table.row(kind.replace('_', " "), None, vec![Some(count.into()), Some(before.into())]);
        }
        section.tables.push(table);
        Ok(section)
    }

    /// How recommendations are used.
    pub(super) async fn recommendations(&self, db: &mut Conn) -> anyhow::Result<Section> {
        let mut section = Section::new("recommendations", "Recommendations");
        let uses = self.uses(db).await?;
        let title = "Lists of recommendations that were read";
        uses.add_to(&mut section, "lists", title, Use::RecommendationList);
        uses.add_to(&mut section, "shown", "Workflows shown in them", Use::RecommendationShown);
        let title = "Workflows looked at from them";
        uses.add_to(&mut section, "followed", title, Use::RecommendationFollowed);
        let followed = |uses: &HashMap<Use, u64>| share(uses[&Use::RecommendationFollowed], uses[&Use::RecommendationShown]);
        let title = "Of those shown, the part that was looked at";
        let before = uses.before.as_ref().and_then(|before| followed(before).ok());
        let now = uses.now.as_ref().map_err(|reason| *reason).and_then(followed);
        section.number("followed_share", title, Unit::Share, now, before);
        Ok(section)
    }
}
