//! What a command prints as its result: on standard output, where the log never goes.

use std::io::{self, ErrorKind, Write};

/// Writes a line to standard output. A reader that has gone away (`cookbook … | head`) is no error.
///
/// # Errors
/// Standard output cannot be written for another reason, such as a full disk.
pub fn line(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref().as_bytes()).and_then(|()| out.write_all(b"\n")) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
