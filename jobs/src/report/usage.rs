//! What a report says of feeds and of recommendations.

use std::collections::HashMap;

use store::Conn;
use store::report::sources::{self, Between};
use store::usage::{self, Use};

use super::content::share;
use super::{Section, Table, Unit};

/// Why there is no number where nobody counted.
const NOT_COUNTED: &str = "nothing was counted yet when the period ended";

/// How often things were used in a period and in the one before.
struct Uses {
    now: Option<HashMap<Use, u64>>,
    before: Option<HashMap<Use, u64>>,
}

impl Uses {
    async fn read(db: &mut Conn, span: Between, span_before: Between) -> anyhow::Result<Self> {
        Ok(Self {
            now: usage::sums(db, span).await?,
            before: usage::sums(db, span_before).await?,
        })
    }

    fn add_to(&self, section: &mut Section, key: &str, title: &str, kind: Use) {
        match &self.now {
            Some(uses) => section.count(key, title, uses[&kind], self.before.as_ref().map(|before| before[&kind])),
            None => section.no_data(key, title, Unit::Count, NOT_COUNTED),
        }
    }
}

/// How feeds are used, and what is in them.
pub(super) async fn feed(db: &mut Conn, span: Between, span_before: Between) -> anyhow::Result<Section> {
    let mut section = Section::new("feed", "Feeds");
    let uses = Uses::read(db, span, span_before).await?;
    uses.add_to(&mut section, "pages", "Pages of feeds that were read", Use::FeedPage);
    let title = "Open pages that were told of what is new";
    uses.add_to(&mut section, "streams", title, Use::FeedStream);
    section.count(
        "first_asked",
        "Feeds asked for that were not kept ready before",
        sources::feeds_wanted(db, span).await?,
        None,
    );
    let activities = sources::activities(db, span).await?;
    let before: HashMap<String, u64> = sources::activities(db, span_before).await?.into_iter().collect();
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
pub(super) async fn recommendations(db: &mut Conn, span: Between, span_before: Between) -> anyhow::Result<Section> {
    let mut section = Section::new("recommendations", "Recommendations");
    let uses = Uses::read(db, span, span_before).await?;
    let title = "Lists of recommendations that were read";
    uses.add_to(&mut section, "lists", title, Use::RecommendationList);
    uses.add_to(&mut section, "shown", "Workflows shown in them", Use::RecommendationShown);
    let title = "Workflows looked at from them";
    uses.add_to(&mut section, "followed", title, Use::RecommendationFollowed);
    let followed = |uses: &Option<HashMap<Use, u64>>| match uses {
        Some(uses) => share(uses[&Use::RecommendationFollowed], uses[&Use::RecommendationShown]),
        None => Err(NOT_COUNTED),
    };
    let title = "Of those shown, the part that was looked at";
    let before = followed(&uses.before).ok();
    section.number("followed_share", title, Unit::Share, followed(&uses.now), before);
    Ok(section)
}
