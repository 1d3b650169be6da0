//! From a bureau's file to a private answer, on both databases.

use std::time::{Duration, Instant};

use demo::Table;
use demo::write::CsvEncoding;
use ledger::{Receipt, Standing};
use serde_json::{Value, json};

use crate::app::{ORIGIN, Options, TestApp, Who};
use crate::fixture::{self, Truth};
use crate::flow::RESIDENTS;

const SLUG: &str = "bike-share-trips";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_on_sqlite() {
    tell(&TestApp::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_on_postgres() {
    if let Some(app) = TestApp::try_start_with(Options {
        postgres: true,
        ..Options::default()
    })
    .await
    {
        tell(&app).await;
    }
}

async fn tell(app: &TestApp) {
    let city = fixture::city(fixture::STORY);
    let truth = release(app, &city).await;
    assert_eq!(truth.persons, 2_000);
    let project = apply(app).await;
    let job = ask(app, &project, &truth).await;
    repeat(app, &project, &job).await;
    receipt(app, &job).await;
    account_for(app, &project).await;
    app.stop().await;
    app.run().await;
    assert_eq!(
        result(app, &job).await["rows"],
        result(app, &job).await["rows"],
        "answers outlive a restart"
    );
}

/// Entry, upload in GB18030, request, opinion, decision: only then is it in the catalogue.
async fn release(app: &TestApp, city: &demo::City) -> Truth {
    let officer = app.client(Who::Officer);
    let entry = fixture::entry(city, Table::BikeShareTrips, SLUG);
    let created = app.create_entry(&entry).await;
    assert_eq!(created["state"], "draft");
    assert_eq!(created["fields"].as_array().unwrap().len(), 12);
    assert_eq!(created["sql_name"], "bike_share_trips");

    let csv = fixture::csv(city, Table::BikeShareTrips, CsvEncoding::Gb18030);
    assert!(std::str::from_utf8(&csv).is_err(), "the districts are Chinese");
    let accepted = app.upload(SLUG, csv).await.expect(202);
    assert_eq!(accepted["version"]["state"], "ingesting");
    let task = app.follow(&accepted).await;
    assert_eq!(task["state"], "done", "{task}");

    let truth = fixture::truth(&fixture::csv(city, Table::BikeShareTrips, CsvEncoding::Utf8));
    let version = officer
        .get(&format!("/api/v1/datasets/{SLUG}/versions/1"))
        .await
        .expect(200);
    assert_eq!(version["state"], "ready");
    assert_eq!(version["rows"], truth.rows);
    assert_eq!(version["profile"]["units"], truth.persons);
    assert_eq!(version["profile"]["dropped"]["invalid_key"], 0);

    let nobody = app.client(Who::Anonymous);
    nobody
        .get(&format!("/api/v1/datasets/{SLUG}"))
        .await
        .expect_problem(404, "not-found");
    let request = app.submit_release(SLUG).await;
    let open = app
        .client(Who::Reviewer)
        .get("/api/v1/reviews?state=open")
        .await
        .expect(200);
    assert_eq!(open["results"][0]["id"], request.as_str());
    assert_eq!(open["results"][0]["state"], "awaiting_opinion");

    let shown = app.review(Who::Reviewer, &request).await;
    let figures = &shown.expect(200)["datasets"][0]["version"];
    assert!(
        figures["profile"].is_object(),
        "reviewers see the profile: {figures}"
    );
    let early = json!({"decision": "approve", "reason": "符合开放要求，同意。"});
    let path = format!("/api/v1/reviews/{request}/decision");
    let refused = app
        .client(Who::Reviewer)
        .post_if_match(&path, shown.header("etag"), &early)
        .await;
    assert!(
        matches!(refused.status, 403 | 409 | 422),
        "no decision before the opinion: {}",
        refused.text()
    );

    app.assess(&request).await.expect(201);
    let stale = app
        .client(Who::Reviewer)
        .post_if_match(&path, shown.header("etag"), &early)
        .await;
    stale.expect_problem(412, "precondition-failed");
    app.client(Who::Reviewer)
        .post(&path, &early)
        .await
        .expect_problem(428, "precondition-required");
    nobody
        .get(&format!("/api/v1/datasets/{SLUG}"))
        .await
        .expect_problem(404, "not-found");
    app.approve(&request, Value::Null).await;

    let dataset = nobody.get(&format!("/api/v1/datasets/{SLUG}")).await.expect(200);
    assert_eq!(dataset["state"], "released");
    assert_eq!(dataset["level"], "L3");
    truth
}

/// An enterprise finds the dataset, applies, and gets a project with a budget.
async fn apply(app: &TestApp) -> String {
    let analyst = app.client(Who::Analyst);
    let query = "/api/v1/datasets?q=%E9%AA%91%E8%A1%8C&level=L3&theme=transport"; // 骑行
    let found = analyst.in_chinese().get(query).await.expect(200);
    assert_eq!(found["count"], 1, "{found}");
    let hit = &found["results"][0];
    assert_eq!(hit["slug"], SLUG);
    let marked = hit["highlights"]["title"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["is_match"] == true);
    assert!(marked.count() > 0, "{hit}");
    for facet in ["theme", "level", "organization", "update_cycle"] {
        assert_eq!(
            found["facets"][facet][0]["count"], 1,
            "{facet}: {}",
            found["facets"]
        );
    }
    let english = analyst.get("/api/v1/datasets?q=cycling").await.expect(200);
    assert_eq!(english["count"], 1, "{english}");

    let body = json!({
        "datasets": [SLUG], "purpose": "研究早晚高峰各区骑行需求，改进车辆调度。",
        "safeguards": "结果仅在公司内网使用，账号专人专用。",
    });
    let request = analyst.post("/api/v1/access-requests", &body).await.expect(201);
    let id = request["id"].as_str().unwrap();
    assert_eq!(request["project"], Value::Null);
    app.approve(id, json!({"epsilon": 2.0, "days": 90})).await;
    let granted = analyst
        .get(&format!("/api/v1/access-requests/{id}"))
        .await
        .expect(200);
    assert_eq!(granted["state"], "approved");
    let project = granted["project"].as_str().unwrap().to_owned();
    let shown = analyst
        .get(&format!("/api/v1/projects/{project}"))
        .await
        .expect(200);
    let budget = &shown["datasets"][0]["budget"];
    assert_eq!(budget["rho_left"], budget["rho_cap"]);
    assert!(
        (budget["epsilon_cap"].as_f64().unwrap() - 2.0).abs() < 0.01,
        "{budget}"
    );
    project
}

/// Estimate, job, wait, answer: due at a fixed time, released then, near the truth.
async fn ask(app: &TestApp, project: &str, truth: &Truth) -> String {
    let analyst = app.client(Who::Analyst);
    let body = json!({"kind": "sql", "sql": RESIDENTS, "epsilon": 0.5});
    let estimate = analyst
        .post(&format!("/api/v1/projects/{project}/estimates"), &body)
        .await
        .expect(200);
    assert_eq!(estimate["verdict"], "accepted", "{estimate}");
    assert_eq!(estimate["already_paid"], false);
    let due_in = estimate["due_in_s"].as_f64().unwrap();
    assert!((0.1..60.0).contains(&due_in), "{estimate}");
    let before = app.rho_left(Who::Analyst, project).await;

    let job = analyst
        .post(&format!("/api/v1/projects/{project}/jobs"), &body)
        .await
        .expect(202);
    let id = job["id"].as_str().unwrap().to_owned();
    let due = micros(&job["due_at"]);
    let promised = due - micros(&job["created_at"]);
    assert!((promised as f64 / 1e6 - due_in).abs() < 0.01, "{job} {estimate}");
    let early = analyst.get(&format!("/api/v1/jobs/{id}/result")).await;
    if now() < due {
        early.expect_problem(409, "conflict");
    }
    let begun = Instant::now();
    loop {
        let asked_at = now();
        let shown = analyst.get(&format!("/api/v1/jobs/{id}")).await.expect(200);
        assert_eq!(shown["due_at"], job["due_at"], "a deadline never moves");
        if shown["state"] == "released" {
            assert!(now() >= due, "released before its time: {shown}");
            break;
        }
        assert!(
            ["queued", "running"].contains(&shown["state"].as_str().unwrap()),
            "{shown}\n{}",
            app.log()
        );
        assert!(
            asked_at < due + 5_000_000,
            "released late: {shown}\n{}",
            app.log()
        );
        assert!(begun.elapsed() < Duration::from_secs(90));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let spent = before - app.rho_left(Who::Analyst, project).await;
    assert!(
        (spent - job["cost"]["rho"].as_f64().unwrap()).abs() < 1e-9,
        "charged once, and as it was said"
    );
    assert!((spent - estimate["cost"]["rho"].as_f64().unwrap()).abs() < 1e-9);
    check_answer(&result(app, &id).await, truth);
    id
}

fn check_answer(answer: &Value, truth: &Truth) {
    let column = &answer["columns"][1];
    assert_eq!(column["name"], "persons");
    assert_eq!(column["noise"]["mechanism"], "discrete_gaussian");
    assert_eq!(answer["columns"][0]["noise"], Value::Null);
    let sigma = column["noise"]["scale"].as_f64().unwrap();
    assert!(
        (1.0..50.0).contains(&sigma),
        "one unit, one group, ε = 0.5: σ is near 11, not {sigma}"
    );
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() >= 16, "every cell of the domain appears: {rows:?}");
    let mut apart = 0;
    for row in rows {
        let name = row["values"][0].as_str().unwrap_or_default();
        let noised = row["values"][1].as_f64().unwrap();
        let exact = truth.residents.get(name).copied().unwrap_or_default() as f64;
        assert!(
            (noised - exact).abs() <= 6.0 * sigma,
            "{name}: {noised} for {exact}, σ = {sigma}"
        );
        let low = row["interval95"][1][0].as_f64().unwrap();
        let high = row["interval95"][1][1].as_f64().unwrap();
        assert!((high - low - 2.0 * 1.96 * sigma).abs() < 0.05 * sigma, "{row}");
        assert!(low <= noised && noised <= high);
        assert_eq!(row["interval95"][0], Value::Null);
        apart += usize::from((noised - exact).abs() > f64::EPSILON);
    }
    // 16 cells without any noise at σ ≈ 11 have odds below 10⁻²³.
    assert!(apart > 0, "the answer is exact");
}

/// The same question, differently written, costs nothing and has the same answer.
async fn repeat(app: &TestApp, project: &str, first: &str) {
    let analyst = app.client(Who::Analyst);
    let before = app.rho_left(Who::Analyst, project).await;
    let text = "select residence_district AS home, count(distinct person_id) AS people\nfrom bike_share_trips -- again\n\
                group by residence_district";
    let body = json!({"kind": "sql", "sql": text, "epsilon": 0.5});
    let job = analyst
        .post(&format!("/api/v1/projects/{project}/jobs"), &body)
        .await
        .expect(202);
    assert_eq!(job["repeat_of"], first);
    assert_eq!(job["cost"]["rho"], 0.0);
    let id = job["id"].as_str().unwrap();
    app.wait_released(&analyst, id, &mut Vec::new()).await;
    let repeated = result(app, id).await;
    assert_eq!(repeated["rows"], result(app, first).await["rows"]);
    assert_eq!(
        (&repeated["columns"][0]["name"], &repeated["columns"][1]["name"]),
        (&json!("home"), &json!("people")),
        "the answer is in the words of who asks"
    );
    assert!(
        (app.rho_left(Who::Analyst, project).await - before).abs() < 1e-12,
        "a repeat is free"
    );
    let csv = analyst.send(
        analyst
            .request(reqwest::Method::GET, &format!("/api/v1/jobs/{id}/result"))
            .header("accept", "text/csv"),
    );
    let csv = csv.await;
    assert_eq!(csv.status, 200);
    assert!(
        csv.text()
            .starts_with("home,people,people_low95,people_high95\r\n"),
        "{}",
        csv.text()
    );
}

/// The receipt becomes a proof that the ledger's own verifier accepts, and so does the whole log.
async fn receipt(app: &TestApp, job: &str) {
    let begun = Instant::now();
    let (proven, checkpoint) = loop {
        let answer = result(app, job).await;
        let receipt = Receipt::parse(answer["receipt"].to_string().as_bytes()).unwrap();
        match receipt.verify(ORIGIN, &[app.ledger_key()]).unwrap() {
            Standing::Proven { checkpoint, .. } => break (receipt, checkpoint),
            Standing::Pending => {}
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "no checkpoint covers the charge\n{}",
            app.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let opened: Vec<_> = proven.opened().collect();
    assert!(
        opened
            .iter()
            .any(|(key, value)| *key == "sql" && value.as_str() == Some(RESIDENTS)),
        "{opened:?}"
    );
    let leaf = serde_json::to_string(proven.leaf()).unwrap();
    assert!(
        !leaf.contains("residence_district"),
        "the query's text is committed to, not told: {leaf}"
    );

    let log = app.verify_ledger(Some(checkpoint)).await;
    let count = |act: ledger::Act| log.acts.get(&act).copied().unwrap_or_default();
    assert_eq!(count(ledger::Act::JobCharged), 1, "{:?}", log.acts);
    assert_eq!(count(ledger::Act::VersionPublished), 1, "{:?}", log.acts);
    let key = app.ledger_key().to_string();
    let arguments = ["ledger", "verify", &app.address(), "--key", &key];
    for time in ["first", "second"] {
        let (fine, said) = app.command(&arguments).await;
        assert!(fine, "{time} time: {said}");
    }
    let wrong = ledger::SigningKey::generate(ORIGIN)
        .unwrap()
        .verifier()
        .to_string();
    let remember = app.folder().join("elsewhere");
    let remember = remember.to_str().unwrap();
    let (fine, said) = app
        .command(&[
            "ledger",
            "verify",
            &app.address(),
            "--key",
            &wrong,
            "--remember",
            remember,
        ])
        .await;
    assert!(!fine, "a log of another key was believed: {said}");
}

/// Those who answer for the data see what it has given away, and what that comes to for a person in all datasets.
async fn account_for(app: &TestApp, project: &str) {
    let project = app
        .client(Who::Analyst)
        .get(&format!("/api/v1/projects/{project}"))
        .await
        .expect(200);
    let spent = &project["datasets"][0]["budget"]["rho_spent"];
    let address = format!("/api/v1/datasets/{SLUG}/privacy-loss");
    let shown = app.client(Who::Officer).get(&address).await.expect(200);
    let loss = &shown["privacy_loss"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(loss["spent"]["rho"], *spent, "{shown}");
    let (left, whole) = (&loss["left_for_life"], &loss["together"]["worst"]);
    assert!(
        (number(&left["rho"]) + number(spent) - number(&whole["rho"])).abs() < 1e-9,
        "{shown}"
    );
    assert!((number(&whole["epsilon"]) - 25.0).abs() < 1e-3, "{shown}");
    assert!((number(&whole["delta"]) / 1e-9 - 1.0).abs() < 1e-6, "{shown}");
    assert_eq!(
        loss["together"]["spent"], loss["spent"],
        "one dataset about persons"
    );
    assert!(number(&loss["left_in_window"]["epsilon"]) < 10.0, "{shown}");
    assert_eq!(app.client(Who::Auditor).get(&address).await.expect(200), shown);
}

async fn result(app: &TestApp, job: &str) -> Value {
    app.client(Who::Analyst)
        .get(&format!("/api/v1/jobs/{job}/result"))
        .await
        .expect(200)
}

/// A time of the API in microseconds since 1970.
fn micros(value: &Value) -> i64 {
    model::Timestamp::parse(value.as_str().unwrap())
        .unwrap()
        .as_micros()
}

fn now() -> i64 {
    model::Clock::now(&model::SystemClock).as_micros()
}
