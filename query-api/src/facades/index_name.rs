//! The one index, and its orders: `workflows`, `workflows_likes`, `workflows:likes:desc`.

use indexer::Sort;

/// Name of the index.
pub(super) const INDEX: &str = "workflows";

/// Orders that can be asked for, as attribute and direction; the others of [`Sort`] need more than a name.
const ORDERS: [(&str, Direction, Sort); 5] = [
    ("uploaded", Direction::Descending, Sort::Newest),
    ("downloads", Direction::Descending, Sort::Downloads),
    ("likes", Direction::Descending, Sort::Likes),
    ("rating", Direction::Descending, Sort::Rating),
    ("bpm", Direction::Ascending, Sort::Bpm),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// The order that an index name asks for; none if it is not a name of the index.
///
/// A replica, as Algolia has them, is named `workflows_` and a native order; `workflows:attribute:direction` is how
/// instant-meilisearch writes an order.
pub(super) fn order_of(name: &str) -> Option<Sort> {
    match name.strip_prefix(INDEX)? {
        "" => Some(Sort::Relevance),
        rest => match rest.split_at_checked(1)? {
            ("_", order) => Sort::parse(order).filter(|sort| *sort != Sort::BpmDistance),
            (":", rule) => order(rule).ok(),
            _ => None,
        },
    }
}

/// The order of a rule `attribute:direction`.
///
/// # Errors
/// There is no such order; the text says which there are.
pub(super) fn order(rule: &str) -> Result<Sort, String> {
    let known = ORDERS
        .iter()
        .find(|(attribute, direction, _)| rule.split_once(':') == Some((attribute, direction.name())));
    known.map(|(_, _, sort)| *sort).ok_or_else(|| {
        let orders: Vec<String> = ORDERS
            .iter()
            .map(|(attribute, direction, _)| format!("`{attribute}:{}`", direction.name()))
            .collect();
        format!(
            "`{}` is no order here. Available ones are: {}.",
            rule.escape_debug(),
            orders.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_one_name_and_an_order_behind_it() {
        assert_eq!(order_of("workflows"), Some(Sort::Relevance));
        assert_eq!(order_of("workflows_newest"), Some(Sort::Newest));
        assert_eq!(order_of("workflows:likes:desc"), Some(Sort::Likes));
        assert_eq!(order_of("workflows:bpm:asc"), Some(Sort::Bpm));
        for other in [
            "",
            "racks",
            "workflowsx",
            "workflows_",
            "workflows_best",
            "workflows:likes",
            "workflows:likes:asc",
            "workflowsé",
        ] {
            assert_eq!(order_of(other), None, "{other}");
        }
    }
}
