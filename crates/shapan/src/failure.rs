//! Why a command did not do its work, as people read it at a terminal.

use std::error::Error;
use std::fmt::{self, Display, Write as _};

/// What failed, where, and what to do about it. Ends the program with status 1.
///
/// It is no [`Error`] itself, so that every error turns into one with `?`.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure in our own words.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What could not be done, with the reason: `cannot open the database …: it is locked`.
    pub(crate) fn cannot<E: Error>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("cannot {what}: {}", chain(&error)))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

/// An error with its sources, each said once: many messages repeat what they wrap.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn every_reason_is_said_once() {
        let inner = io::Error::other(io::Error::other("the disk is full"));
        let failure = Failure::cannot::<io::Error>("write the file")(inner);
        assert_eq!(failure.to_string(), "cannot write the file: the disk is full");
    }
}
