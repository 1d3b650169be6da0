//! Folding of text for comparison, and its division into Chinese runs and words.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// Text in the one form that is indexed, asked for and compared: NFKC (so full-width `ＰＭ２．５` is `pm2.5`),
/// lower case, control characters as spaces, invisible format characters left out.
///
/// It remembers where each piece came from, so that matches can be marked in the original.
pub(crate) struct Folded {
    pub(crate) text: String,
    pieces: Vec<Piece>,
}

/// A base character with its combining marks: starts in the folded text and extent in the original.
struct Piece {
    folded: usize,
    source: Range<usize>,
}

impl Folded {
    /// Folds the first `max_chars` characters of `source`, giving at most about as many.
    pub(crate) fn new(source: &str, max_chars: usize) -> Self {
        let mut folded = Self {
            text: String::with_capacity(source.len().min(4 * max_chars)),
            pieces: Vec::new(),
        };
        let mut chars = source.char_indices().take(max_chars).peekable();
        let mut length = 0;
        while let Some((start, first)) = chars.next() {
            let mut end = start + first.len_utf8();
            while let Some(&(at, mark)) = chars.peek() {
                if mark.is_ascii() || canonical_combining_class(mark) == 0 {
                    break;
                }
                end = at + mark.len_utf8();
                chars.next();
            }
            if is_invisible(first) {
                continue;
            }
            // One compatibility character may become eighteen (U+FDFA): stop rather than grow past the cap.
            if length >= max_chars {
                break;
            }
            let at = folded.text.len();
            if first.is_ascii() && end == start + 1 {
                folded.text.push(if first.is_control() {
                    ' '
                } else {
                    first.to_ascii_lowercase()
                });
            } else {
                let piece = source.get(start..end).unwrap_or_default();
                for c in piece.nfkc().flat_map(char::to_lowercase) {
                    folded.text.push(if c.is_control() { ' ' } else { c });
                }
            }
            length += folded.text[at..].chars().count();
            folded.pieces.push(Piece {
                folded: at,
                source: start..end,
            });
        }
        folded
    }

    /// The part of the original that became `range` (bytes, not empty) of the folded text.
    pub(crate) fn source_range(&self, range: &Range<usize>) -> Range<usize> {
        let piece_at = |offset: usize| {
            let after = self.pieces.partition_point(|piece| piece.folded <= offset);
            self.pieces
                .get(after.saturating_sub(1))
                .map_or(0..0, |piece| piece.source.clone())
        };
        piece_at(range.start).start..piece_at(range.end.saturating_sub(1)).end
    }
}

/// Zero-width characters, directional marks and overrides, variation selectors, the soft hyphen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
}

/// Characters of scripts written without spaces: Han, kana, Hangul.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// A stretch of folded text that means something; punctuation, symbols and spaces lie between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run<'a> {
    /// Consecutive characters for which [`is_cjk`] holds.
    Cjk { start: usize, text: &'a str },
    /// A word of letters and digits, which `.`, `-`, `_` or an apostrophe may join: `pm2.5`, `bike-share`.
    Word { start: usize, text: &'a str },
}

/// Divides folded text into its runs, in order.
pub(crate) fn runs(text: &str) -> Vec<Run<'_>> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        let mut end = start + first.len_utf8();
        if is_cjk(first) {
            while let Some((at, c)) = chars.next_if(|&(_, c)| is_cjk(c)) {
                end = at + c.len_utf8();
            }
            found.push(Run::Cjk {
                start,
                text: &text[start..end],
            });
        } else if is_word_char(first) {
            while let Some(&(at, c)) = chars.peek() {
                let joins =
                    is_joiner(c) && text[at + c.len_utf8()..].chars().next().is_some_and(is_word_char);
                if !joins && !is_word_char(c) {
                    break;
                }
                end = at + c.len_utf8();
                chars.next();
            }
            found.push(Run::Word {
                start,
                text: &text[start..end],
            });
        }
    }
    found
}

fn is_word_char(c: char) -> bool {
    (c.is_alphanumeric() || canonical_combining_class(c) != 0) && !is_cjk(c)
}

/// Whether a character joins the parts of a compound word.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | '\'' | '\u{2019}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(text: &str) -> String {
        Folded::new(text, 1_000).text
    }

    #[test]
    fn folds_width_case_and_what_cannot_be_seen() {
        for (source, expected) in [
            ("ＰＭ２．５　监测", "pm2.5 监测"),
            ("Ａir QUALITY", "air quality"),
            ("e\u{301}cole", "école"),
            ("空\u{200b}气\u{202e}", "空气"),
            ("a\0b\tc", "a b c"),
            ("㎡ ① ﬁn", "m2 1 fin"),
        ] {
            assert_eq!(fold(source), expected, "{source:?}");
        }
    }

    #[test]
    fn length_is_capped_even_where_characters_expand() {
        assert!(Folded::new(&"\u{fdfa}".repeat(1_000), 256).text.chars().count() < 300);
        assert_eq!(Folded::new(&"字".repeat(1_000), 256).text.chars().count(), 256);
    }

    #[test]
    fn matches_are_found_again_in_the_original() {
        let source = "Ａ㎡\u{200b}空e\u{301}气";
        let folded = Folded::new(source, 100);
        assert_eq!(folded.text, "am2空é气");
        let original = |needle: &str| {
            let start = folded.text.find(needle).unwrap_or(usize::MAX);
            source[folded.source_range(&(start..start + needle.len()))].to_owned()
        };
        assert_eq!(original("a"), "Ａ");
        assert_eq!(original("2"), "㎡");
        assert_eq!(original("é"), "e\u{301}");
        assert_eq!(original("气"), "气");
    }

    #[test]
    fn runs_are_chinese_and_words() {
        let text = "2024年pm2.5浓度 bike-share (test_). -x";
        let found: Vec<_> = runs(text)
            .into_iter()
            .map(|run| match run {
                Run::Cjk { start, text: run } | Run::Word { start, text: run } => {
                    assert_eq!(&text[start..start + run.len()], run);
                    run
                }
            })
            .collect();
        assert_eq!(found, ["2024", "年", "pm2.5", "浓度", "bike-share", "test", "x"]);
    }
}
