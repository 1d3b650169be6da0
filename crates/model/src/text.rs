//! Texts that people write into requests, opinions, decisions and votes.

/// A text of the wrong length, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} must have {} to {} characters and no control characters; got {got}", .length.field, .length.min, .length.max)]
pub struct TextError {
    /// What was asked of it.
    pub length: Length,
    /// Its characters after trimming.
    pub got: usize,
}

/// How long a text may be, in characters after trimming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Which text.
    pub field: &'static str,
    /// The least.
    pub min: usize,
    /// The most.
    pub max: usize,
}

impl Length {
    /// What an officer tells the reviewers; may be empty.
    pub const NOTE: Self = Self::of("note", 0, 2_000);
    /// What the data will be used for.
    pub const PURPOSE: Self = Self::of("purpose", 10, 5_000);
    /// How the enterprise keeps results and accounts safe (安全承诺书).
    pub const SAFEGUARDS: Self = Self::of("safeguards", 10, 5_000);
    /// Why an assessor found what they found.
    pub const OPINION: Self = Self::of("reason", 5, 5_000);
    /// Why a request was returned or rejected.
    pub const REASON: Self = Self::of("reason", 5, 5_000);
    /// What is said with an approval; may be empty.
    pub const REMARK: Self = Self::of("reason", 0, 5_000);
    /// Why a checker would not have an answer released.
    pub const VOTE: Self = Self::of("reason", 5, 2_000);
    /// What a checker says who would have it released; may be empty.
    pub const VOTE_REMARK: Self = Self::of("reason", 0, 2_000);

    const fn of(field: &'static str, min: usize, max: usize) -> Self {
        Self { field, min, max }
    }

    /// The trimmed text, if it is of this length and has no control characters but line breaks and tabs.
    ///
    /// # Errors
    /// [`TextError`] otherwise.
    pub fn check(self, text: &str) -> Result<String, TextError> {
        let text = text.trim();
        let got = text.chars().count();
        let control = text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        if control || got < self.min || got > self.max {
            return Err(TextError { length: self, got });
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_of_the_trimmed_text() {
        let cases = [
            (Length::PURPOSE, "  研究通勤与换乘的关系  ".to_owned(), true),
            (Length::PURPOSE, "         短        ".to_owned(), false),
            (Length::PURPOSE, "长".repeat(5_000), true),
            (Length::PURPOSE, "长".repeat(5_001), false),
            (Length::REASON, "四个汉字".to_owned(), false),
            (Length::REASON, "五个汉字了".to_owned(), true),
            (Length::REMARK, String::new(), true),
            (Length::NOTE, "line\nbreak\tand tab".to_owned(), true),
            (Length::NOTE, "a\0b".to_owned(), false),
            (Length::NOTE, "a\u{1b}[31mb".to_owned(), false),
        ];
        for (length, text, passes) in cases {
            assert_eq!(
                length.check(&text).is_ok(),
                passes,
                "{length:?} {}",
                text.chars().count()
            );
        }
    }
}
