//! No figure of a protected dataset leaves the trusted roles: not in JSON, not in a page, not in the log.

use std::collections::BTreeSet;

use demo::Table;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::{Answer, TestApp, Who};
use crate::fixture;

const SLUG: &str = "bike-share-trips";

/// Names under which a figure computed from data would stand in JSON.
const FORBIDDEN_KEYS: &[&str] = &[
    "rows",
    "bytes",
    "sha256",
    "checksum",
    "profile",
    "version",
    "versions",
    "manifest",
    "parts",
    "downloads",
    "distributions",
    "histogram",
    "distinct",
    "nulls",
    "null_count",
    "min",
    "max",
    "top",
    "units",
    "dropped",
    "size",
    "row_count",
    "source_name",
];

const OUTSIDERS: [Who; 8] = [
    Who::Anonymous,
    Who::OtherOfficer,
    Who::Analyst,
    Who::OtherAnalyst,
    Who::Developer,
    Who::Assessor,
    Who::Auditor,
    Who::Admin,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_figure_of_protected_data_leaves_the_trusted_roles() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    let csv = app.publish(&city, Table::BikeShareTrips, SLUG).await;
    app.open_project(Who::Analyst, &[SLUG], 2.0).await;
    let secrets = secrets(&app, &csv).await;
    let reviews = app
        .client(Who::Reviewer)
        .get("/api/v1/reviews?limit=100")
        .await
        .expect(200);
    let ids: Vec<&str> = reviews["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);

    let mut paths = vec![
        format!("/api/v1/datasets/{SLUG}"),
        format!("/api/v1/datasets/{SLUG}/versions"),
        format!("/api/v1/datasets/{SLUG}/versions/1"),
        format!("/api/v1/datasets/{SLUG}/rows"),
        format!("/api/v1/datasets/{SLUG}/dummy.csv"),
        "/api/v1/datasets".to_owned(),
        "/api/v1/datasets?q=bike&level=L3&sort=updated".to_owned(),
        "/api/v1/projects".to_owned(),
        "/api/v1/reviews".to_owned(),
        format!("/datasets/{SLUG}"),
        format!("/publish/{SLUG}/versions/1"),
        "/datasets".to_owned(),
        "/sandbox".to_owned(),
        "/review".to_owned(),
        "/ledger".to_owned(),
        "/".to_owned(),
    ];
    for extension in ["csv", "json", "ndjson", "parquet", "arrow", "xlsx"] {
        for end in ["", ".sha256", "?version=1"] {
            paths.push(format!("/datasets/{SLUG}/download.{extension}{end}"));
        }
    }
    for id in &ids {
        paths.push(format!("/api/v1/reviews/{id}"));
        paths.push(format!("/api/v1/access-requests/{id}"));
        paths.push(format!("/review/{id}"));
        paths.push(format!("/sandbox/requests/{id}"));
    }
    let mut answered = 0;
    for who in OUTSIDERS {
        let client = app.client(who);
        for path in &paths {
            for answer in [client.get(path).await, client.page(path).await] {
                answered += usize::from(answer.status == 200);
                check(&answer, &secrets, &format!("{path} to {who:?}"));
            }
        }
        for sql in [
            "SELECT COUNT(*) FROM bike_share_trips",
            "SELECT * FROM bike_share_trips LIMIT 1",
            "SELECT * FROM 'bike-share-trips'",
        ] {
            let answer = client.post("/api/v1/sql", &json!({"sql": sql})).await;
            assert!(
                (400..500).contains(&answer.status),
                "{sql} as {who:?}: {}",
                answer.text()
            );
            check(&answer, &secrets, sql);
        }
    }
    assert!(answered > 60, "hardly anything was answered: {answered}");
    log(&app, &secrets).await;
    existence(&app).await;
}

/// Texts that would give a figure away. A check that the trusted roles do get them keeps this test honest.
async fn secrets(app: &TestApp, csv: &[u8]) -> Vec<String> {
    let truth = fixture::truth(csv);
    let version = app
        .client(Who::Officer)
        .get(&format!("/api/v1/datasets/{SLUG}/versions/1"))
        .await
        .expect(200);
    assert_eq!(version["rows"], truth.rows);
    assert_eq!(version["profile"]["units"], truth.persons);
    assert!(
        version["profile"]["columns"].is_array() || version["profile"]["columns"].is_object(),
        "{version}"
    );
    let reviewers = app
        .client(Who::Reviewer)
        .get(&format!("/api/v1/datasets/{SLUG}/versions/1"))
        .await;
    assert_eq!(reviewers.expect(200)["rows"], truth.rows);
    let thousands = |n: u64| format!("{},{:03}", n / 1000, n % 1000);
    assert!(
        truth.rows > 5_000 && !truth.rows.is_multiple_of(1_000),
        "{}",
        truth.rows
    );
    let person = std::str::from_utf8(csv)
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    vec![
        truth.rows.to_string(),
        thousands(truth.rows),
        csv.len().to_string(),
        version["checksum"].as_str().unwrap().to_owned(),
        hex::encode(Sha256::digest(csv)),
        person,
    ]
}

fn check(answer: &Answer, secrets: &[String], what: &str) {
    let text = answer.text();
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{what} tells {secret}: {text}");
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&answer.body)
        && answer.status == 200
    {
        let mut found = BTreeSet::new();
        walk(&value, &mut found);
        assert!(found.is_empty(), "{what} tells {found:?}: {value}");
    }
}

/// Collects forbidden names that hold anything but nothing.
fn walk(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let empty = inner.is_null() || *inner == json!([]) || *inner == json!({});
                // A request names the version it is about; what is in it must be figures of nothing.
                let named = name == "version" && inner.is_object();
                if !empty && !named && FORBIDDEN_KEYS.contains(&name.as_str()) {
                    found.insert(format!("{name} = {inner}"));
                }
                walk(inner, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, found)),
        _ => {}
    }
}

/// The public log has grants and decisions, and of protected data nothing that is derived from it.
async fn log(app: &TestApp, secrets: &[String]) {
    let client = app.client(Who::Anonymous);
    let log = app.verify_ledger(None).await;
    let size = log.checkpoint.size;
    assert!(size > 10, "{log:?}");
    let full = size / 256;
    let mut bundles: Vec<String> = (0..full)
        .map(|n| format!("/ledger/tile/entries/{n:03}"))
        .collect();
    if !size.is_multiple_of(256) {
        bundles.push(format!("/ledger/tile/entries/{full:03}.p/{}", size % 256));
    }
    for path in bundles {
        let entries = client.get(&path).await;
        assert_eq!(entries.status, 200, "{path}");
        let text = entries.text();
        assert!(text.contains("version.published") || size > 256, "{text}");
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "the log tells {secret}");
        }
        for name in ["\"rows\"", "\"checksum\"", "\"units\"", "\"bytes\""] {
            assert!(!text.contains(name), "the log tells {name}");
        }
    }
}

/// Whether a draft, a project or a job exists is not told either: what is not there looks the same.
async fn existence(app: &TestApp) {
    app.create_entry(&fixture::plain_entry("hidden-draft")).await;
    let strip = |answer: Answer, name: &str| {
        let mut problem: Value = answer.expect_problem(404, "not-found");
        problem["request_id"].take();
        problem.to_string().replace(name, "…")
    };
    for who in [
        Who::Anonymous,
        Who::Analyst,
        Who::OtherOfficer,
        Who::Assessor,
        Who::Admin,
    ] {
        let client = app.client(who);
        let real = strip(client.get("/api/v1/datasets/hidden-draft").await, "hidden-draft");
        let none = strip(
            client.get("/api/v1/datasets/never-was-there").await,
            "never-was-there",
        );
        assert_eq!(real, none, "{who:?}");
    }
    let projects = app.client(Who::Analyst).get("/api/v1/projects").await.expect(200);
    let id = projects["results"][0]["id"].as_str().unwrap().to_owned();
    let other = app.client(Who::OtherAnalyst);
    assert_eq!(
        other.get("/api/v1/projects").await.expect(200)["results"],
        json!([])
    );
    let invented = "019f0000-0000-7000-8000-000000000000";
    let real = strip(other.get(&format!("/api/v1/projects/{id}")).await, &id);
    let none = strip(other.get(&format!("/api/v1/projects/{invented}")).await, invented);
    assert_eq!(real, none);
}
