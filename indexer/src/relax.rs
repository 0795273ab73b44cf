//! What could be searched instead: words that nothing has are put right ("did you mean"), and demands are dropped one at a time where
//! all together find nothing.

use std::collections::HashSet;

use crate::SearchError;
use crate::counters::CountersView;
use crate::dictionary::Dictionary;
use crate::plan::Plan;
use crate::request::SearchRequest;
use crate::response::Relaxed;
use crate::search::Snapshot;
use crate::stop_words::is_stop_word;
use crate::text::tokens;
use crate::understand::{Sought, Understood};

/// Most searches that are tried with a demand less.
const MAX_TRIES: usize = 8;

/// Most that are offered.
const MAX_OFFERED: usize = 3;

/// From how many letters on a word is put right that finds nothing, by one edit and by two. Searching is stricter: an offer harms nobody.
const ONE_EDIT_CHARS: usize = 3;
const TWO_EDITS_CHARS: usize = 6;

/// A text with those words replaced that only typos were found for; none if there are no such words.
pub(crate) fn corrected(text: &str, plan: &Plan) -> Option<String> {
    let corrections = plan
        .slots
        .iter()
        .filter_map(|slot| Some((slot.typed.first()?.as_str(), slot.correction()?)));
    replaced(text, &corrections.collect::<Vec<_>>())
}

fn replaced(text: &str, corrections: &[(&str, &str)]) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    let mut at = 0;
    for token in tokens(text) {
        if let Some((_, right)) = corrections.iter().find(|(wrong, _)| *wrong == token.text)
            && token.offset_from >= at
        {
            written.push_str(&text[at..token.offset_from]);
            written.push_str(right);
            at = token.offset_to;
        }
    }
    (at > 0).then(|| written + &text[at..])
}

impl Snapshot {
    /// The text with words that nothing has replaced by the nearest that something has, if that finds anything.
    pub(crate) fn likelier(
        &self,
        request: &SearchRequest,
        understood: &Understood,
        counters: &CountersView,
    ) -> Result<Option<String>, SearchError> {
        let dictionary = Dictionary::new(&self.generation.fields, &self.searcher)?;
        let mut corrections = Vec::new();
        for sought in &understood.sought {
            let words = match sought {
                Sought::Word { text, .. } => std::slice::from_ref(text),
                Sought::Phrase(words) => words,
            };
            for word in words {
                if dictionary.frequency(word)? > 0 {
                    continue;
                }
                let edits = match word.chars().count() {
                    ..ONE_EDIT_CHARS => continue,
                    ONE_EDIT_CHARS..TWO_EDITS_CHARS => 1,
                    _ => 2,
                };
                if !word.chars().any(char::is_numeric)
                    && let Some((near, ..)) = dictionary.near(word, edits, false)?.into_iter().next()
                {
                    corrections.push((word.clone(), near));
                }
            }
        }
        let corrections: Vec<(&str, &str)> = corrections.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let Some(text) = replaced(&request.text, &corrections) else {
            return Ok(None);
        };
        Ok((self.total(request, text.clone(), counters)? > 0).then_some(text))
    }

    /// Texts with one demand less that find something, those that find most first.
    pub(crate) fn relaxed(
        &self,
        request: &SearchRequest,
        understood: &Understood,
        plan: Option<&Plan>,
        counters: &CountersView,
    ) -> Result<Vec<Relaxed>, SearchError> {
        let mut offered: Vec<Relaxed> = Vec::new();
        let mut tried = HashSet::new();
        for (fewer, left_out) in alternatives(understood, plan).into_iter().take(MAX_TRIES) {
            let text = fewer.to_text();
            if text.trim().is_empty() || !tried.insert(text.clone()) {
                continue;
            }
            let total = self.total(request, text.clone(), counters)?;
            if total > 0 {
                offered.push(Relaxed { text, left_out, total });
            }
        }
        offered.sort_by(|a, b| (a.left_out.len(), b.total).cmp(&(b.left_out.len(), a.total)));
        offered.truncate(MAX_OFFERED);
        Ok(offered)
    }

    /// How many documents match another text, all else being equal.
    fn total(&self, request: &SearchRequest, text: String, counters: &CountersView) -> Result<u64, SearchError> {
        let request = SearchRequest {
            text,
            facets: Vec::new(),
            numbers: Vec::new(),
            limit: 0,
            highlight: None,
            explain: false,
            suggest: false,
            ..request.clone()
        };
        let answers = self.search(std::slice::from_ref(&request), counters)?;
        Ok(answers.first().map_or(0, |answer| answer.total))
    }
}

/// What is left without all words that nothing has, then without each demand, with what was left out.
fn alternatives(understood: &Understood, plan: Option<&Plan>) -> Vec<(Understood, Vec<String>)> {
    let mut alternatives = Vec::new();
    let name = |sought: &Sought| match sought {
        Sought::Word { text, .. } => text.clone(),
        Sought::Phrase(words) => format!("\"{}\"", words.join(" ")),
    };
    let is_unknown = |sought: &Sought| {
        let words = match sought {
            Sought::Word { text, .. } => std::slice::from_ref(text),
            Sought::Phrase(words) => words,
        };
        plan.is_some_and(|plan| plan.slots.iter().any(|slot| slot.typed == words && slot.sources.is_empty()))
    };
    let (unknown, known): (Vec<&Sought>, Vec<&Sought>) = understood.sought.iter().partition(|sought| is_unknown(sought));
    if !unknown.is_empty() && !known.is_empty() {
        let fewer = Understood {
            sought: known.into_iter().cloned().collect(),
            ..understood.clone()
        };
        alternatives.push((fewer, unknown.into_iter().map(name).collect()));
    }
    for (at, sought) in understood.sought.iter().enumerate() {
        if matches!(sought, Sought::Word { text, .. } if is_stop_word(text)) {
            continue;
        }
        let mut fewer = understood.clone();
        fewer.sought.remove(at);
        alternatives.push((fewer, vec![name(sought)]));
    }
    for at in 0..understood.excluded.len() {
        let mut fewer = understood.clone();
        let words = fewer.excluded.remove(at);
        alternatives.push((fewer, vec![format!("-{}", words.join(" "))]));
    }
    for at in 0..understood.fielded.len() {
        let mut fewer = understood.clone();
        let fielded = fewer.fielded.remove(at);
        alternatives.push((fewer, vec![fielded.to_string()]));
    }
    // A demand for nothing is met by everything, which helps nobody.
    alternatives.retain(|(fewer, _)| !fewer.sought.is_empty() || !fewer.fielded.is_empty());
    alternatives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_where_they_stand() {
        let right = [("revreb", "reverb"), ("pda", "pad")];
        assert_eq!(
            replaced("Warm RevReb tag:x pda", &right).as_deref(),
            Some("Warm reverb tag:x pad")
        );
        assert_eq!(replaced("warm", &right), None);
    }

    #[test]
    fn each_demand_is_dropped_once() {
        let understood = Understood::read("warm \"tape echo\" -loop genre:house ");
        let texts: Vec<String> = alternatives(&understood, None)
            .iter()
            .map(|(fewer, _)| fewer.to_text())
            .collect();
        assert_eq!(
            texts,
            [
                "\"tape echo\" -loop genre:house ",
                "warm -loop genre:house ",
                "warm \"tape echo\" genre:house ",
                "warm \"tape echo\" -loop "
            ]
        );
    }
}
