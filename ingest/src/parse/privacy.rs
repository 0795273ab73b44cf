//! Names without folders.
//!
//! Racks are full of paths: `/Users/<account>/Music/…` in file references, and now and then in a name or an info text that somebody pasted.
//! Account names and folders must not leave the parser, so that every text passes through here.

use std::borrow::Cow;

/// The last component of a path, with either kind of separator. (Old Macs wrote `:` between folders.)
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Beginnings of absolute paths. Compared without regard to case.
const ROOTS: &[&str] = &[
    "/users/",
    "/home/",
    "/volumes/",
    "/applications/",
    "/library/",
    "/private/",
    "/mnt/",
    "/media/",
    "/root/",
    "/var/",
    "/tmp/",
    "file://",
    "\\\\",
    "~/",
    "macintosh hd:",
];

/// A text in which every absolute path has been cut down to its last component. Texts without paths are not copied.
///
/// A path in prose has no certain end, since folders may contain blanks: everything up to the last separator of its line goes.
/// That may take a word too many and never leaves a folder.
pub(super) fn without_folders(text: &str) -> Cow<'_, str> {
    let Some(mut start) = path_start(text) else {
        return Cow::Borrowed(text);
    };
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        kept.push_str(&rest[..start]);
        let path = &rest[start..];
        let end = path.find(['\n', '\r', '"']).unwrap_or(path.len());
        let (path, tail) = path.split_at(end);
        kept.push_str(path.rsplit(['/', '\\', ':']).next().unwrap_or_default());
        rest = tail;
        match path_start(rest) {
            Some(next) => start = next,
            None => {
                kept.push_str(rest);
                return Cow::Owned(kept);
            }
        }
    }
}

/// Where the first absolute path begins.
fn path_start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'/' | b'\\' | b':')) {
        return None;
    }
    (0..bytes.len()).find(|&at| {
        let rest = &bytes[at..];
        // `C:\` or `C:/`, the letter standing alone.
        let drive = rest.len() > 2
            && rest[0].is_ascii_alphabetic()
            && rest[1] == b':'
            && matches!(rest[2], b'\\' | b'/')
            && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        drive
            || ROOTS
                .iter()
                .any(|root| rest.len() >= root.len() && rest[..root.len()].eq_ignore_ascii_case(root.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_paths_lose_their_folders() {
        for (text, kept) in [
            ("/Users/somebody/Music/Ableton/kick 01.wav", "kick 01.wav"),
            ("C:\\Users\\Some Body\\kick.wav", "kick.wav"),
            ("d:/samples/kick.wav", "kick.wav"),
            ("\\\\server\\share\\kick.wav", "kick.wav"),
            ("file:///home/somebody/kick.wav", "kick.wav"),
            ("Macintosh HD:Users:somebody:kick.wav", "kick.wav"),
            (
                "see /Users/some body/read me.txt\nand turn it up",
                "see read me.txt\nand turn it up",
            ),
            ("\"/home/a/x.wav\" and \"/home/b/y.wav\"", "\"x.wav\" and \"y.wav\""),
            ("/Users/somebody/", ""),
        ] {
            assert_eq!(without_folders(text), kept, "{text}");
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "Wet/Dry",
            "Attack",
            "1/16",
            "http://example.org/rack",
            "ratio 4:1",
            "AC/DC \\m/",
            "∆ « Freq »",
            "Note: C:",
        ] {
            assert!(matches!(without_folders(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn base_names_have_no_separator() {
        assert_eq!(base_name("../../Samples/kick.wav"), "kick.wav");
        assert_eq!(base_name("kick.wav"), "kick.wav");
        assert_eq!(base_name("a\\b"), "b");
        assert_eq!(base_name("a/"), "");
    }
}
