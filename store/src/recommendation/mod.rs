//! Recommendations: what people did, the workflows that go together by it, and how both become a list for somebody.
//!
//! A job computes each workflow's neighbours (`jobs::neighbours`) and stores them as a generation, as trending does. A list is made when it
//! is asked for, from what its reader did until that moment and the stored neighbours: so what is fresh counts at once, and nothing is kept
//! for each reader. How acts weigh ([`interests`]), how neighbours are summed ([`score`]) and what may stand beside what ([`arrange`]) is
//! pure and stands here, since both the job's side (which measures it) and the API (which shows it) use it.

mod acts;
mod candidates;
mod dismissals;
mod generations;
mod interest;
mod rank;

pub use acts::{PersonActs, acts_of, acts_of_group, newest_act, user_groups};
pub use candidates::{Twin, facts, newest, of_followees, twins};
pub use dismissals::{DismissedWorkflow, add as dismiss, list as dismissed, remove as undismiss};
pub use generations::{
    Current, Generation, Neighbour, add_neighbours, begin, current, is_first_wanted, neighbours, neighbours_of, publish,
};
pub use interest::{Act, ActKind, Interest, interests, profile, recency};
pub use rank::{Because, Listed, Pick, Rules, Score, arrange, explore_order, mixed, score};
