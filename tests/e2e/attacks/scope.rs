//! What a token of one scope can do: as much as that scope says, of what its owner may.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Client, TestApp, Who};
use crate::fixture;
use demo::Table;

const SCOPES: [&str; 5] = [
    "catalog:read",
    "dataset:write",
    "review:write",
    "sandbox:use",
    "admin:write",
];

/// Somebody with a token of one scope, made as people make them: signed in.
async fn with_scope(app: &TestApp, who: Who, scope: &str) -> Client {
    let nobody = app.client(Who::Anonymous);
    let session = nobody.sign_in(who).await;
    let request = session
        .request(Method::POST, "/api/v1/tokens")
        .header("accept", "application/json")
        .header("x-csrf-token", &session.csrf)
        .json(&json!({"name": scope, "scopes": [scope], "expires_in_days": 1}));
    let token = session.send(request).await.expect(201);
    nobody.with_token(Some(token["token"].as_str().unwrap().to_owned()))
}

async fn apply(client: &Client) -> crate::app::Answer {
    let text = "研究早晚高峰各区骑行需求，改进车辆调度。";
    let body = json!({"datasets": ["trips"], "purpose": text, "safeguards": text});
    client.post("/api/v1/access-requests", &body).await
}

async fn withdraw(client: &Client, id: &str, etag: &str) -> u16 {
    let path = format!("/api/v1/reviews/{id}/withdrawal");
    client.post_if_match(&path, etag, &Value::Null).await.status
}

/// The scope that an access request is sent with is the one that it is looked at, listed and taken back with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_with_a_scope_can_be_followed_and_taken_back_with_it() {
    let app = TestApp::start().await;
    let city = fixture::city(0.001);
    app.publish(&city, Table::BikeShareTrips, "trips").await;
    let mut asked = None;
    for scope in SCOPES {
        let analyst = with_scope(&app, Who::Analyst, scope).await;
        let answer = apply(&analyst).await;
        if scope == "sandbox:use" {
            asked = Some(answer.expect(201)["id"].as_str().unwrap().to_owned());
        } else {
            answer.expect_problem(403, "forbidden");
        }
    }
    let id = asked.unwrap();
    let sandbox = with_scope(&app, Who::Analyst, "sandbox:use").await;
    let seen = sandbox.get(&format!("/api/v1/access-requests/{id}")).await;
    assert_eq!(seen.expect(200)["state"], "awaiting_decision");
    let etag = seen.header("etag").to_owned();
    assert_eq!(
        sandbox.get(&format!("/api/v1/reviews/{id}")).await.expect(200)["id"],
        id.as_str()
    );
    let listed = sandbox.get("/api/v1/reviews?kind=access").await.expect(200);
    assert_eq!(listed["results"][0]["id"], id.as_str());

    // What only reads the catalogue reads no requests; nor does another enterprise, whatever its scopes.
    for client in [
        with_scope(&app, Who::Analyst, "catalog:read").await,
        with_scope(&app, Who::Analyst, "admin:write").await,
        with_scope(&app, Who::OtherAnalyst, "sandbox:use").await,
    ] {
        let hidden = client.get(&format!("/api/v1/access-requests/{id}")).await;
        hidden.expect_problem(404, "not-found");
        assert!(matches!(withdraw(&client, &id, &etag).await, 403 | 404));
    }
    // A scope gives no role: the reviewer's own token of it decides nothing and takes nothing back.
    let reviewer = with_scope(&app, Who::Reviewer, "sandbox:use").await;
    assert_eq!(withdraw(&reviewer, &id, &etag).await, 403);
    let decision = json!({"decision": "reject", "reason": "理由充分，不予批准。"});
    let decided = reviewer
        .post_if_match(&format!("/api/v1/reviews/{id}/decision"), &etag, &decision)
        .await;
    decided.expect_problem(403, "forbidden");

    assert_eq!(withdraw(&sandbox, &id, &etag).await, 200);
    let seen = sandbox
        .get(&format!("/api/v1/access-requests/{id}"))
        .await
        .expect(200);
    assert_eq!(seen["state"], "withdrawn");
}

/// The same for officers: `dataset:write` asks for a release, follows it and takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_request_is_followed_and_taken_back_with_the_scope_it_was_sent_with() {
    let app = TestApp::start().await;
    app.create_entry(&fixture::plain_entry("table")).await;
    app.upload_good("table", b"a,b\n1,2\n3,4\n".to_vec()).await;
    let officer = with_scope(&app, Who::Officer, "dataset:write").await;
    let sent = officer
        .post("/api/v1/datasets/table/release-requests", &json!({"note": ""}))
        .await;
    let id = sent.expect(201)["id"].as_str().unwrap().to_owned();
    let seen = officer.get(&format!("/api/v1/reviews/{id}")).await;
    seen.expect(200);
    assert_eq!(withdraw(&officer, &id, seen.header("etag")).await, 200);
}
