//! What a reader of the small catalogue finds, in order.

use super::corpus::{city_index, slug};
use crate::{Index, SearchQuery};

fn find(index: &Index, text: &str) -> (Vec<String>, bool) {
    let query = SearchQuery {
        text: text.to_owned(),
        ..SearchQuery::default()
    };
    let page = index.search(&query).unwrap();
    (
        page.hits.into_iter().map(|hit| slug(hit.id)).collect(),
        page.approximate,
    )
}

/// Query, the slugs it finds first, and the number it finds in all.
#[rustfmt::skip]
const EXPECTED: [(&str, &[&str], usize); 45] = [
    // Chinese words, the title first
    ("空气质量", &["air-quality-hourly", "air-station"], 2),
    ("空气质量监测", &["air-quality-hourly", "air-station"], 2),
    ("公交线路", &["bus-line", "bus-stop"], 2),
    ("公交", &["bus-stop", "bus-line"], 2),
    ("行政区划", &["administrative-division"], 1),
    ("共享单车", &["bike-parking", "bike-share-trips"], 2),
    ("水质", &["water-quality-section", "tap-water"], 2),
    ("医院", &["hospital"], 1),
    ("养老床位", &["elderly-service"], 1),
    ("常住人口", &["population"], 1),
    // across segmentation: part of a word, a word the dictionary cuts otherwise
    ("区划代码", &["administrative-division"], 1),
    ("拥堵指数", &["traffic-index"], 1),
    ("进站量", &["metro-ridership"], 1),
    // grammar and words that every dataset has do not count
    ("空气质量的数据", &["air-quality-hourly", "air-station"], 2),
    ("公交线路信息查询", &["bus-line", "bus-stop"], 2),
    ("the data on bus lines", &["bus-line", "bus-stop"], 2),
    // organisations
    ("水务局", &["tap-water", "rainfall", "reservoir-level"], 3),
    ("Water Authority", &["tap-water", "rainfall", "reservoir-level"], 3),
    // single characters
    ("雨", &["rainfall"], 1),
    ("噪", &["noise-monitoring", "air-station"], 2),
    // full-width, upper case, compounds
    ("ＰＭ２．５", &["air-quality-hourly"], 1),
    ("pm25", &["air-quality-hourly"], 1),
    ("PM2.5", &["air-quality-hourly"], 1),
    ("ＧＤＰ", &["gdp"], 1),
    ("bus-line", &["bus-line"], 2),
    ("start_district", &["bike-share-trips"], 1),
    ("330100 gdp", &["gdp"], 1),
    // English stems
    ("bikes", &["bike-parking", "bike-share-trips"], 2),
    ("bike", &["bike-parking", "bike-share-trips"], 2),
    ("monitored stations", &["air-station"], 1),
    ("buses", &["bus-line", "bus-stop"], 2),
    ("hospitals", &["hospital"], 1),
    ("air quality", &["air-quality-hourly"], 1),
    // both languages at once
    ("bus 线路", &["bus-line", "bus-stop"], 2),
    ("AQI 空气", &["air-quality-hourly"], 1),
    ("共享bike", &["bike-parking", "bike-share-trips"], 2),
    // pinyin
    ("kongqizhiliang", &["air-quality-hourly"], 1),
    ("kqzl", &["air-quality-hourly"], 1),
    ("gongjiao", &["bus-stop", "bus-line"], 2),
    ("xzqh", &["administrative-division"], 1),
    ("xingzhengquhua", &["administrative-division"], 1),
    ("gong jiao xianlu", &["bus-line"], 1),
    // nothing
    ("量子计算", &[], 0),
    ("zzzzzz", &[], 0),
    ("🚲", &[], 0),
];

#[test]
fn readers_find_what_they_mean() {
    let index = city_index();
    let mut wrong = Vec::new();
    for (text, first, count) in EXPECTED {
        let (found, approximate) = find(&index, text);
        let as_expected = found.len() == count && found.iter().zip(first).all(|(a, b)| a == b);
        if !as_expected || found.len() < first.len() || approximate {
            wrong.push(format!("{text}: {found:?} approximate={approximate}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn typos_and_missing_terms_are_allowed_for_only_where_nothing_matches() {
    let index = city_index();
    for (text, first) in [
        ("hosptial", "hospital"),
        ("reservor", "reservoir-level"),
        ("kindergarden", "kindergarten"),
        ("air qualitty", "air-quality-hourly"),
        ("公交线路 量子计算", "bus-line"),
        ("空气质量预报结果", "air-quality-hourly"),
    ] {
        let (found, approximate) = find(&index, text);
        assert!(approximate, "{text}: {found:?}");
        assert_eq!(
            found.first().map(String::as_str),
            Some(first),
            "{text}: {found:?}"
        );
    }
}
