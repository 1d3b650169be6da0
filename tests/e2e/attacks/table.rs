//! docs/attacks.md and the tests say the same: what it names is there, and no attack is missing from it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/attacks.md";
/// Where all tests are attacks.
const MODULES: [&str; 2] = ["sandbox/plan/src/tests/attack", "tests/e2e/attacks"];

fn root() -> PathBuf {
    // The package is a folder of the repository.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let above = package.ancestors().find(|folder| folder.join(PAGE).is_file());
    above.unwrap().to_owned()
}

/// The names of the tests in a Rust source.
fn tests(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        }
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| marked) {
            found.insert(rest.split('(').next().unwrap().to_owned());
            marked = false;
        }
    }
    found
}

/// `path::name` of every test that the page names.
fn named(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|word| word.contains(".rs::"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_table_of_attacks_names_every_test_and_no_other() {
    let root = root();
    let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
    let named = named(&page);
    assert!(named.len() > 50, "the table is not read any more: {named:?}");
    let mut wrong = Vec::new();
    for test in &named {
        let (path, name) = test.split_once("::").unwrap();
        let source = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        if !source.contains(&format!("fn {name}(")) {
            wrong.push(format!("{PAGE} names {test}, which is not there"));
        }
    }
    for folder in MODULES {
        let mut found = 0;
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let file = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            for name in tests(&std::fs::read_to_string(path).unwrap()) {
                found += 1;
                if !named.contains(&format!("{file}::{name}")) {
                    wrong.push(format!("{PAGE} has no row for {file}::{name}"));
                }
            }
        }
        assert!(found > 15, "{folder}: {found} tests");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
