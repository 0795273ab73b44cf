//! What words mean the same: `config/synonyms.toml`, compiled in, or a file of one's own in its form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const BUILT_IN: &str = include_str!("../synonyms.toml");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SynonymFile {
    mutual: Vec<Vec<String>>,
    one_way: BTreeMap<String, Vec<String>>,
}

/// Texts that stand for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonyms(Vec<(String, String)>);

/// A file of synonyms cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SynonymsError {
    /// It cannot be read.
    #[error("read `{}`", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It has another form.
    #[error("`{}` is no file of synonyms", .0.display())]
    Malformed(PathBuf, #[source] Box<toml::de::Error>),
}

impl Synonyms {
    /// Those that are compiled in.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the synonyms that are compiled in are tested to be readable")
    }

    /// Those of a file; without a path those that are compiled in.
    ///
    /// # Errors
    /// It cannot be read, or has another form.
    pub fn load(path: &Path) -> Result<Self, SynonymsError> {
        if path.as_os_str().is_empty() {
            return Ok(Self::built_in());
        }
        let text = std::fs::read_to_string(path).map_err(|error| SynonymsError::Unreadable(path.to_owned(), error))?;
        Self::parse(&text).map_err(|error| SynonymsError::Malformed(path.to_owned(), Box::new(error)))
    }

    /// Every text with one that it stands for too, as they are written.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let file: SynonymFile = toml::from_str(text)?;
        let mutual = file.mutual.iter().flat_map(|group| {
            let pairs = group.iter().flat_map(|from| group.iter().map(move |to| (from, to)));
            pairs.filter(|(from, to)| from != to)
        });
        let one_way = file
            .one_way
            .iter()
            .flat_map(|(from, alternatives)| alternatives.iter().map(move |to| (from, to)));
        let pairs = mutual.chain(one_way);
        Ok(Self(pairs.map(|(from, to)| (from.clone(), to.clone())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_for_each_other_and_one_way_pairs_do_not() {
        let synonyms = Synonyms::built_in();
        let has = |from: &str, to: &str| synonyms.pairs().any(|pair| pair == (from, to));
        assert!(has("m4l", "max for live") && has("max for live", "m4l"));
        assert!(has("verb", "reverb") && !has("reverb", "verb"));
        let mut pairs = synonyms.pairs();
        assert!(pairs.all(|(from, to)| from != to && !from.trim().is_empty() && !to.trim().is_empty()));
    }

    #[test]
    fn a_file_with_other_tables_is_refused() {
        assert!(Synonyms::parse("mutual = []\n[one_way]\n[two_way]\n").is_err());
    }

    #[test]
    fn a_file_of_ones_own_takes_the_place_of_those_that_are_compiled_in() {
        assert_eq!(Synonyms::load(Path::new("")).expect("compiled in"), Synonyms::built_in());
        let path = std::env::temp_dir().join(format!("cookbook-synonyms-{}.toml", std::process::id()));
        std::fs::write(&path, "mutual = [[\"thud\", \"kick\"]]\n[one_way]\n").expect("written");
        let own = Synonyms::load(&path).expect("read");
        assert_eq!(own.pairs().collect::<Vec<_>>(), [("thud", "kick"), ("kick", "thud")]);
        std::fs::write(&path, "mutual = 5").expect("written");
        let error = Synonyms::load(&path).expect_err("of another form").to_string();
        assert!(error.contains("is no file of synonyms"), "{error}");
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(Synonyms::load(&path), Err(SynonymsError::Unreadable(..))));
    }
}
