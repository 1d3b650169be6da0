//! Pinyin: how Chinese text sounds, and which Chinese a Latin word may spell.

use std::collections::HashSet;
use std::sync::LazyLock;

use pinyin::{ToPinyin, ToPinyinMulti};

use crate::text::is_cjk;

/// Longest Latin word read as pinyin, in letters.
const SPELLING_LETTERS_MAX: usize = 48;
/// Longest Latin word read as initials, in letters.
const INITIALS_MAX: usize = 12;
/// Most divisions of one word into syllables (`xian` is 鲜 and 西安) that are asked for.
const SPELLINGS_MAX: usize = 4;
/// Letters in the longest syllable (`zhuang`).
const SYLLABLE_LETTERS_MAX: usize = 6;
/// Characters of a title that decide its place.
const COLLATED_CHARS: usize = 64;

/// Syllables that the Han characters of the Basic Multilingual Plane are read as.
static SYLLABLES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    ('\u{4e00}'..='\u{9fff}')
        .filter_map(|c| c.to_pinyin())
        .map(|reading| plain(reading.plain()))
        .filter(|syllable| syllable.contains(['a', 'e', 'i', 'o', 'u', 'v']))
        .collect()
});

/// Input methods type `ü` as `v`.
fn plain(syllable: &str) -> String {
    syllable.replace('ü', "v")
}

/// All readings of a character, without tones; none if it is not Chinese.
pub(crate) fn readings(c: char) -> Vec<String> {
    let mut found = Vec::new();
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        let syllable = plain(reading.plain());
        if !found.contains(&syllable) {
            found.push(syllable);
        }
    }
    found
}

/// First letters of all readings of a character.
pub(crate) fn initials(c: char) -> Vec<char> {
    let mut found = Vec::new();
    for letter in readings(c).iter().filter_map(|reading| reading.chars().next()) {
        if !found.contains(&letter) {
            found.push(letter);
        }
    }
    found
}

/// Ways to read a folded Latin word as syllables, longest syllables first.
pub(crate) fn spellings(word: &str) -> Vec<Vec<String>> {
    let word = plain(word);
    if word.len() > SPELLING_LETTERS_MAX || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return Vec::new();
    }
    // ends[i]: ends of the syllables starting at i from which the end of the word can be reached.
    let mut ends: Vec<Vec<usize>> = vec![Vec::new(); word.len() + 1];
    for start in (0..word.len()).rev() {
        ends[start] = (start + 1..=word.len().min(start + SYLLABLE_LETTERS_MAX))
            .rev()
            .filter(|&end| {
                (end == word.len() || !ends[end].is_empty()) && SYLLABLES.contains(&word[start..end])
            })
            .collect();
    }
    let mut found = Vec::new();
    let mut open: Vec<Vec<usize>> = vec![vec![0]];
    while let Some(cuts) = open.pop() {
        let at = cuts.last().copied().unwrap_or_default();
        if at == word.len() && at > 0 {
            found.push(
                cuts.windows(2)
                    .map(|cut| word[cut[0]..cut[1]].to_owned())
                    .collect(),
            );
            if found.len() == SPELLINGS_MAX {
                break;
            }
        }
        open.extend(
            ends[at]
                .iter()
                .rev()
                .map(|&end| [cuts.as_slice(), &[end]].concat()),
        );
    }
    found
}

/// A folded Latin word as initials of syllables, if it can be that: two letters or more, and no
/// `i`, `u` or `v`, which start no syllable.
pub(crate) fn as_initials(word: &str) -> Option<Vec<char>> {
    let fits = (2..=INITIALS_MAX).contains(&word.len())
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() && !matches!(b, b'i' | b'u' | b'v'));
    fits.then(|| word.chars().collect())
}

/// A key that sorts folded titles: Chinese by pinyin, then character; everything else as it is.
pub(crate) fn collation_key(folded: &str) -> String {
    let mut key = String::with_capacity(folded.len() * 2);
    for c in folded.trim_start().chars().take(COLLATED_CHARS) {
        match c.to_pinyin().filter(|_| is_cjk(c)) {
            // The separator sorts `kan` before `kang` whatever follows.
            Some(reading) => key.extend([reading.plain(), "\u{1}", c.encode_utf8(&mut [0; 4]), "\u{1}"]),
            None => key.push(c),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_syllables() {
        for (word, expected) in [
            ("kongqizhiliang", vec!["kong qi zhi liang"]),
            ("shui", vec!["shui"]),
            ("xian", vec!["xian", "xi an"]),
            ("transport", vec![]),
            ("kqzl", vec![]),
            ("lvyou", vec!["lv you"]),
            ("lüyou", vec!["lv you"]),
            ("", vec![]),
            ("pm2.5", vec![]),
        ] {
            let found: Vec<_> = spellings(word)
                .iter()
                .map(|spelling| spelling.join(" "))
                .collect();
            for spelling in &expected {
                assert!(found.iter().any(|found| found == spelling), "{word}: {found:?}");
            }
            assert_eq!(found.is_empty(), expected.is_empty(), "{word}: {found:?}");
        }
    }

    #[test]
    fn ambiguous_words_stay_few() {
        assert_eq!(spellings(&"xian".repeat(12)).len(), SPELLINGS_MAX);
        assert!(spellings(&"a".repeat(49)).is_empty());
    }

    #[test]
    fn characters_with_several_readings_have_them_all() {
        assert!(readings('行').contains(&"hang".to_owned()) && readings('行').contains(&"xing".to_owned()));
        assert!(readings('旅').contains(&"lv".to_owned()), "{:?}", readings('旅'));
        assert!(readings('x').is_empty());
        assert!(initials('重').contains(&'c') && initials('重').contains(&'z'));
    }

    #[test]
    fn titles_sort_by_pinyin() {
        let mut titles = ["水质", "空气质量", "康复", "看护", "bus", "行政区划", "阿胶"];
        titles.sort_by_key(|title| collation_key(title));
        assert_eq!(
            titles,
            ["阿胶", "bus", "看护", "康复", "空气质量", "水质", "行政区划"]
        );
    }
}
