//! Attributes of a tag, and the values in them.

use std::borrow::Cow;

use quick_xml::escape::unescape;

/// The attributes of one tag, as they stand in the file: `Value="0.5" Id="3"`.
///
/// Live writes one or two short attributes a tag and only some tags matter, so that looking for one by scanning is fastest.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Attributes<'a> {
    /// The raw text of an attribute, entities not yet resolved.
    pub(super) fn raw(self, name: &str) -> Option<&'a str> {
        let mut rest = self.0;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, tail) = after[1..].split_once(quote)?;
            if key.trim() == name {
                return Some(value);
            }
            rest = tail;
        }
    }

    /// An attribute as text. Entities that XML does not define stay as they are: without a document type, which is refused, there are no others.
    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        Some(match unescape(raw) {
            Ok(text) => text,
            Err(_) => Cow::Borrowed(raw),
        })
    }

    /// The attribute `Value`, in which Live keeps nearly everything.
    pub(super) fn value(self) -> Option<&'a str> {
        // Nearly always it is the first.
        if let Some(rest) = self.0.strip_prefix(" Value=\"")
            && let Some(end) = rest.find('"')
        {
            return Some(&rest[..end]);
        }
        self.raw("Value")
    }

    /// `Value` as text.
    pub(super) fn value_text(self) -> Option<Cow<'a, str>> {
        self.text("Value")
    }

    /// `Value` as a finite number; booleans count as 0 and 1, since old Lives keep switches so.
    pub(super) fn number(self) -> Option<f64> {
        match self.value()? {
            "true" => Some(1.0),
            "false" => Some(0.0),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }

    /// `Value` as a whole number.
    pub(super) fn integer(self) -> Option<i64> {
        self.value()?.parse().ok()
    }

    /// `Value` as a switch.
    pub(super) fn switch(self) -> Option<bool> {
        self.number().map(|number| number != 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_wherever_they_stand() {
        let tag = Attributes(" Time = '-63072000' Value=\"a &quot;b&quot; &amp; c&#x0A;\" Id=\"4\"");
        assert_eq!(tag.raw("Id"), Some("4"));
        assert_eq!(tag.raw("Time"), Some("-63072000"));
        assert_eq!(tag.value_text().as_deref(), Some("a \"b\" & c\n"));
        assert_eq!(tag.raw("Name"), None);
    }

    #[test]
    fn broken_attributes_are_absent() {
        for tag in [
            "",
            " Value",
            " Value=",
            " Value=5",
            " Value=\"5",
            "=",
            "==\"\"",
            " \u{e9}=\u{e9}",
        ] {
            assert_eq!(Attributes(tag).value(), None, "{tag}");
        }
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(Attributes(" Value=\"63.5\"").number(), Some(63.5));
        assert_eq!(Attributes(" Value=\"true\"").number(), Some(1.0));
        assert_eq!(Attributes(" Value=\"inf\"").number(), None);
        assert_eq!(Attributes(" Value=\"NaN\"").number(), None);
        assert_eq!(Attributes(" Value=\"12.0\"").integer(), None);
    }

    #[test]
    fn unknown_entities_stay_as_they_are() {
        assert_eq!(Attributes(" Value=\"&evil;\"").value_text().as_deref(), Some("&evil;"));
    }
}
