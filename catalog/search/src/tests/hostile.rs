//! No text makes a search fail, panic or take long.

use std::time::{Duration, Instant};

use super::corpus::{city_index, dataset, id, upsert};
use crate::{Bilingual, Filters, Position, SearchQuery};

#[test]
fn any_text_is_safe() {
    let index = city_index();
    let texts = [
        "(((".to_owned(),
        "\0".to_owned(),
        "空气\0质量".to_owned(),
        "\u{202e}\u{200f}空气\u{2066}".to_owned(),
        "(".repeat(10_000) + &")".repeat(10_000),
        "🚲🏳️‍🌈👨‍👩‍👧‍👦".repeat(100),
        "空气 AND OR NOT + - * ? ~ ^ : \\ / \" ' [ TO ] { }".to_owned(),
        "title_words:空气".to_owned(),
        "\"未闭合的引号".to_owned(),
        "a".repeat(10_000_000),
        "空气质量".repeat(2_500_000),
        "a ".repeat(1_000_000),
        "a-".repeat(1_000_000),
        "-".repeat(1_000_000),
        "e\u{301}".to_owned() + &"\u{301}".repeat(100_000),
        "\u{fdfa}".repeat(1_000),
        "xian".repeat(60),
        "shishishishishishishishi ".repeat(10),
        (0..400).map(|n| format!("qu{n}litz ")).collect(),
        ('\u{4e00}'..'\u{4f00}').collect(),
        ('\u{4e00}'..'\u{4f00}').flat_map(|c| [c, ' ']).collect(),
        ('\u{0}'..'\u{2000}').collect(),
        ('\u{ffff0}'..='\u{10ffff}').take(10_000).collect(),
        String::from_utf8_lossy(&(0..=255).collect::<Vec<u8>>()).into_owned(),
        "ﷺ\u{1100}\u{1161}\u{11a8}हिन्दी ไทย עברית العربية".to_owned(),
    ];
    index
        .search(&SearchQuery {
            text: "空气".to_owned(),
            ..SearchQuery::default()
        })
        .unwrap();
    for text in texts {
        let start: String = text.chars().take(20).collect();
        let begun = Instant::now();
        let page = index.search(&SearchQuery {
            text,
            ..SearchQuery::default()
        });
        assert!(page.is_ok(), "{start:?}");
        // An unoptimised build on a busy machine: what is not capped would take minutes.
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{start:?} took {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn what_cannot_be_seen_is_not_searched_for() {
    let index = city_index();
    for text in [
        "\u{202e}公\u{200b}交线路\u{2069}",
        "公交线路\0",
        "\u{feff}公交线路",
    ] {
        let page = index
            .search(&SearchQuery {
                text: text.to_owned(),
                ..SearchQuery::default()
            })
            .unwrap();
        assert_eq!(
            page.hits.first().map(|hit| hit.id),
            Some(dataset("bus-line").id),
            "{text:?}"
        );
    }
}

#[test]
fn text_beyond_the_cap_is_ignored() {
    let index = city_index();
    let count = |text: String| {
        index
            .search(&SearchQuery {
                text,
                ..SearchQuery::default()
            })
            .unwrap()
            .count
    };
    assert_eq!(
        count(format!("公交{}", " ".repeat(crate::QUERY_CHARS_MAX) + "量子")),
        2
    );
    let words = "公交 ".repeat(crate::QUERY_TERMS_MAX);
    assert_eq!(count(words + "量子"), 2);
}

#[test]
fn hostile_documents_are_cut_and_found() {
    let index = city_index();
    let mut document = dataset("gdp");
    document.id = id(600);
    document.slug = "x".repeat(100_000);
    document.title = Bilingual::new(
        "灯塔".to_owned() + &"\0\u{202e}长".repeat(100_000),
        "y ".repeat(100_000),
    );
    document.summary = Bilingual {
        zh: "z".repeat(1_000_000),
        en: None,
    };
    document.keywords = vec!["词".to_owned(); 20_000];
    document.theme = "题".repeat(100_000);
    document.formats = vec!["csv".to_owned(); 20_000];
    document.fields = vec![String::new(); 20_000];
    document.updated_at = i64::MIN;
    index.apply(&[upsert(document)], Position(31)).unwrap();
    let filters = Filters {
        formats: vec!["csv".to_owned()],
        ..Filters::default()
    };
    let page = index
        .search(&SearchQuery {
            text: "灯塔".to_owned(),
            filters,
            ..SearchQuery::default()
        })
        .unwrap();
    assert_eq!(page.hits.first().map(|hit| hit.id), Some(id(600)));
    assert_eq!(
        page.facets.formats[0].count, 1,
        "a format given twice counts once"
    );
    let shown: usize = page.hits[0]
        .highlights
        .title
        .iter()
        .map(|segment| segment.text.chars().count())
        .sum();
    assert!(shown <= 1_000, "{shown}");
}
