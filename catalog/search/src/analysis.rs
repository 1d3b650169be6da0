//! How text becomes terms: jieba's words, character bigrams, English stems, pinyin.
//!
//! Index and query go through the same functions, so that a term means the same on both sides.

use std::sync::LazyLock;

use jieba_rs::Jieba;
use tantivy::tokenizer::{
    Language, RawTokenizer, Stemmer, StopWordFilter, TextAnalyzer, Token, TokenStream, Tokenizer,
    TokenizerManager,
};

use crate::phonetic;
use crate::text::{Run, is_joiner, runs};

/// Longest term, in characters; longer ones are cut, on both sides.
const TERM_CHARS_MAX: usize = 64;
/// Begins the terms that are words without a plural's ending, which typos are looked up among: a stem is too
/// far from the word for that (hospital: hospit). No word has this character.
const FORM_MARK: char = '~';
/// Distance in positions between two runs, so that no pinyin phrase spans them.
const RUN_GAP: usize = 2;

/// The dictionary takes some 100 ms and tens of megabytes: loaded once, when the first Chinese text comes.
static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The kinds of terms, each in fields of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words of Chinese runs in jieba's search mode: long words and the words inside them.
    Words,
    /// Bigrams of Chinese runs, and single characters for queries of one character.
    Grams,
    /// Stems of words in Latin and other alphabetic scripts; and their forms, marked by [`FORM_MARK`].
    Stems,
    /// Syllables of Chinese runs, one position per character.
    Syllables,
    /// Pairs of initials of neighbouring characters in Chinese runs.
    Initials,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Words,
        Self::Grams,
        Self::Stems,
        Self::Syllables,
        Self::Initials,
    ];

    /// The tokenizer's name in the schema.
    pub(crate) fn tokenizer_name(self) -> &'static str {
        match self {
            Self::Words => "catalog_words",
            Self::Grams => "catalog_grams",
            Self::Stems => "catalog_stems",
            Self::Syllables => "catalog_syllables",
            Self::Initials => "catalog_initials",
        }
    }
}

/// All tokenizers under their names. They expect folded text.
pub(crate) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    for kind in Kind::ALL {
        manager.register(
            kind.tokenizer_name(),
            CatalogTokenizer {
                kind,
                english: English::new(),
            },
        );
    }
    manager
}

/// A word that jieba found in a Chinese run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// Byte offset in the run.
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

/// Words of a Chinese run in search mode: before each long word the shorter words that it contains.
///
/// Without the hidden Markov model, whose guesses at unknown words depend on what stands around them:
/// bigrams find unknown words more reliably.
pub(crate) fn words(run: &str) -> Vec<Word<'_>> {
    JIEBA
        .cut_for_search(run, false)
        .into_iter()
        .map(|token| Word {
            start: token.byte_start,
            text: token.word,
        })
        .collect()
}

/// Overlapping pairs of characters of a Chinese run, with their byte offsets.
pub(crate) fn bigrams(run: &str) -> impl Iterator<Item = (usize, &str)> {
    let seconds = run.char_indices().skip(1);
    run.char_indices()
        .zip(seconds)
        .map(|((start, _), (at, c))| (start, &run[start..at + c.len_utf8()]))
}

/// English stemming and stop words.
#[derive(Clone)]
pub(crate) struct English {
    stemmer: TextAnalyzer,
    stop_words: TextAnalyzer,
}

impl English {
    pub(crate) fn new() -> Self {
        let plain = || TextAnalyzer::builder(RawTokenizer::default());
        Self {
            stemmer: plain().filter(Stemmer::new(Language::English)).build(),
            stop_words: match StopWordFilter::new(Language::English) {
                Some(filter) => plain().filter(filter).build(),
                None => plain().build(),
            },
        }
    }

    /// The stem of a folded word; words of other scripts stay as they are.
    pub(crate) fn stem(&mut self, word: &str) -> String {
        let word = cut(word);
        // The stemmer takes the plural of words in -us (buses, campuses, viruses) for one of words in -use.
        let word = if word.len() > 4 && word.ends_with("uses") {
            &word[..word.len() - 2]
        } else {
            word
        };
        if !word.bytes().all(|b| b.is_ascii_alphabetic()) {
            return word.to_owned();
        }
        self.stemmer
            .token_stream(word)
            .next()
            .map_or_else(|| word.to_owned(), |token| token.text.clone())
    }

    /// Whether a folded word says nothing by itself, such as "the".
    pub(crate) fn is_stop_word(&mut self, word: &str) -> bool {
        self.stop_words.token_stream(word).next().is_none()
    }
}

/// A folded word as its parts, and joined if it is a compound: `pm2.5` is `pm2`, `5` and `pm25`.
pub(crate) fn compound(word: &str) -> (Vec<&str>, Option<String>) {
    let parts: Vec<_> = word.split(is_joiner).filter(|part| !part.is_empty()).collect();
    let joined = (parts.len() > 1).then(|| cut(&parts.concat()).to_owned());
    (parts, joined)
}

/// The term for a folded word among which typos are looked up; none for what has digits or is no English.
pub(crate) fn form(word: &str) -> Option<String> {
    let word = cut(word);
    if !word.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let singular = match word.strip_suffix('s') {
        Some(stripped) if stripped.ends_with("use") && stripped.len() > 3 => &stripped[..stripped.len() - 1],
        Some(stripped) if stripped.len() > 2 && !stripped.ends_with(['s', 'u', 'i']) => stripped,
        _ => word,
    };
    Some(format!("{FORM_MARK}{singular}"))
}

fn cut(term: &str) -> &str {
    term.char_indices()
        .nth(TERM_CHARS_MAX)
        .map_or(term, |(end, _)| &term[..end])
}

#[derive(Clone)]
struct CatalogTokenizer {
    kind: Kind,
    english: English,
}

impl Tokenizer for CatalogTokenizer {
    type TokenStream<'a> = Terms;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms {
        let mut terms = Terms {
            tokens: Vec::new(),
            next: 0,
        };
        let mut position = 0;
        for run in runs(text) {
            match run {
                Run::Cjk { start, text } => match self.kind {
                    Kind::Words => {
                        for word in words(text) {
                            terms.push(word.text, start + word.start, &mut position);
                        }
                    }
                    Kind::Grams => {
                        for (at, c) in text.char_indices() {
                            terms.push(&text[at..at + c.len_utf8()], start + at, &mut position);
                        }
                        for (at, gram) in bigrams(text) {
                            terms.push(gram, start + at, &mut position);
                        }
                    }
                    Kind::Syllables => {
                        for (at, c) in text.char_indices() {
                            for syllable in phonetic::readings(c) {
                                terms.push(&syllable, start + at, &mut { position });
                            }
                            position += 1;
                        }
                        position += RUN_GAP;
                    }
                    Kind::Initials => {
                        let letters: Vec<_> = text
                            .char_indices()
                            .map(|(at, c)| (at, phonetic::initials(c)))
                            .collect();
                        for pair in letters.windows(2) {
                            for first in &pair[0].1 {
                                for second in &pair[1].1 {
                                    let initials = String::from_iter([first, second]);
                                    terms.push(&initials, start + pair[0].0, &mut { position });
                                }
                            }
                            position += 1;
                        }
                        position += RUN_GAP;
                    }
                    Kind::Stems => {}
                },
                Run::Word { start, text } if self.kind == Kind::Stems => {
                    let (parts, joined) = compound(text);
                    for part in parts {
                        terms.push(&self.english.stem(part), start, &mut position);
                        if let Some(form) = form(part) {
                            terms.push(&form, start, &mut position);
                        }
                    }
                    if let Some(joined) = joined {
                        terms.push(&self.english.stem(&joined), start, &mut position);
                    }
                }
                Run::Word { .. } => {}
            }
        }
        terms
    }
}

/// The terms of one text.
struct Terms {
    tokens: Vec<Token>,
    next: usize,
}

impl Terms {
    fn push(&mut self, text: &str, offset: usize, position: &mut usize) {
        self.tokens.push(Token {
            offset_from: offset,
            offset_to: offset + text.len(),
            position: *position,
            text: text.to_owned(),
            position_length: 1,
        });
        *position += 1;
    }
}

impl TokenStream for Terms {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn terms(kind: Kind, text: &str) -> Vec<String> {
        let mut analyzer = tokenizers().get(kind.tokenizer_name()).unwrap();
        let mut stream = analyzer.token_stream(text);
        let mut found = Vec::new();
        stream.process(&mut |token| found.push(token.text.clone()));
        found
    }

    #[test]
    fn text_becomes_terms() {
        for (kind, text, expected) in [
            (Kind::Words, "空气质量监测 air", "空气 气质 质量 空气质量 监测"),
            (Kind::Grams, "公交线 a 站", "公 交 线 公交 交线 站"),
            (
                Kind::Stems,
                "the bikes 空 bike-sharing pm2.5",
                "the ~the bike ~bike bike ~bike share ~sharing bikeshar pm2 5 pm25",
            ),
            (Kind::Syllables, "空气a质", "kong qi zhi"),
            (Kind::Initials, "空气质a量", "kq qz"),
        ] {
            let found = terms(kind, text).join(" ");
            assert!(found == expected, "{kind:?} of {text:?}: {found}");
        }
    }

    #[test]
    fn plurals_meet_their_singulars() {
        let mut english = English::new();
        for (one, many) in [
            ("bus", "buses"),
            ("campus", "campuses"),
            ("house", "houses"),
            ("city", "cities"),
            ("station", "stations"),
            ("use", "uses"),
            ("business", "businesses"),
        ] {
            assert_eq!(english.stem(one), english.stem(many), "{one} {many}");
        }
        assert_ne!(english.stem("bus"), english.stem("business"));
        for (word, expected) in [
            ("hospitals", "~hospital"),
            ("buses", "~bus"),
            ("class", "~class"),
            ("gas", "~gas"),
        ] {
            assert_eq!(form(word).unwrap(), expected);
        }
    }

    #[test]
    fn long_words_are_cut_the_same_way_everywhere() {
        let long = "x".repeat(10_000);
        assert_eq!(
            terms(Kind::Stems, &long),
            ["x".repeat(64), format!("~{}", "x".repeat(64))]
        );
        assert_eq!(English::new().stem(&long), "x".repeat(64));
    }
}
