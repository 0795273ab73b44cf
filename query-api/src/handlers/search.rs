//! Search: from the index alone, so that it answers while the database and Redis are down.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use indexer::SearchError;
use store::search_log::Source;

use super::search_answer::SearchAnswer;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::SearchParams;
use crate::search_log::{Answered, Searcher};

/// Search
///
/// Visible workflows, with exact totals and counts. A parameter of a facet may be repeated: any of its values, and that of every facet.
/// Letter case and accents do not matter. It answers from the index alone, also while the database is down.
#[utoipa::path(
    get, path = "/v1/search", tag = "search",
    params(
        ("q" = Option<String>, Query, description = "Text over title, description, tags, author, devices, plug-ins, macro and chain names; also `\"phrases\"`, `-excluded` words, and fielded ones: `bpm:120-130 key:Am device:\"Hybrid Reverb\" -tag:dubstep`", max_length = 2048),
        ("matching" = Option<String>, Query, description = "Which words of `q` hits must have: `most` when absent (all of one or two, all but one of three, two of four, any of five or more), `all`, `any`, `last` (words are given up from the last one on) or `frequency` (from the most frequent one on). Hits that miss fewer words come first in every order; totals and counts are about all hits"),
        ("genre" = Option<Vec<String>>, Query, description = "Genre. This and the following facets: any of the values given; `tag_all=` asks for every one, `tag_none=` for none, and so for each facet"),
        ("key" = Option<Vec<String>>, Query, description = "Key in any usual notation: `F#m`, `Gb minor`, `8A`, `1m`"),
        ("harmony" = Option<String>, Query, description = "Which keys go with `key`: `exact`; `compatible`, which mixes (itself, its relative, and its neighbours on the wheel); or `diagonal`, which adds the relative's neighbours"),
        ("device" = Option<Vec<String>>, Query, description = "Native or Max for Live device; old and new elements of one device are one"),
        ("plugin" = Option<Vec<String>>, Query, description = "Plug-in"),
        ("tag" = Option<Vec<String>>, Query, description = "Tag"),
        ("kind" = Option<Vec<String>>, Query, description = "`audio_effect`, `instrument`, `midi_effect` or `drum`"),
        ("difficulty" = Option<Vec<String>>, Query, description = "`beginner`, `intermediate` or `advanced`"),
        ("author" = Option<Vec<String>>, Query, description = "Handle of the author"),
        ("origin" = Option<Vec<String>>, Query, description = "Where devices come from: `native`, `max_for_live` or `plugin`"),
        ("vendor" = Option<Vec<String>>, Query, description = "Maker of a plug-in"),
        ("category" = Option<Vec<String>>, Query, description = "What devices do: `audio_effect`, `instrument` or `midi_effect`"),
        ("category_device" = Option<Vec<String>>, Query, description = "The level below: `audio_effect > Reverb`"),
        ("edition" = Option<Vec<String>>, Query, description = "Least edition of Live: `intro`, `standard`, `suite` or `unknown`"),
        ("live" = Option<Vec<String>>, Query, description = "Least version of Live: `11.3`"),
        ("form" = Option<Vec<String>>, Query, description = "`rack` or `device`"),
        ("needs" = Option<Vec<String>>, Query, description = "What else it needs: `plugin:Serum`, `pack:Drum Essentials`, `max_device:Granulator`"),
        ("bpm" = Option<Vec<String>>, Query, description = "Tempo: `120-130`, `120-`, `-130` or `120`, taken as it is. This and the following numbers: any of the ranges given"),
        ("rating" = Option<Vec<String>>, Query, description = "Mean rating, 1 to 5"),
        ("downloads" = Option<Vec<String>>, Query, description = "Downloads"),
        ("likes" = Option<Vec<String>>, Query, description = "Likes"),
        ("device_count" = Option<Vec<String>>, Query, description = "Number of devices"),
        ("chain_count" = Option<Vec<String>>, Query, description = "Number of chains"),
        ("macro_count" = Option<Vec<String>>, Query, description = "Number of macros in use"),
        ("tempo" = Option<f64>, Query, description = "Near this tempo", minimum = 20, maximum = 999),
        ("tempo_within" = Option<f64>, Query, description = "How near, in percent; 6 when absent", minimum = 0, maximum = 20),
        ("half_double" = Option<bool>, Query, description = "Whether half and double that tempo are near as well; they come last"),
        ("mix_with" = Option<u64>, Query, description = "Id of a workflow: others of a compatible key and a near tempo, the nearest first unless a text or an order is given"),
        ("has_preview" = Option<bool>, Query, description = "Has something to listen to or a picture"),
        ("has_preview_audio" = Option<bool>, Query, description = "Has something to listen to"),
        ("has_preview_image" = Option<bool>, Query, description = "Has a picture"),
        ("is_featured" = Option<bool>, Query, description = "Chosen by the staff"),
        ("is_parsed" = Option<bool>, Query, description = "Its file was read"),
        ("needs_max_for_live" = Option<bool>, Query, description = "Needs Max for Live"),
        ("uploaded_since" = Option<String>, Query, description = "Published, or else uploaded, since a day, a time, or so many days ago (`30d`)"),
        ("opens_in" = Option<String>, Query, description = "This version of Live opens it, whatever else it needs: `11.3`; `11` is the last of Live 11"),
        ("own_live" = Option<String>, Query, description = "Only what opens completely with what you own: the version of Live. `own_edition` is needed too. What needs something unknown does not pass"),
        ("own_edition" = Option<String>, Query, description = "`intro`, `standard` or `suite`"),
        ("own_max_for_live" = Option<bool>, Query, description = "Whether you have Max for Live; when absent, with Suite alone"),
        ("own_plugin" = Option<Vec<String>>, Query, description = "A plug-in that you have; none when absent"),
        ("own_pack" = Option<Vec<String>>, Query, description = "A pack that you have; none when absent"),
        ("own_max_device" = Option<Vec<String>>, Query, description = "A Max for Live device that you have besides those of Live; none when absent"),
        ("suite_holds_all" = Option<bool>, Query, description = "Lets racks of unknown edition pass for owners of Suite, on the ground that it holds all devices of Live"),
        ("sort" = Option<String>, Query, description = "`relevance`, `newest`, `downloads`, `likes`, `rating`, `trending`, `bpm`, `bpm_distance` (needs `tempo` or `mix_with`) or `random`"),
        ("seed" = Option<u64>, Query, description = "Which random order; the same for the same number"),
        ("limit" = Option<u32>, Query, description = "Hits wanted; 0 for counts only", maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("facets" = Option<String>, Query, description = "Facets to count, joined by commas; all when absent"),
        ("numbers" = Option<String>, Query, description = "Numbers whose spread is wanted, joined by commas: `bpm`, `rating`, `downloads`, `likes`, `uploaded`, `device_count`, `chain_count`, `macro_count`"),
        ("facet_limit" = Option<u32>, Query, description = "Most values of each facet", maximum = 200),
        ("highlight" = Option<bool>, Query, description = "Whether to mark what met `q`; true when absent"),
        ("highlight_pre" = Option<String>, Query, description = "What is put before a word that met `q`; `<em>` when absent", max_length = 64),
        ("highlight_post" = Option<String>, Query, description = "What is put behind it; `</em>` when absent", max_length = 64),
        ("crop" = Option<u32>, Query, description = "Most words of a description's part", maximum = 200),
        ("explain" = Option<bool>, Query, description = "Whether to tell why each hit matched, and the parts of its score"),
        ("wait_for" = Option<u64>, Query, description = "Wait, for at most three seconds, until the answer reflects this `index-position`"),
    ),
    responses(
        (status = 200, body = SearchAnswer),
        (status = 400, body = Problem),
        (status = 422, body = Problem, description = "Parameters are refused; `errors` names each"),
        (status = 503, body = Problem, description = "The index is being built, or does not reflect `wait_for` yet"),
    ),
)]
pub(crate) async fn search_workflows(
    State(context): State<ApiContext>,
    searcher: Searcher,
    params: SearchParams,
) -> Result<Json<SearchAnswer>, ApiError> {
    if let Some(position) = params.wait_for {
        context.index_reaches(position).await?;
    }
    let mut request = params.request;
    let started = Instant::now();
    let (request, answer) = context
        .ask_index(move |index, deadline| {
            request.deadline = Some(deadline);
            let answer = index.search(&request)?;
            Ok((request, answer))
        })
        .await?;
    let query_id = context.search_log.note(
        &searcher,
        Answered {
            request: &request,
            first_page: request.after.is_none(),
            total: answer.total,
            took: started.elapsed(),
            source: Source::Native,
        },
    );
    Ok(Json(SearchAnswer::new(answer, query_id)))
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::NotReady => ApiError::Unavailable {
                what: "the index, which is being built,",
                cause: None,
            },
            SearchError::BadCursor(_) => ApiError::Invalid(vec![FieldError::new("cursor", "is no cursor of this search")]),
            SearchError::BadRange(_) => ApiError::Invalid(vec![FieldError::new("selections", error.to_string())]),
            SearchError::TooComplex(..) => {
                ApiError::Invalid(vec![FieldError::new("selections", format!("are too many: {error}"))])
            }
            SearchError::NoTempo => ApiError::Invalid(vec![FieldError::new(
                "sort",
                "needs a tempo to count from, which the rack to mix with does not have",
            )]),
            SearchError::NothingToMix(_) => ApiError::Invalid(vec![FieldError::new(
                "mix_with",
                "must be a public workflow with a key or a tempo",
            )]),
            SearchError::TimedOut => ApiError::TimedOut,
            other => ApiError::internal(other),
        }
    }
}
