//! Names of places, put together from syllables with their pinyin.

use crate::random::{Permutation, Stream};

const FIRST: [(&str, &str); 24] = [
    ("云", "yun"),
    ("清", "qing"),
    ("松", "song"),
    ("鹤", "he"),
    ("白", "bai"),
    ("明", "ming"),
    ("长", "chang"),
    ("东", "dong"),
    ("金", "jin"),
    ("玉", "yu"),
    ("碧", "bi"),
    ("枫", "feng"),
    ("柳", "liu"),
    ("竹", "zhu"),
    ("梅", "mei"),
    ("兰", "lan"),
    ("滨", "bin"),
    ("临", "lin"),
    ("朝", "chao"),
    ("凤", "feng"),
    ("文", "wen"),
    ("石", "shi"),
    ("双", "shuang"),
    ("和", "he"),
];

const SECOND: [(&str, &str); 24] = [
    ("江", "jiang"),
    ("湖", "hu"),
    ("溪", "xi"),
    ("山", "shan"),
    ("桥", "qiao"),
    ("塘", "tang"),
    ("岭", "ling"),
    ("泉", "quan"),
    ("浦", "pu"),
    ("洲", "zhou"),
    ("园", "yuan"),
    ("阳", "yang"),
    ("安", "an"),
    ("宁", "ning"),
    ("兴", "xing"),
    ("华", "hua"),
    ("台", "tai"),
    ("亭", "ting"),
    ("苑", "yuan"),
    ("港", "gang"),
    ("湾", "wan"),
    ("坪", "ping"),
    ("陵", "ling"),
    ("庄", "zhuang"),
];

/// How many names there are.
pub(crate) const PLACE_NAMES: u64 = 24 * 24;

/// A name of two characters.
#[derive(Debug, Clone)]
pub(crate) struct PlaceName {
    /// In characters.
    pub(crate) zh: String,
    /// In pinyin, capitalised, without tones.
    pub(crate) pinyin: String,
}

/// The `number`-th name of the city (they repeat after [`PLACE_NAMES`]).
pub(crate) fn place_name(seed: u64, number: u64) -> PlaceName {
    let order = Permutation::new(seed, Stream::DivisionName, 0, PLACE_NAMES);
    let at = order.apply(number % PLACE_NAMES) as usize;
    let ((zh1, pinyin1), (zh2, pinyin2)) = (FIRST[at / 24], SECOND[at % 24]);
    // An apostrophe keeps syllables apart before a vowel (GB/T 16159).
    let apostrophe = if pinyin2.starts_with(['a', 'e', 'o']) {
        "'"
    } else {
        ""
    };
    let pinyin = format!(
        "{}{}{apostrophe}{pinyin2}",
        pinyin1[..1].to_uppercase(),
        &pinyin1[1..]
    );
    PlaceName {
        zh: format!("{zh1}{zh2}"),
        pinyin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_short() {
        let names: std::collections::HashSet<String> =
            (0..PLACE_NAMES).map(|n| place_name(1, n).zh).collect();
        assert_eq!(names.len() as u64, PLACE_NAMES);
        assert!(names.iter().all(|name| name.chars().count() == 2));
        let all: Vec<_> = (0..PLACE_NAMES).map(|n| place_name(1, n)).collect();
        assert!(all.iter().any(|p| p.zh == "长安" && p.pinyin == "Chang'an"));
    }
}
