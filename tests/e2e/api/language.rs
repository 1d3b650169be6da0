//! What private SQL can say beyond one table, from the text to the released answer.

use demo::Table;
use demo::write::CsvEncoding;
use serde_json::{Value, json};

use crate::app::{Client, TestApp, Who};
use crate::fixture;

async fn estimate(client: &Client, project: &str, sql: &str) -> Value {
    let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.5});
    let answer = client
        .post(&format!("/api/v1/projects/{project}/estimates"), &body)
        .await;
    answer.expect(200)
}

/// Runs a job to its end; its result.
async fn run(app: &TestApp, client: &Client, project: &str, sql: &str) -> Value {
    let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.5});
    let answer = client
        .post(&format!("/api/v1/projects/{project}/jobs"), &body)
        .await;
    let job = answer.expect(202);
    let id = job["id"].as_str().unwrap();
    let mut states = Vec::new();
    app.wait_released(client, id, &mut states).await;
    assert!(
        !states.contains(&"delayed".to_owned()),
        "{sql}: {states:?}\n{}",
        app.log()
    );
    client.get(&format!("/api/v1/jobs/{id}/result")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_medians_and_undeclared_keys_are_answered() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    app.publish(&city, Table::BikeParking, "parking").await;
    let trips = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    for slug in ["trips", "rides"] {
        app.publish_csv(&fixture::entry(&city, Table::BikeShareTrips, slug), trips.clone())
            .await;
    }
    let project = app.open_project(Who::Analyst, &["trips", "rides"], 2.0).await;
    let analyst = app.client(Who::Analyst);

    // With open data, of which any query may be made.
    let sql = "SELECT p.district, COUNT(*) AS trips FROM trips AS t JOIN (SELECT district, SUM(capacity) AS capacity \
               FROM parking GROUP BY district HAVING SUM(capacity) > 0) AS p ON t.start_district = p.district \
               GROUP BY p.district";
    let told = estimate(&analyst, &project, sql).await;
    assert_eq!(told["verdict"], "accepted", "{told}");
    let answer = run(&app, &analyst, &project, sql).await;
    assert!(answer["rows"].as_array().unwrap().len() >= 16, "{answer}");
    let districts: Vec<&str> = answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["values"][0].as_str())
        .collect();
    assert!(
        districts.is_sorted(),
        "a public key's cells are its values: {districts:?}"
    );

    // The same districts by IN, which is a semi join: one cell for each that is left, and one answer for both ways of writing.
    let within = "SELECT start_district, COUNT(*) AS n FROM trips WHERE (duration_s >= 60 AND start_district IN (SELECT \
                  district FROM parking WHERE capacity > 10)) GROUP BY start_district";
    let told = estimate(&analyst, &project, within).await;
    assert_eq!(told["verdict"], "accepted", "{told}");
    let joined = "SELECT t.start_district, COUNT(*) AS n FROM trips AS t LEFT SEMI JOIN (SELECT district AS __member FROM \
                  parking WHERE capacity > 10) AS p ON t.start_district = p.__member WHERE t.duration_s >= 60 \
                  GROUP BY t.start_district";
    let refused = estimate(&analyst, &project, joined).await;
    assert_eq!(
        refused["rule"], "system-column",
        "names of ours are not for queries: {refused}"
    );
    for (sql, rule) in [
        (
            "SELECT COUNT(*) AS n FROM trips WHERE start_district NOT IN (SELECT district FROM parking)",
            "subquery",
        ),
        (
            "SELECT COUNT(*) AS n FROM trips WHERE duration_s < 9 OR start_district IN (SELECT district FROM parking)",
            "subquery",
        ),
        (
            "SELECT COUNT(*) AS n FROM trips WHERE person_id IN (SELECT district FROM parking)",
            "unit-key",
        ),
        (
            "SELECT COUNT(*) AS n FROM trips WHERE start_district IN (SELECT start_district FROM rides)",
            "subquery",
        ),
    ] {
        let refused = estimate(&analyst, &project, sql).await;
        assert_eq!(refused["rule"], rule, "{sql}: {refused}");
    }
    let answer = run(&app, &analyst, &project, within).await;
    assert!(answer["rows"].as_array().unwrap().len() >= 16, "{answer}");

    // Two protected datasets, by unit, after an aggregation within each: both pay.
    let sql = "SELECT r.sex, COUNT(*) AS n FROM rides AS r JOIN (SELECT person_id, COUNT(*) AS trips FROM trips \
               GROUP BY person_id) AS t ON r.person_id = t.person_id WHERE t.trips >= 3 GROUP BY r.sex";
    let before = app.rho_left(Who::Analyst, &project).await;
    let told = estimate(&analyst, &project, sql).await;
    let paying: Vec<&str> = told["budgets_after"]
        .as_array()
        .unwrap()
        .iter()
        .map(|budget| budget["dataset"].as_str().unwrap())
        .collect();
    assert_eq!(paying.len(), 2, "{told}");
    let answer = run(&app, &analyst, &project, sql).await;
    assert_eq!(
        answer["rows"].as_array().unwrap().len(),
        4,
        "two, other and NULL: {answer}"
    );
    assert!(app.rho_left(Who::Analyst, &project).await < before);
    let receipt = &answer["receipt"]["leaf"]["subjects"];
    assert!(
        receipt["dataset"].is_string() && receipt["dataset_2"].is_string(),
        "{receipt}"
    );

    // A median, with its interval in ranks.
    let answer = run(
        &app,
        &analyst,
        &project,
        "SELECT MEDIAN(duration_s) AS m FROM trips",
    )
    .await;
    let row = &answer["rows"][0];
    assert_eq!(
        answer["columns"][0]["noise"]["mechanism"], "exponential",
        "{answer}"
    );
    let (value, ends) = (row["values"][0].as_f64().unwrap(), &row["interval95"][0]);
    let (low, high) = (ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap());
    assert!(
        low <= value && value <= high && low >= 0.0 && high <= 10_000.0,
        "{answer}"
    );

    // Keys that nobody has declared: bicycles, of which each has few riders, and days, which have many.
    let bikes = run(
        &app,
        &analyst,
        &project,
        "SELECT bike_id, COUNT(*) AS n FROM trips GROUP BY bike_id",
    )
    .await;
    assert_eq!(bikes["rows"], json!([]), "nothing of few units is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_public_in_a_query_is_told_apart() {
    let app = TestApp::start().await;
    let city = fixture::city(0.001);
    app.publish(&city, Table::BikeParking, "parking").await;
    app.publish(&city, Table::BikeShareTrips, "trips").await;
    app.create_entry(&fixture::plain_entry("hidden")).await;
    app.upload_good("hidden", b"a,b\n1,2\n3,4\n".to_vec()).await;
    let project = app.open_project(Who::Analyst, &["trips"], 2.0).await;
    let analyst = app.client(Who::Analyst);
    for (sql, rule) in [
        // Not released, so not open; and what is not there looks the same.
        (
            "SELECT COUNT(*) FROM trips t JOIN hidden h ON t.bike_id = h.a",
            "unknown-table",
        ),
        (
            "SELECT COUNT(*) FROM trips t JOIN nowhere h ON t.bike_id = h.a",
            "unknown-table",
        ),
        (
            "SELECT COUNT(*) FROM trips t JOIN (SELECT district, 1 / 0 AS x FROM parking) p ON t.start_district = p.district",
            "public-query",
        ),
        (
            "SELECT COUNT(*) FROM trips t JOIN (SELECT no_such FROM parking) p ON t.start_district = p.no_such",
            "public-query",
        ),
        (
            "SELECT COUNT(*) FROM trips t JOIN (SELECT value AS x FROM generate_series(1, 10) g, parking) p ON true",
            "unknown-table",
        ),
        ("SELECT COUNT(*) FROM parking", "no-table"),
    ] {
        let told = estimate(&analyst, &project, sql).await;
        assert_eq!(told["rule"], rule, "{sql}: {told}");
        let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.5});
        let answer = analyst
            .post(&format!("/api/v1/projects/{project}/jobs"), &body)
            .await;
        assert_eq!(
            answer.expect_problem(422, "sandbox-refused")["rule"],
            rule,
            "{sql}"
        );
    }
    // A public table by which every row would meet hundreds of others makes one unit count for too many.
    let sql = "SELECT COUNT(*) FROM trips t JOIN parking p ON t.start_district = p.district JOIN parking q ON \
               t.end_district = q.district JOIN parking r ON t.residence_district = r.district";
    let told = estimate(&analyst, &project, sql).await;
    assert!(
        ["fan-out", "too-slow", "total-too-large"].contains(&told["rule"].as_str().unwrap_or_default()),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_precision_has_its_price_and_a_better_answer_costs_the_difference() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    app.publish(&city, Table::BikeShareTrips, "trips").await;
    let project = app.open_project(Who::Analyst, &["trips"], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let sql = "SELECT residence_district, COUNT(DISTINCT person_id) AS persons FROM trips GROUP BY residence_district";
    let path = format!("/api/v1/projects/{project}/estimates");
    let ask = |precision: Value| {
        let (analyst, path) = (&analyst, &path);
        async move {
            let body = json!({"kind": "sql", "sql": sql, "precision": precision});
            analyst.post(path, &body).await
        }
    };
    let told = ask(json!({"percent": 5, "of": 1_000})).await.expect(200);
    let epsilon = told["cost"]["epsilon"].as_f64().unwrap();
    assert!(
        told["expected_error"][0]["half_width95"].as_f64().unwrap() <= 50.0,
        "{told}"
    );
    assert!(told["questions_left"].as_i64().unwrap() > 1, "{told}");
    for bad in [
        json!({"percent": 5}),
        json!({"half_width": 5, "of": 3}),
        json!({"half_width": 50, "column": "nobody"}),
        json!({"half_width": -1}),
        json!({"half_width": 0.000_1}),
    ] {
        let refused = ask(bad.clone()).await;
        assert!(matches!(refused.status, 400 | 422), "{bad}: {}", refused.text());
    }

    let run = |epsilon: f64| {
        let (app, analyst, project) = (&app, &analyst, &project);
        async move {
            let body = json!({"kind": "sql", "sql": sql, "epsilon": epsilon});
            let path = format!("/api/v1/projects/{project}/jobs");
            let job = analyst.post(&path, &body).await.expect(202);
            let id = job["id"].as_str().unwrap().to_owned();
            app.wait_released(analyst, &id, &mut Vec::new()).await;
            let result = analyst
                .get(&format!("/api/v1/jobs/{id}/result"))
                .await
                .expect(200);
            (job, result["columns"][1]["noise"]["scale"].as_f64().unwrap())
        }
    };
    let before = app.rho_left(Who::Analyst, &project).await;
    let (first, coarse) = run(epsilon / 2.0).await;
    let (second, fine) = run(epsilon).await;
    assert_eq!(second["tops_up"], first["id"]);
    let rho = |job: &Value, name: &str| job["cost"][name].as_f64().unwrap();
    assert!((rho(&second, "rho_paid_before") - rho(&first, "rho")).abs() < 1e-12);
    let charged = rho(&first, "rho") + rho(&second, "rho");
    assert!((charged - rho(&told, "rho")).abs() < 1e-12, "{charged} {told}");
    let left = app.rho_left(Who::Analyst, &project).await;
    assert!((before - left - charged).abs() < 1e-12);
    assert!((coarse / fine - (charged / rho(&first, "rho")).sqrt()).abs() < 1e-6);
    let (third, _) = run(epsilon / 3.0).await;
    assert_eq!(third["repeat_of"], first["id"], "the least that is good enough");
    assert!((app.rho_left(Who::Analyst, &project).await - left).abs() < 1e-15);
}
