//! What people write, as it is sent: as written, with the links and mentions in it, and as HTML that is safe to put into a page.

use std::collections::{HashMap, HashSet};

use linkify::{LinkFinder, LinkKind};
use serde::Serialize;
use store::{Conn, user};
use utoipa::ToSchema;

use crate::error::{ApiError, FieldError};

/// Most mentions of one text that are looked up; more stay plain, so that a text of nothing but names costs no more than others.
const MAX_MENTIONS: usize = 20;

/// Longest handle, as the column has it.
const MAX_USERNAME_CHARS: usize = 50;

/// A text that somebody wrote, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Text)]
pub(crate) struct TextBody {
    /// As it was written. Not HTML: escape it, or use `html`.
    text: String,
    /// Links and mentions in it, in order.
    entities: Vec<EntityBody>,
    /// The same with everything escaped, links as `<a>` and mentions as `<span class="mention">`: safe to put into a page.
    html: String,
}

/// Something in a text, as sent. `start` and `end` count UTF-16 units, as strings of JavaScript do; `end` is behind the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TextEntity)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum EntityBody {
    /// A link to a page.
    Link {
        /// First unit.
        start: usize,
        /// Behind the last unit.
        end: usize,
        /// Where it leads: `http` or `https`.
        url: String,
    },
    /// Somebody with an account here.
    Mention {
        /// First unit, the `@`.
        start: usize,
        /// Behind the last unit.
        end: usize,
        /// Their handle, as they spell it.
        username: String,
    },
}

/// A place in a text, in bytes, that may be something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    start: usize,
    end: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Link,
    Mention(String),
}

/// Checks a text that is to be stored as it is: not empty, not too long, nothing that no keyboard writes.
pub(crate) fn check(field: &str, text: &str, max_chars: usize) -> Result<(), ApiError> {
    let refused = |message: String| Err(ApiError::Invalid(vec![FieldError::new(field, message)]));
    if text.trim().is_empty() {
        return refused("must not be empty".to_owned());
    }
    if text.chars().count() > max_chars {
        return refused(format!("must have at most {max_chars} characters"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return refused("must not contain control characters".to_owned());
    }
    Ok(())
}

/// Prepares texts for sending; one look at the database tells which names in them are somebody's.
pub(crate) async fn render(db: &mut Conn, texts: Vec<String>) -> Result<Vec<TextBody>, ApiError> {
    let found: Vec<Vec<Found>> = texts.iter().map(|text| find(text)).collect();
    let names: HashSet<&str> = found
        .iter()
        .flatten()
        .filter_map(|one| match &one.what {
            What::Mention(name) => Some(name.as_str()),
            What::Link => None,
        })
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let users: HashMap<String, String> = user::existing_names(db, &names)
        .await?
        .into_iter()
        .map(|name| (name.to_lowercase(), name))
        .collect();
    Ok(texts
        .into_iter()
        .zip(found)
        .map(|(text, found)| body(text, &found, &users))
        .collect())
}

/// Links and what looks like a mention, in order, none within another.
fn find(text: &str) -> Vec<Found> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let mut found: Vec<Found> = finder
        .links(text)
        .filter(|link| {
            let scheme = link.as_str().split(':').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        })
        .map(|link| Found {
            start: link.start(),
            end: link.end(),
            what: What::Link,
        })
        .collect();
    let mentions: Vec<Found> = mentions(text)
        .filter(|mention| !found.iter().any(|link| mention.start < link.end && link.start < mention.end))
        .take(MAX_MENTIONS)
        .collect();
    found.extend(mentions);
    found.sort_by_key(|one| one.start);
    found
}

/// Every `@name` that stands by itself: not within a word, as in an e-mail address.
fn mentions(text: &str) -> impl Iterator<Item = Found> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices('@').filter_map(move |(start, _)| {
        let is_within_word = text[..start]
            .chars()
            .next_back()
            .is_some_and(|c| is_of_name(c) || c == '@' || c == '/');
        let name: &str = text[start + 1..].split(|c| !is_of_name(c)).next().unwrap_or_default();
        // A sentence may end behind a name.
        let name = name.trim_end_matches(['.', '-']);
        let is_name = !is_within_word && !name.is_empty() && name.chars().count() <= MAX_USERNAME_CHARS;
        is_name.then(|| Found {
            start,
            end: start + 1 + name.len(),
            what: What::Mention(name.to_owned()),
        })
    })
}

fn body(text: String, found: &[Found], users: &HashMap<String, String>) -> TextBody {
    let mut entities = Vec::new();
    let mut html = String::with_capacity(text.len() + text.len() / 4);
    let mut done = 0;
    let mut units = 0;
    for one in found {
        let username = match &one.what {
            What::Link => None,
            What::Mention(name) => match users.get(&name.to_lowercase()) {
                Some(username) => Some(username),
                None => continue,
            },
        };
        let (before, within) = (&text[done..one.start], &text[one.start..one.end]);
        escape(before, &mut html);
        let start = units + before.encode_utf16().count();
        let end = start + within.encode_utf16().count();
        if let Some(username) = username {
            html.push_str("<span class=\"mention\" data-username=\"");
            escape(username, &mut html);
            html.push_str("\">");
            escape(within, &mut html);
            html.push_str("</span>");
            entities.push(EntityBody::Mention {
                start,
                end,
                username: username.clone(),
            });
        } else {
            html.push_str("<a rel=\"nofollow ugc noopener noreferrer\" href=\"");
            escape(within, &mut html);
            html.push_str("\">");
            escape(within, &mut html);
            html.push_str("</a>");
            entities.push(EntityBody::Link {
                start,
                end,
                url: within.to_owned(),
            });
        }
        done = one.end;
        units = end;
    }
    escape(&text[done..], &mut html);
    TextBody { text, entities, html }
}

/// Appends a text so that nothing in it is markup, in elements and in quoted attributes.
fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>"),
            '\r' => {}
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> TextBody {
        let users = HashMap::from([("producer-017".to_owned(), "Producer-017".to_owned())]);
        body(text.to_owned(), &find(text), &users)
    }

    /// What the entities mark, read back by UTF-16 units.
    fn marked(body: &TextBody) -> Vec<String> {
        let units: Vec<u16> = body.text.encode_utf16().collect();
        body.entities
            .iter()
            .map(|entity| match entity {
                EntityBody::Link { start, end, .. } | EntityBody::Mention { start, end, .. } => {
                    String::from_utf16(&units[*start..*end]).expect("whole characters")
                }
            })
            .collect()
    }

    #[test]
    fn links_and_mentions_are_found_where_they_stand() {
        let body = rendered("🎛 hi @producer-017, see https://example.org/a?b=c&d=\"x. Write to a@producer-017 or @nobody.");
        assert_eq!(marked(&body), ["@producer-017", "https://example.org/a?b=c&d="]);
        assert_eq!(
            body.entities[0],
            EntityBody::Mention {
                start: 6,
                end: 19,
                username: "Producer-017".to_owned()
            }
        );
        assert_eq!(marked(&rendered("(@Producer-017.)")), ["@Producer-017"]);
        assert_eq!(
            marked(&rendered("https://example.org/@producer-017")),
            ["https://example.org/@producer-017"]
        );
    }

    #[test]
    fn html_carries_no_markup_of_the_writer() {
        let body = rendered("<script>alert('x')</script>\n javascript:alert(1) data:text/html,x ftp://example.org \"&");
        assert!(body.entities.is_empty(), "{:?}", body.entities);
        assert_eq!(
            body.html,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;<br> javascript:alert(1) data:text/html,x ftp://example.org &quot;&amp;"
        );
        let body = rendered("https://example.org/\"onmouseover=alert(1)");
        assert!(!body.html.contains("\"onmouseover"), "{}", body.html);
        let body = rendered("https://example.org/<b>'x'");
        assert!(!body.html.contains("<b>") && !body.html.contains("'x'"), "{}", body.html);
    }

    #[test]
    fn texts_that_nobody_can_have_meant_are_refused() {
        for (text, is_fine) in [
            ("fine\n\tso", true),
            ("  \n ", false),
            ("a\u{0}b", false),
            ("12345678901", false),
        ] {
            assert_eq!(check("content", text, 10).is_ok(), is_fine, "{text:?}");
        }
    }
}
