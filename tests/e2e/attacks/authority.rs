//! Every route with nobody, with the wrong role, and with the right role of another organisation.

use std::collections::BTreeSet;

use demo::Table;
use demo::write::CsvEncoding;
use reqwest::Method;
use serde_json::{Value, json};

use super::route;
use crate::app::{TestApp, Who, form};
use crate::fixture;
use crate::flow::RESIDENTS;

use Who::{Analyst, Assessor, Auditor, Officer, OtherAnalyst, OtherOfficer, Reviewer, SecondReviewer};

/// Who may call a route.
enum Rule {
    /// Everybody.
    Public,
    /// Everybody who has signed in.
    SignedIn,
    /// These; for all others it is forbidden or not there.
    Only(&'static [Who]),
}

use Rule::{Only, Public, SignedIn};

const OFFICERS: &[Who] = &[Officer, OtherOfficer];
const OWNER: &[Who] = &[Officer];
const TRUSTED: &[Who] = &[Officer, Reviewer, SecondReviewer];
const ANSWERABLE: &[Who] = &[Officer, Reviewer, SecondReviewer, Auditor];
const ANALYSTS: &[Who] = &[Analyst, OtherAnalyst];
const PROJECT: &[Who] = &[Analyst];
const PROJECT_SEEN: &[Who] = &[Analyst, Reviewer, SecondReviewer, Auditor];
const PROJECT_LISTS: &[Who] = &[Analyst, OtherAnalyst, Reviewer, SecondReviewer, Auditor];
const REQUEST_LISTS: &[Who] = &[
    Officer,
    OtherOfficer,
    Analyst,
    OtherAnalyst,
    Reviewer,
    SecondReviewer,
    Assessor,
    Auditor,
];
const REQUEST_SEEN: &[Who] = &[Officer, Reviewer, SecondReviewer, Assessor, Auditor];
const ACCESS_SEEN: &[Who] = &[Officer, Analyst, Reviewer, SecondReviewer, Auditor];
const REVIEWERS: &[Who] = &[Reviewer, SecondReviewer];
const CHECKERS: &[Who] = &[Reviewer, SecondReviewer, Assessor];
const NOBODY: &[Who] = &[];

/// A route, an address of it, who may, and what is sent.
struct Row {
    route: &'static str,
    address: String,
    rule: Rule,
    body: Body,
}

enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, String)>),
    File,
}

/// What stands in the addresses.
struct Things {
    /// A draft of level L3 with a version, and a release request that waits for its opinion.
    draft_request: String,
    task: String,
    access: String,
    project: String,
    job: String,
    check: String,
}

#[expect(clippy::too_many_lines, reason = "one row a route: the table is the test")]
fn table(things: &Things) -> Vec<Row> {
    let Things {
        draft_request: request,
        task,
        access,
        project,
        job,
        check,
    } = things;
    let row = |route, address: &str, rule, body| Row {
        route,
        address: address.to_owned(),
        rule,
        body,
    };
    let get = |route, address: &str, rule| row(route, address, rule, Body::None);
    let question = json!({"kind": "sql", "sql": RESIDENTS, "epsilon": 0.1});
    let opinion = json!({"opinion": "safe", "reason": "申报元数据与脱敏规则相符，未见再识别风险。"});
    let decision = json!({"decision": "approve", "reason": "符合开放要求，同意。"});
    let purpose = "研究早晚高峰各区骑行需求，改进车辆调度。";
    let apply = json!({"datasets": ["trips"], "purpose": purpose, "safeguards": purpose});
    let mut change = fixture::entry(&fixture::city(0.001), Table::BikeShareTrips, "draft");
    change.as_object_mut().unwrap().remove("slug");
    let fields = |pairs: &[(&'static str, &str)]| {
        Body::Form(
            pairs
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        )
    };
    let entry_form = || {
        fields(&[
            ("slug", "by-form"),
            ("title_zh", "测试"),
            ("summary_zh", "测试"),
            ("action", "save"),
        ])
    };
    let api = |path: &str| format!("/api/v1{path}");
    vec![
        // The API
        get("GET /api/v1/openapi.json", "/api/v1/openapi.json", Public),
        get("GET /api/v1/datasets", "/api/v1/datasets", Public),
        row(
            "POST /api/v1/datasets",
            "/api/v1/datasets",
            Only(OFFICERS),
            Body::Json(fixture::plain_entry("by-api")),
        ),
        get(
            "GET /api/v1/datasets/{slug}",
            "/api/v1/datasets/draft",
            Only(TRUSTED),
        ),
        row(
            "PUT /api/v1/datasets/{slug}",
            "/api/v1/datasets/draft",
            Only(OWNER),
            Body::Json(change),
        ),
        get(
            "GET /api/v1/datasets/{slug}/versions",
            "/api/v1/datasets/draft/versions",
            Only(TRUSTED),
        ),
        get(
            "GET /api/v1/datasets/{slug}/versions/{number}",
            "/api/v1/datasets/trips/versions/1",
            Only(TRUSTED),
        ),
        row(
            "POST /api/v1/datasets/{slug}/versions",
            "/api/v1/datasets/trips/versions",
            Only(OWNER),
            Body::File,
        ),
        get(
            "GET /api/v1/datasets/{slug}/rows",
            "/api/v1/datasets/trips/rows",
            Only(NOBODY),
        ),
        get(
            "GET /api/v1/datasets/{slug}/dummy.csv",
            "/api/v1/datasets/draft/dummy.csv",
            Only(TRUSTED),
        ),
        get(
            "GET /api/v1/datasets/{slug}/dummy.parquet",
            "/api/v1/datasets/draft/dummy.parquet",
            Only(TRUSTED),
        ),
        get(
            "GET /api/v1/datasets/{slug}/privacy-loss",
            "/api/v1/datasets/trips/privacy-loss",
            Only(ANSWERABLE),
        ),
        row(
            "POST /api/v1/datasets/{slug}/release-requests",
            "/api/v1/datasets/trips/release-requests",
            Only(OWNER),
            Body::Json(json!({})),
        ),
        get(
            "GET /api/v1/tasks/{id}",
            &api(&format!("/tasks/{task}")),
            Only(OWNER),
        ),
        get("GET /api/v1/reviews", "/api/v1/reviews", Only(REQUEST_LISTS)),
        get(
            "GET /api/v1/reviews/{id}",
            &api(&format!("/reviews/{request}")),
            Only(REQUEST_SEEN),
        ),
        row(
            "POST /api/v1/reviews/{id}/opinions",
            &api(&format!("/reviews/{request}/opinions")),
            Only(&[Assessor]),
            Body::Json(opinion),
        ),
        row(
            "POST /api/v1/reviews/{id}/decision",
            &api(&format!("/reviews/{request}/decision")),
            Only(REVIEWERS),
            Body::Json(decision),
        ),
        row(
            "POST /api/v1/reviews/{id}/withdrawal",
            &api(&format!("/reviews/{request}/withdrawal")),
            Only(OWNER),
            Body::None,
        ),
        row(
            "POST /api/v1/access-requests",
            "/api/v1/access-requests",
            Only(ANALYSTS),
            Body::Json(apply),
        ),
        get(
            "GET /api/v1/access-requests/{id}",
            &api(&format!("/access-requests/{access}")),
            Only(ACCESS_SEEN),
        ),
        get("GET /api/v1/projects", "/api/v1/projects", Only(PROJECT_LISTS)),
        get(
            "GET /api/v1/projects/{id}",
            &api(&format!("/projects/{project}")),
            Only(PROJECT_SEEN),
        ),
        row(
            "POST /api/v1/projects/{id}/estimates",
            &api(&format!("/projects/{project}/estimates")),
            Only(PROJECT),
            Body::Json(question.clone()),
        ),
        get(
            "GET /api/v1/projects/{id}/jobs",
            &api(&format!("/projects/{project}/jobs")),
            Only(PROJECT_SEEN),
        ),
        row(
            "POST /api/v1/projects/{id}/jobs",
            &api(&format!("/projects/{project}/jobs")),
            Only(PROJECT),
            Body::Json(question),
        ),
        get(
            "GET /api/v1/jobs/{id}",
            &api(&format!("/jobs/{job}")),
            Only(PROJECT_SEEN),
        ),
        get(
            "GET /api/v1/jobs/{id}/result",
            &api(&format!("/jobs/{job}/result")),
            Only(PROJECT),
        ),
        get("GET /api/v1/checks", "/api/v1/checks", Only(CHECKERS)),
        get(
            "GET /api/v1/checks/{id}",
            &api(&format!("/checks/{check}")),
            Only(CHECKERS),
        ),
        row(
            "POST /api/v1/checks/{id}/votes",
            &api(&format!("/checks/{check}/votes")),
            Only(CHECKERS),
            Body::Json(json!({"verdict": "release"})),
        ),
        // Tokens are made, seen and withdrawn by people who have signed in, never with a token.
        get("GET /api/v1/tokens", "/api/v1/tokens", Only(NOBODY)),
        row(
            "POST /api/v1/tokens",
            "/api/v1/tokens",
            Only(NOBODY),
            Body::Json(json!({"name": "more", "scopes": ["catalog:read"], "expires_in_days": 1})),
        ),
        get(
            "DELETE /api/v1/tokens/{id}",
            &api(&format!("/tokens/{job}")),
            Only(NOBODY),
        ),
        get("GET /api/v1/me", "/api/v1/me", SignedIn),
        row(
            "POST /api/v1/sql",
            "/api/v1/sql",
            Public,
            Body::Json(json!({"sql": "SELECT 1 AS one"})),
        ),
        // Files, the log, operations
        get(
            "GET /datasets/{slug}/{file}",
            "/datasets/trips/download.csv",
            Only(NOBODY),
        ),
        get("GET /ledger/key", "/ledger/key", Public),
        get("GET /ledger/checkpoint", "/ledger/checkpoint", Public),
        get("GET /ledger/tile/{*path}", "/ledger/tile/0/000", Public),
        get("GET /health/live", "/health/live", Public),
        get("GET /health/ready", "/health/ready", Public),
        get("GET /metrics", "/metrics", Public), // from this machine only: `metrics_are_for_operators`
        get("GET /assets/{hash}/{name}", "/assets/0/shapan.css", Public),
        // Pages
        get("GET /", "/", Public),
        get("GET /about", "/about", Public),
        get("GET /problems", "/problems", Public),
        get("GET /datasets", "/datasets", Public),
        get("GET /datasets/{slug}", "/datasets/draft", Only(OWNER)),
        get("GET /sql", "/sql", Public),
        row("POST /sql", "/sql", Public, fields(&[("sql", "SELECT 1 AS one")])),
        get("GET /sign-in", "/sign-in", Public),
        row(
            "POST /sign-in",
            "/sign-in",
            Public,
            fields(&[
                ("username", "auditor"),
                ("password", crate::app::PASSWORD),
                ("next", "/"),
            ]),
        ),
        row("POST /sign-out", "/sign-out", Public, fields(&[])),
        get("GET /account", "/account", Only(NOBODY)),
        row(
            "POST /account/tokens",
            "/account/tokens",
            Only(NOBODY),
            fields(&[
                ("name", "more"),
                ("scopes", "catalog:read"),
                ("expires_in_days", "1"),
            ]),
        ),
        row(
            "POST /account/tokens/{id}/revoke",
            &format!("/account/tokens/{job}/revoke"),
            Only(NOBODY),
            fields(&[]),
        ),
        get("GET /publish", "/publish", Only(OFFICERS)),
        get("GET /publish/new", "/publish/new", Only(OFFICERS)),
        row("POST /publish/new", "/publish/new", Only(OFFICERS), entry_form()),
        get("GET /publish/{slug}/edit", "/publish/draft/edit", Only(OWNER)),
        row(
            "POST /publish/{slug}/edit",
            "/publish/draft/edit",
            Only(OWNER),
            entry_form(),
        ),
        get("GET /publish/{slug}/upload", "/publish/draft/upload", Only(OWNER)),
        row(
            "POST /publish/{slug}/upload",
            "/publish/draft/upload",
            Only(OWNER),
            Body::File,
        ),
        get(
            "GET /publish/{slug}/release",
            "/publish/draft/release",
            Only(OWNER),
        ),
        row(
            "POST /publish/{slug}/release",
            "/publish/trips/release",
            Only(OWNER),
            fields(&[("confirm", "yes")]),
        ),
        get(
            "GET /publish/{slug}/versions/{number}",
            "/publish/trips/versions/1",
            Only(TRUSTED),
        ),
        get("GET /tasks/{id}", &format!("/tasks/{task}"), Only(OWNER)),
        get("GET /review", "/review", Only(REQUEST_LISTS)),
        get("GET /review/checks", "/review/checks", Only(CHECKERS)),
        get(
            "GET /review/checks/{id}",
            &format!("/review/checks/{check}"),
            Only(CHECKERS),
        ),
        row(
            "POST /review/checks/{id}/vote",
            &format!("/review/checks/{check}/vote"),
            Only(CHECKERS),
            fields(&[("verdict", "release")]),
        ),
        get(
            "GET /review/{id}",
            &format!("/review/{request}"),
            Only(REQUEST_SEEN),
        ),
        row(
            "POST /review/{id}/opinion",
            &format!("/review/{request}/opinion"),
            Only(&[Assessor]),
            fields(&[
                ("revision", "1"),
                ("opinion", "safe"),
                ("text", "申报元数据与脱敏规则相符，未见再识别风险。"),
            ]),
        ),
        row(
            "POST /review/{id}/decision",
            &format!("/review/{request}/decision"),
            Only(REVIEWERS),
            fields(&[
                ("revision", "1"),
                ("decision", "approve"),
                ("reason", "符合开放要求，同意。"),
            ]),
        ),
        get("GET /sandbox", "/sandbox", Public),
        get("GET /sandbox/apply", "/sandbox/apply", Only(ANALYSTS)),
        row(
            "POST /sandbox/apply",
            "/sandbox/apply",
            Only(ANALYSTS),
            fields(&[
                ("datasets", "trips"),
                ("purpose", purpose),
                ("safeguards", purpose),
                ("promise", "yes"),
            ]),
        ),
        get(
            "GET /sandbox/requests/{id}",
            &format!("/sandbox/requests/{access}"),
            Only(ACCESS_SEEN),
        ),
        row(
            "POST /sandbox/requests/{id}/withdraw",
            &format!("/sandbox/requests/{access}/withdraw"),
            Only(PROJECT),
            fields(&[("revision", "1")]),
        ),
        get(
            "GET /sandbox/projects/{id}",
            &format!("/sandbox/projects/{project}"),
            Only(PROJECT_SEEN),
        ),
        get(
            "GET /sandbox/projects/{id}/jobs/new",
            &format!("/sandbox/projects/{project}/jobs/new"),
            Only(PROJECT),
        ),
        row(
            "POST /sandbox/projects/{id}/jobs/new",
            &format!("/sandbox/projects/{project}/jobs/new"),
            Only(PROJECT),
            fields(&[
                ("sql", RESIDENTS),
                ("epsilon", "0.1"),
                ("action", "run"),
                ("idempotency_key", "theirs"),
            ]),
        ),
        get(
            "GET /sandbox/jobs/{id}",
            &format!("/sandbox/jobs/{job}"),
            Only(PROJECT_SEEN),
        ),
        get(
            "GET /sandbox/jobs/{id}/result.csv",
            &format!("/sandbox/jobs/{job}/result.csv"),
            Only(PROJECT),
        ),
        get(
            "GET /sandbox/jobs/{id}/receipt.json",
            &format!("/sandbox/jobs/{job}/receipt.json"),
            Only(PROJECT),
        ),
        get("GET /ledger", "/ledger", Public),
    ]
}

async fn prepare(app: &TestApp) -> Things {
    let city = fixture::city(0.001);
    app.publish(&city, Table::BikeShareTrips, "trips").await;
    app.create_entry(&fixture::entry(&city, Table::BikeShareTrips, "draft"))
        .await;
    let csv = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let accepted = app.upload_good("draft", csv).await;
    let draft_request = app.submit_release("draft").await;
    let project = app.open_project(Analyst, &["trips"], 2.0).await;
    let requests = app
        .client(Analyst)
        .get("/api/v1/reviews?kind=access")
        .await
        .expect(200);
    let question = json!({"kind": "sql", "sql": "SELECT COUNT(*) AS n FROM trips", "epsilon": 0.1});
    let job = app
        .client(Analyst)
        .post(&format!("/api/v1/projects/{project}/jobs"), &question)
        .await
        .expect(202);
    let job = job["id"].as_str().unwrap().to_owned();
    app.wait_released(&app.client(Analyst), &job, &mut Vec::new())
        .await;
    Things {
        draft_request,
        task: accepted["task"].as_str().unwrap().to_owned(),
        access: requests["results"][0]["id"].as_str().unwrap().to_owned(),
        project,
        job,
        check: waiting_check(app, &city).await,
    }
}

/// A special dataset's answer that waits for its checkers.
async fn waiting_check(app: &TestApp, city: &demo::City) -> String {
    app.publish(city, Table::OutpatientVisits, "visits").await;
    let project = app.open_project(Analyst, &["visits"], 2.0).await;
    let question = json!({"kind": "sql", "sql": "SELECT COUNT(*) AS n FROM visits", "epsilon": 0.1});
    app.client(Analyst)
        .post(&format!("/api/v1/projects/{project}/jobs"), &question)
        .await
        .expect(202);
    app.wait_check().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_closed_to_all_but_those_who_may() {
    let app = TestApp::start().await;
    let things = prepare(&app).await;
    let before = state(&app, &things).await;
    let table = table(&things);
    let known: BTreeSet<String> = table.iter().map(|row| row.route.to_owned()).collect();
    let routes = route::all();
    let missing: Vec<_> = routes.difference(&known).collect();
    let gone: Vec<_> = known.difference(&routes).collect();
    assert!(
        missing.is_empty(),
        "routes without a row in this test: {missing:?}"
    );
    assert!(gone.is_empty(), "rows for routes that are gone: {gone:?}");

    let mut wrong = Vec::new();
    for row in &table {
        let reads = row.route.starts_with("GET");
        for who in Who::ALL {
            let may = match row.rule {
                Public => true,
                SignedIn => who != Who::Anonymous,
                Only(list) => list.contains(&who),
            };
            // What may be done is done by the stories; here only reading shows that a door is no wall.
            if may && !reads && !matches!(row.rule, Public) {
                continue;
            }
            let status = call(&app, who, row).await;
            let refused = match who {
                Who::Anonymous => matches!(status, 401 | 404),
                _ => matches!(status, 403 | 404),
            };
            let fine = if may {
                !matches!(status, 401 | 403) && status < 500
            } else {
                refused
            };
            // A public address may be of nothing, such as an old style sheet; one of somebody's must be there.
            let fine = fine && !(may && matches!(row.rule, Only(_)) && status == 404);
            if !fine {
                wrong.push(format!("{} as {who:?}: {status}", row.route));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), app.log());
    assert_eq!(
        state(&app, &things).await,
        before,
        "a refused request changed something"
    );
}

async fn call(app: &TestApp, who: Who, row: &Row) -> u16 {
    let client = app.client(who);
    let method: Method = row.route.split(' ').next().unwrap().parse().unwrap();
    let request = client
        .request(method, &row.address)
        .header("accept", "application/json")
        .header("if-match", "\"1\"");
    let request = match &row.body {
        Body::None => request,
        Body::Json(value) => request.json(value),
        Body::File => {
            let file = reqwest::multipart::Part::bytes(b"a,b\n1,2\n3,4\n".to_vec()).file_name("a.csv");
            request.multipart(reqwest::multipart::Form::new().part("file", file))
        }
        Body::Form(fields) => {
            let fields: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form(&fields))
        }
    };
    client.send(request).await.status
}

/// All that the refused requests were about.
async fn state(app: &TestApp, things: &Things) -> Value {
    let reviewer = app.client(Reviewer);
    let officer = app.client(Officer);
    let mut request = reviewer
        .get(&format!("/api/v1/reviews/{}", things.draft_request))
        .await
        .expect(200);
    request["overdue"].take();
    json!({
        "request": request,
        "access": reviewer.get(&format!("/api/v1/access-requests/{}", things.access)).await.expect(200),
        "requests": reviewer.get("/api/v1/reviews?limit=100").await.expect(200)["results"].as_array().unwrap().len(),
        "project": reviewer.get(&format!("/api/v1/projects/{}", things.project)).await.expect(200),
        "draft": officer.get("/api/v1/datasets/draft").await.expect(200),
        "versions": officer.get("/api/v1/datasets/trips/versions").await.expect(200),
        "draft versions": officer.get("/api/v1/datasets/draft/versions").await.expect(200),
    })
}
