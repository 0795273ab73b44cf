//! The demo's community as plain data: the same for everyone who loads it, but for the moment that its dates count back from.
//!
//! Popularity follows Zipf's law, as it does wherever people choose freely: a few workflows and a few people have most of what happens.

use std::collections::HashSet;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};

use super::words::{CLOSINGS, COLOURS, COMMENTS, COMMON_TAGS, GENRES, Genre, OPENINGS, RECIPES, REGIONS, Recipe};

/// The community is the same at every load.
const SEED: u64 = 0x0AB1_E704;

/// Major and minor keys as producers write them; the notation varies on purpose, since people's does.
const KEYS: &[&str] = &[
    "Am", "F#m", "Gm", "C", "Dm", "8A", "Ebm", "Cm", "Em", "G", "Bb minor", "F", "D", "4A", "Bm", "Ab", "1m", "F minor",
];

/// Exponent of Zipf's law; about 1 is seen for views of shared things.
const POPULARITY_EXPONENT: f64 = 0.9;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) users: usize,
    pub(super) workflows: usize,
    pub(super) days: u32,
    pub(super) views: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            users: 320,
            workflows: 2_400,
            days: 60,
            views: 60_000,
        }
    }
}

/// Seconds before the moment of loading.
pub(super) type SecondsAgo = u32;

pub(super) struct User {
    pub(super) handle: String,
    pub(super) bio: Option<String>,
    pub(super) region: Option<&'static str>,
    pub(super) joined: SecondsAgo,
}

pub(super) struct Workflow {
    /// Index into `users`.
    pub(super) author: usize,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) genre: &'static str,
    pub(super) bpm: u32,
    pub(super) key: Option<&'static str>,
    pub(super) difficulty: &'static str,
    pub(super) tags: Vec<&'static str>,
    pub(super) published: SecondsAgo,
    pub(super) recipe: &'static Recipe,
    /// Varies the rack's values, so that no two files are the same bytes.
    pub(super) variant: u32,
}

/// Something that one user did to one workflow.
pub(super) struct Deed<T> {
    pub(super) user: usize,
    pub(super) workflow: usize,
    pub(super) at: SecondsAgo,
    pub(super) what: T,
}

/// A view or a download: by a user, or by nobody known.
pub(super) struct Event {
    pub(super) workflow: usize,
    pub(super) user: Option<usize>,
    /// A network of the ranges kept for documentation (RFC 5737), its last part zeroed.
    pub(super) network: &'static str,
    pub(super) session: u64,
    pub(super) at: SecondsAgo,
}

pub(super) struct Follow {
    pub(super) follower: usize,
    pub(super) followee: usize,
    pub(super) at: SecondsAgo,
}

pub(super) struct Community {
    pub(super) users: Vec<User>,
    pub(super) workflows: Vec<Workflow>,
    pub(super) follows: Vec<Follow>,
    pub(super) likes: Vec<Deed<()>>,
    /// Stars, 1 to 5.
    pub(super) ratings: Vec<Deed<u8>>,
    pub(super) comments: Vec<Deed<String>>,
    pub(super) views: Vec<Event>,
    pub(super) downloads: Vec<Event>,
}

impl Community {
    /// Makes the whole community. Takes a fraction of a second.
    pub(super) fn generate(size: Size) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let users = users(&mut rng, size);
        let workflows = workflows(&mut rng, size, &users);
        let mut community = Self {
            follows: follows(&mut rng, &users),
            users,
            workflows,
            likes: Vec::new(),
            ratings: Vec::new(),
            comments: Vec::new(),
            views: Vec::new(),
            downloads: Vec::new(),
        };
        community.react(&mut rng, size);
        community
    }

    /// Everything that happens to workflows starts with a view; some views become downloads, likes, ratings and comments.
    fn react(&mut self, rng: &mut ChaCha8Rng, size: Size) {
        let order = shuffled(rng, self.workflows.len());
        let fame = Popular::new(self.workflows.len());
        let people = Popular::new(self.users.len());
        let mut liked = HashSet::new();
        let mut rated = HashSet::new();
        for _ in 0..size.views {
            let workflow = order[fame.pick(rng)];
            let Workflow {
                author,
                published,
                recipe,
                ..
            } = self.workflows[workflow];
            let at = moment_after(rng, published);
            let user = rng.random_bool(0.6).then(|| people.pick(rng)).filter(|user| *user != author);
            let network = NETWORKS.choose(rng).copied().unwrap_or(NETWORKS[0]);
            let session = rng.random();
            self.views.push(Event {
                workflow,
                user,
                network,
                session,
                at,
            });
            if !rng.random_bool(0.22) {
                continue;
            }
            self.downloads.push(Event {
                workflow,
                user,
                network,
                session,
                at: at.saturating_sub(30),
            });
            let Some(user) = user.filter(|user| self.users[*user].joined > at) else {
                continue;
            };
            let later = at.saturating_sub(rng.random_range(60..7_200));
            if rng.random_bool(0.75) && liked.insert((user, workflow)) {
                self.likes.push(Deed {
                    user,
                    workflow,
                    at: later,
                    what: (),
                });
            }
            if rng.random_bool(0.3) && rated.insert((user, workflow)) {
                let what = *[5, 5, 5, 4, 4, 4, 4, 3, 3, 2, 1].choose(rng).unwrap_or(&4);
                self.ratings.push(Deed {
                    user,
                    workflow,
                    at: later,
                    what,
                });
            }
            if rng.random_bool(0.15) {
                let what = filled(word(rng, COMMENTS), recipe, "", word(rng, recipe.macros));
                self.comments.push(Deed {
                    user,
                    workflow,
                    at: later,
                    what,
                });
            }
        }
    }
}

/// Networks of RFC 5737, which belong to nobody.
const NETWORKS: &[&str] = &["192.0.2.0", "198.51.100.0", "203.0.113.0"];

fn users(rng: &mut ChaCha8Rng, size: Size) -> Vec<User> {
    let span = size.days * 86_400;
    (1..=size.users)
        .map(|number| {
            let genre = pick(rng, GENRES);
            User {
                handle: format!("producer-{number:03}"),
                bio: rng
                    .random_bool(0.6)
                    .then(|| format!("Mostly {}, sometimes {}.", genre.name, pick(rng, GENRES).name)),
                region: rng.random_bool(0.5).then(|| word(rng, REGIONS)),
                // Half were there from the start, half joined since.
                joined: if rng.random_bool(0.5) {
                    span + 86_400
                } else {
                    rng.random_range(86_400..span)
                },
            }
        })
        .collect()
}

fn workflows(rng: &mut ChaCha8Rng, size: Size, users: &[User]) -> Vec<Workflow> {
    let productive = Popular::new(users.len());
    let mut titles = HashSet::new();
    (0..size.workflows)
        .map(|number| {
            let author = productive.pick(rng);
            let genre = pick_genre(rng);
            let recipe = pick(rng, RECIPES);
            let bpm = rng.random_range(genre.bpm.0..=genre.bpm.1);
            let title = title(rng, genre, recipe, bpm, &mut titles);
            let mut tags = vec![word(rng, genre.tags), word(rng, recipe.tags)];
            if rng.random_bool(0.6) {
                tags.push(word(rng, genre.tags));
            }
            if rng.random_bool(0.4) {
                tags.push(word(rng, COMMON_TAGS));
            }
            tags.sort_unstable();
            tags.dedup();
            let description = [word(rng, OPENINGS), word(rng, CLOSINGS)]
                .map(|sentence| filled(sentence, recipe, genre.name, word(rng, recipe.macros)))
                .join(" ");
            Workflow {
                author,
                title,
                description,
                genre: genre.name,
                bpm,
                key: rng.random_bool(0.8).then(|| word(rng, KEYS)),
                difficulty: ["beginner", "intermediate", "intermediate", "advanced"]
                    .choose(rng)
                    .unwrap_or(&"intermediate"),
                tags,
                published: rng.random_range(3_600..users[author].joined.min(size.days * 86_400)),
                recipe,
                variant: u32::try_from(number).unwrap_or(u32::MAX),
            }
        })
        .collect()
}

fn follows(rng: &mut ChaCha8Rng, users: &[User]) -> Vec<Follow> {
    let popular = Popular::new(users.len());
    let mut seen = HashSet::new();
    let mut follows = Vec::new();
    for follower in 0..users.len() {
        for _ in 0..rng.random_range(2..18) {
            let followee = popular.pick(rng);
            if followee != follower && seen.insert((follower, followee)) {
                let at = rng.random_range(60..users[follower].joined.min(users[followee].joined));
                follows.push(Follow { follower, followee, at });
            }
        }
    }
    follows
}

/// A title that nobody has used yet.
fn title(rng: &mut ChaCha8Rng, genre: &Genre, recipe: &Recipe, bpm: u32, taken: &mut HashSet<String>) -> String {
    let plain = match rng.random_range(0..4) {
        0 => format!("{} {}", word(rng, genre.moods), recipe.noun),
        1 => format!("{} {}", word(rng, COLOURS), recipe.noun),
        2 => format!("{} {} {}", word(rng, COLOURS), word(rng, genre.moods), recipe.noun),
        _ => format!("{} {} {bpm}", word(rng, genre.moods), recipe.noun),
    };
    let mut title = plain.clone();
    let mut version = 1;
    while !taken.insert(title.clone()) {
        version += 1;
        title = format!("{plain} v{version}");
    }
    title
}

/// Fills the gaps of a sentence.
fn filled(sentence: &str, recipe: &Recipe, genre: &str, macro_name: &str) -> String {
    let device = recipe
        .devices
        .first()
        .and_then(|element| config::catalogue::device(element))
        .map_or("the first device", |device| device.name.as_str());
    sentence
        .replace("{purpose}", recipe.purpose)
        .replace("{genre}", genre)
        .replace("{device}", device)
        .replace("{macro}", macro_name)
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len())]
}

fn word(rng: &mut ChaCha8Rng, choices: &[&'static str]) -> &'static str {
    choices[rng.random_range(0..choices.len())]
}

fn pick_genre(rng: &mut ChaCha8Rng) -> &'static Genre {
    GENRES.choose_weighted(rng, |genre| genre.weight).unwrap_or(&GENRES[0])
}

fn shuffled(rng: &mut ChaCha8Rng, length: usize) -> Vec<usize> {
    use rand::seq::SliceRandom;
    let mut order: Vec<usize> = (0..length).collect();
    order.shuffle(rng);
    order
}

/// A moment between `start` and now, sooner after `start` rather than later: interest has a half-life of about a week.
fn moment_after(rng: &mut ChaCha8Rng, start: SecondsAgo) -> SecondsAgo {
    const MEAN_S: f64 = 10.0 * 86_400.0;
    let delay = Exp::new(1.0 / MEAN_S).map_or(0.0, |interest| interest.sample(rng));
    // What would lie in the future happened at some moment in between instead.
    if delay < f64::from(start) {
        start - delay as u32
    } else {
        rng.random_range(0..start.max(1))
    }
}

/// Picks positions of a list by Zipf's law, the first most often.
struct Popular(Option<Zipf<f64>>);

impl Popular {
    fn new(length: usize) -> Self {
        Self(Zipf::new(length as f64, POPULARITY_EXPONENT).ok())
    }

    fn pick(&self, rng: &mut ChaCha8Rng) -> usize {
        self.0.as_ref().map_or(0, |zipf| zipf.sample(rng) as usize - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size {
        users: 60,
        workflows: 300,
        days: 60,
        views: 8_000,
    };

    #[test]
    fn the_community_is_the_same_every_time() {
        let (first, second) = (Community::generate(SMALL), Community::generate(SMALL));
        let titles = |community: &Community| community.workflows.iter().map(|w| w.title.clone()).collect::<Vec<_>>();
        assert_eq!(titles(&first), titles(&second));
        assert_eq!(first.likes.len(), second.likes.len());
    }

    #[test]
    fn nobody_reacts_before_a_workflow_is_there_or_twice_or_to_their_own() {
        let community = Community::generate(SMALL);
        let mut likes = HashSet::new();
        for like in &community.likes {
            assert!(like.at <= community.workflows[like.workflow].published);
            assert_ne!(like.user, community.workflows[like.workflow].author);
            assert!(likes.insert((like.user, like.workflow)));
        }
        for view in &community.views {
            assert!(view.at <= community.workflows[view.workflow].published);
        }
        for workflow in &community.workflows {
            assert!(workflow.published <= community.users[workflow.author].joined);
        }
        assert!(community.follows.iter().all(|follow| follow.follower != follow.followee));
    }

    #[test]
    fn titles_differ_and_a_few_workflows_have_most_of_the_views() {
        let community = Community::generate(SMALL);
        let titles: HashSet<&str> = community.workflows.iter().map(|w| w.title.as_str()).collect();
        assert_eq!(titles.len(), community.workflows.len());
        let mut views = vec![0_usize; community.workflows.len()];
        community.views.iter().for_each(|view| views[view.workflow] += 1);
        views.sort_unstable_by(|a, b| b.cmp(a));
        let top_tenth: usize = views.iter().take(views.len() / 10).sum();
        assert!(
            top_tenth * 2 > community.views.len(),
            "the top tenth has {top_tenth} of {} views",
            community.views.len()
        );
    }
}
