//! Every page with believable and with hostile data, in both languages, as a parser of HTML5 sees it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../examples/gallery/sample/mod.rs"]
mod sample;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use model::Language;
use sample::{Sample, pages};
use scraper::{ElementRef, Html, Selector};

fn select<'a>(document: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    document.select(&selector).collect()
}

fn each(hostile: bool, check: impl Fn(&Sample, &Html, &str)) {
    let samples = pages(hostile).unwrap();
    assert!(samples.len() > 100, "{}", samples.len());
    for sample in &samples {
        let name = format!("{}.{}", sample.name, sample.language.tag());
        check(sample, &Html::parse_document(&sample.html), &name);
    }
}

#[test]
fn pages_are_html5_in_their_language_without_untranslated_words() {
    each(false, |sample, document, name| {
        assert!(document.errors.is_empty(), "{name}: {:?}", document.errors);
        assert!(!i18n::is_untranslated(&sample.html), "{name}");
        let root = select(document, "html")[0];
        assert_eq!(root.attr("lang"), Some(sample.language.tag()), "{name}");
        if sample.language == Language::En {
            let words: String = select(document, "h1, h2, button, th, label, legend, dt")
                .iter()
                .flat_map(|element| element.text())
                .filter(|text| text.chars().any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c)))
                .collect();
            let samples_own = [
                "湖滨区",
                "文昌区",
                "高新区",
                "临江区",
                "云岭区",
                "北港区",
                "南屏县",
                "东岛区",
            ];
            assert!(
                words.is_empty() || samples_own.iter().any(|own| words.contains(own)),
                "{name}: {words}"
            );
        }
    });
}

#[test]
fn pages_have_one_heading_of_each_rank_in_order_and_their_landmarks() {
    each(false, |_, document, name| {
        assert_eq!(select(document, "h1").len(), 1, "{name}");
        for landmark in [
            "header",
            "main#main",
            "footer",
            "nav[aria-label]",
            "a.skip[href='#main']",
            "title",
        ] {
            assert!(!select(document, landmark).is_empty(), "{name}: {landmark}");
        }
        let mut before = 0;
        for heading in select(document, "h1, h2, h3, h4, h5, h6") {
            let rank = heading.value().name()[1..].parse::<u32>().unwrap();
            assert!(rank <= before + 1, "{name}: h{rank} after h{before}");
            assert!(
                !heading.text().collect::<String>().trim().is_empty(),
                "{name}: an empty h{rank}"
            );
            before = rank;
        }
    });
}

#[test]
fn ids_are_unique_and_everything_that_points_to_one_finds_it() {
    each(true, |_, document, name| {
        let mut ids = HashMap::new();
        for element in select(document, "[id]") {
            let id = element.attr("id").unwrap();
            assert!(
                !id.is_empty() && !id.contains(char::is_whitespace),
                "{name}: id {id:?}"
            );
            assert!(ids.insert(id, ()).is_none(), "{name}: id {id} stands twice");
        }
        for (selector, attribute) in [
            ("[for]", "for"),
            ("[aria-labelledby]", "aria-labelledby"),
            ("[aria-describedby]", "aria-describedby"),
            ("[data-copy]", "data-copy"),
        ] {
            for element in select(document, selector) {
                for id in element.attr(attribute).unwrap().split_whitespace() {
                    assert!(ids.contains_key(id), "{name}: {attribute} {id} points nowhere");
                }
            }
        }
        for link in select(document, "a[href^='#']") {
            let id = &link.attr("href").unwrap()[1..];
            assert!(ids.contains_key(id), "{name}: #{id} points nowhere");
        }
    });
}

#[test]
fn forms_are_checked_by_the_portal_in_the_pages_language() {
    each(false, |_, document, name| {
        for form in select(document, "form") {
            let required = Selector::parse("[required], [pattern], [type='number'], [type='email']").unwrap();
            if form.select(&required).next().is_some() {
                assert!(
                    form.attr("novalidate").is_some(),
                    "{name}: the browser would answer in its own language: {:?}",
                    form.attr("action")
                );
            }
        }
    });
}

#[test]
fn what_scrolls_can_be_reached_by_the_keyboard_and_has_a_name() {
    each(false, |_, document, name| {
        for region in select(document, ".scroll, .codebox pre, pre.plain") {
            assert_eq!(region.attr("tabindex"), Some("0"), "{name}");
            assert_eq!(region.attr("role"), Some("region"), "{name}");
            assert!(
                region.attr("aria-label").is_some_and(|label| !label.is_empty()),
                "{name}"
            );
        }
        for table in select(document, "main table") {
            let scrolls = |element: ElementRef<'_>| {
                element
                    .attr("class")
                    .is_some_and(|class| class.split(' ').any(|class| class == "scroll" || class == "more"))
            };
            let within = table.ancestors().filter_map(ElementRef::wrap).any(scrolls);
            assert!(within, "{name}: a table that cannot scroll: {}", table.html());
        }
    });
}

#[test]
fn controls_have_labels_and_forms_their_token() {
    each(false, |_, document, name| {
        let labels: BTreeSet<&str> = select(document, "label[for]")
            .iter()
            .filter_map(|l| l.attr("for"))
            .collect();
        for control in select(document, "input, select, textarea") {
            if control.attr("type") == Some("hidden") {
                continue;
            }
            let id = control
                .attr("id")
                .unwrap_or_else(|| panic!("{name}: a control without id"));
            assert!(labels.contains(id), "{name}: {id} has no label");
            assert!(control.attr("name").is_some(), "{name}: {id} has no name");
        }
        for form in select(document, "form[method='post']") {
            let token = Selector::parse("input[name='csrf_token']").unwrap();
            assert_eq!(
                form.select(&token).count(),
                1,
                "{name}: {:?}",
                form.attr("action")
            );
        }
        for button in select(document, "button, a") {
            let named =
                button.attr("aria-label").is_some() || !button.text().collect::<String>().trim().is_empty();
            assert!(named, "{name}: a {} without words", button.value().name());
        }
    });
}

#[test]
fn tables_say_what_they_show_and_scroll_in_their_own_box() {
    each(false, |_, document, name| {
        for table in select(document, "table") {
            let rows = Selector::parse("tr").unwrap();
            let heads = Selector::parse("thead th").unwrap();
            assert!(
                table.select(&heads).all(|head| head.attr("scope") == Some("col")),
                "{name}"
            );
            let columns = table.select(&heads).count();
            let cells = Selector::parse("td, th").unwrap();
            for row in table.select(&rows) {
                assert_eq!(row.select(&cells).count(), columns, "{name}: ragged table");
            }
        }
        for table in select(document, ".scroll > table") {
            let caption = Selector::parse("caption").unwrap();
            assert!(
                table.select(&caption).next().is_some(),
                "{name}: a table without a caption"
            );
        }
        for chart in select(document, "svg") {
            assert_eq!(chart.attr("role"), Some("img"), "{name}");
            assert!(!chart.attr("aria-label").unwrap().is_empty(), "{name}");
        }
    });
}

#[test]
fn hostile_texts_stay_texts() {
    each(true, |_, document, name| {
        for script in select(document, "script") {
            let own = script.attr("src").is_some_and(|src| src.starts_with("/assets/"));
            let data = script.attr("type") == Some("application/ld+json");
            assert!(own || data, "{name}: a foreign script");
            if data {
                let text: String = script.text().collect();
                assert!(!text.contains('<'), "{name}");
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
            }
        }
        assert!(
            select(document, "img[onerror], [onclick], [onload], [style], style").is_empty(),
            "{name}"
        );
        for image in select(document, "img") {
            assert!(image.attr("src").unwrap().starts_with("/assets/"), "{name}");
        }
        for link in select(document, "a[href]") {
            let href = link.attr("href").unwrap();
            assert!(href.starts_with('/') || href.starts_with('#'), "{name}: {href}");
        }
        // Outside attributes a text that turns the writing direction is boxed in <bdi>, <code>, a cell or a heading
        // of its own, and never in running words of the portal.
        let shown: String = select(document, "body").iter().flat_map(|b| b.text()).collect();
        let hostile_pages = [
            "datasets",
            "dataset-open",
            "review-decide",
            "job-released",
            "sql-error",
            "error-404",
        ];
        if hostile_pages
            .iter()
            .any(|page| name.starts_with(&format!("{page}.")))
        {
            assert!(
                shown.contains("<script>alert('x')</script>&amp;"),
                "{name}: the text itself is shown"
            );
        }
    });
}

#[test]
fn the_style_sheet_is_all_there_is_to_load() {
    each(false, |sample, document, name| {
        assert!(
            select(document, "link[rel='stylesheet'][href^='/assets/']").len() == 1,
            "{name}"
        );
        for other in ["http://", "//cdn", "@import", "javascript:"] {
            assert!(!sample.html.contains(other), "{name}: {other}");
        }
    });
    let css = std::str::from_utf8(&crate::asset::find("shapan.css").unwrap().bytes).unwrap();
    let loaded = css.matches("url(").count();
    assert_eq!(
        loaded,
        css.matches("url(\"contour.svg\")").count(),
        "the style sheet loads only the portal's own"
    );
    assert!(!css.contains("@import"));
    assert!(css.contains("prefers-reduced-motion") && css.contains("@media print"));
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path
            .extension()
            .is_some_and(|e| e == "rs" || e == "html" || e == "svg")
        {
            found.push(path);
        }
    }
}

/// The texts between double quotes.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1)
}

/// Messages whose keys are made of a word that an error carries, each with what makes them. That every word has its
/// message is tested where errors are told.
const FAMILIES: [(&str, &str); 6] = [
    ("why-ingest-", "\"why-{code}\""),
    ("why-foreign-", "\"why-foreign-{text}\""),
    ("why-advice-", "\"why-advice-{}\""),
    ("why-thing-", "\"why-thing-{}\""),
    ("why-construct-", "\"why-construct-{}\""),
    ("why-text-", "\"why-text-{field}\""),
];

#[test]
fn every_key_is_used_and_every_key_used_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("templates"), &mut files);
    let keys: BTreeSet<String> = i18n::Translator::keys().into_iter().collect();
    let (mut used, mut families) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if !file.ends_with("page/tests.rs") {
            let made = FAMILIES.iter().filter(|(_, made_by)| text.contains(made_by));
            families.extend(made.map(|(family, _)| *family));
        }
        used.extend(
            literals(&text)
                .filter(|word| keys.contains(*word))
                .map(str::to_owned),
        );
        for call in [".t(\"", ".t1(\"", ".t2(\""] {
            for (at, _) in text.match_indices(call) {
                let key = literals(&text[at..]).next().unwrap();
                assert!(keys.contains(key), "{}: no message {key}", file.display());
            }
        }
    }
    assert_eq!(families.len(), FAMILIES.len(), "{families:?}");
    let in_family = |key: &String| families.iter().any(|family| key.starts_with(family));
    let unused: Vec<&String> = keys.difference(&used).filter(|key| !in_family(key)).collect();
    assert!(unused.is_empty(), "messages that nothing says: {unused:?}");
}

#[test]
fn only_known_places_skip_escaping() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        &mut files,
    );
    let mut unescaped = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            unescaped.extend(line.match_indices("|safe").map(|(at, _)| {
                let start = line[..at].rfind("{{").unwrap();
                line[start..at].trim_start_matches("{{").trim().to_owned()
            }));
        }
    }
    // Charts are templates of their own, escaped there; the data block is made safe in `json_ld_text`.
    assert_eq!(
        unescaped,
        ["chart", "histogram", "text"].map(str::to_owned).into()
    );
}
