//! Marks in titles and summaries where they match, and cuts the best part out of a summary.

use std::collections::HashSet;
use std::ops::Range;

use crate::analysis::{English, compound, form};
use crate::document::Bilingual;
use crate::matching::{Asked, Matcher};
use crate::phonetic;
use crate::request::{Highlights, Language, Segment};
use crate::text::{Folded, Run, is_cjk, is_joiner, runs};

/// Characters of a text that are looked at.
const MARKED_CHARS_MAX: usize = 4_000;
/// Width of a summary's fragment; a Chinese character is two wide, a Latin one wide.
const FRAGMENT_WIDTH: usize = 200;
/// Width shown before the first match of a fragment.
const FRAGMENT_LEAD: usize = 40;
/// What stands for text left out.
const ELLIPSIS: &str = "…";

/// What is marked, from the terms of a query.
pub(crate) struct Marker {
    english: English,
    /// Chinese words, and single characters typed alone.
    words: Vec<String>,
    /// Chinese bigrams, marked where no word is.
    grams: Vec<String>,
    stems: HashSet<String>,
    /// Forms of words that may be typos, if the search allowed for that: what is one edit away is marked.
    typos: Vec<String>,
    spellings: Vec<Vec<String>>,
    initials: Vec<Vec<char>>,
}

impl Marker {
    pub(crate) fn new(asked: &Asked, approximate: bool) -> Self {
        let mut marker = Self {
            english: English::new(),
            words: Vec::new(),
            grams: Vec::new(),
            stems: HashSet::new(),
            typos: Vec::new(),
            spellings: Vec::new(),
            initials: Vec::new(),
        };
        for unit in asked
            .words
            .iter()
            .chain(&asked.grams)
            .filter(|unit| !unit.optional)
        {
            match &unit.matcher {
                Matcher::Word { whole, inner } => {
                    let long = std::iter::once(whole)
                        .chain(inner)
                        .filter(|word| word.chars().nth(1).is_some());
                    marker.words.extend(long.cloned());
                }
                Matcher::Gram(gram) if gram.chars().nth(1).is_none() => marker.words.push(gram.clone()),
                Matcher::Gram(gram) => marker.grams.push(gram.clone()),
                Matcher::Latin(latin) => {
                    marker.stems.extend(latin.joined.clone());
                    for part in &latin.parts {
                        marker.stems.insert(part.stem.clone());
                        marker.typos.extend(part.typo.clone().filter(|_| approximate));
                    }
                    marker.spellings.extend(latin.spellings.iter().cloned());
                    marker.initials.extend(latin.initials.clone());
                }
            }
        }
        marker
    }

    /// Title and summary of a hit for a reader of `language`.
    pub(crate) fn highlights(
        &mut self,
        title: &Bilingual,
        summary: &Bilingual,
        language: Language,
    ) -> Highlights {
        let pick = |text: &Bilingual| -> (String, Option<String>) {
            let en = text.en.clone().filter(|en| !en.is_empty());
            match (language, en) {
                (Language::Zh, en) if !text.zh.is_empty() => (text.zh.clone(), en),
                (Language::Zh, en) => (en.unwrap_or_default(), None),
                (Language::En, Some(en)) => (en, Some(text.zh.clone())),
                (Language::En, None) => (text.zh.clone(), None),
            }
        };
        let (title, _) = pick(title);
        let title_marks = self.marks(&title);
        let (first, second) = pick(summary);
        let first_marks = self.marks(&first);
        // Where only the translation says why the dataset was found, it is shown.
        let (summary, marks) = match second {
            Some(second) if first_marks.is_empty() => {
                let second_marks = self.marks(&second);
                if second_marks.is_empty() {
                    (first, first_marks)
                } else {
                    (second, second_marks)
                }
            }
            _ => (first, first_marks),
        };
        Highlights {
            title: segments(&title, 0..title.len(), &title_marks),
            summary: fragment(&summary, &marks),
        }
    }

    /// Byte ranges of a text that match, in order and apart.
    fn marks(&mut self, source: &str) -> Vec<Range<usize>> {
        let folded = Folded::new(source, MARKED_CHARS_MAX);
        let mut marks = Vec::new();
        for run in runs(&folded.text) {
            match run {
                Run::Cjk { start, text } => {
                    mark_all(&mut marks, &self.words, start, text);
                    self.mark_pinyin(&mut marks, start, text);
                }
                Run::Word { start, text } => self.mark_latin(&mut marks, start, text),
            }
        }
        if marks.is_empty() {
            for run in runs(&folded.text) {
                if let Run::Cjk { start, text } = run {
                    mark_all(&mut marks, &self.grams, start, text);
                }
            }
        }
        merged(marks.iter().map(|range| folded.source_range(range)).collect())
    }

    fn mark_latin(&mut self, marks: &mut Vec<Range<usize>>, start: usize, word: &str) {
        if self.stems.is_empty() {
            return;
        }
        if let (_, Some(joined)) = compound(word)
            && self.stems.contains(&self.english.stem(&joined))
        {
            marks.push(start..start + word.len());
            return;
        }
        let mut at = start;
        for part in word.split(is_joiner) {
            let is_match = self.stems.contains(&self.english.stem(part))
                || form(part).is_some_and(|form| self.typos.iter().any(|typo| within_one_edit(typo, &form)));
            if is_match && !part.is_empty() {
                marks.push(at..at + part.len());
            }
            let after = at - start + part.len();
            at += part.len() + word[after..].chars().next().map_or(0, char::len_utf8);
        }
    }

    fn mark_pinyin(&self, marks: &mut Vec<Range<usize>>, start: usize, run: &str) {
        if self.spellings.is_empty() && self.initials.is_empty() {
            return;
        }
        let chars: Vec<_> = run
            .char_indices()
            .map(|(at, c)| (at, phonetic::readings(c)))
            .collect();
        let end = |at: usize| chars.get(at).map_or(run.len(), |(at, _)| *at);
        let mut mark = |length: usize, sounds_like: &dyn Fn(usize, &str) -> bool| {
            for (first, window) in chars.windows(length.max(1)).enumerate() {
                let fits = |(place, (_, readings)): (usize, &(usize, Vec<String>))| {
                    readings.iter().any(|reading| sounds_like(place, reading))
                };
                if window.iter().enumerate().all(fits) {
                    marks.push(start + end(first)..start + end(first + window.len()));
                }
            }
        };
        for spelling in &self.spellings {
            mark(spelling.len(), &|place, reading| spelling[place] == reading);
        }
        for initials in &self.initials {
            mark(initials.len(), &|place, reading| {
                reading.starts_with(initials[place])
            });
        }
    }
}

fn mark_all(marks: &mut Vec<Range<usize>>, terms: &[String], start: usize, run: &str) {
    for term in terms {
        marks.extend(
            run.match_indices(term.as_str())
                .map(|(at, found)| start + at..start + at + found.len()),
        );
    }
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The stretch of `text` in `shown` as segments.
fn segments(text: &str, shown: Range<usize>, marks: &[Range<usize>]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut push = |range: Range<usize>, is_match| {
        if let Some(text) = text.get(range).filter(|text| !text.is_empty()) {
            segments.push(Segment {
                text: text.to_owned(),
                is_match,
            });
        }
    };
    let mut at = shown.start;
    for mark in marks {
        let (start, end) = (mark.start.max(at), mark.end.min(shown.end));
        if start < end {
            push(at..start, false);
            push(start..end, true);
            at = end;
        }
    }
    push(at..shown.end, false);
    segments
}

/// The part of a text with the most matches, with ellipses where text was left out.
fn fragment(text: &str, marks: &[Range<usize>]) -> Vec<Segment> {
    let chars: Vec<_> = text.char_indices().collect();
    let width = |c: char| if is_cjk(c) || !c.is_ascii() { 2 } else { 1 };
    let end_after = |from: usize, budget: usize| {
        let mut left = budget;
        chars[from..]
            .iter()
            .position(|&(_, c)| {
                let fits = width(c) <= left;
                left = left.saturating_sub(width(c));
                !fits
            })
            .map_or(chars.len(), |length| from + length)
    };
    let char_at = |byte: usize| chars.partition_point(|&(at, _)| at < byte);
    let byte_at = |char: usize| chars.get(char).map_or(text.len(), |&(at, _)| at);

    let marks_from = |mark: &Range<usize>| {
        let end = byte_at(end_after(char_at(mark.start), FRAGMENT_WIDTH - FRAGMENT_LEAD));
        marks
            .iter()
            .filter(|other| other.start >= mark.start && other.end <= end)
            .count()
    };
    // The first of the best: later ones only win with more matches.
    let best = marks
        .iter()
        .take(100)
        .map(|mark| (marks_from(mark), mark.start))
        .max_by_key(|&(count, start)| (count, std::cmp::Reverse(start)));
    let mut from = 0;
    if let Some((_, start)) = best {
        let first = char_at(start);
        // From the beginning, if the match fits in; else a little before it, at the start of a word.
        if end_after(0, FRAGMENT_WIDTH - FRAGMENT_LEAD) <= first {
            from = first;
            let mut lead = FRAGMENT_LEAD;
            while from > 0 && width(chars[from - 1].1) <= lead {
                from -= 1;
                lead -= width(chars[from].1);
            }
            let in_word =
                |at: usize| at > 0 && [at - 1, at].iter().all(|&at| chars[at].1.is_ascii_alphanumeric());
            while from < first && in_word(from) {
                from += 1;
            }
        }
    }
    let mut to = end_after(from, FRAGMENT_WIDTH);
    if let Some(&(_, next)) = chars.get(to)
        && next.is_ascii_alphanumeric()
    {
        let word_start = chars[from..to]
            .iter()
            .rposition(|(_, c)| !c.is_ascii_alphanumeric());
        to = word_start.map_or(to, |at| from + at + 1);
    }
    let mut segments = segments(text, byte_at(from)..byte_at(to), marks);
    let ellipsis = || Segment {
        text: ELLIPSIS.to_owned(),
        is_match: false,
    };
    if from > 0 {
        segments.insert(0, ellipsis());
    }
    if to < chars.len() {
        segments.push(ellipsis());
    }
    segments
}

/// Whether two words are equal but for one letter added, left out, replaced or two neighbours swapped.
fn within_one_edit(a: &str, b: &str) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([], _) | (_, []) => true,
        ([a0, a1, a_rest @ ..], [b0, b1, b_rest @ ..]) if a0 == b1 && a1 == b0 && a_rest == b_rest => true,
        ([_, a_rest @ ..], [_, b_rest @ ..]) => a_rest == b_rest || a_rest == b || a == b_rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(segments: &[Segment]) -> String {
        segments
            .iter()
            .map(|s| {
                if s.is_match {
                    format!("[{}]", s.text)
                } else {
                    s.text.clone()
                }
            })
            .collect()
    }

    fn mark(query: &str, known: bool, text: &str) -> String {
        let asked = Asked::read(query, |_| known);
        let marks = Marker::new(&asked, !known).marks(text);
        shown(&segments(text, 0..text.len(), &marks))
    }

    #[test]
    fn matches_are_marked_in_the_text_as_written() {
        for (query, known, text, expected) in [
            (
                "空气质量",
                true,
                "城市空气质量监测（小时）",
                "城市[空气质量]监测（小时）",
            ),
            (
                "bike",
                true,
                "Shared Bikes and bike-parking",
                "Shared [Bikes] and [bike]-parking",
            ),
            ("pm25", true, "ＰＭ２．５浓度", "[ＰＭ２．５]浓度"),
            ("水", true, "水质与供水", "[水]质与供[水]"),
            ("kqzl", false, "空气质量监测", "[空气质量]监测"),
            ("kongqizhiliang", false, "空气质量监测", "[空气质量]监测"),
            ("transprot", false, "Transport hubs", "[Transport] hubs"),
            ("气质", true, "空气质量", "空[气质]量"),
        ] {
            assert_eq!(mark(query, known, text), expected, "{query}");
        }
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(
            mark("script", true, "<script>alert(1)</script>"),
            "<[script]>alert(1)</[script]>"
        );
    }

    #[test]
    fn a_fragment_shows_the_best_part() {
        let text = format!("{}公交线路与站点{}", "前".repeat(300), "后".repeat(300));
        let at = text.find("公交").unwrap_or_default();
        let fragment = shown(&fragment(&text, std::slice::from_ref(&(at..at + 6))));
        assert!(
            fragment.starts_with("…前") && fragment.ends_with("后…"),
            "{fragment}"
        );
        assert!(fragment.contains("[公交]线路"), "{fragment}");
        assert!(fragment.chars().count() <= FRAGMENT_WIDTH / 2 + 4, "{fragment}");
    }

    #[test]
    fn a_fragment_without_a_match_is_the_beginning_and_ends_at_a_word() {
        let fragment = shown(&fragment(&"word ".repeat(100), &[]));
        assert!(
            fragment.starts_with("word") && fragment.ends_with("word …"),
            "{fragment}"
        );
        assert!(fragment.len() <= FRAGMENT_WIDTH + ELLIPSIS.len());
    }

    #[test]
    fn one_edit_is_told_from_two() {
        for (a, b, expected) in [
            ("transport", "transport", true),
            ("transprot", "transport", true),
            ("trnsport", "transport", true),
            ("transportt", "transport", true),
            ("trensport", "transport", true),
            ("trensprot", "transport", false),
            ("port", "transport", false),
            ("", "a", true),
            ("ab", "ba", true),
            ("abc", "cab", false),
        ] {
            assert_eq!(within_one_edit(a, b), expected, "{a} {b}");
            assert_eq!(within_one_edit(b, a), expected, "{b} {a}");
        }
    }
}
