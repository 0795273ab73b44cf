//! Text: how queries are understood, in which order their hits are, and what is shown of why. The racks below are judged by hand: each
//! test says what a producer would expect.

use std::collections::HashMap;

use indexer::{Facet, HighlightOptions, MatchKind, Matching, SearchRequest, SearchResponse, Sort};

use crate::support::{Fixture, ids};

/// A catalogue of racks, each with a title and further columns.
async fn catalogue(racks: &[(u64, &str, &str)]) -> Fixture {
    let fixture = Fixture::new().await;
    for (id, title, more) in racks {
        fixture.insert(*id, title, more).await;
    }
    fixture.rebuild().await;
    fixture
}

fn explained(fixture: &Fixture, text: &str) -> SearchResponse {
    fixture.search(&SearchRequest {
        explain: true,
        highlight: Some(HighlightOptions::default()),
        ..SearchRequest::text(text)
    })
}

/// The mark-up of a hit's field.
fn marked(answer: &SearchResponse, id: u64, field: &str) -> Option<String> {
    let hit = answer.hits.iter().find(|hit| hit.card.id == id)?;
    let highlight = hit.highlights.iter().find(|highlight| highlight.field == field)?;
    Some(highlight.text.clone())
}

#[tokio::test]
async fn exact_comes_before_prefix_before_split_before_typo() {
    let fixture = catalogue(&[
        (1, "Sidechainer Deluxe", ""),
        (2, "Side Chain Pump", ""),
        (3, "Sidechian Pump", ""),
        (4, "Big Sidechain Pump", ""),
        (5, "Sidestick", ""),
    ])
    .await;
    assert_eq!(fixture.ids("sidechain"), [4, 1, 2, 3]);
    assert_eq!(fixture.ids("side chain"), [2, 4, 1], "joined, also as a beginning");
    let answer = explained(&fixture, "sidechain");
    let kinds: Vec<MatchKind> = answer
        .hits
        .iter()
        .map(|hit| hit.explained.as_ref().expect("explained").words[0].kind)
        .collect();
    assert_eq!(
        kinds,
        [MatchKind::Exact, MatchKind::Prefix, MatchKind::Split, MatchKind::OneTypo]
    );
    let scores: Vec<f32> = answer.hits.iter().filter_map(|hit| hit.score).collect();
    assert!(scores.windows(2).all(|pair| pair[0] > pair[1]), "{scores:?}");
    for (id, title) in [
        (4, "Big <em>Sidechain</em> Pump"),
        (1, "<em>Sidechainer</em> Deluxe"),
        (2, "<em>Side</em> <em>Chain</em> Pump"),
        (3, "<em>Sidechian</em> Pump"),
    ] {
        assert_eq!(marked(&answer, id, "title").as_deref(), Some(title));
    }
}

#[tokio::test]
async fn a_better_field_comes_first_then_nearer_words_then_the_whole_title() {
    let fixture = catalogue(&[
        (1, "Choir", "description = 'a warm pad'"),
        (2, "Warm Glass Choir Bells And Pad", ""),
        (3, "Pad Warm", ""),
        (4, "Warm Pad Collection", ""),
        (5, "Warm Pad", ""),
        (6, "Drone", r#"devices_used = '["Warm Pad"]'"#),
    ])
    .await;
    assert_eq!(fixture.ids("warm pad"), [5, 4, 3, 2, 6, 1]);
    let answer = explained(&fixture, "warm pad");
    let nearness: Vec<u32> = answer
        .hits
        .iter()
        .map(|hit| hit.explained.as_ref().expect("explained").tiers.expect("tiers")[2])
        .collect();
    assert_eq!(nearness, [0, 1, 2, 3, 1, 1]);
    assert_eq!(fixture.ids("\"warm pad\""), [5, 4, 6, 1]);
    assert_eq!(fixture.ids("warm pad -collection"), [5, 3, 2, 6, 1]);
    assert_eq!(fixture.ids("-warm"), Vec::<u64>::new());
    assert_eq!(fixture.ids("pad -\"warm pad\""), [3, 2]);
}

#[tokio::test]
async fn typos_are_met_by_distance_and_never_in_numbers_or_short_words() {
    let fixture = catalogue(&[
        (1, "808 Kick", ""),
        (2, "909 Kick", ""),
        (3, "Operator Bells", ""),
        (4, "Oparetor Bells", ""),
        (5, "Resonance Sweep", ""),
        (6, "Serum 2 Bass", ""),
        (7, "Serum 3 Bass", ""),
    ])
    .await;
    assert_eq!(fixture.ids("808"), [1]);
    assert_eq!(fixture.ids("909 kick"), [2]);
    assert_eq!(fixture.ids("serum 2"), [6]);
    assert_eq!(
        fixture.ids("operatro "),
        [3],
        "two letters that changed places are one typo, and one is allowed in eight letters"
    );
    assert_eq!(fixture.ids("operator"), [3]);
    assert_eq!(fixture.ids("resonnence "), [5], "two typos in ten letters");
    assert_eq!(fixture.ids("kcik "), Vec::<u64>::new(), "four letters are too few");
    let answer = fixture.search(&SearchRequest::text("opertor"));
    assert_eq!(answer.did_you_mean.as_deref(), Some("operator"));
    let answer = fixture.search(&SearchRequest::text("808 kcik "));
    assert_eq!((answer.total, answer.did_you_mean.as_deref()), (0, Some("808 kick ")));
}

#[tokio::test]
async fn the_last_word_may_be_unfinished_and_misspelt() {
    let fixture = catalogue(&[
        (1, "Granulator Texture", ""),
        (2, "Grand Piano", ""),
        (3, "Warm Granulation", ""),
    ])
    .await;
    assert_eq!(fixture.ids("gran"), [3, 2, 1]);
    assert_eq!(fixture.ids("gran "), Vec::<u64>::new());
    assert_eq!(fixture.ids("granul"), [3, 1]);
    assert_eq!(fixture.ids("warm gra"), [3]);
    assert_eq!(fixture.ids("granylat"), [3, 1]);
    let answer = explained(&fixture, "gra");
    assert_eq!(marked(&answer, 2, "title").as_deref(), Some("<em>Grand</em> Piano"));
}

#[tokio::test]
async fn synonyms_are_found_behind_the_word_itself() {
    let fixture = catalogue(&[
        (1, "Max for Live LFO", ""),
        (2, "M4L LFO", ""),
        (3, "Drum & Bass Break", ""),
        (4, "DnB Break", ""),
        (5, "Drum and Bass Break", ""),
        (6, "Shimmer Reverb", ""),
        (7, "Hi-Hat Rack", ""),
        (8, "Bass Drum", ""),
    ])
    .await;
    assert_eq!(fixture.ids("m4l "), [2, 1]);
    assert_eq!(fixture.ids("max for live"), [1, 2]);
    assert_eq!(fixture.ids("dnb"), [4, 5, 3]);
    assert_eq!(
        fixture.ids("drum and bass"),
        [5, 3, 8, 4],
        "the words themselves, in whatever order, come first"
    );
    assert_eq!(fixture.ids("verb"), [6]);
    assert_eq!(fixture.ids("hh "), [7]);
    let answer = explained(&fixture, "dnb");
    assert_eq!(
        marked(&answer, 5, "title").as_deref(),
        Some("<em>Drum</em> <em>and</em> <em>Bass</em> Break")
    );
}

#[tokio::test]
async fn descriptions_are_stemmed_and_names_are_not() {
    let fixture = catalogue(&[
        (1, "Keys", "description = 'Built for looping samples'"),
        (2, "Looping", ""),
        (3, "Sampling", ""),
    ])
    .await;
    assert_eq!(fixture.ids("loops "), [1]);
    assert_eq!(fixture.ids("looping "), [2, 1]);
    let answer = explained(&fixture, "loops ");
    assert_eq!(
        marked(&answer, 1, "description").as_deref(),
        Some("Built for <em>looping</em> samples")
    );
}

#[tokio::test]
async fn accents_case_and_scripts_without_spaces_are_found() {
    let fixture = catalogue(&[(1, "Café del Mar", ""), (2, "東京ドラムキット", ""), (3, "ラム 音", "")]).await;
    assert_eq!(fixture.ids("CAFE del"), [1]);
    assert_eq!(fixture.ids("ドラム"), [2]);
    assert_eq!(fixture.ids("ト"), [2], "the last character of a run too");
    assert_eq!(fixture.ids("音"), [3]);
    let answer = explained(&fixture, "ドラム");
    assert_eq!(marked(&answer, 2, "title").as_deref(), Some("東京<em>ドラム</em>キット"));
}

#[tokio::test]
async fn fielded_words_narrow_and_malformed_ones_are_text() {
    let fixture = catalogue(&[
        (1, "Stab", "genre = 'House', bpm = 124, key_signature = 'Am'"),
        (2, "Stab", "genre = 'House', bpm = 132, key_signature = 'C'"),
        (3, "Stab bpm fast", "genre = 'Techno', bpm = 124"),
    ])
    .await;
    assert_eq!(fixture.ids("stab genre:house"), [2, 1]);
    assert_eq!(fixture.ids("bpm:120-125 stab"), [1, 3]);
    assert_eq!(fixture.ids("key:8A"), [1]);
    assert_eq!(fixture.ids("stab bpm:fast"), [3]);
    let answer = fixture.search(&SearchRequest::text("stab genre:house"));
    assert_eq!(answer.understood.to_text(), "stab genre:house ");
    let genres = &answer.facets[Facet::ALL.iter().position(|facet| *facet == Facet::Genre).expect("counted")];
    assert!(genres.values.iter().any(|value| value.value == "House" && value.selected));
}

#[tokio::test]
async fn from_five_words_on_any_may_be_missing_and_repeats_weigh() {
    let fixture = catalogue(&[
        (1, "A", "description = 'a rack of warm tape echoes with slow movement'"),
        (2, "B", "description = 'slow movement only'"),
        (3, "C", "description = 'nothing alike'"),
    ])
    .await;
    assert_eq!(fixture.ids("the warm tape echo moving slow"), [1, 2]);
    assert_eq!(fixture.ids("warm tape echo slow"), [1], "of four two must match");
    // Two racks that each have one of two words equally often: the one that was written twice decides.
    let fixture = catalogue(&[
        (1, "X", "description = 'granular wind noise'"),
        (2, "Y", "description = 'spectral wind noise'"),
        (3, "Z", "description = 'granular spectral'"),
    ])
    .await;
    let twice = fixture.ids("granular wind spectral pulse noise granular");
    assert!(
        twice.iter().position(|id| *id == 1) < twice.iter().position(|id| *id == 2),
        "{twice:?}"
    );
    let twice = fixture.ids("granular wind spectral pulse noise spectral");
    assert!(
        twice.iter().position(|id| *id == 2) < twice.iter().position(|id| *id == 1),
        "{twice:?}"
    );
}

#[tokio::test]
async fn where_nothing_is_found_less_is_offered() {
    let fixture = catalogue(&[
        (1, "Warm Pad", "genre = 'House'"),
        (2, "Warm Bass", "genre = 'Techno'"),
        (3, "Warm Lead", ""),
    ])
    .await;
    let answer = fixture.search(&SearchRequest::text("warm zzzz "));
    assert_eq!((answer.total, answer.hits.len()), (0, 0));
    let offered: Vec<(&str, u64)> = answer
        .relaxed
        .iter()
        .map(|relaxed| (relaxed.text.as_str(), relaxed.total))
        .collect();
    assert_eq!(offered, [("warm ", 3)]);
    assert_eq!(answer.relaxed[0].left_out, ["zzzz"]);
    let answer = fixture.search(&SearchRequest::text("pad genre:techno"));
    let offered: Vec<&str> = answer.relaxed.iter().map(|relaxed| relaxed.text.as_str()).collect();
    assert_eq!(offered, ["genre:techno ", "pad "]);
    assert!(fixture.search(&SearchRequest::text("warm")).relaxed.is_empty());
}

#[tokio::test]
async fn popularity_decides_among_equals_and_only_there() {
    let fixture = catalogue(&[(1, "Dub Chord", ""), (2, "Dub Chord", ""), (3, "Dub Chords", "")]).await;
    assert_eq!(fixture.ids("dub chord"), [2, 1, 3]);
    fixture
        .db
        .execute("UPDATE workflows SET likes_count = 50 WHERE id IN (1, 3)")
        .await;
    let mut counters = indexer::CounterPoller::new(fixture.index.clone(), fixture.db.pool().clone());
    counters.read_all().await.expect("counters are read");
    assert_eq!(fixture.ids("dub chord"), [1, 2, 3]);
    fixture.db.execute("UPDATE workflows SET likes_count = 50 WHERE id = 2").await;
    counters.read_all().await.expect("counters are read");
    assert_eq!(fixture.ids("dub chord"), [2, 1, 3], "equal popularity changes nothing");
}

#[tokio::test]
async fn highlights_are_safe_and_descriptions_are_cropped() {
    let long = "filler ".repeat(60);
    let fixture = catalogue(&[(
        1,
        "<b>Warm</b>",
        &format!("description = '{long} the granular heart {long}', macro_controls = '[\"Warmth\", \"Warm Drive\"]'"),
    )])
    .await;
    let answer = explained(&fixture, "warm");
    assert_eq!(
        marked(&answer, 1, "title").as_deref(),
        Some("&lt;b&gt;<em>Warm</em>&lt;/b&gt;")
    );
    let macros: Vec<(usize, &str)> = answer.hits[0]
        .highlights
        .iter()
        .filter(|highlight| highlight.field == "macros")
        .map(|highlight| (highlight.at, highlight.text.as_str()))
        .collect();
    assert_eq!(macros, [(0, "<em>Warmth</em>"), (1, "<em>Warm</em> Drive")]);
    let snippet = marked(&explained(&fixture, "granular"), 1, "description").expect("a snippet");
    assert!(
        snippet.starts_with("…filler") && snippet.ends_with("filler…") && snippet.contains("the <em>granular</em> heart"),
        "{snippet}"
    );
}

/// Words that are neither stems of each other, nor typos (three letters), nor two in one.
const WORDS: [&str; 12] = [
    "kik", "bas", "pad", "lid", "arp", "dub", "vox", "tom", "zap", "hum", "fog", "gem",
];

/// A text of up to so many words, the same for the same state.
fn some_words(state: &mut u64, most: u64) -> String {
    let mut next = |of: u64| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % of
    };
    let count = next(most + 1);
    // The first words are common and the last ones rare.
    let words = (0..count).map(|_| WORDS[(next(12) * next(12) / 12) as usize]);
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn what_is_found_is_what_a_look_at_every_rack_finds() {
    const RACKS: u64 = 5000;
    let fixture = Fixture::new().await;
    let mut state = 7;
    let texts: Vec<(String, String)> = (0..RACKS)
        .map(|_| (some_words(&mut state, 3) + " q", some_words(&mut state, 5)))
        .collect();
    let rows: Vec<String> = (1..)
        .zip(&texts)
        .map(|(id, (title, text))| format!("({id}, 1, '{title}', 'r-{id}', '{text}', 'instrument', 'none.adg', TRUE)"))
        .collect();
    fixture
        .db
        .execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, description, rack_type, adg_file_path, is_published) VALUES {}",
            rows.join(", ")
        ))
        .await;
    fixture.rebuild().await;
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let has = |text: &str, word: &str| text.split(' ').any(|its| its == word);
    // As the dictionary counts: documents with the word anywhere, and those with its stem in the description.
    let frequency = |word: &str| {
        let anywhere = texts
            .iter()
            .filter(|(title, text)| has(title, word) || has(text, word))
            .count();
        let described = texts.iter().filter(|(_, text)| has(text, word)).count();
        (anywhere + described).min(texts.len())
    };
    for turn in 0..150 {
        let matching = Matching::ALL[turn % Matching::ALL.len()];
        // Four words at most, one in quotation marks included: with five they would only weigh.
        let phrase = if turn % 2 == 0 {
            some_words(&mut state, 2)
        } else {
            String::new()
        };
        let sought = some_words(&mut state, if phrase.is_empty() { 4 } else { 3 });
        let excluded = some_words(&mut state, 1);
        let query = format!(
            "{sought} \"{phrase}\" {}{excluded} ",
            if excluded.is_empty() { "" } else { "-" }
        );
        let mut slots: Vec<&str> = Vec::new();
        // One word in quotation marks is that word.
        let alone = phrase.split_whitespace().count() == 1;
        for word in sought.split_whitespace().chain(phrase.split_whitespace().filter(|_| alone)) {
            if !slots.contains(&word) {
                slots.push(word);
            }
        }
        if matching == Matching::Frequency {
            slots.sort_by_key(|word| frequency(word));
        }
        // How many words a rack misses; none: it does not match.
        let missing = |title: &str, text: &str| -> Option<usize> {
            let met = |word: &&&str| has(title, word) || has(text, word);
            let missing = match matching {
                Matching::Last | Matching::Frequency => slots.len() - slots.iter().take_while(met).count(),
                _ => slots.len() - slots.iter().filter(met).count(),
            };
            let may_miss = match matching {
                Matching::All => 0,
                Matching::Most if slots.len() < 3 => 0,
                Matching::Most => slots.len() / 2,
                Matching::Any if phrase.contains(' ') => slots.len(),
                Matching::Any | Matching::Last | Matching::Frequency => slots.len().saturating_sub(1),
            };
            (missing <= may_miss).then_some(missing)
        };
        let expected: HashMap<u64, usize> = (1..)
            .zip(&texts)
            .filter_map(|(id, (title, text))| {
                let wanted = words(&phrase);
                let side_by_side = |its: &str| words(its).windows(wanted.len()).any(|run| run == wanted);
                let fits = (excluded.is_empty() || !(has(title, &excluded) || has(text, &excluded)))
                    && (!phrase.contains(' ') || side_by_side(title) || side_by_side(text));
                Some((id, missing(title, text).filter(|_| fits)?))
            })
            .collect();
        for sort in [Sort::Relevance, Sort::Newest] {
            let answer = fixture.search(&SearchRequest {
                limit: 1000,
                facets: vec![Facet::Kind],
                sort,
                matching,
                ..SearchRequest::text(&query)
            });
            let shown = format!("{matching:?} {sort:?} `{query}`");
            assert_eq!(answer.total, expected.len() as u64, "{shown}");
            assert_eq!(
                answer.facets[0].values.first().map_or(0, |value| value.count),
                answer.total,
                "{shown}"
            );
            let mut found = ids(&answer);
            let steps: Vec<Option<usize>> = found.iter().map(|id| expected.get(id).copied()).collect();
            assert!(steps.iter().all(Option::is_some), "{shown}");
            assert!(steps.is_sorted(), "{shown}: what misses more comes later: {steps:?}");
            if sort == Sort::Relevance && !(sought.is_empty() && phrase.is_empty()) {
                let scores: Vec<f32> = answer.hits.iter().filter_map(|hit| hit.score).collect();
                assert_eq!(scores.len(), found.len());
                assert!(scores.is_sorted_by(|a, b| a >= b), "{shown}: {scores:?}");
            }
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len() as u64, answer.total.min(1000), "{shown}");
        }
    }
}

#[tokio::test]
async fn racks_that_miss_a_word_come_behind_those_that_have_all() {
    let fixture = catalogue(&[
        (1, "Warm Tape Echo", ""),
        (2, "Warm Tape", ""),
        (3, "Tape Echo Delay", ""),
        (4, "Warm", "description = 'made with tape, and an echo'"),
        (5, "Warm Pad", ""),
        (6, "Warm Tape Machine", ""),
        (7, "Warm Tape Noise", ""),
    ])
    .await;
    // The fourth has all of them, though in worse places. Of the others, those with the rarer word come first.
    assert_eq!(fixture.ids("warm tape echo"), [1, 4, 3, 7, 6, 2]);
    assert_eq!(fixture.ids("warm echo"), [1, 4], "one of two is too little");
    let ids_of = |matching: Matching, text: &str| {
        ids(&fixture.search(&SearchRequest {
            matching,
            ..SearchRequest::text(text)
        }))
    };
    assert_eq!(ids_of(Matching::All, "warm tape echo"), [1, 4]);
    assert_eq!(ids_of(Matching::Last, "echo zzzz "), [3, 1, 4]);
    assert_eq!(ids_of(Matching::Last, "zzzz echo "), Vec::<u64>::new());
    assert_eq!(ids_of(Matching::Frequency, "tape echo ")[..3], [3, 1, 4]);
    assert_eq!(ids_of(Matching::Any, "pad machine "), [6, 5]);
    let answer = explained(&fixture, "warm tape echo");
    assert_eq!(answer.may_miss, 1);
    let missing: Vec<Vec<String>> = answer
        .hits
        .iter()
        .map(|hit| hit.explained.clone().expect("explained").missing)
        .collect();
    assert_eq!(missing[..3], [vec![], vec![], vec!["warm".to_owned()]]);
    // Pages are one list, however they are cut.
    let mut request = SearchRequest {
        sort: Sort::Newest,
        limit: 2,
        ..SearchRequest::text("warm tape echo")
    };
    let mut paged = Vec::new();
    loop {
        let answer = fixture.search(&request);
        paged.extend(ids(&answer));
        assert_eq!(answer.total, 6);
        request.after = answer.next;
        if request.after.is_none() {
            break;
        }
    }
    assert_eq!(paged, [4, 1, 7, 6, 3, 2]);
}

#[tokio::test]
async fn synonyms_of_ones_own_take_the_place_of_those_that_are_built_in() {
    let fixture = catalogue(&[(1, "Thud", ""), (2, "Max for Live LFO", "")]).await;
    assert_eq!(fixture.ids("m4l "), [2]);
    assert_eq!(fixture.ids("kick "), Vec::<u64>::new());
    let own = fixture.folder.path().join("own.toml");
    std::fs::write(&own, "mutual = [[\"thud\", \"kick\"]]\n[one_way]\n").expect("written");
    let synonyms = config::Synonyms::load(&own).expect("read");
    let folder = tempfile::tempdir().expect("a folder");
    let index = indexer::Index::open_with(folder.path(), crate::support::MEMORY, &synonyms).expect("opened");
    index.rebuild(fixture.db.pool(), |_| {}).await.expect("built");
    let found = |text: &str| ids(&index.search(&SearchRequest::text(text)).expect("answered"));
    assert_eq!(found("kick "), [1]);
    assert_eq!(found("m4l "), Vec::<u64>::new());
}
