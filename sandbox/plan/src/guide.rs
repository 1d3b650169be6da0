//! docs/sql.md says what the planner does: every rule with its texts, every function with its aliases, nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
use std::collections::BTreeSet;

use model::Language;

use crate::function;
use crate::refusal::Rule;

const PAGE: &str = include_str!("../../../docs/sql.md");

/// The rows of the tables of a section, as cells.
fn rows(section: &str) -> Vec<Vec<String>> {
    let start = PAGE.find(&format!("\n## {section}\n")).unwrap() + 1;
    let body = &PAGE[start..];
    let end = body[3..].find("\n## ").map_or(body.len(), |end| end + 3);
    let cells = |line: &str| {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    body[..end]
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(cells)
        .collect()
}

/// The words between backticks.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_rule_stands_there_with_its_texts() {
    let rows = rows("Rules");
    for rule in Rule::ALL {
        let row = rows
            .iter()
            .find(|row| words(&row[0]).eq([rule.id()]))
            .unwrap_or_else(|| panic!("docs/sql.md has no row for the rule {rule}"));
        let texts = |text: fn(Rule, Language) -> &'static str| {
            format!("{}<br>{}", text(*rule, Language::En), text(*rule, Language::Zh))
        };
        assert_eq!(row[1], texts(Rule::message), "docs/sql.md, {rule}");
        assert_eq!(row[2], texts(Rule::hint), "docs/sql.md, {rule}");
    }
    assert_eq!(
        rows.len(),
        Rule::ALL.len(),
        "docs/sql.md has rows for rules that are none"
    );
}

#[test]
fn every_function_stands_there_and_no_other() {
    let rows = rows("Functions");
    let page: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| words(&row[0]).chain(words(&row[1])))
        .collect();
    assert_eq!(page, function::names().collect());
}

#[test]
fn limits_on_the_page_are_those_of_the_planner() {
    for (what, limit) in [
        ("cells", crate::plan::MAX_CELLS as usize),
        ("aggregates", crate::plan::MAX_AGGREGATES),
        ("keys", crate::plan::MAX_KEYS),
        ("values", usize::try_from(crate::plan::MAX_KEY_VALUES).unwrap()),
        ("bytes", crate::scalar::MAX_PATTERN),
        ("bytes", crate::scalar::MAX_TEXT),
    ] {
        let digits = limit.to_string();
        let text = match digits.len() {
            4.. => format!(
                "{},{} {what}",
                &digits[..digits.len() - 3],
                &digits[digits.len() - 3..]
            ),
            _ => format!("{digits} {what}"),
        };
        assert!(PAGE.contains(&text), "docs/sql.md does not say {text:?}");
    }
}
