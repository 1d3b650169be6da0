//! The program under test, which Cargo has built into the folder above this test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of `shapan`, which must be there and not older than its own sources.
pub(crate) fn path() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in [
            "crates/shapan/src",
            "web/src",
            "catalog/entry/src",
            "sandbox/job/src",
        ] {
            if let Some(newer) = find_newer(&root.join(folder), built) {
                panic!(
                    "{} is older than {}: run `cargo build --workspace --all-targets` first",
                    path.display(),
                    newer.display()
                );
            }
        }
        path
    })
}

fn find_newer(folder: &Path, than: SystemTime) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return find_newer(&path, than);
        }
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        (is_source && entry.metadata().ok()?.modified().ok()? > than).then_some(path)
    })
}
