//! Special datasets: two checkers, who know nothing of who asked, before an answer leaves on its fixed day.

use demo::Table;
use model::{PolicyId, ReviewPolicy, SystemClock, Timestamp};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::app::{TestApp, Who, form};
use crate::fixture;

/// Two aggregations, of which checkers see each.
const SHARES: &str = "SELECT d.department, d.visits * 100.0 / a.visits AS percent \
    FROM (SELECT department, COUNT(*) AS visits FROM visits GROUP BY department) AS d \
    CROSS JOIN (SELECT COUNT(*) AS visits, AVG(cost_yuan) AS mean FROM visits) AS a";
const DEPARTMENTS: &str =
    "SELECT department, COUNT(*) AS visits, AVG(cost_yuan) AS mean FROM visits GROUP BY department";

/// Lets the fixed moment of every day be in so many seconds.
async fn fix_in(app: &TestApp, seconds: i64) -> Timestamp {
    let now = model::Clock::now(&SystemClock);
    let policy = ReviewPolicy {
        zone: "UTC".to_owned(),
        check_weekdays: Vec::new(),
        check_days: 0,
        ..ReviewPolicy::default()
    };
    let mut body = serde_json::to_value(policy).unwrap();
    let at = now.plus_seconds(seconds).to_string();
    body["check_time"] = json!(at[11..19]);
    let database = app.connect().await;
    let tx = database.begin_write().await.unwrap();
    let row = db::policy::Policy {
        id: PolicyId::at(now),
        kind: ReviewPolicy::KIND.to_owned(),
        effective_from: now,
        body,
        created_by: None,
        created_at: now,
    };
    db::policy::insert(&tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await.unwrap();
    Timestamp::parse(&format!("{}Z", &at[..19])).unwrap()
}

async fn submit(app: &TestApp, project: &str, sql: &str) -> Value {
    let body = json!({"kind": "sql", "sql": sql, "epsilon": 0.2});
    let path = format!("/api/v1/projects/{project}/jobs");
    app.client(Who::Analyst).post(&path, &body).await.expect(202)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_checkers_release_or_withhold_an_answer() {
    let app = TestApp::start().await;
    let city = fixture::city(fixture::SMALL);
    app.publish(&city, Table::OutpatientVisits, "visits").await;
    let project = app.open_project(Who::Analyst, &["visits"], 2.0).await;
    let analyst = app.client(Who::Analyst);

    // With the policy of a new portal it takes until a Thursday.
    let body = json!({"kind": "sql", "sql": DEPARTMENTS, "epsilon": 0.2});
    let path = format!("/api/v1/projects/{project}/estimates");
    let told = analyst.post(&path, &body).await.expect(200);
    assert!(told["due_in_s"].as_f64().unwrap() > 86_400.0, "{told}");
    let until = told["checked_until"].as_str().unwrap();
    assert!(until.ends_with("T08:00:00Z"), "16:00 in China: {until}");

    let fixed = fix_in(&app, 30).await;
    let job = submit(&app, &project, DEPARTMENTS).await;
    assert_eq!((&job["checked"], &job["state"]), (&json!(true), &json!("queued")));
    assert_eq!(job["due_at"], fixed.to_string());
    let id = job["id"].as_str().unwrap();
    let check = app.wait_check().await;
    let shown = analyst.get(&format!("/api/v1/jobs/{id}")).await.expect(200);
    assert_eq!(shown["state"], "awaiting_review");
    analyst
        .get(&format!("/api/v1/jobs/{id}/result"))
        .await
        .expect(409);
    analyst.get(&format!("/api/v1/checks/{check}")).await.expect(404);

    // Blinded: the noised figures and what everybody may know.
    let seen = app
        .client(Who::Assessor)
        .get(&format!("/api/v1/checks/{check}"))
        .await
        .expect(200);
    assert_eq!(seen["rows"].as_array().unwrap().len(), 32, "{seen}");
    assert_eq!(seen["datasets"][0]["slug"], "visits");
    let text = seen.to_string();
    for hidden in [id, &project, "SELECT", "enterprise"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }

    // One votes by the API, the other on the page.
    let vote = json!({"verdict": "release"});
    let path = format!("/api/v1/checks/{check}/votes");
    let voted = app.client(Who::Assessor).post(&path, &vote).await.expect(201);
    assert_eq!(voted["own_vote"]["verdict"], "release");
    app.client(Who::Assessor).post(&path, &vote).await.expect(409);
    let reviewer = app.client(Who::Anonymous).sign_in(Who::Reviewer).await;
    let address = format!("/review/checks/{check}");
    let page = reviewer
        .request(Method::GET, &address)
        .header(ACCEPT, "text/html");
    let page = reviewer.send(page).await.text();
    assert!(page.contains("name=\"verdict\"") && !page.contains(id), "{page}");
    for (verdict, status) in [("", 422), ("release", 303)] {
        let fields = [
            ("csrf_token", reviewer.csrf.as_str()),
            ("verdict", verdict),
            ("reason", ""),
        ];
        let sent = reviewer
            .request(Method::POST, &format!("{address}/vote"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/html")
            .body(form(&fields));
        let answer = reviewer.send(sent).await;
        assert_eq!(answer.status, status, "{verdict}: {}", answer.text());
    }

    let released = app.wait_released(&analyst, id, &mut Vec::new()).await;
    assert!(model::Clock::now(&SystemClock) >= fixed);
    assert_eq!(released["withheld_because"], Value::Null);
    let answer = analyst
        .get(&format!("/api/v1/jobs/{id}/result"))
        .await
        .expect(200);
    // What was checked is what is released: there the totals, here what the query makes of them.
    let names = [&seen["columns"][0]["name"], &seen["columns"][1]["name"]];
    assert_eq!(names, ["1 department", "2 rows"]);
    let rows = |answer: &Value| answer["rows"].as_array().unwrap().clone();
    for (released, checked) in rows(&answer).iter().zip(rows(&seen)) {
        assert_eq!(released["values"][0], checked["values"][0]);
        assert_eq!(released["values"][1], checked["values"][1]);
    }

    // One who would not is enough.
    fix_in(&app, 15).await;
    let job = submit(&app, &project, SHARES).await;
    let id = job["id"].as_str().unwrap();
    let check = app.wait_check().await;
    let seen = app
        .client(Who::SecondReviewer)
        .get(&format!("/api/v1/checks/{check}"))
        .await
        .expect(200);
    let further = seen["further"].as_array().unwrap();
    let tables = [&seen, &further[0]];
    assert_eq!(further.len(), 1, "{seen}");
    let mut shapes = tables.map(|table| {
        let count = |of: &str| table[of].as_array().unwrap().len();
        (count("rows"), count("columns"))
    });
    shapes.sort_unstable();
    assert_eq!(
        shapes,
        [(1, 3), (32, 2)],
        "the totals behind the mean, and the departments: {seen}"
    );
    let second = app.client(Who::Anonymous).sign_in(Who::SecondReviewer).await;
    let page = second
        .request(Method::GET, &format!("/review/checks/{check}"))
        .header(ACCEPT, "text/html");
    let page = second.send(page).await.text();
    assert_eq!(page.matches("<table>").count(), 2, "{page}");
    assert_eq!(page.matches("<tr>").count(), 1 + 1 + 1 + 32, "{page}");
    assert!(!page.contains("percent") && !page.contains(id), "{page}");
    let reason = "诊断信息敏感，不宜发布。";
    let withhold = json!({"verdict": "withhold", "reason": reason});
    let path = format!("/api/v1/checks/{check}/votes");
    app.client(Who::SecondReviewer)
        .post(&path, &withhold)
        .await
        .expect(201);
    let begun = std::time::Instant::now();
    let withheld = loop {
        let shown = analyst.get(&format!("/api/v1/jobs/{id}")).await.expect(200);
        if shown["state"] != "awaiting_review" {
            break shown;
        }
        assert!(begun.elapsed().as_secs() < 60, "{shown}\n{}", app.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(withheld["state"], "withheld");
    assert_eq!(withheld["withheld_because"], json!([reason]));
    let refused = analyst.get(&format!("/api/v1/jobs/{id}/result")).await;
    assert_eq!(refused.expect(409)["code"], "conflict");
    assert!(!app.log().contains("ALARM"), "{}", app.log());
}
