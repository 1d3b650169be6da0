//! Every route of the portal, as its sources say.

use std::collections::BTreeSet;
use std::path::Path;

/// `GET /api/v1/datasets/{slug}` for every method and path in the router's sources.
pub(super) fn all() -> BTreeSet<String> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("web/src");
    let router = std::fs::read_to_string(web.join("router.rs")).unwrap();
    let (api, root) = router
        .split_once("Router::new()\n        .merge(site::routes()")
        .unwrap();
    assert!(
        root.contains(".nest(\"/api/v1\", api"),
        "the API has moved: this reader must follow"
    );
    let mut found = routes(api, "/api/v1");
    found.extend(routes(root, ""));
    let mut pages = 0;
    for file in sources(&web.join("site")) {
        let here = routes(&std::fs::read_to_string(&file).unwrap(), "");
        pages += here.len();
        found.extend(here);
    }
    assert!(
        pages > 30 && found.len() > 60,
        "routes are not found any more: {found:?}"
    );
    found
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs"))
        .collect()
}

fn routes(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for call in text.split(".route(").skip(1) {
        let call = &call[..end_of_call(call)];
        let path = call.split('"').nth(1).unwrap();
        let handlers = call.split_once(&format!("\"{path}\"")).unwrap().1;
        let before = found.len();
        for (word, method) in [
            ("get(", "GET"),
            ("post(", "POST"),
            ("put(", "PUT"),
            ("delete(", "DELETE"),
        ] {
            let begins =
                |at: usize| !handlers[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            // `get(file)` and `.get(…)` are methods, `version::get` is a handler.
            if handlers.match_indices(word).any(|(at, _)| begins(at)) {
                found.insert(format!("{method} {prefix}{path}"));
            }
        }
        for word in ["patch(", "any(", "on(", "head("] {
            assert!(
                !handlers.contains(word) || handlers.contains("option("),
                "{path} takes {word}…): say who may"
            );
        }
        assert!(
            found.len() > before,
            "no method is found for {path} in {handlers}"
        );
    }
    found
}

/// Where the parenthesis that is open at the beginning is closed.
fn end_of_call(text: &str) -> usize {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("a route that never ends: {text}");
}
