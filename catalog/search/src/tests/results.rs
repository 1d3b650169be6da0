//! Pages, facets, order and highlights.

use super::corpus::{city, city_index, dataset, id, organization_id, slug, upsert};
use crate::{
    Bilingual, Change, Error, FacetCount, Filters, Index, Language, Options, Page, Position, SearchPage,
    SearchQuery, Segment, Sort,
};

fn search(index: &Index, text: &str, filters: Filters) -> SearchPage {
    index
        .search(&SearchQuery {
            text: text.to_owned(),
            filters,
            ..SearchQuery::default()
        })
        .unwrap()
}

fn slugs(page: &SearchPage) -> Vec<String> {
    page.hits.iter().map(|hit| slug(hit.id)).collect()
}

fn counts<T: ToString>(facet: &[FacetCount<T>]) -> String {
    facet
        .iter()
        .map(|f| format!("{}={}", f.value.to_string(), f.count))
        .collect::<Vec<_>>()
        .join(" ")
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn without_text_the_catalogue_is_listed_by_update() {
    let index = city_index();
    for text in ["", " \t\n", "\u{200b}", "\0"] {
        let page = search(&index, text, Filters::default());
        assert_eq!(page.count, 30, "{text:?}");
        assert_eq!(slugs(&page)[..2], ["gdp", "population"], "{text:?}");
        assert_eq!(page.hits.len(), 20);
        assert!(page.hits.iter().all(|hit| hit.score.is_none()));
    }
}

#[test]
fn facets_count_with_the_other_filters() {
    let index = city_index();
    let all = search(&index, "", Filters::default()).facets;
    assert_eq!(counts(&all.levels), "1=25 3=4 2=1");
    assert_eq!(
        counts(&all.themes),
        "transport=8 environment=5 civil=4 economy=3 health=3 water=3 education=2 statistics=2"
    );
    assert_eq!(all.organizations.len(), 8);
    assert_eq!(
        all.organizations[0],
        FacetCount {
            value: organization_id(1),
            count: 8
        }
    );

    // One theme chosen: the themes still show what choosing another would give, the rest is narrowed.
    let transport = Filters {
        themes: strings(&["transport"]),
        ..Filters::default()
    };
    let page = search(&index, "", transport);
    assert_eq!(page.count, 8);
    assert_eq!(page.facets.themes, all.themes);
    assert_eq!(counts(&page.facets.levels), "1=6 3=2");
    assert_eq!(counts(&page.facets.formats), "csv=6 parquet=4 geojson=2 json=1");

    // OR within a facet, AND across.
    let chosen = Filters {
        themes: strings(&["transport", "health"]),
        levels: vec![3],
        formats: strings(&["parquet"]),
        ..Filters::default()
    };
    let page = search(&index, "", chosen);
    assert_eq!(
        slugs(&page),
        ["outpatient-visits", "taxi-gps", "bike-share-trips"]
    );
    assert_eq!(counts(&page.facets.levels), "3=3 1=2");
    assert_eq!(counts(&page.facets.themes), "transport=2 economy=1 health=1");

    // Organisation and update cycle, with text.
    let chosen = Filters {
        organizations: vec![organization_id(0), organization_id(6)],
        update_cycles: strings(&["monthly"]),
        ..Filters::default()
    };
    let page = search(&index, "水质", chosen);
    assert_eq!(slugs(&page), ["water-quality-section", "tap-water"]);

    // A chosen value stays in the list though nothing has it, and matches nothing.
    let chosen = Filters {
        formats: strings(&["shapefile"]),
        levels: vec![9],
        ..Filters::default()
    };
    let page = search(&index, "公交", chosen);
    assert_eq!(page.count, 0);
    assert_eq!(counts(&page.facets.formats), "shapefile=0");
    assert!(!page.approximate, "filters do not make a search approximate");
}

#[test]
fn filters_are_bounded() {
    let index = city_index();
    let filters = Filters {
        themes: vec!["x".to_owned(); 101],
        ..Filters::default()
    };
    let refused = index.search(&SearchQuery {
        filters,
        ..SearchQuery::default()
    });
    assert!(matches!(
        refused,
        Err(Error::TooManyFilterValues {
            facet: "theme",
            count: 101
        })
    ));
}

#[test]
fn pages_are_bounded_and_follow_each_other() {
    for (number, size) in [
        (0, 10),
        (1, 0),
        (1, 101),
        (101, 100),
        (u32::MAX, u32::MAX),
        (u32::MAX, 1),
        (10_001, 1),
    ] {
        let refused = Page::new(number, size);
        assert!(
            matches!(&refused, Err(error) if error.is_invalid_request()),
            "{number} {size}"
        );
    }
    let index = city_index();
    for sort in [Sort::Relevance, Sort::Updated, Sort::Title] {
        for text in ["", "水", "市"] {
            let list = |number, size| {
                let page = Page::new(number, size).unwrap();
                let query = SearchQuery {
                    text: text.to_owned(),
                    page,
                    sort,
                    ..SearchQuery::default()
                };
                index.search(&query).unwrap()
            };
            let whole = list(1, 100);
            assert_eq!(whole.count as usize, whole.hits.len());
            let pages: Vec<_> = (1..=10).flat_map(|number| list(number, 7).hits).collect();
            assert_eq!(pages, whole.hits, "{sort:?} {text:?}");
            assert!(list(100, 100).hits.is_empty());
        }
    }
}

#[test]
fn titles_sort_in_the_readers_language_across_commits() {
    let index = Index::in_memory(Options::default()).unwrap();
    for (at, document) in city().into_iter().enumerate() {
        index.apply(&[upsert(document)], Position(at as i64 + 1)).unwrap();
    }
    let first = |language| {
        let page = Page::new(1, 4).unwrap();
        slugs(
            &index
                .search(&SearchQuery {
                    sort: Sort::Title,
                    language,
                    page,
                    ..SearchQuery::default()
                })
                .unwrap(),
        )
    };
    // 常住人口, 城市区域噪声, 出租车运营轨迹, 道路交通指数
    assert_eq!(
        first(Language::Zh),
        ["population", "noise-monitoring", "taxi-gps", "traffic-index"]
    );
    assert_eq!(
        first(Language::En),
        [
            "administrative-division",
            "bike-parking",
            "bike-share-trips",
            "bus-line"
        ]
    );
}

#[test]
fn highlights_are_segments_in_the_readers_language() {
    let index = city_index();
    let shown = |segments: &[Segment]| -> String {
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
    };
    let first = |text: &str, language| {
        let query = SearchQuery {
            text: text.to_owned(),
            language,
            ..SearchQuery::default()
        };
        let highlights = index.search(&query).unwrap().hits.remove(0).highlights;
        (shown(&highlights.title), shown(&highlights.summary))
    };
    assert_eq!(
        first("公交线路", Language::Zh),
        (
            "[公交线路]".to_owned(),
            "全市[公交线路]的起讫站与运营时间。".to_owned()
        )
    );
    assert_eq!(
        first("line of buses", Language::En),
        (
            "[Bus] [lines]".to_owned(),
            "Terminals and hours of the city's [bus] [lines].".to_owned()
        )
    );
    assert_eq!(first("kqzl", Language::Zh).0, "[空气质量]监测（小时）");
    assert_eq!(first("hosptial", Language::En).0, "[Hospitals]");
    // The reason is shown where only the other language has it.
    assert_eq!(first("拥堵", Language::En).1, "主要路段每五分钟的[拥堵]指数。");
}

#[test]
fn markup_in_texts_and_queries_stays_text() {
    let index = city_index();
    let mut document = dataset("gdp");
    document.id = id(500);
    document.title = Bilingual {
        zh: "<script>alert('雷达')</script>".to_owned(),
        en: None,
    };
    index.apply(&[upsert(document)], Position(31)).unwrap();
    let page = search(&index, "<script>", Filters::default());
    let title: String = page.hits[0]
        .highlights
        .title
        .iter()
        .map(|segment| segment.text.as_str())
        .collect();
    assert_eq!(title, "<script>alert('雷达')</script>");
}

#[test]
fn a_search_sees_what_was_just_applied() {
    let index = city_index();
    let found = |text: &str| slugs(&search(&index, text, Filters::default()));
    let mut document = dataset("school");
    document.title.zh = "天文台观测".to_owned();
    document.revision = 2;
    index.apply(&[upsert(document)], Position(31)).unwrap();
    assert_eq!(found("天文台"), ["school"]);
    assert_eq!(index.document_count(), 30);

    index
        .apply(
            &[Change::Delete {
                id: dataset("school").id,
                revision: 3,
            }],
            Position(32),
        )
        .unwrap();
    assert!(found("天文台").is_empty());
    assert_eq!(index.document_count(), 29);
    let all = search(&index, "", Filters::default());
    assert_eq!(all.count, 29);
    assert_eq!(all.facets.themes.iter().map(|theme| theme.count).sum::<u64>(), 29);
}

#[test]
fn old_revisions_change_nothing() {
    let index = city_index();
    let version = |revision: i64, title: &str| {
        let mut document = dataset("gdp");
        (document.revision, document.title.zh) = (revision, title.to_owned());
        upsert(document)
    };
    let delete = |revision| Change::Delete {
        id: dataset("gdp").id,
        revision,
    };
    let title = || {
        let page = search(&index, "GDP", Filters::default());
        page.hits.first().map(|hit| {
            hit.highlights
                .title
                .iter()
                .map(|s| s.text.as_str())
                .collect::<String>()
        })
    };
    for (changes, expected) in [
        (vec![version(5, "五")], Some("五")),
        (vec![version(4, "四")], Some("五")),
        (vec![delete(4)], Some("五")),
        (vec![version(7, "七"), version(6, "六")], Some("七")),
        (vec![version(7, "七又")], Some("七又")),
        (vec![delete(8)], None),
        (vec![version(8, "八"), version(7, "七")], None),
        (vec![version(9, "九"), delete(9)], None),
        (vec![version(10, "十")], Some("十")),
        (vec![delete(11), version(12, "十二")], Some("十二")),
    ] {
        index.apply(&changes, Position(40)).unwrap();
        assert_eq!(title().as_deref(), expected, "{changes:?}");
    }
    assert_eq!(index.document_count(), 30);
}

#[test]
fn a_document_without_a_level_is_refused_and_nothing_of_its_batch_applied() {
    let index = city_index();
    for level in [0, 5, 255] {
        let mut wrong = dataset("gdp");
        (wrong.level, wrong.revision) = (level, 2);
        let batch = [
            Change::Delete {
                id: dataset("school").id,
                revision: 2,
            },
            upsert(wrong),
        ];
        assert!(matches!(
            index.apply(&batch, Position(31)),
            Err(Error::InvalidLevel { .. })
        ));
    }
    assert_eq!((index.document_count(), index.position()), (30, Position(30)));
}
