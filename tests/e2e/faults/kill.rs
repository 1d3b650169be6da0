//! kill −9 while files are published and jobs are charged.

use std::time::Duration;

use demo::Table;
use demo::write::CsvEncoding;
use model::{JobState, VersionState};
use reqwest::Method;
use serde_json::{Value, json};

use super::invariant;
use crate::app::{TestApp, Who};
use crate::fixture;

/// How often the process is killed: some times in every test run, many in `make audit`.
fn rounds() -> usize {
    if std::env::var("SHAPAN_AUDIT").is_ok_and(|value| value == "1") {
        300
    } else {
        6
    }
}

/// After the last kill everything is taken up at once; a debug build on a busy machine needs its time.
const SETTLED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_survives_kills() {
    let app = TestApp::start().await;
    let city = fixture::city(0.01);
    let csv = fixture::csv(&city, Table::BikeParking, CsvEncoding::Utf8);
    let mut checkpoint = None;
    for round in 0..rounds() {
        let slug = format!("parking-{round}");
        let work = publish(&app, &city, slug, csv.clone());
        let pause = Duration::from_millis(rand::random_range(5_u64..1_500));
        tokio::select! {
            () = work => {}
            () = tokio::time::sleep(pause) => {}
        }
        app.kill();
        app.run().await;
        let when = format!("round {round}, killed after {pause:?}");
        checkpoint = Some(invariant::check(&app, checkpoint, &when).await);
    }
    settle(&app, "publishing").await;
    invariant::check(&app, checkpoint, "at last").await;
}

/// Publishes a dataset step by step, and gives up at the first step that nobody answers.
async fn publish(app: &TestApp, city: &demo::City, slug: String, csv: Vec<u8>) {
    let steps = async {
        let officer = app.client(Who::Officer);
        let reviewer = app.client(Who::Reviewer);
        officer
            .try_post(
                "/api/v1/datasets",
                &fixture::entry(city, Table::BikeParking, &slug),
            )
            .await?;
        let path = format!("/api/v1/datasets/{slug}/versions?filename=a.csv");
        let accepted = officer
            .try_send(officer.request(Method::POST, &path).body(csv))
            .await
            .ok()?;
        let accepted: Value = serde_json::from_slice(&accepted.body).ok()?;
        loop {
            let task = officer
                .try_get(&format!("/api/v1/tasks/{}", accepted["task"].as_str()?))
                .await?;
            let task: Value = serde_json::from_slice(&task.body).ok()?;
            match task["state"].as_str()? {
                "done" => break,
                "failed" => panic!("{slug}: {task}"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let path = format!("/api/v1/datasets/{slug}/release-requests");
        let request = officer.try_post(&path, &json!({})).await?;
        let request: Value = serde_json::from_slice(&request.body).ok()?;
        let path = format!("/api/v1/reviews/{}/decision", request["id"].as_str()?);
        let body = json!({"decision": "approve", "reason": "符合开放要求，同意。"});
        let decision = reviewer
            .request(Method::POST, &path)
            .header("if-match", "\"1\"")
            .json(&body);
        reviewer.try_send(decision).await.ok()
    };
    let _ = steps.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charging_survives_kills() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, "bike-share-trips")
        .await;
    let project = app.open_project(Who::Analyst, &["bike-share-trips"], 2.0).await;
    let mut checkpoint = None;
    for round in 0..rounds() {
        let pause = Duration::from_millis(rand::random_range(5_u64..900));
        tokio::select! {
            () = ask(&app, &project, round) => {}
            () = tokio::time::sleep(pause) => {}
        }
        app.kill();
        app.run().await;
        let when = format!("round {round}, killed after {pause:?}");
        checkpoint = Some(invariant::check(&app, checkpoint, &when).await);
    }
    settle(&app, "charging").await;
    invariant::check(&app, checkpoint, "at last").await;

    // What was charged is answered: each job is released with a result, and asking again is free.
    let client = app.client(Who::Analyst);
    let jobs = client
        .get(&format!("/api/v1/projects/{project}/jobs?limit=100"))
        .await
        .expect(200);
    let jobs = jobs["results"].as_array().unwrap().clone();
    assert!(!jobs.is_empty(), "no job got through");
    let before = app.rho_left(Who::Analyst, &project).await;
    for job in &jobs {
        let id = job["id"].as_str().unwrap();
        assert_eq!(job["state"], "released", "{job}");
        client.get(&format!("/api/v1/jobs/{id}/result")).await.expect(200);
    }
    let body = json!({"kind": "sql", "sql": jobs[0]["sql"], "epsilon": 0.02});
    let again = client
        .post(&format!("/api/v1/projects/{project}/jobs"), &body)
        .await
        .expect(202);
    assert!(again["repeat_of"].is_string(), "{again}");
    assert!((app.rho_left(Who::Analyst, &project).await - before).abs() < 1e-12);
}

/// Asks one question after another without waiting, until nobody answers.
async fn ask(app: &TestApp, project: &str, round: usize) {
    let client = app.client(Who::Analyst);
    let path = format!("/api/v1/projects/{project}/jobs");
    for n in 0..20 {
        let sql = format!(
            "SELECT COUNT(*) AS n FROM bike_share_trips WHERE distance_m > {}",
            round * 20 + n
        );
        let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.02});
        let Some(answer) = client.try_post(&path, &body).await else {
            return;
        };
        assert!(matches!(answer.status, 202 | 409), "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Waits until what was begun has come to its end: no version is being read, no job waits.
async fn settle(app: &TestApp, what: &str) {
    let database = app.connect().await;
    let begun = std::time::Instant::now();
    loop {
        let mut open = Vec::new();
        let all = db::dataset::DatasetFilter::default();
        for dataset in db::dataset::list(database.read(), all, None, 1_000)
            .await
            .unwrap()
        {
            for version in db::version::list(database.read(), dataset.id, None, 100)
                .await
                .unwrap()
            {
                assert_ne!(
                    version.state,
                    VersionState::Failed,
                    "{}: a good file failed: {version:?}",
                    dataset.slug
                );
                if version.state == VersionState::Ingesting {
                    open.push(version.id.to_string());
                }
            }
        }
        for project in invariant::projects(&database).await {
            let jobs = db::job::list(database.read(), project.id, None, 10_000)
                .await
                .unwrap();
            open.extend(
                jobs.iter()
                    .filter(|job| job.state != JobState::Released)
                    .map(|job| job.id.to_string()),
            );
        }
        if open.is_empty() {
            database.close().await.unwrap();
            return;
        }
        assert!(
            begun.elapsed() < SETTLED,
            "{what}: still open: {open:?}\n{}",
            app.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
