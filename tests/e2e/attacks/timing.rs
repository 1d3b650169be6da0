//! Neighbouring datasets, with and without one person: what an analyst can see of two jobs is the same.

use demo::Table;
use demo::write::CsvEncoding;
use serde_json::{Value, json};

use crate::app::{TestApp, Who};
use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_over_neighbouring_datasets_look_alike() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    let with = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let without = fixture::without_first_person(&with);
    app.publish_csv(&fixture::entry(&city, Table::BikeShareTrips, "trips-a"), with)
        .await;
    app.publish_csv(&fixture::entry(&city, Table::BikeShareTrips, "trips-b"), without)
        .await;
    let project = app.open_project(Who::Analyst, &["trips-a", "trips-b"], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let jobs = format!("/api/v1/projects/{project}/jobs");
    let queries = [
        "SELECT COUNT(*) AS n FROM {t}",
        "SELECT sex, COUNT(DISTINCT person_id) AS n FROM {t} GROUP BY sex",
        // Errors that only some rows would make: division by nothing, a cast of nonsense, an overflow.
        "SELECT COUNT(*) AS n FROM {t} WHERE 1 / (distance_m - 1000) > 0",
        "SELECT COUNT(*) AS n FROM {t} WHERE CAST(bike_id AS BIGINT) > 0",
    ];
    for sql in queries {
        let mut seen = Vec::new();
        for table in ["trips_a", "trips_b"] {
            let body = json!({"kind": "sql", "sql": sql.replace("{t}", table), "epsilon": 0.2});
            let estimate = analyst
                .post(&format!("/api/v1/projects/{project}/estimates"), &body)
                .await
                .expect(200);
            let answer = analyst.post(&jobs, &body).await;
            if answer.status != 202 {
                // Refused by its text: then for both alike.
                let problem = answer.expect_problem(422, "sandbox-refused");
                seen.push(json!({"refused": problem["rule"], "estimate": estimate["rule"]}));
                continue;
            }
            let job = answer.expect(202);
            let mut states = Vec::new();
            let client = app.client(Who::Analyst);
            let shown = app
                .wait_released(&client, job["id"].as_str().unwrap(), &mut states)
                .await;
            let result = client
                .get(&format!("/api/v1/jobs/{}/result", job["id"].as_str().unwrap()))
                .await
                .expect(200);
            assert!(
                !states.contains(&"delayed".to_owned()),
                "{states:?}\n{}",
                app.log()
            );
            seen.push(json!({
                "due_in": time(&job["due_at"]) - time(&job["created_at"]),
                "kept": time(&shown["due_at"]) == time(&job["due_at"]),
                "estimate": without_budget(&estimate),
                "job": shape(&shown),
                "columns": result["columns"],
                "keys": result["rows"].as_array().unwrap().iter().map(|row| row["values"].as_array().unwrap().len())
                    .collect::<Vec<_>>(),
                "result": shape(&result["rows"][0]),
            }));
        }
        assert_eq!(seen[0], seen[1], "{sql}");
    }
}

fn time(value: &Value) -> i64 {
    model::Timestamp::parse(value.as_str().unwrap())
        .unwrap()
        .as_micros()
}

fn without_budget(estimate: &Value) -> Value {
    let mut estimate = estimate.clone();
    estimate["budget_after"].take();
    estimate["budgets_after"].take();
    estimate
}

/// The names and kinds of a value without what it says.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, inner)| (name.clone(), shape(inner)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("boolean"),
        Value::Null => Value::Null,
    }
}

/// A budget is spent to its end and not beyond, however many ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_for_the_budget_has_no_winner_too_many() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, "bike-share-trips")
        .await;
    let project = app.open_project(Who::Analyst, &["bike-share-trips"], 1.0).await;
    let client = app.client(Who::Analyst);
    let cap = app.rho_left(Who::Analyst, &project).await;
    let ask = |n: usize| {
        let sql = format!("SELECT COUNT(*) AS n FROM bike_share_trips WHERE distance_m > {n}");
        let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.5});
        let (client, path) = (client.clone(), format!("/api/v1/projects/{project}/jobs"));
        async move { client.post(&path, &body).await }
    };
    let answers = futures::future::join_all((0..16).map(ask)).await;
    let mut spent = 0.0;
    let mut accepted = 0;
    for answer in &answers {
        if answer.status == 202 {
            accepted += 1;
            spent += answer.expect(202)["cost"]["rho"].as_f64().unwrap();
        } else {
            answer.expect_problem(409, "budget-exhausted");
        }
    }
    let left = app.rho_left(Who::Analyst, &project).await;
    assert!((cap - spent - left).abs() < 1e-9, "{cap} − {spent} ≠ {left}");
    assert!(
        left >= 0.0 && (1..16).contains(&accepted),
        "{accepted} of 16 were accepted"
    );
    assert!(
        left < spent / f64::from(accepted),
        "another one would have fitted: {left}"
    );
    // The same question many times at once is charged once.
    let project = app
        .open_project(Who::OtherAnalyst, &["bike-share-trips"], 1.0)
        .await;
    let client = app.client(Who::OtherAnalyst);
    let before = app.rho_left(Who::OtherAnalyst, &project).await;
    let path = format!("/api/v1/projects/{project}/jobs");
    let body = json!({"kind": "sql", "sql": "SELECT COUNT(*) AS n FROM bike_share_trips", "epsilon": 0.1});
    let answers = futures::future::join_all((0..8).map(|_| client.post(&path, &body))).await;
    let jobs: Vec<Value> = answers.iter().map(|answer| answer.expect(202)).collect();
    let paid: Vec<&Value> = jobs.iter().filter(|job| job["repeat_of"].is_null()).collect();
    assert_eq!(paid.len(), 1, "{jobs:?}");
    let spent = before - app.rho_left(Who::OtherAnalyst, &project).await;
    assert!((spent - paid[0]["cost"]["rho"].as_f64().unwrap()).abs() < 1e-9);
}
