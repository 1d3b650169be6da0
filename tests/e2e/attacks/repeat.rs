//! Asking again: in the same words and in others, after a new version, and together with another company.

use std::collections::BTreeMap;

use demo::Table;
use demo::write::CsvEncoding;
use serde_json::{Value, json};

use crate::app::{Client, TestApp, Who};
use crate::fixture;

const SLUG: &str = "bike-share-trips";

/// Submits a job and waits for its answer: the job as it was taken, and its result.
async fn ask(app: &TestApp, client: &Client, project: &str, sql: &str, epsilon: f64) -> (Value, Value) {
    let body = json!({"kind": "sql", "sql": sql, "epsilon": epsilon});
    let path = format!("/api/v1/projects/{project}/jobs");
    let job = client.post(&path, &body).await.expect(202);
    let id = job["id"].as_str().unwrap();
    app.wait_released(client, id, &mut Vec::new()).await;
    let result = client.get(&format!("/api/v1/jobs/{id}/result")).await.expect(200);
    (job, result)
}

fn rho(job: &Value) -> f64 {
    job["cost"]["rho"].as_f64().unwrap()
}

/// Asking one question often, to average the noise away. The attacker gets the same noise each time, for nothing; another
/// price draws other noise and is charged. A colluding company pays for its own noise, from the same lineage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_has_one_answer() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, SLUG).await;
    let project = app.open_project(Who::Analyst, &[SLUG], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let before = app.rho_left(Who::Analyst, &project).await;
    let question = "SELECT sex, COUNT(*) AS n FROM bike_share_trips WHERE distance_m > 500 GROUP BY sex";
    let (first, answer) = ask(&app, &analyst, &project, question, 0.2).await;
    let spent = before - app.rho_left(Who::Analyst, &project).await;
    assert!((spent - rho(&first)).abs() < 1e-9 && spent > 0.0);
    let again = [
        question,
        "select t.sex s, count(1) c from BIKE_SHARE_TRIPS t where 500 < t.distance_m group by t.sex",
        "SELECT sex, COUNT(*) AS n FROM bike_share_trips WHERE distance_m > 400 + 100 GROUP BY sex ORDER BY sex",
    ];
    for sql in again {
        let (job, same) = ask(&app, &analyst, &project, sql, 0.2).await;
        assert_eq!(job["repeat_of"], first["id"], "{sql}");
        assert_eq!(rho(&job), 0.0, "{sql}");
        // By key, for the third wants another order.
        let counts = |answer: &Value| -> BTreeMap<String, Value> {
            let rows = answer["rows"].as_array().unwrap().iter();
            rows.map(|row| (row["values"][0].to_string(), row["values"][1].clone()))
                .collect()
        };
        assert_eq!(counts(&same), counts(&answer), "{sql}");
    }
    let left = app.rho_left(Who::Analyst, &project).await;
    assert!((before - left - spent).abs() < 1e-9, "repeats are free");
    // Another price is another question.
    let (dearer, other) = ask(&app, &analyst, &project, question, 0.4).await;
    assert!(dearer["repeat_of"].is_null() && rho(&dearer) > rho(&first));
    assert_ne!(other["rows"], answer["rows"]);
    // Another company: the same question is charged again, and its noise is its own.
    let theirs = app.open_project(Who::OtherAnalyst, &[SLUG], 2.0).await;
    let colluding = app.client(Who::OtherAnalyst);
    let before = app.rho_left(Who::OtherAnalyst, &theirs).await;
    let (job, second) = ask(&app, &colluding, &theirs, question, 0.2).await;
    assert!(job["repeat_of"].is_null() && (rho(&job) - rho(&first)).abs() < 1e-12);
    assert!(app.rho_left(Who::OtherAnalyst, &theirs).await < before);
    assert_ne!(
        second["rows"], answer["rows"],
        "two draws that are alike in every cell"
    );
    // Nor do they see each other's jobs.
    let path = format!("/api/v1/jobs/{}", first["id"].as_str().unwrap());
    assert_eq!(colluding.get(&path).await.status, 404);
}

/// Asking before and after a new version without one person, whose difference is that person. The attacker pays twice from
/// one purse, and gets two figures with noise of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_not_differenced_for_free() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    let csv = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    app.publish_csv(&fixture::entry(&city, Table::BikeShareTrips, SLUG), csv.clone())
        .await;
    let project = app.open_project(Who::Analyst, &[SLUG], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let question = "SELECT COUNT(*) AS n FROM bike_share_trips";
    let before = app.rho_left(Who::Analyst, &project).await;
    let (first, answer) = ask(&app, &analyst, &project, question, 0.2).await;
    app.upload_good(SLUG, fixture::without_first_person(&csv)).await;
    let request = app.submit_release(SLUG).await;
    app.assess(&request).await.expect(201);
    app.approve(&request, Value::Null).await;
    let (second, other) = ask(&app, &analyst, &project, question, 0.2).await;
    assert!(
        second["repeat_of"].is_null(),
        "another version is another question: {second}"
    );
    let left = app.rho_left(Who::Analyst, &project).await;
    assert!(
        (before - left - rho(&first) - rho(&second)).abs() < 1e-9,
        "from the same purse"
    );
    let scale = |answer: &Value| answer["columns"][0]["noise"]["scale"].as_f64().unwrap();
    assert!(
        (scale(&answer) - scale(&other)).abs() < 1e-9 && scale(&answer) > 10.0,
        "{answer}"
    );
    assert_ne!(answer["rows"], other["rows"]);
    // What was paid for is still what it was.
    let path = format!("/api/v1/jobs/{}/result", first["id"].as_str().unwrap());
    assert_eq!(analyst.get(&path).await.expect(200)["rows"], answer["rows"]);
}

/// Asking of two departments' datasets at once, and again in other words, with the answers joined. The analyst pays both datasets
/// the price of one job, sees figures with intervals, and the same noise whatever is made of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joined_results_are_one_answer() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, SLUG).await;
    let other = Table::EnterpriseTax.slug();
    app.publish(&city, Table::EnterpriseTax, other).await;
    let project = app.open_project(Who::Analyst, &[SLUG, other], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let trips = "SELECT start_district, COUNT(*) AS n FROM bike_share_trips GROUP BY start_district";
    let firms = format!(
        "SELECT district, COUNT(*) AS n FROM {} GROUP BY district",
        Table::EnterpriseTax.sql_name()
    );
    let question = format!(
        "SELECT t.start_district, t.n AS trips, e.n AS firms, t.n * 1.0 / e.n AS ratio \
         FROM ({trips}) t JOIN ({firms}) e ON t.start_district = e.district ORDER BY ratio DESC NULLS LAST"
    );
    let body = json!({"kind": "sql", "sql": question, "epsilon": 0.4});
    let path = format!("/api/v1/projects/{project}/estimates");
    let told = analyst.post(&path, &body).await.expect(200);
    assert_eq!(told["verdict"], "accepted", "{told}");
    assert_eq!(told["parts"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(
        told["budgets_after"].as_array().unwrap().len(),
        2,
        "both datasets pay"
    );
    let (job, answer) = ask(&app, &analyst, &project, &question, 0.4).await;
    assert!(rho(&job) > 0.0);
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() >= 16, "{answer}");
    for row in rows {
        let (values, intervals) = (&row["values"], &row["interval95"]);
        assert!(values[1].is_i64() && values[2].is_i64(), "{row}");
        assert!(
            intervals[0].is_null() && intervals[1].is_array() && intervals[2].is_array(),
            "{row}"
        );
    }
    assert_eq!(answer["columns"][1]["noise"]["mechanism"], "discrete_gaussian");
    // Each of the two in the other's place, and no ratio: the same totals, for nothing.
    let again = format!(
        "SELECT e.district, e.n AS firms, t.n AS trips FROM ({firms}) e LEFT JOIN ({trips}) t ON t.start_district = e.district"
    );
    let (job, same) = ask(&app, &analyst, &project, &again, 0.4).await;
    assert_eq!(rho(&job), 0.0);
    let pairs = |answer: &Value, [key, trips, firms]: [usize; 3]| -> BTreeMap<String, [Value; 2]> {
        let of = |row: &Value| {
            let values = &row["values"];
            (
                values[key].to_string(),
                [values[trips].clone(), values[firms].clone()],
            )
        };
        answer["rows"].as_array().unwrap().iter().map(of).collect()
    };
    let (first, second) = (pairs(&answer, [0, 1, 2]), pairs(&same, [0, 2, 1]));
    assert!(
        first
            .iter()
            .all(|(key, figures)| second.get(key) == Some(figures))
    );
    // One of them alone is another question: its noise is another, and it pays.
    let (job, _) = ask(&app, &analyst, &project, trips, 0.4).await;
    assert!(rho(&job) > 0.0);
}
