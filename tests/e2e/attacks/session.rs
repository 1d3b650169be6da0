//! Sessions and tokens: forged forms, guessed passwords, tokens that want more than they may.

use reqwest::Method;
use serde_json::{Value, json};

use super::route;
use crate::app::{PASSWORD, TestApp, Who, form};
use crate::fixture;

use Who::{Officer, OtherOfficer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_alone_does_not_act() {
    let app = TestApp::start().await;
    let client = app.client(Who::Anonymous);
    let officer = client.sign_in(Officer).await;
    let page = officer
        .send(
            officer
                .request(Method::GET, "/publish")
                .header("accept", "text/html"),
        )
        .await;
    assert_eq!(page.status, 200, "the session reads");

    let post = |token: Option<&str>, slug: &str| {
        let request = officer
            .request(Method::POST, "/api/v1/datasets")
            .header("accept", "application/json");
        let request = match token {
            Some(token) => request.header("x-csrf-token", token),
            None => request,
        };
        officer.send(request.json(&fixture::plain_entry(slug)))
    };
    let other = client.sign_in(OtherOfficer).await;
    let forged = "0".repeat(officer.csrf.len());
    for wrong in [
        None,
        Some(""),
        Some("x"),
        Some(forged.as_str()),
        Some(other.csrf.as_str()),
    ] {
        post(wrong, "by-forgery").await.expect_problem(403, "stale-form");
    }
    app.client(Officer)
        .get("/api/v1/datasets/by-forgery")
        .await
        .expect_problem(404, "not-found");
    assert_eq!(post(Some(&officer.csrf), "by-script").await.status, 201);

    // Every form of the pages asks for the token.
    for route in route::all() {
        let (method, path) = route.split_once(' ').unwrap();
        if method != "POST" || path.starts_with("/api/") || matches!(path, "/sign-in" | "/sql") {
            continue;
        }
        let own = path.starts_with("/publish") || path.starts_with("/account/tokens") || path == "/sign-out";
        let invented = path.contains("{id}");
        let path = path.replace("{slug}", "by-script").replace("{number}", "1");
        let path = path.replace("{id}", "019f0000-0000-7000-8000-000000000000");
        let request = officer
            .request(Method::POST, &path)
            .header("accept", "application/json");
        let request = if path.ends_with("/upload") {
            let file = reqwest::multipart::Part::bytes(b"a,b\n1,2\n".to_vec()).file_name("a.csv");
            request.multipart(reqwest::multipart::Form::new().part("file", file))
        } else {
            let body = form(&[("csrf_token", forged.as_str())]);
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
        };
        let answer = officer.send(request).await;
        if own && !invented {
            answer.expect_problem(403, "stale-form");
        } else {
            // What is not the officer's may be refused for that before the token is looked at.
            assert!(
                matches!(answer.status, 403 | 404),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    let versions = app
        .client(Officer)
        .get("/api/v1/datasets/by-script/versions")
        .await
        .expect(200);
    assert_eq!(versions["results"], json!([]));

    // The session survived all that, and ends when its owner says so.
    let bye = officer
        .request(Method::POST, "/sign-out")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(&[("csrf_token", officer.csrf.as_str())]));
    assert!(officer.send(bye).await.status < 400);
    let after = officer
        .send(
            officer
                .request(Method::GET, "/publish")
                .header("accept", "application/json"),
        )
        .await;
    after.expect_problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_tells_nothing_and_goes_nowhere_else() {
    let app = TestApp::start().await;
    let client = app.client(Who::Anonymous);
    let try_in = |username: &str, password: &str, next: &str| {
        let request = client
            .request(Method::POST, "/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html");
        client.send(request.body(form(&[
            ("username", username),
            ("password", password),
            ("next", next),
        ])))
    };
    let unknown = try_in("no-such-person", "wrong password 1", "/").await;
    let wrong = try_in("officer", "wrong password 1", "/").await;
    assert_eq!(unknown.status, wrong.status);
    assert!(!(200..400).contains(&unknown.status) || unknown.header("location").is_empty());
    let same = |text: String| text.replace("no-such-person", "officer");
    assert_eq!(
        same(unknown.text()),
        same(wrong.text()),
        "the page must not tell which of the two is wrong"
    );
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let answer = try_in("analyst", PASSWORD, next).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let location = answer.header("location");
        assert!(
            location.starts_with('/') && !location.contains("evil"),
            "{next} leads to {location}"
        );
    }
    // Guessing is slowed down.
    let mut statuses = Vec::new();
    for n in 0..40 {
        statuses.push(
            try_in("reviewer", &format!("wrong password {n}"), "/")
                .await
                .status,
        );
        if statuses.last() == Some(&429) {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_narrow_and_metrics_are_for_operators() {
    let app = TestApp::start().await;
    let client = app.client(Who::Anonymous);
    let session = client.sign_in(Officer).await;
    let make = |scopes: Value| {
        let request = session
            .request(Method::POST, "/api/v1/tokens")
            .header("x-csrf-token", &session.csrf);
        session.send(request.json(&json!({"name": "narrow", "scopes": scopes, "expires_in_days": 1})))
    };
    let made = make(json!(["catalog:read"])).await.expect(201);
    let narrow = client.with_token(Some(made["token"].as_str().unwrap().to_owned()));
    assert_eq!(narrow.get("/api/v1/me").await.expect(200)["username"], "officer");
    narrow
        .post("/api/v1/datasets", &fixture::plain_entry("by-narrow"))
        .await
        .expect_problem(403, "forbidden");
    narrow
        .get("/api/v1/reviews")
        .await
        .expect_problem(403, "forbidden");
    let wide = make(json!(["catalog:read", "dataset:write"])).await.expect(201);
    let wide = client.with_token(Some(wide["token"].as_str().unwrap().to_owned()));
    assert_eq!(
        wide.post("/api/v1/datasets", &fixture::plain_entry("by-wide"))
            .await
            .status,
        201
    );
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    let revoke = session
        .request(Method::DELETE, &path)
        .header("x-csrf-token", &session.csrf);
    assert_eq!(session.send(revoke).await.status, 204);
    narrow
        .get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");
    for scopes in [json!([]), json!(["root"]), json!("catalog:read")] {
        assert_eq!(make(scopes).await.status, 400);
    }
    for token in ["x", "shp_0", &format!("shp_{}", "0".repeat(72))] {
        let forged = client.with_token(Some(token.to_owned()));
        forged
            .get("/api/v1/datasets/none")
            .await
            .expect_problem(401, "unauthenticated");
    }

    assert_eq!(
        client.get("/metrics").await.status,
        200,
        "this machine is the operator's"
    );
    let proxied = client
        .request(Method::GET, "/metrics")
        .header("x-forwarded-for", "203.0.113.9");
    client.send(proxied).await.expect_problem(404, "not-found");
}
