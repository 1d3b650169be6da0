//! Requests that are not what they should be, in both languages.

use demo::Table;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Client, TestApp, Who};
use crate::fixture;
use crate::flow::RESIDENTS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_of_any_size_and_depth_is_answered() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, "bike-share-trips")
        .await;
    let project = app.open_project(Who::Analyst, &["bike-share-trips"], 2.0).await;
    let analyst = app.client(Who::Analyst);
    let before = app.rho_left(Who::Analyst, &project).await;
    let (jobs, estimates) = (
        format!("/api/v1/projects/{project}/jobs"),
        format!("/api/v1/projects/{project}/estimates"),
    );

    let huge = format!("SELECT '{}'", "x".repeat(10 << 20));
    let long = format!(
        "SELECT COUNT(*) FROM bike_share_trips WHERE sex = '{}'",
        "x".repeat(100 << 10)
    );
    let nested = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let deep = format!("SELECT COUNT(*) FROM bike_share_trips WHERE distance_m > {nested}");
    let wide = format!(
        "SELECT COUNT(*) FROM bike_share_trips WHERE {}",
        vec!["distance_m > 1"; 3_000].join(" AND ")
    );
    for client in [analyst.clone(), analyst.in_chinese()] {
        client
            .post_large("/api/v1/sql", &json!({"sql": huge}))
            .await
            .expect_problem(413, "too-large");
        client
            .post_large(&jobs, &job(&huge))
            .await
            .expect_problem(413, "too-large");
        client
            .post_large(&estimates, &job(&huge))
            .await
            .expect_problem(413, "too-large");
        let answer = client
            .post("/api/v1/sql", &json!({"sql": format!("SELECT {nested}")}))
            .await;
        answer.expect_problem(400, "invalid-sql");
        for sql in [&long, &deep, &wide] {
            let problem = client
                .post(&jobs, &job(sql))
                .await
                .expect_problem(422, "sandbox-refused");
            assert!(
                problem["rule"].as_str().is_some_and(|rule| !rule.is_empty()),
                "{problem}"
            );
            let refused = client.post(&estimates, &job(sql)).await.expect(200);
            assert_eq!(refused["verdict"], "refused");
            assert_eq!(refused["rule"], problem["rule"]);
        }
    }
    // Neither long nor deep, but read twice at every level by a parser that tries and goes back.
    let calls = format!("{}1{}", "abs(".repeat(28), ")".repeat(28));
    let casts = format!("{}* WHEN{}", "CAST(".repeat(28), " AS BIGINT)".repeat(28));
    analyst
        .post("/api/v1/sql", &json!({"sql": format!("SELECT {calls} AS x")}))
        .await
        .expect(200);
    analyst
        .post("/api/v1/sql", &json!({"sql": format!("SELECT {casts}")}))
        .await
        .expect_problem(400, "invalid-sql");
    for (condition, verdict) in [(&calls, "accepted"), (&casts, "refused")] {
        let sql = format!("SELECT COUNT(*) AS n FROM bike_share_trips WHERE distance_m > {condition}");
        let told = analyst.post(&estimates, &job(&sql)).await.expect(200);
        assert_eq!(told["verdict"], verdict, "{told}");
    }
    // Short, and twice as many tables with every name: it would be planned for hours.
    let doubled = |first: &str| {
        let step = |n: u32| format!(", a{} AS (SELECT x.n FROM a{n} AS x CROSS JOIN a{n} AS y)", n + 1);
        let steps: String = (0..30).map(step).collect();
        format!("WITH a0 AS ({first}){steps} SELECT n FROM a30")
    };
    analyst
        .post("/api/v1/sql", &json!({"sql": doubled("SELECT 1 AS n")}))
        .await
        .expect_problem(400, "invalid-sql");
    let sql = doubled("SELECT COUNT(*) AS n FROM bike_share_trips");
    let told = analyst.post(&estimates, &job(&sql)).await.expect(200);
    assert_eq!(
        (&told["verdict"], &told["rule"]),
        (&json!("refused"), &json!("too-complex"))
    );
    let open_long = json!({"sql": format!("SELECT '{}'", "x".repeat(100 << 10))});
    analyst
        .post("/api/v1/sql", &open_long)
        .await
        .expect_problem(413, "too-large");
    assert!(
        (app.rho_left(Who::Analyst, &project).await - before).abs() < 1e-12,
        "refusals cost nothing"
    );
    assert_eq!(analyst.get(&jobs).await.expect(200)["results"], json!([]));
    refusals(&analyst, &jobs).await;
    epsilons(&analyst, &jobs).await;
    assert!(
        (app.rho_left(Who::Analyst, &project).await - before).abs() < 1e-12,
        "refusals cost nothing"
    );
    assert_eq!(app.client(Who::Anonymous).get("/health/live").await.status, 200);
}

fn job(sql: &str) -> Value {
    json!({"kind": "sql", "sql": sql, "epsilon": 0.1})
}

/// Everything beyond the subset is refused with its rule, its place and a hint, in both languages.
async fn refusals(analyst: &Client, jobs: &str) {
    let cases = [
        ("SELECT * FROM bike_share_trips", "wildcard"),
        ("SELECT distance_m FROM bike_share_trips", "rows"),
        ("SELECT person_id FROM bike_share_trips", "unit-key"),
        (
            "SELECT MAX(distance_m) FROM bike_share_trips",
            "unbounded-aggregate",
        ),
        (
            "SELECT fare_cents FROM bike_share_trips ORDER BY fare_cents",
            "order-by",
        ),
        (
            "SELECT COUNT(*) FROM (SELECT fare_cents FROM bike_share_trips LIMIT 1) AS t",
            "limit",
        ),
        (
            "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t",
            "cte",
        ),
        (
            "SELECT COUNT(*) FROM bike_share_trips UNION SELECT COUNT(*) FROM bike_share_trips",
            "set-operation",
        ),
        (
            "SELECT COUNT(*) FROM bike_share_trips WHERE distance_m > random()",
            "volatile-function",
        ),
        ("SELECT COUNT(*) FROM no_such_table", "unknown-table"),
        (
            "SELECT SUM(n) FROM (SELECT start_district, COUNT(*) AS n FROM bike_share_trips GROUP BY start_district) AS t",
            "inner-aggregation",
        ),
    ];
    for (sql, rule) in cases {
        let english = analyst
            .post(jobs, &job(sql))
            .await
            .expect_problem(422, "sandbox-refused");
        assert_eq!(english["rule"], rule, "{sql}: {english}");
        let chinese = analyst
            .in_chinese()
            .post(jobs, &job(sql))
            .await
            .expect_problem(422, "sandbox-refused");
        assert_eq!(chinese["rule"], rule);
        assert_ne!(chinese["detail"], english["detail"], "{sql}");
    }
}

async fn epsilons(analyst: &Client, jobs: &str) {
    for epsilon in [json!(0), json!(-1), json!(0.500_001), json!(1e308), json!(1e-300)] {
        let body = json!({"kind": "sql", "sql": RESIDENTS, "epsilon": epsilon});
        let answer = analyst.post(jobs, &body).await;
        assert!(matches!(answer.status, 400 | 422), "{epsilon}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for epsilon in [json!("0.1"), Value::Null, json!([0.1])] {
        let body = json!({"kind": "sql", "sql": RESIDENTS, "epsilon": epsilon});
        analyst
            .post(jobs, &body)
            .await
            .expect_problem(400, "invalid-input");
    }
    let unknown = json!({"kind": "sql", "sql": RESIDENTS, "epsilon": 0.1, "delta": 1});
    analyst
        .post(jobs, &unknown)
        .await
        .expect_problem(400, "invalid-input");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_cursors_and_reused_keys_are_told() {
    let app = TestApp::start().await;
    let city = fixture::city(0.01);
    app.publish(&city, Table::BikeParking, "bike-parking").await;
    for client in [app.client(Who::Officer), app.client(Who::Officer).in_chinese()] {
        cursors(&app, &client).await;
    }
    idempotency(&app).await;
    bodies(&app).await;
    methods(&app).await;
}

async fn cursors(app: &TestApp, officer: &Client) {
    let rows = "/api/v1/datasets/bike-parking/rows";
    let real = officer.get(&format!("{rows}?limit=1")).await.expect(200);
    let real = real["next_cursor"].as_str().unwrap().to_owned();
    // The same cursor where it does not belong, one with a changed letter, and rubbish of every length.
    let swapped: String = real.chars().rev().collect();
    let changed = format!("{}{}", if real.starts_with('A') { 'B' } else { 'A' }, &real[1..]);
    let long = "A".repeat(6_000);
    for forged in [
        swapped.as_str(),
        changed.as_str(),
        "1",
        "AAAA",
        "%00",
        "%F0%9F%92%A3",
        long.as_str(),
    ] {
        for list in [
            format!("{rows}?limit=1&cursor={forged}"),
            format!("/api/v1/datasets/bike-parking/versions?cursor={forged}"),
            format!("/api/v1/reviews?cursor={forged}"),
        ] {
            officer.get(&list).await.expect_problem(400, "invalid-cursor");
        }
    }
    for foreign in [
        format!("{rows}?limit=1&order=-capacity&cursor={real}"),
        format!("{rows}?limit=1&where=1%3D1&cursor={real}"),
        format!("/api/v1/datasets/bike-parking/versions?cursor={real}"),
        format!("/api/v1/reviews?cursor={real}"),
    ] {
        officer.get(&foreign).await.expect_problem(400, "invalid-cursor");
    }
    let analyst = app.client(Who::Analyst);
    analyst
        .get(&format!("/api/v1/projects?cursor={real}"))
        .await
        .expect_problem(400, "invalid-cursor");
}

async fn idempotency(app: &TestApp) {
    let officer = app.client(Who::Officer);
    let send = |key: String, entry: Value| {
        let request = officer
            .request(Method::POST, "/api/v1/datasets")
            .header("accept", "application/json");
        officer.send(request.header("idempotency-key", key).json(&entry))
    };
    let first = send("key-1".to_owned(), fixture::plain_entry("sent-twice")).await;
    let made = first.expect(201);
    let again = send("key-1".to_owned(), fixture::plain_entry("sent-twice")).await;
    assert_eq!(again.expect(201)["id"], made["id"], "done once");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    let other = send("key-1".to_owned(), fixture::plain_entry("another-body")).await;
    other.expect_problem(422, "idempotency-mismatch");
    officer
        .get("/api/v1/datasets/another-body")
        .await
        .expect_problem(404, "not-found");
    let request = officer
        .in_chinese()
        .request(Method::POST, "/api/v1/access-requests");
    let elsewhere = officer
        .in_chinese()
        .send(request.header("idempotency-key", "key-1").json(&json!({})))
        .await;
    elsewhere.expect_problem(422, "idempotency-mismatch");
    let without = officer
        .post("/api/v1/datasets", &fixture::plain_entry("sent-twice"))
        .await;
    without.expect_problem(409, "conflict");
    for bad in [String::new(), "x".repeat(256)] {
        send(bad, fixture::plain_entry("bad-key"))
            .await
            .expect_problem(400, "invalid-input");
    }
    // Another account's key is another key.
    let reviewer = app.client(Who::OtherOfficer);
    let request = reviewer
        .request(Method::POST, "/api/v1/datasets")
        .header("idempotency-key", "key-1");
    let made = reviewer
        .send(request.json(&fixture::plain_entry("of-another")))
        .await;
    made.expect(201);

    // The same request at the same time: one does it, the other waits its turn or gets the same answer.
    let race = |_| send("race".to_owned(), fixture::plain_entry("raced-for"));
    let answers = futures::future::join_all((0..6).map(race)).await;
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(
        done >= 1,
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "idempotency-in-progress");
    }
}

/// Bodies that are no JSON, or none that fits.
async fn bodies(app: &TestApp) {
    let officer = app.client(Who::Officer);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let texts = [
        "",
        "{",
        "null",
        "[]",
        "{} {}",
        "{\"slug\": \"a\"}",
        "\u{feff}{}",
        deep.as_str(),
    ];
    for text in texts {
        let request = officer
            .request(Method::POST, "/api/v1/datasets")
            .header("content-type", "application/json");
        officer
            .send(request.body(text.to_owned()))
            .await
            .expect_problem(400, "invalid-input");
    }
    let request = officer
        .request(Method::POST, "/api/v1/datasets")
        .header("content-type", "text/plain");
    officer
        .send(request.body("{}"))
        .await
        .expect_problem(415, "unsupported-format");
    let mut unknown = fixture::plain_entry("unknown-field");
    unknown["metadata"]["colour"] = json!("red");
    officer
        .post("/api/v1/datasets", &unknown)
        .await
        .expect_problem(400, "invalid-input");
    let mut low = fixture::entry(&fixture::city(0.001), Table::BikeShareTrips, "too-low");
    low["level"] = json!("L1");
    let answer = officer.post("/api/v1/datasets", &low).await;
    assert_eq!(
        answer.status,
        422,
        "a dataset is at least as sensitive as its fields: {}",
        answer.text()
    );
}

async fn methods(app: &TestApp) {
    let nobody = app.client(Who::Anonymous);
    let wrong = nobody
        .send(nobody.request(Method::DELETE, "/api/v1/datasets"))
        .await;
    wrong.expect_problem(405, "method-not-allowed");
    nobody
        .get("/api/v1/no-such-thing")
        .await
        .expect_problem(404, "not-found");
    nobody
        .in_chinese()
        .get("/no-such-page")
        .await
        .expect_problem(404, "not-found");
    let page = nobody.in_chinese().page("/no-such-page").await;
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/html") && page.text().contains("lang=\"zh"));
    for id in [
        "x",
        "00000000-0000-0000-0000-000000000000",
        "%00",
        "1%27%20OR%201%3D1",
    ] {
        for list in ["reviews", "projects", "jobs", "tasks", "access-requests"] {
            app.client(Who::Analyst)
                .get(&format!("/api/v1/{list}/{id}"))
                .await
                .expect_problem(404, "not-found");
        }
    }
    let problem = nobody
        .get("/api/v1/datasets/none")
        .await
        .expect_problem(404, "not-found");
    assert_eq!(problem["instance"], "/api/v1/datasets/none");
    assert!(
        problem["request_id"].as_str().is_some_and(|id| id.len() >= 32),
        "{problem}"
    );
}
