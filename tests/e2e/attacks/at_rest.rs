//! The disk in the wrong hands, before, during and after an ingest: files and sizes, and nothing of what is in them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use demo::Table;
use demo::write::CsvEncoding;
use model::VersionState;
use serde_json::{Value, json};

use crate::app::{TestApp, Who};
use crate::fixture;

/// After a kill another worker takes a task over when its lease has run out.
const TAKEN_OVER: Duration = Duration::from_secs(120);

/// Every file under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What comes and goes while a portal works is looked at again in a moment.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}

/// The first file under a folder that shows one of these texts.
fn showing(folder: &Path, secrets: &[String]) -> Option<(PathBuf, String)> {
    files(folder).into_iter().find_map(|path| {
        let bytes = std::fs::read(&path).unwrap_or_default();
        // What is no text is replaced, what is stays; and the search is the standard library's, fast in any build.
        let text = String::from_utf8_lossy(&bytes);
        let shown = secrets.iter().find(|secret| text.contains(secret.as_str()))?;
        Some((path, shown.clone()))
    })
}

/// Some persons of a file, its first column that identifies being `person_id`.
fn persons(csv: &[u8]) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv);
    let headers = reader.headers().unwrap().clone();
    let at = headers.iter().position(|name| name == "person_id").unwrap();
    let mut found: Vec<String> = reader
        .records()
        .step_by(997)
        .map(|record| record.unwrap()[at].to_owned())
        .filter(|person| person.len() > 8)
        .collect();
    found.truncate(20);
    assert!(found.len() > 5);
    found
}

/// Names of columns that are no word of another format.
fn columns(entry: &Value) -> Vec<String> {
    let fields = entry["declared"]["fields"].as_array().unwrap();
    let names = fields.iter().map(|field| field["name"].as_str().unwrap());
    let found: Vec<String> = names
        .filter(|name| name.contains('_'))
        .map(str::to_owned)
        .chain(["__unit".to_owned()])
        .collect();
    assert!(found.len() > 3);
    found
}

async fn state(app: &TestApp, slug: &str) -> Option<VersionState> {
    let database = app.connect().await;
    let slug = model::Slug::parse(slug).unwrap();
    let dataset = db::dataset::find_by_slug(database.read(), &slug).await.unwrap()?;
    let version = db::version::list(database.read(), dataset.id, None, 1)
        .await
        .unwrap()
        .pop();
    database.close().await.unwrap();
    version.map(|version| version.state)
}

/// The attacker gets nothing of any person, and no column's name, from quarantine and sandbox files, however often the
/// portal is killed in the middle; and nothing of any person from the whole folder, database and logs included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_shows_nothing_of_protected_data_during_ingest_after_kills_and_after() {
    let app = TestApp::start().await;
    let city = fixture::city(0.02);
    let csv = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let entry = fixture::entry(&city, Table::BikeShareTrips, "trips");
    let (persons, columns) = (persons(&csv), columns(&entry));
    let zones = ["quarantine", "sandbox"].map(|zone| app.data().join(zone));
    let everywhere = [app.data(), app.folder().join("state")];
    let all: Vec<String> = persons.iter().chain(&columns).cloned().collect();
    let look = |when: &str| {
        for zone in &zones {
            assert_eq!(showing(zone, &all), None, "{when}");
        }
        for folder in &everywhere {
            assert_eq!(showing(folder, &persons), None, "{when}");
        }
    };
    look("before");
    app.create_entry(&entry).await;
    let upload = app.upload("trips", csv.clone()).await;
    upload.expect(202);
    // Killed as soon as there are spill files, and once more right after it was taken over.
    for kill in 0..2 {
        let begun = Instant::now();
        loop {
            look("during");
            let spills = files(&zones[0].join("pending")).len();
            if spills > 0 || state(&app, "trips").await != Some(VersionState::Ingesting) {
                break;
            }
            assert!(begun.elapsed() < TAKEN_OVER, "not read: {}", app.log());
        }
        app.kill();
        look("killed");
        app.run().await;
        look(&format!("restarted {kill}"));
    }
    let begun = Instant::now();
    while state(&app, "trips").await != Some(VersionState::Ready) {
        look("read again");
        assert!(begun.elapsed() < TAKEN_OVER, "not read: {}", app.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    look("ready");
    let sealed = files(&zones[0].join("uploads"));
    assert_eq!(sealed.len(), 1, "the original is there");
    assert!(std::fs::metadata(&sealed[0]).unwrap().len() > csv.len() as u64);
    assert!(!files(&zones[1].join("versions")).is_empty(), "and the copy");
}

/// What was erased answers nothing, although its files are still there: a restored backup of the zones is worth nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_whose_key_is_forgotten_answers_nothing() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    app.publish(&city, Table::BikeShareTrips, "bike-share-trips")
        .await;
    let project = app.open_project(Who::Analyst, &["bike-share-trips"], 2.0).await;
    let client = app.client(Who::Analyst);
    let ask = async |sql: &str| {
        let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.1});
        let path = format!("/api/v1/projects/{project}/jobs");
        let job = client.post(&path, &body).await.expect(202);
        job["id"].as_str().unwrap().to_owned()
    };
    let state = async |id: &str| {
        let job = client.get(&format!("/api/v1/jobs/{id}")).await.expect(200);
        job["state"].as_str().unwrap().to_owned()
    };
    let first = ask("SELECT COUNT(*) AS n FROM bike_share_trips").await;
    let begun = Instant::now();
    while state(&first).await != "released" {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", app.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let database = app.connect().await;
    let slug = model::Slug::parse("bike-share-trips").unwrap();
    let dataset = db::dataset::find_by_slug(database.read(), &slug)
        .await
        .unwrap()
        .unwrap();
    let version = dataset.current_version_id.unwrap();
    let tx = database.begin_write().await.unwrap();
    let now = model::Clock::now(&model::SystemClock);
    assert!(db::version_key::destroy(&tx, version, "copy", now).await.unwrap());
    tx.commit().await.unwrap();
    database.close().await.unwrap();
    assert!(!files(&app.data().join("sandbox/versions")).is_empty());
    // What was paid for before is still answered; nothing new is, and nobody is told why.
    client
        .get(&format!("/api/v1/jobs/{first}/result"))
        .await
        .expect(200);
    let second = ask("SELECT COUNT(*) AS n FROM bike_share_trips WHERE distance_m > 500").await;
    let begun = Instant::now();
    while state(&second).await != "delayed" {
        assert_ne!(state(&second).await, "released", "an erased version answers");
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", app.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let answer = client.get(&format!("/api/v1/jobs/{second}/result")).await;
    assert_ne!(answer.status, 200, "{}", answer.text());
}
