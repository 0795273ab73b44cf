//! Slugs: a workflow's name in addresses, unique in the community, made of its first title and never changed afterwards, so that
//! links stay right when a title is mended.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest slug before a suffix. The column takes 300; addresses that people can read take less.
const MAX_CHARS: usize = 80;

/// What a title without a single Latin letter or digit becomes.
const FALLBACK: &str = "rack";

/// Letters and digits of suffixes: those that can't be mistaken for one another.
const ALPHABET: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// The slug of a title: Latin letters without accents in lower case, digits, and single hyphens for all else.
pub fn of_title(title: &str) -> String {
    let mut slug = String::new();
    for c in title.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        let part: &str = match c {
            'a'..='z' | '0'..='9' => &c.to_string(),
            'ß' => "ss",
            'ø' => "o",
            'æ' => "ae",
            'œ' => "oe",
            'ł' => "l",
            'đ' | 'ð' => "d",
            'þ' => "th",
            '\'' | '’' => "",
            _ => "-",
        };
        if part == "-" && (slug.is_empty() || slug.ends_with('-')) {
            continue;
        }
        if slug.len() + part.len() > MAX_CHARS {
            break;
        }
        slug.push_str(part);
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        FALLBACK.to_owned()
    } else {
        slug.to_owned()
    }
}

/// The slug with a short random suffix, for when it is taken. 30^5 suffixes make a second clash unlikely.
pub fn with_suffix(slug: &str) -> String {
    let suffix: String = (0..5)
        .map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]))
        .collect();
    format!("{slug}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_readable_and_plain() {
        assert_eq!(of_title("  Dreamy Vintage Piano (v1.2) "), "dreamy-vintage-piano-v1-2");
        assert_eq!(of_title("Überklang – Øre & Straße"), "uberklang-ore-strasse");
        assert_eq!(of_title("Brent's 65 Jaguar"), "brents-65-jaguar");
        assert_eq!(of_title("東京"), "rack");
        assert_eq!(of_title("∆ †"), "rack");
        assert_eq!(of_title(&"long ".repeat(100)).len(), 79);
    }

    #[test]
    fn a_suffix_is_appended() {
        let slug = with_suffix("piano");
        assert!(slug.starts_with("piano-") && slug.len() == 11, "{slug}");
    }
}
