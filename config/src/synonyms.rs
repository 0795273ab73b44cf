//! What words mean the same: `config/synonyms.toml`, compiled in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

const SYNONYMS: &str = include_str!("../synonyms.toml");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SynonymFile {
    mutual: Vec<Vec<String>>,
    one_way: BTreeMap<String, Vec<String>>,
}

static ALTERNATIVES: LazyLock<Vec<(String, String)>> =
    LazyLock::new(|| read(SYNONYMS).expect("the synonyms that are compiled in are tested to be readable"));

/// Every text with one that it stands for too, as they are written.
pub fn synonyms() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALTERNATIVES.iter().map(|(from, to)| (from.as_str(), to.as_str()))
}

fn read(text: &str) -> Result<Vec<(String, String)>, toml::de::Error> {
    let file: SynonymFile = toml::from_str(text)?;
    let mutual = file.mutual.iter().flat_map(|group| {
        let pairs = group.iter().flat_map(|from| group.iter().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to)
    });
    let one_way = file
        .one_way
        .iter()
        .flat_map(|(from, alternatives)| alternatives.iter().map(move |to| (from, to)));
    Ok(mutual.chain(one_way).map(|(from, to)| (from.clone(), to.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_for_each_other_and_one_way_pairs_do_not() {
        let has = |from: &str, to: &str| synonyms().any(|pair| pair == (from, to));
        assert!(has("m4l", "max for live") && has("max for live", "m4l"));
        assert!(has("verb", "reverb") && !has("reverb", "verb"));
        assert!(synonyms().all(|(from, to)| from != to && !from.trim().is_empty() && !to.trim().is_empty()));
    }

    #[test]
    fn a_file_with_other_tables_is_refused() {
        assert!(read("mutual = []\n[one_way]\n[two_way]\n").is_err());
    }
}
