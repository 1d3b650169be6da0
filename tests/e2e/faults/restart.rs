//! What was begun when the process ended goes on when it is back.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use db::Database;
use db::task::{Task, TaskState};
use demo::Table;
use demo::write::CsvEncoding;
use model::TaskId;
use serde_json::Value;

use crate::app::{TestApp, Who};
use crate::fixture;

/// How soon work that a killed process was doing is taken up again, once its successor is ready. A lease has ten
/// seconds and more to go then.
const TAKEN_UP: Duration = Duration::from_secs(4);
/// How soon after the start there is nothing left of what a killed process was writing.
const SWEPT: Duration = Duration::from_secs(15);
/// Folders of files that are being written.
const PENDING: [&str; 3] = ["open/pending", "sandbox/pending", "quarantine/pending"];
/// The longest a file of these tests may take.
const READ: Duration = Duration::from_secs(100);

/// A file that a debug build reads for some seconds.
fn long_csv() -> Vec<u8> {
    let mut csv = "id,place,amount,remark\n".to_owned();
    for n in 0..400_000_u32 {
        let _ = writeln!(
            csv,
            "{n},街道{},{}.{:02},remark {}",
            n % 97,
            n % 1_013,
            n % 100,
            n ^ 0x5a5a
        );
    }
    csv.into_bytes()
}

/// What is in a folder of the data folder, folders below it too.
fn files(app: &TestApp, folder: &str) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![app.data().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path());
        }
    }
    found
}

/// Waits until these folders are empty.
async fn emptied(app: &TestApp, folders: &[&str]) {
    let begun = Instant::now();
    loop {
        let left: Vec<_> = folders.iter().flat_map(|folder| files(app, folder)).collect();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < SWEPT, "{left:?}\n{}", app.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Uploads a long file and waits until it is being read.
async fn begin(app: &TestApp, database: &Database, slug: &str) -> TaskId {
    app.create_entry(&fixture::plain_entry(slug)).await;
    let accepted = app.upload(slug, long_csv()).await.expect(202);
    let id: TaskId = accepted["task"].as_str().unwrap().parse().unwrap();
    until(app, database, id, READ, |task| {
        task.state == TaskState::Running && task.progress.is_some()
    })
    .await;
    id
}

async fn until(
    app: &TestApp,
    database: &Database,
    id: TaskId,
    patience: Duration,
    looks: impl Fn(&Task) -> bool,
) -> Task {
    let begun = Instant::now();
    loop {
        let task = db::task::find(database.read(), id).await.unwrap().unwrap();
        if looks(&task) {
            return task;
        }
        assert!(
            begun.elapsed() < patience,
            "after {patience:?}: {task:?}\n{}",
            app.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The task ends well, and so does its version.
async fn ends_well(app: &TestApp, database: &Database, id: TaskId, slug: &str) -> Task {
    let ended = until(app, database, id, READ, |task| task.state.is_over()).await;
    assert_eq!(ended.state, TaskState::Done, "{ended:?}\n{}", app.log());
    let versions = app
        .client(Who::Officer)
        .get(&format!("/api/v1/datasets/{slug}/versions"))
        .await
        .expect(200);
    let states: Vec<&Value> = versions["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["state"])
        .collect();
    assert_eq!(states, ["ready"], "{versions}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_work_goes_on_at_once() {
    let app = TestApp::start().await;
    let database = app.connect().await;
    let id = begin(&app, &database, "killed").await;
    app.kill();
    let task = db::task::find(database.read(), id).await.unwrap().unwrap();
    assert_eq!(
        (task.state, task.attempt),
        (TaskState::Running, 1),
        "its lease still holds"
    );
    app.run().await;
    until(&app, &database, id, TAKEN_UP, |task| task.attempt == 2).await;
    ends_well(&app, &database, id, "killed").await;
    emptied(&app, &PENDING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_was_writing_is_gone_soon_after_the_start() {
    let app = TestApp::start().await;
    let database = app.connect().await;
    let city = fixture::city(0.02);
    let entry = fixture::entry(&city, Table::BikeShareTrips, "spilled");
    app.create_entry(&entry).await;
    // Killed as soon as rows with identifiers lie in a file that nobody will ever come back to.
    let csv = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let accepted = app.upload("spilled", csv).await.expect(202);
    let id: TaskId = accepted["task"].as_str().unwrap().parse().unwrap();
    let begun = Instant::now();
    while files(&app, "quarantine/pending").len() < 2 {
        assert!(begun.elapsed() < READ, "nothing was spilled\n{}", app.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    app.kill();
    let left: BTreeSet<PathBuf> = PENDING.iter().flat_map(|folder| files(&app, folder)).collect();
    assert!(!left.is_empty(), "killed too late");
    app.run().await;
    let begun = Instant::now();
    while left.iter().any(|path| path.exists()) {
        assert!(begun.elapsed() < SWEPT, "{left:?}\n{}", app.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ends_well(&app, &database, id, "spilled").await;
    emptied(&app, &PENDING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_failed_versions_goes_and_the_rest_stays() {
    let app = TestApp::start().await;
    app.create_entry(&fixture::plain_entry("swept")).await;
    let bad = app.upload("swept", b"a,b\n1,2,3\n".to_vec()).await.expect(202);
    app.follow(&bad).await;
    let good = app.upload_good("swept", b"a,b\n1,2\n".to_vec()).await;
    let [failed, ready] = [bad, good].map(|accepted| accepted["version"]["id"].as_str().unwrap().to_owned());
    app.kill();
    let kept = files(&app, "open/versions");
    assert!(kept.len() > 1, "{kept:?}");
    let data = app.data();
    let unknown = "0190a1b2-0000-7000-8000-000000000000";
    for folder in [failed.as_str(), unknown] {
        for zone in ["open", "sandbox"] {
            let folder = data.join(zone).join("versions").join(folder);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("part.parquet"), "of an attempt that was cut off").unwrap();
        }
    }
    // A crash between the failure and the removal of its original.
    fs::write(data.join("quarantine/uploads").join(&failed), "a,b\n1,2,3\n").unwrap();
    app.run().await;
    let begun = Instant::now();
    let of_failed = || {
        let zones = ["open/versions", "sandbox/versions", "quarantine/uploads"];
        zones
            .map(|zone| data.join(zone).join(&failed))
            .into_iter()
            .filter(|path| path.exists())
            .count()
    };
    while of_failed() > 0 {
        assert!(begun.elapsed() < SWEPT, "{} left\n{}", of_failed(), app.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(files(&app, "open/versions").is_superset(&kept));
    assert!(
        data.join("quarantine/uploads").join(&ready).exists(),
        "its time is not over"
    );
    for zone in ["open", "sandbox"] {
        let folder = data.join(zone).join("versions").join(unknown);
        assert!(
            folder.exists(),
            "what the database does not know is not ours to remove"
        );
    }
    assert!(app.log().contains("the database does not know"), "{}", app.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_file_is_not_the_file_s_fault() {
    let app = TestApp::start().await;
    let database = app.connect().await;
    let id = begin(&app, &database, "stopped").await;
    app.stop().await;
    let task = db::task::find(database.read(), id).await.unwrap().unwrap();
    assert_eq!(
        (task.state, task.attempt),
        (TaskState::Queued, 0),
        "given back, not failed: {task:?}"
    );
    app.run().await;
    let ended = ends_well(&app, &database, id, "stopped").await;
    assert_eq!(ended.attempt, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_under_which_every_process_dies_is_given_up() {
    let app = TestApp::start().await;
    let database = app.connect().await;
    let id = begin(&app, &database, "deadly").await;
    app.kill();
    // Further processes begin it and die, until no attempt is left.
    let now = model::Clock::now(&model::SystemClock);
    let later = now.plus_seconds(60);
    for attempt in 2.. {
        let tx = database.begin_write().await.unwrap();
        let process = TaskId::at(now).as_uuid();
        let leased = db::task::lease(&tx, &["ingest"], process, now, later)
            .await
            .unwrap();
        let (_, task) = leased.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((task.id, task.attempt), (id, attempt));
        if attempt == task.max_attempts {
            break;
        }
    }
    app.run().await;
    until(&app, &database, id, TAKEN_UP, |task| {
        task.state == TaskState::Failed
    })
    .await;
    let officer = app.client(Who::Officer);
    let begun = Instant::now();
    let version = loop {
        let version = officer
            .get("/api/v1/datasets/deadly/versions/1")
            .await
            .expect(200);
        if version["state"] != "ingesting" {
            break version;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{version}\n{}",
            app.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(version["state"], "failed", "{version}");
    assert_eq!(version["failure"]["code"], "ingest-unavailable", "{version}");
    assert!(
        version["failure"]["message"]
            .as_str()
            .unwrap()
            .contains("upload it again"),
        "{version}"
    );
    // Nothing is left of it.
    emptied(&app, &PENDING).await;
    emptied(&app, &["open/versions", "quarantine/uploads"]).await;
    // And so it can be.
    app.upload_good("deadly", b"id,place\n1,a\n".to_vec()).await;
}
