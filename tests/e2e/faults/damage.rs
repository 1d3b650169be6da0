//! A protected part that rots on the disk: no wrong answer, but a late one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use demo::Table;
use serde_json::json;

use crate::app::{TestApp, Who};
use crate::fixture;

/// How soon damage is told to those who run the portal.
const TOLD: Duration = Duration::from_secs(20);

/// The parts of the one protected version.
fn parts(app: &TestApp) -> Vec<PathBuf> {
    let versions = app.data().join("sandbox/versions");
    let folders = std::fs::read_dir(versions)
        .unwrap()
        .map(|folder| folder.unwrap().path());
    folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

async fn until_logged(app: &TestApp, text: &str) {
    let begun = Instant::now();
    while !app.log().contains(text) {
        assert!(begun.elapsed() < TOLD, "not told: {text}\n{}", app.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_part_delays_its_jobs_and_nothing_else() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, "bike-share-trips")
        .await;
    let project = app.open_project(Who::Analyst, &["bike-share-trips"], 2.0).await;
    app.kill();
    let part = parts(&app).remove(0);
    let good = std::fs::read(&part).unwrap();
    // All over the file: a job reads the columns of its question only.
    let mut bad = good.clone();
    bad.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x10);
    std::fs::write(&part, bad).unwrap();
    app.run().await;

    let client = app.client(Who::Analyst);
    let body = json!({"kind": "sql", "sql": "SELECT COUNT(*) AS n FROM bike_share_trips", "epsilon": 0.1});
    let path = format!("/api/v1/projects/{project}/jobs");
    let job = client.post(&path, &body).await.expect(202);
    let job = job["id"].as_str().unwrap();
    let begun = Instant::now();
    loop {
        let shown = client.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
        assert_ne!(shown["state"], "released", "an answer from a damaged part");
        if shown["state"] == "delayed" {
            break;
        }
        assert!(begun.elapsed() < TOLD, "{shown}\n{}", app.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client
        .get(&format!("/api/v1/jobs/{job}/result"))
        .await
        .expect_problem(409, "conflict");
    until_logged(&app, "ALARM: parts of a protected version").await;
    until_logged(&app, "ALARM: a private job missed its deadline").await;

    // Restored, it is answered: it was paid for.
    std::fs::write(&part, good).unwrap();
    app.wait_released(&client, job, &mut Vec::new()).await;
    client
        .get(&format!("/api/v1/jobs/{job}/result"))
        .await
        .expect(200);
}
