//! The pages as people use them: Chromium walks the story as each role, in both languages.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use demo::Table;
use demo::write::CsvEncoding;
use serde_json::json;

use crate::app::{ORIGIN, PASSWORD, TestApp, Who};
use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_walk_the_story_in_chinese() {
    walk("zh-CN").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_walk_the_story_in_english() {
    walk("en").await;
}

/// The longest walk.
const PATIENCE: Duration = Duration::from_secs(110);

async fn walk(language: &str) {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    let file = |name: &str, table: Table| {
        let path = app.folder().join(name);
        std::fs::write(&path, fixture::csv(&city, table, CsvEncoding::Utf8)).unwrap();
        path
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join("browser/node_modules/playwright-core");
    assert!(
        modules.exists(),
        "there is no {}: run `make test-tools` first",
        modules.display()
    );
    // target/debug/deps/e2e-0123 → target/e2e-screenshots
    let target = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(3)
        .unwrap()
        .to_owned();
    let screenshots = target.join("e2e-screenshots").join(language);
    let _ = std::fs::remove_dir_all(&screenshots);
    std::fs::create_dir_all(&screenshots).unwrap();
    let users: serde_json::Map<String, serde_json::Value> = Who::ALL
        .into_iter()
        .filter(|who| *who != Who::Anonymous)
        .map(|who| (who.username().to_owned(), json!(who.username())))
        .collect();
    let input = json!({
        "address": app.address(), "language": language, "screenshots": screenshots, "password": PASSWORD,
        "users": users, "ledgerKey": app.ledger_key().to_string(), "ledgerOrigin": ORIGIN,
        "open": {
            "entry": fixture::entry(&city, Table::BikeParking, "bike-parking"),
            "file": file("停车点.csv", Table::BikeParking),
        },
        "protected": {
            "entry": fixture::entry(&city, Table::BikeShareTrips, "bike-share-trips"),
            "file": file("trips.csv", Table::BikeShareTrips),
        },
    });
    let configuration = app.folder().join("walk.json");
    std::fs::write(&configuration, input.to_string()).unwrap();
    let report = app.folder().join("walk.log");
    let out = std::fs::File::create(&report).unwrap();
    let mut node = Command::new("node")
        .arg(root.join("browser/story.mjs"))
        .arg(&configuration)
        .env("HOME", app.folder())
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn()
        .unwrap_or_else(|error| panic!("node does not start ({error}): run `make test-tools` first"));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = node.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > PATIENCE {
            // Node takes its browser down with it on this signal.
            let id = nix::unistd::Pid::from_raw(i32::try_from(node.id()).unwrap());
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
            tokio::time::sleep(Duration::from_secs(3)).await;
            let _ = node.kill();
            node.wait().unwrap();
            break None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let said = std::fs::read_to_string(&report).unwrap();
    assert!(
        status.is_some_and(|status| status.success()),
        "{status:?}; see {}\n{said}",
        screenshots.display()
    );
    assert!(
        said.lines().any(|line| line.starts_with("walked ")),
        "the walk did not come to its end: {said}"
    );
}
