//! From what the reader typed to the engine's query, built by hand.
//!
//! The engine's own query parser is not used: it makes a phrase of any Chinese it is given, and its
//! syntax would make errors of what people paste into a search box.

use std::collections::HashMap;
use std::ops::Range;

use tantivy::query::{
    BooleanQuery, BoostQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, PhraseQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use crate::analysis::{English, Kind, Word, bigrams, compound, form, words};
use crate::phonetic;
use crate::schema::Fields;
use crate::text::{Folded, Run, is_joiner, runs};

/// Characters of query text that are read; the rest is ignored.
pub const QUERY_CHARS_MAX: usize = 256;
/// Terms of query text that are asked for, in each way of reading it; the rest is ignored.
pub const QUERY_TERMS_MAX: usize = 32;

/// Share of the weaker matches of a term that is added to its best one, so that a word in title and
/// summary beats one in the title alone, and never by much.
const TIE_BREAKER: f32 = 0.1;
/// Weight of bigrams beside words: they match by accident more often.
const GRAMS_BOOST: f32 = 0.5;
/// Weight of pinyin beside written words.
const PINYIN_BOOST: f32 = 0.5;
/// Weight of a word with one edit beside the word itself.
const FUZZY_BOOST: f32 = 0.3;
/// Shortest word in which an edit is allowed for: shorter ones become other words.
const FUZZY_CHARS_MIN: usize = 4;
/// Most words of a query in which an edit is allowed for: each walks the dictionary of terms.
const FUZZY_WORDS_MAX: usize = 4;

/// Chinese words that a match need not have: grammar, and what every dataset is.
const OPTIONAL_CHINESE: [&str; 24] = [
    "的",
    "了",
    "和",
    "与",
    "及",
    "或",
    "在",
    "是",
    "对",
    "等",
    "各",
    "之",
    "有",
    "以及",
    "有关",
    "相关",
    "关于",
    "数据",
    "数据集",
    "信息",
    "资料",
    "情况",
    "查询",
    "目录",
];
/// Stems of English words that every dataset is.
const OPTIONAL_STEMS: [&str; 4] = ["data", "dataset", "inform", "catalog"];

/// How strictly a dataset must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// It has all terms.
    All,
    /// It has all terms, of which unknown Latin words may differ by one edit.
    OneEdit,
    /// It has half of the terms, rounded down, of which unknown Latin words may differ by one edit.
    Half,
}

/// What the reader typed, read in two ways.
#[derive(Default)]
pub(crate) struct Asked {
    /// Nothing was typed, so everything is asked for.
    pub(crate) blank: bool,
    /// Chinese as words; Latin words.
    pub(crate) words: Vec<Unit>,
    /// Chinese as bigrams; Latin words. Empty where there is no Chinese.
    pub(crate) grams: Vec<Unit>,
}

/// Something to be found in a dataset.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// It adds to the score only.
    pub(crate) optional: bool,
    pub(crate) matcher: Matcher,
}

#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    /// A Chinese word, or all of the words that it is made of.
    Word { whole: String, inner: Vec<String> },
    /// Two neighbouring Chinese characters, or a single one typed alone.
    Gram(String),
    /// A Latin word.
    Latin(Latin),
}

/// A word of letters and digits as it may have been meant.
#[derive(Debug, Clone)]
pub(crate) struct Latin {
    /// Its parts; one unless it is a compound.
    pub(crate) parts: Vec<Part>,
    /// Stem of the parts joined, if it is a compound.
    pub(crate) joined: Option<String>,
    /// Chinese that it may spell, as syllables.
    pub(crate) spellings: Vec<Vec<String>>,
    /// Chinese that it may abbreviate, as first letters of syllables.
    pub(crate) initials: Option<Vec<char>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) stem: String,
    /// Its form among which typos are looked up, if it may be one: the index does not have it.
    pub(crate) typo: Option<String>,
}

impl Asked {
    /// Reads query text. `is_known` tells whether the index has a stem.
    pub(crate) fn read(text: &str, is_known: impl Fn(&str) -> bool) -> Self {
        let folded = Folded::new(text, QUERY_CHARS_MAX).text;
        let mut asked = Self {
            blank: folded.trim().is_empty(),
            ..Self::default()
        };
        let mut english = English::new();
        let mut typos = 0;
        let mut has_chinese = false;
        for run in runs(&folded) {
            match run {
                Run::Cjk { text, .. } => {
                    has_chinese = true;
                    asked.read_chinese(text);
                }
                Run::Word { text, .. } => {
                    let unit = read_latin(text, &mut english, &is_known, &mut typos);
                    asked.words.push(unit.clone());
                    asked.grams.push(unit);
                }
            }
            if asked.words.len() >= QUERY_TERMS_MAX && asked.grams.len() >= QUERY_TERMS_MAX {
                break;
            }
        }
        if !has_chinese {
            asked.grams.clear();
        }
        for units in [&mut asked.words, &mut asked.grams] {
            units.truncate(QUERY_TERMS_MAX);
            if units.iter().all(|unit| unit.optional) {
                units.iter_mut().for_each(|unit| unit.optional = false);
            }
        }
        asked
    }

    fn read_chinese(&mut self, run: &str) {
        // Search mode gives the words inside a word just before it: seen from the end, the long word first.
        let mut found: Vec<(Word<'_>, Vec<Word<'_>>)> = Vec::new();
        for word in words(run).into_iter().rev() {
            match found.last_mut() {
                Some((whole, inner)) if word.start >= whole.start => inner.push(word),
                _ => found.push((word, Vec::new())),
            }
        }
        let mut optional_spans = Vec::new();
        for (word, inner) in found.into_iter().rev() {
            let span = word.start..word.start + word.text.len();
            let inner = tiling(&span, &inner);
            let optional = OPTIONAL_CHINESE.contains(&word.text);
            if optional {
                optional_spans.push(span);
            }
            self.words.push(Unit {
                optional,
                matcher: Matcher::Word {
                    whole: word.text.to_owned(),
                    inner,
                },
            });
        }
        let mut grams: Vec<_> = bigrams(run).collect();
        if grams.is_empty() {
            grams.push((0, run));
        }
        for (start, gram) in grams {
            let end = start + gram.len();
            let optional = optional_spans
                .iter()
                .any(|span| span.start < end && start < span.end);
            self.grams.push(Unit {
                optional,
                matcher: Matcher::Gram(gram.to_owned()),
            });
        }
    }

    /// No term was found in what was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.grams.is_empty()
    }

    /// Whether a strictness differs from the stricter ones before it.
    pub(crate) fn has(&self, strictness: Strictness) -> bool {
        match strictness {
            Strictness::All => true,
            Strictness::OneEdit => self.words.iter().any(|unit| match &unit.matcher {
                Matcher::Latin(latin) => latin.parts.iter().any(|part| part.typo.is_some()),
                Matcher::Word { .. } | Matcher::Gram(_) => false,
            }),
            Strictness::Half => [&self.words, &self.grams]
                .into_iter()
                .any(|units| units.iter().filter(|unit| !unit.optional).count() > 1),
        }
    }

    /// The engine's query.
    pub(crate) fn query(&self, fields: &Fields, strictness: Strictness) -> Box<dyn Query> {
        let mut readings = Vec::new();
        for (units, boost) in [(&self.words, 1.0), (&self.grams, GRAMS_BOOST)] {
            if !units.is_empty() {
                readings.push(boosted(reading_query(units, fields, strictness), boost));
            }
        }
        best_of(readings)
    }
}

/// The fewest of the words `inner` that together make up `whole`: 空气 质量, and not 气质, for 空气质量.
/// `inner` is in reverse order. None if they leave gaps.
fn tiling(whole: &Range<usize>, inner: &[Word<'_>]) -> Vec<String> {
    let mut up_to: HashMap<usize, Vec<&str>> = HashMap::from([(whole.start, Vec::new())]);
    for word in inner.iter().rev() {
        let Some(before) = up_to.get(&word.start) else {
            continue;
        };
        let with = [before.as_slice(), &[word.text]].concat();
        let end = word.start + word.text.len();
        if up_to.get(&end).is_none_or(|other| other.len() > with.len()) {
            up_to.insert(end, with);
        }
    }
    up_to
        .remove(&whole.end)
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn read_latin(word: &str, english: &mut English, is_known: impl Fn(&str) -> bool, typos: &mut usize) -> Unit {
    let (surfaces, joined) = compound(word);
    let joined = joined.map(|joined| english.stem(&joined));
    let joined_is_known = joined.as_deref().is_some_and(&is_known);
    let mut all_known = true;
    let parts: Vec<_> = surfaces
        .into_iter()
        .take(QUERY_TERMS_MAX)
        .map(|surface| {
            let stem = english.stem(surface);
            let known = joined_is_known || is_known(&stem);
            all_known &= known;
            let may_be_typo = !known && surface.len() >= FUZZY_CHARS_MIN && *typos < FUZZY_WORDS_MAX;
            let typo = if may_be_typo { form(surface) } else { None };
            *typos += usize::from(typo.is_some());
            Part { stem, typo }
        })
        .collect();
    // One syllable or a few initials are found in many titles by chance: only where English has no such
    // word are they what was meant. A spelling of several syllables hardly is one by chance.
    let spelled = word.replace(is_joiner, "");
    let mut spellings = phonetic::spellings(&spelled);
    spellings.retain(|syllables| !all_known || syllables.len() > 1);
    let initials = if all_known {
        None
    } else {
        phonetic::as_initials(&spelled)
    };
    let optional = joined.is_none()
        && (english.is_stop_word(word)
            || parts
                .iter()
                .all(|part| OPTIONAL_STEMS.contains(&part.stem.as_str())));
    Unit {
        optional,
        matcher: Matcher::Latin(Latin {
            parts,
            joined,
            spellings,
            initials,
        }),
    }
}

fn reading_query(units: &[Unit], fields: &Fields, strictness: Strictness) -> Box<dyn Query> {
    let edits = strictness != Strictness::All;
    let (optional, required): (Vec<_>, Vec<_>) = units.iter().partition(|unit| unit.optional);
    let queries = |units: Vec<&Unit>, occur| -> Vec<(Occur, Box<dyn Query>)> {
        units
            .into_iter()
            .map(|unit| (occur, unit_query(&unit.matcher, fields, edits)))
            .collect()
    };
    let optional = queries(optional, Occur::Should);
    let mut clauses = if strictness == Strictness::Half {
        let enough = (required.len() / 2).max(1);
        let some = BooleanQuery::with_minimum_required_clauses(queries(required, Occur::Should), enough);
        vec![(Occur::Must, Box::new(some) as Box<dyn Query>)]
    } else {
        queries(required, Occur::Must)
    };
    clauses.extend(optional);
    Box::new(BooleanQuery::new(clauses))
}

fn unit_query(matcher: &Matcher, fields: &Fields, edits: bool) -> Box<dyn Query> {
    match matcher {
        Matcher::Word { whole, inner } => {
            let mut ways = vec![tiers_query(fields, Kind::Words, whole)];
            if !inner.is_empty() {
                ways.push(all_of(
                    inner
                        .iter()
                        .map(|word| tiers_query(fields, Kind::Words, word))
                        .collect(),
                ));
            }
            if whole.chars().nth(1).is_none() {
                // A single character left over by the dictionary may be part of a word elsewhere.
                ways.push(boosted(tiers_query(fields, Kind::Grams, whole), GRAMS_BOOST));
            }
            best_of(ways)
        }
        Matcher::Gram(gram) => tiers_query(fields, Kind::Grams, gram),
        Matcher::Latin(latin) => latin_query(latin, fields, edits),
    }
}

fn latin_query(latin: &Latin, fields: &Fields, edits: bool) -> Box<dyn Query> {
    let mut ways = vec![all_of(
        latin
            .parts
            .iter()
            .map(|part| part_query(part, fields, edits))
            .collect(),
    )];
    if let Some(joined) = &latin.joined {
        ways.push(tiers_query(fields, Kind::Stems, joined));
    }
    for spelling in &latin.spellings {
        ways.extend(phrase_query(fields.syllables, spelling));
    }
    if let Some(initials) = &latin.initials {
        let pairs: Vec<_> = initials.windows(2).map(|pair| pair.iter().collect()).collect();
        ways.extend(phrase_query(fields.initials, &pairs));
    }
    best_of(ways)
}

fn part_query(part: &Part, fields: &Fields, edits: bool) -> Box<dyn Query> {
    let mut ways = vec![tiers_query(fields, Kind::Stems, &part.stem)];
    if let Some(typo) = part.typo.as_ref().filter(|_| edits) {
        for tier in &fields.tiers {
            let term = Term::from_field_text(tier.field(Kind::Stems), typo);
            ways.push(boosted(
                Box::new(FuzzyTermQuery::new(term, 1, true)),
                tier.boost * FUZZY_BOOST,
            ));
        }
    }
    best_of(ways)
}

/// Terms at consecutive positions; none where there are no terms.
fn phrase_query(field: Field, terms: &[String]) -> Option<Box<dyn Query>> {
    let query = match terms {
        [] => return None,
        [term] => term_query(field, term),
        terms => Box::new(PhraseQuery::new(
            terms
                .iter()
                .map(|term| Term::from_field_text(field, term))
                .collect(),
        )),
    };
    Some(boosted(query, PINYIN_BOOST))
}

/// A term in whichever tier weighs most.
fn tiers_query(fields: &Fields, kind: Kind, term: &str) -> Box<dyn Query> {
    let tiers = fields
        .tiers
        .iter()
        .map(|tier| boosted(term_query(tier.field(kind), term), tier.boost));
    best_of(tiers.collect())
}

fn term_query(field: Field, term: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(
        Term::from_field_text(field, term),
        IndexRecordOption::WithFreqs,
    ))
}

fn boosted(query: Box<dyn Query>, boost: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, boost))
}

fn best_of(mut ways: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match ways.pop() {
        Some(only) if ways.is_empty() => only,
        last => {
            ways.extend(last);
            Box::new(DisjunctionMaxQuery::with_tie_breaker(ways, TIE_BREAKER))
        }
    }
}

fn all_of(mut queries: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match queries.pop() {
        Some(only) if queries.is_empty() => only,
        last => {
            queries.extend(last);
            Box::new(BooleanQuery::new(
                queries.into_iter().map(|query| (Occur::Must, query)).collect(),
            ))
        }
    }
}

/// Every dataset that is not deleted.
pub(crate) fn everything(fields: &Fields) -> Box<dyn Query> {
    Box::new(TermQuery::new(
        Term::from_field_u64(fields.live, 1),
        IndexRecordOption::Basic,
    ))
}

/// Whether any dataset has a stem.
pub(crate) fn is_known(searcher: &Searcher, fields: &Fields, stem: &str) -> bool {
    fields.tiers.iter().any(|tier| {
        let term = Term::from_field_text(tier.field(Kind::Stems), stem);
        searcher.doc_freq(&term).is_ok_and(|documents| documents > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let asked = Asked::read(text, |stem| stem != "hosptial");
        let unit = |unit: &Unit| {
            let term = match &unit.matcher {
                Matcher::Word { whole, inner } if inner.is_empty() => whole.clone(),
                Matcher::Word { whole, inner } => format!("{whole}({})", inner.join("+")),
                Matcher::Gram(gram) => gram.clone(),
                Matcher::Latin(latin) => {
                    let parts: Vec<_> = latin.parts.iter().map(|part| part.stem.as_str()).collect();
                    parts.join("+")
                }
            };
            if unit.optional { format!("{term}?") } else { term }
        };
        let units = |units: &[Unit]| units.iter().map(unit).collect::<Vec<_>>().join(" ");
        format!("{} | {}", units(&asked.words), units(&asked.grams))
    }

    #[test]
    fn text_is_read_in_two_ways() {
        for (text, expected) in [
            ("空气质量", "空气质量(空气+质量) | 空气 气质 质量"),
            ("水", "水 | 水"),
            ("医院的数据", "医院 的? 数据? | 医院 院的? 的数? 数据?"),
            ("数据", "数据 | 数据"),
            ("Bus 医院", "bus 医院 | bus 医院"),
            ("the bus-lines", "the? bus+line | "),
            ("(((", " | "),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn only_unknown_words_may_be_typos_or_initials() {
        let latin = |text: &str| {
            let asked = Asked::read(text, |stem| stem != "hosptial" && stem != "kqzl");
            match asked.words.first().map(|unit| unit.matcher.clone()) {
                Some(Matcher::Latin(latin)) => {
                    (latin.parts.first().and_then(|p| p.typo.clone()), latin.initials)
                }
                other => (Some(format!("{other:?}")), None),
            }
        };
        assert_eq!(latin("hospital"), (None, None));
        assert_eq!(latin("hosptial"), (Some("~hosptial".to_owned()), None));
        assert_eq!(
            latin("kqzl"),
            (Some("~kqzl".to_owned()), Some(vec!['k', 'q', 'z', 'l']))
        );
    }
}
