//! The command line: a portal is set up, filled and checked without a browser.

use std::time::{Duration, Instant};

use demo::Table;
use demo::write::CsvEncoding;

use crate::app::{PASSWORD, TestApp, Who, form};
use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_and_data_come_in_by_commands_beside_a_running_server() {
    let app = TestApp::start().await;
    let config = app.config();
    let config = config.to_str().unwrap();
    let password = app.folder().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();

    let organization = [
        "--kind",
        "department",
        "--name",
        "云州市气象局",
        "--name-en",
        "Weather Bureau",
    ];
    let place = ["--config", config];
    let arguments = [
        &["organization", "create", "weather-bureau"][..],
        &organization,
        &place,
    ]
    .concat();
    let (fine, said) = app.command(&arguments).await;
    assert!(fine, "{said}");
    let user = [
        "--name",
        "王观",
        "--organization",
        "weather-bureau",
        "--role",
        "officer",
    ];
    let secret = ["--password-file", password.to_str().unwrap()];
    let arguments = [&["user", "create", "wang"][..], &user, &secret, &place].concat();
    let (fine, said) = app.command(&arguments).await;
    assert!(fine, "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    let (fine, _) = app.command(&arguments).await;
    assert!(!fine, "a name was given twice");
    let nobody = app.client(Who::Anonymous);
    let sign_in = nobody
        .request(reqwest::Method::POST, "/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .body(form(&[
            ("username", "wang"),
            ("password", PASSWORD),
            ("next", "/"),
        ]));
    assert_eq!(nobody.send(sign_in).await.status, 303);

    let city = fixture::city(0.01);
    let csv = app.folder().join("parking.csv");
    std::fs::write(&csv, fixture::csv(&city, Table::BikeParking, CsvEncoding::Utf8)).unwrap();
    let entry = app.folder().join("entry.json");
    let mut described = fixture::entry(&city, Table::BikeParking, "bike-parking");
    described.as_object_mut().unwrap().remove("slug");
    std::fs::write(&entry, described.to_string()).unwrap();
    let import = [
        "import",
        csv.to_str().unwrap(),
        "--dataset",
        "bike-parking",
        "--as",
        "officer",
    ];
    let arguments = [&import[..], &["--entry", entry.to_str().unwrap()], &place].concat();
    let (fine, said) = app.command(&arguments).await;
    assert!(fine, "{said}");
    let publish = [
        "publish",
        "--dataset",
        "bike-parking",
        "--as",
        "officer",
        "--approve-as",
        "reviewer",
    ];
    let arguments = [&publish[..], &["--reason", "符合开放要求，同意。"], &place].concat();
    let (fine, said) = app.command(&arguments).await;
    assert!(fine, "{said}");
    let shown = nobody.get("/api/v1/datasets/bike-parking").await.expect(200);
    assert_eq!(shown["state"], "released");

    // Only a reviewer approves: a command decides by the same rules as a page.
    app.create_entry(&fixture::plain_entry("small-table")).await;
    app.upload_good("small-table", b"a,b\n1,2\n3,4\n".to_vec()).await;
    let publish = [
        "publish",
        "--dataset",
        "small-table",
        "--as",
        "officer",
        "--approve-as",
        "officer",
    ];
    let (fine, said) = app
        .command(&[&publish[..], &["--reason", "自己同意自己。"], &place].concat())
        .await;
    assert!(!fine, "an officer approved their own release: {said}");
    nobody
        .get("/api/v1/datasets/small-table")
        .await
        .expect_problem(404, "not-found");
    // The server's search follows what commands did beside it.
    let begun = Instant::now();
    while nobody.get("/api/v1/datasets").await.expect(200)["count"] != 1 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "search never finds what a command released"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mirror = app.folder().join("mirror");
    let (fine, said) = app
        .command(&["ledger", "export", mirror.to_str().unwrap(), "--config", config])
        .await;
    assert!(fine, "{said}");
    let key = app.ledger_key().to_string();
    let (_, shown) = app.command(&["ledger", "key", "--config", config]).await;
    assert!(shown.contains(&key), "{shown}");
    let remember = app.folder().join("remembered");
    let verify = [
        "ledger",
        "verify",
        mirror.to_str().unwrap(),
        "--key",
        &key,
        "--remember",
    ];
    let (fine, said) = app
        .command(&[&verify[..], &[remember.to_str().unwrap()]].concat())
        .await;
    assert!(fine, "{said}");
    flip_a_bit(&mirror);
    let (fine, said) = app
        .command(&[&verify[..], &[remember.to_str().unwrap()]].concat())
        .await;
    assert!(!fine, "a changed entry was believed: {said}");
}

/// Changes one letter in the middle of the mirror's first bundle of entries.
fn flip_a_bit(mirror: &std::path::Path) {
    let mut folders = vec![mirror.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().contains("/tile/entries/") {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&path, bytes).unwrap();
                return;
            }
        }
    }
    panic!("the mirror has no entries");
}
