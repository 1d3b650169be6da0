//! The steps of the portal's story, each over HTTP as the person whose step it is.

use std::time::{Duration, Instant};

use demo::write::CsvEncoding;
use demo::{City, Table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Client, TestApp, Who};
use crate::fixture;

/// The longest a file of the tests may take to be read.
const INGEST: Duration = Duration::from_secs(60);
/// The longest a job may be overdue in a debug build on a busy machine before a test gives up.
const OVERDUE: Duration = Duration::from_secs(30);

/// Persons per district of residence: one group a person, so the noise is small.
pub(crate) const RESIDENTS: &str = "SELECT residence_district, COUNT(DISTINCT person_id) AS persons FROM bike_share_trips GROUP BY residence_district";

impl TestApp {
    /// Makes a catalogue entry as the officer.
    pub(crate) async fn create_entry(&self, entry: &Value) -> Value {
        self.client(Who::Officer)
            .post("/api/v1/datasets", entry)
            .await
            .expect(201)
    }

    /// Uploads a file as the officer: the answer to the upload.
    pub(crate) async fn upload(&self, slug: &str, bytes: Vec<u8>) -> Answer {
        let client = self.client(Who::Officer);
        let path = format!("/api/v1/datasets/{slug}/versions?filename={slug}.csv");
        client
            .send(
                client
                    .request(Method::POST, &path)
                    .header("content-type", "text/csv")
                    .body(bytes),
            )
            .await
    }

    /// Follows a task until it has ended.
    pub(crate) async fn follow(&self, accepted: &Value) -> Value {
        let client = self.client(Who::Officer);
        let path = format!("/api/v1/tasks/{}", accepted["task"].as_str().unwrap());
        let begun = Instant::now();
        loop {
            let task = client.get(&path).await.expect(200);
            match task["state"].as_str().unwrap() {
                "done" | "failed" => return task,
                "queued" | "running" => {}
                other => panic!("a task is {other}"),
            }
            assert!(begun.elapsed() < INGEST, "a task hangs: {task}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Uploads a file that must be read without complaint.
    pub(crate) async fn upload_good(&self, slug: &str, bytes: Vec<u8>) -> Value {
        let accepted = self.upload(slug, bytes).await.expect(202);
        let task = self.follow(&accepted).await;
        assert_eq!(task["state"], "done", "{task}\n{}", self.log());
        accepted
    }

    /// Asks for the release of a dataset's newest version; the id of the request.
    pub(crate) async fn submit_release(&self, slug: &str) -> String {
        let path = format!("/api/v1/datasets/{slug}/release-requests");
        let request = self
            .client(Who::Officer)
            .post(&path, &json!({"note": "请审核"}))
            .await
            .expect(201);
        request["id"].as_str().unwrap().to_owned()
    }

    /// Reads a request as somebody who may: the answer carries its revision as `ETag`.
    pub(crate) async fn review(&self, who: Who, id: &str) -> Answer {
        let answer = self.client(who).get(&format!("/api/v1/reviews/{id}")).await;
        answer.expect(200);
        answer
    }

    /// The assessor finds a release safe.
    pub(crate) async fn assess(&self, id: &str) -> Answer {
        let request = self.review(Who::Assessor, id).await;
        let body = json!({"opinion": "safe", "reason": "申报元数据与脱敏规则相符，未见再识别风险。"});
        let path = format!("/api/v1/reviews/{id}/opinions");
        self.client(Who::Assessor)
            .post_if_match(&path, request.header("etag"), &body)
            .await
    }

    /// A reviewer approves, with a budget where it is about access.
    pub(crate) async fn approve(&self, id: &str, budget: Value) -> Value {
        let request = self.review(Who::Reviewer, id).await;
        let body = json!({"decision": "approve", "reason": "符合开放要求，同意。", "budget": budget});
        let path = format!("/api/v1/reviews/{id}/decision");
        let decided = self
            .client(Who::Reviewer)
            .post_if_match(&path, request.header("etag"), &body)
            .await;
        decided.expect(200)
    }

    /// Publishes a table from entry to release, whatever its level needs.
    pub(crate) async fn publish(&self, city: &City, table: Table, slug: &str) -> Vec<u8> {
        let csv = fixture::csv(city, table, CsvEncoding::Utf8);
        self.publish_csv(&fixture::entry(city, table, slug), csv.clone())
            .await;
        csv
    }

    /// Publishes a file under an entry.
    pub(crate) async fn publish_csv(&self, entry: &Value, csv: Vec<u8>) {
        let slug = entry["slug"].as_str().unwrap();
        self.create_entry(entry).await;
        self.upload_good(slug, csv).await;
        let request = self.submit_release(slug).await;
        if entry["level"] != "L1" {
            self.assess(&request).await.expect(201);
        }
        let decided = self.approve(&request, Value::Null).await;
        assert_eq!(decided["state"], "approved");
    }

    /// Applies for datasets as an analyst, has it approved; the id of the project.
    pub(crate) async fn open_project(&self, who: Who, slugs: &[&str], epsilon: f64) -> String {
        let body = json!({
            "datasets": slugs, "purpose": "研究早晚高峰各区骑行需求，改进车辆调度。",
            "safeguards": "结果仅在公司内网使用，账号专人专用，三十天后删除。", "days": 60,
        });
        let request = self
            .client(who)
            .post("/api/v1/access-requests", &body)
            .await
            .expect(201);
        let id = request["id"].as_str().unwrap();
        let decided = self.approve(id, json!({"epsilon": epsilon, "days": 60})).await;
        decided["project"].as_str().unwrap().to_owned()
    }

    /// Waits until a job is released; what it showed at last. Its states on the way go into `seen`.
    pub(crate) async fn wait_released(&self, client: &Client, job: &str, seen: &mut Vec<String>) -> Value {
        let begun = Instant::now();
        loop {
            let shown = client.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
            let state = shown["state"].as_str().unwrap().to_owned();
            if seen.last() != Some(&state) {
                seen.push(state.clone());
            }
            if state == "released" {
                return shown;
            }
            let patience = Duration::from_secs(60) + OVERDUE;
            assert!(begun.elapsed() < patience, "a job hangs: {shown}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a special dataset's answer is with its checkers; the id of the first one's review.
    pub(crate) async fn wait_check(&self) -> String {
        let client = self.client(Who::Reviewer);
        let begun = Instant::now();
        loop {
            let listed = client.get("/api/v1/checks").await.expect(200);
            if let Some(id) = listed["results"][0]["id"].as_str() {
                return id.to_owned();
            }
            assert!(
                begun.elapsed() < OVERDUE,
                "no answer comes to its checkers\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is left of a project's budget for its only dataset, in ρ.
    pub(crate) async fn rho_left(&self, who: Who, project: &str) -> f64 {
        let shown = self
            .client(who)
            .get(&format!("/api/v1/projects/{project}"))
            .await
            .expect(200);
        shown["datasets"][0]["budget"]["rho_left"].as_f64().unwrap()
    }
}
