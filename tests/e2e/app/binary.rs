//! The program under test, which Cargo has built into the folder above this test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Another build of the program, such as the release, is tested when this variable names it.
const OTHER_BUILD: &str = "SHAPAN_E2E_PROGRAM";

/// The path of `shapan`, which must be there and not older than its sources.
pub(crate) fn path() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(path) = std::env::var_os(OTHER_BUILD) {
            return PathBuf::from(path);
        }
        let test = std::env::current_exe().unwrap();
        // target/debug/deps/e2e-0123 → target/debug/shapan
        let path = test.parent().and_then(Path::parent).unwrap().join("shapan");
        let Ok(metadata) = fs::metadata(&path) else {
            panic!(
                "there is no {}: run `cargo build --workspace --all-targets` first",
                path.display()
            );
        };
        let built = metadata.modified().unwrap();
        if let Some(newer) = find_newer(&path.with_extension("d"), built) {
            panic!(
                "{} is older than {newer}: run `cargo build --workspace --all-targets` first",
                path.display()
            );
        }
        path
    })
}

/// A source of the program that was changed after it was built; Cargo lists its sources beside it.
fn find_newer(list: &Path, built: SystemTime) -> Option<String> {
    let text = fs::read_to_string(list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    let (_, sources) = text.split_once(": ").unwrap();
    let sources = sources.replace("\\ ", "\u{0}");
    let mut sources = sources
        .split_whitespace()
        .map(|source| source.replace('\u{0}', " "));
    sources.find(|source| {
        fs::metadata(source)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|changed| changed > built)
    })
}
