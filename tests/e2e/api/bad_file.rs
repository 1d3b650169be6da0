//! Files that are not what they should be: each is told with code, place and what to do, and nothing of it is
//! published, nor left lying around.

use std::path::{Path, PathBuf};
use std::time::Duration;

use demo::Table;
use demo::write::CsvEncoding;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{Options, TestApp, Who};
use crate::fixture;

/// A file that ends its version as failed.
struct Case {
    /// The dataset's slug, and the file's name.
    name: &'static str,
    /// The file.
    bytes: Vec<u8>,
    /// The rule that it breaks.
    code: &'static str,
    /// The line that is named, where there is one.
    line: Option<u64>,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, code: &'static str, line: Option<u64>) -> Case {
    Case {
        name,
        bytes: bytes.into(),
        code,
        line,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_open_file_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let utf8 = "站点,读数\n".repeat(3) + "东岸,";
    // Neither UTF-8 nor GB18030: FF begins nothing in either.
    let broken = [utf8.as_bytes(), &[0xFF, 0xFE, 0xFF], b"\n"].concat();
    let cases = [
        case("broken-utf8", broken, "ingest-encoding", None),
        case(
            "ragged-rows",
            "a,b\n1,2\n3,4,5\n6,7\n",
            "ingest-ragged-row",
            Some(3),
        ),
        case("nul-bytes", "a,b\n1,2\n3,\0\n", "ingest-nul", Some(3)),
        case("zip-named-csv", zip(), "ingest-not-tabular", None),
        case("empty-file", "", "ingest-empty", None),
        case("blank-file", "\n\n\n", "ingest-empty", None),
        case("header-only", "a,b\n", "ingest-header-only", None),
        case(
            "duplicate-columns",
            "a,b,A\n1,2,3\n",
            "ingest-duplicate-column",
            None,
        ),
        case(
            "reserved-column",
            "__unit,b\n1,2\n",
            "ingest-reserved-column",
            None,
        ),
        case(
            "open-quote",
            "a,b\n1,\"x\n2,3\n",
            "ingest-unterminated-quote",
            None,
        ),
        case(
            "cut-parquet",
            [b"PAR1".as_slice(), &[7; 64]].concat(),
            "ingest-truncated",
            None,
        ),
    ];
    for case in &cases {
        app.create_entry(&fixture::plain_entry(case.name)).await;
        refused(&app, case).await;
    }
    // The same entry takes a good file afterwards: a failed version is passed over.
    app.upload_good("ragged-rows", b"a,b\n1,2\n3,4\n".to_vec()).await;
    let request = app.submit_release("ragged-rows").await;
    app.approve(&request, Value::Null).await;
    let shown = app
        .client(Who::Anonymous)
        .get("/api/v1/datasets/ragged-rows")
        .await
        .expect(200);
    assert_eq!(shown["version"]["rows"], 2);
    app.client(Who::Anonymous)
        .get("/api/v1/datasets/ragged-rows/versions/1")
        .await
        .expect_problem(404, "not-found");
    assert_clean(&app, &["ragged-rows"]).await;
    assert_no_alarm(&app);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_file_must_fit_its_declaration() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    let good = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let text = String::from_utf8(good.clone()).unwrap();
    let declare = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut entry = fixture::entry(&city, Table::BikeShareTrips, name);
        change(&mut entry);
        entry
    };
    let none = |_: &mut Value| {};
    let few_units = |entry: &mut Value| entry["declared"]["unit"]["max_units"] = json!(100);
    let few_rows = |entry: &mut Value| entry["declared"]["unit"]["max_rows"] = json!(100);
    let key_twice = repeat_key(&text);
    let no_key = text.replacen("person_id", "someone", 1);
    let no_valid = scramble_keys(&text);
    let moved = move_house(&text);
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(Change<'_>, Case); 6] = [
        (
            &few_units,
            case("too-many-units", good.clone(), "ingest-too-many-units", None),
        ),
        (
            &few_rows,
            case("too-many-rows", good.clone(), "ingest-too-many-rows", None),
        ),
        (
            &none,
            case(
                "column-named-like-the-key",
                key_twice,
                "ingest-duplicate-column",
                None,
            ),
        ),
        (
            &none,
            case("no-unit-key", no_key, "ingest-undeclared-column", None),
        ),
        (
            &none,
            case("no-valid-unit", no_valid, "ingest-no-valid-unit", None),
        ),
        (
            &none,
            case("unit-not-static", moved, "ingest-unit-not-static", None),
        ),
    ];
    for (change, case) in &cases {
        app.create_entry(&declare(case.name, *change)).await;
        refused(&app, case).await;
    }
    assert_clean(&app, &[]).await;
    assert_no_alarm(&app);
}

/// Uploads the file, and sees that it is refused and that nobody can get at any of it.
async fn refused(app: &TestApp, case: &Case) {
    let officer = app.client(Who::Officer);
    let accepted = app.upload(case.name, case.bytes.clone()).await;
    // A file that the first bytes give away may be refused at once; all others end as failed versions.
    if accepted.status != 202 {
        let problem: Value = serde_json::from_slice(&accepted.body).unwrap();
        accepted.expect_problem(accepted.status, problem["code"].as_str().unwrap());
        assert_eq!(problem["rule"], case.code, "{}: {problem}", case.name);
        return;
    }
    let task = app.follow(&accepted.expect(202)).await;
    assert_eq!(task["state"], "failed", "{}: {task}", case.name);
    let told = |failure: &Value, whose: &str| {
        let code = failure["code"].as_str().unwrap_or_default();
        assert!(
            code == case.code || failure["rule"] == case.code,
            "{}: {whose} says {failure}, wanted {}",
            case.name,
            case.code
        );
        let message = failure["message"]
            .as_str()
            .or_else(|| failure["detail"].as_str())
            .unwrap_or_default();
        assert!(
            message.len() > 20,
            "{}: {whose} must say what and where: {failure}",
            case.name
        );
    };
    told(&task["error"], "the task");
    let version = officer
        .get(&format!("/api/v1/datasets/{}/versions/1", case.name))
        .await
        .expect(200);
    assert_eq!(version["state"], "failed", "{}", case.name);
    told(&version["failure"], "the version");
    if case.line.is_some() {
        assert_eq!(
            version["failure"]["line"],
            json!(case.line),
            "{}: {version}",
            case.name
        );
    }
    assert_eq!(version["rows"], Value::Null);
    let path = format!("/api/v1/datasets/{}/release-requests", case.name);
    let released = officer.post(&path, &json!({})).await;
    assert!(
        matches!(released.status, 409 | 422),
        "{}: {}",
        case.name,
        released.text()
    );

    for language in [officer.clone(), officer.in_chinese()] {
        let page = language.page(&format!("/publish/{}/versions/1", case.name)).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(
            page.text().contains("role=\"alert\""),
            "{}: the page says why",
            case.name
        );
        assert!(
            page.text().contains("/problems#upload-"),
            "{}: {}",
            case.name,
            page.text()
        );
    }
}

/// A bad file is the uploader's affair: those who run the portal are not called for it.
fn assert_no_alarm(app: &TestApp) {
    let log = app.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}

/// Nothing of the refused is stored, listed, found or counted.
async fn assert_clean(app: &TestApp, released: &[&str]) {
    let nobody = app.client(Who::Anonymous);
    let found = nobody.get("/api/v1/datasets?per_page=100").await.expect(200);
    let slugs: Vec<&str> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["slug"].as_str().unwrap())
        .collect();
    assert_eq!(slugs, released);
    let expected = app.data().join("open/versions");
    assert_eq!(entries(&expected).len(), released.len(), "{expected:?}");
    for folder in [
        "open/pending",
        "sandbox/pending",
        "sandbox/versions",
        "quarantine/pending",
    ] {
        let left = entries(&app.data().join(folder));
        assert!(left.is_empty(), "{folder} holds {left:?}");
    }
    let originals = entries(&app.data().join("quarantine/uploads"));
    assert!(
        originals.len() <= released.len(),
        "originals of refused files: {originals:?}"
    );
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_two_gigabytes_takes_no_memory() {
    const CHUNK: usize = 1 << 20;
    const LENGTH: u64 = 2 << 30;
    let app = TestApp::start().await;
    app.create_entry(&fixture::plain_entry("long-line")).await;
    let token = app.client(Who::Officer);
    let request = token
        .request(
            Method::POST,
            "/api/v1/datasets/long-line/versions?filename=long-line.csv",
        )
        .header("content-type", "text/csv")
        .header("content-length", LENGTH)
        .timeout(Duration::from_secs(240));
    let chunks = futures::stream::iter((0..LENGTH / CHUNK as u64).map(|n| {
        let mut chunk = vec![b'x'; CHUNK];
        if n == 0 {
            chunk[..4].copy_from_slice(b"a,b\n");
        }
        Ok::<_, std::io::Error>(chunk)
    }));
    let accepted = token.send(request.body(reqwest::Body::wrap_stream(chunks))).await;
    let task = app.follow(&accepted.expect(202)).await;
    assert_eq!(task["state"], "failed", "{task}");
    let version = token
        .get("/api/v1/datasets/long-line/versions/1")
        .await
        .expect(200);
    let code = version["failure"]["code"].as_str().unwrap();
    assert!(
        ["ingest-record-too-long", "ingest-field-too-long"].contains(&code),
        "{version}"
    );
    let peak = app.memory("VmHWM");
    assert!(
        peak < 500 << 20,
        "a line of 2 GB took {} MiB of memory",
        peak >> 20
    );
    assert_clean(&app, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_cut_in_half_leaves_nothing() {
    let app = TestApp::start().await;
    app.create_entry(&fixture::plain_entry("cut-in-half")).await;
    let officer = app.client(Who::Officer);
    let request = officer
        .request(
            Method::POST,
            "/api/v1/datasets/cut-in-half/versions?filename=cut.csv",
        )
        .build()
        .unwrap();
    let bearer = request.headers()["authorization"].to_str().unwrap().to_owned();
    let head = |extra: &str| {
        format!(
            "POST /api/v1/datasets/cut-in-half/versions?filename=cut.csv HTTP/1.1\r\nHost: portal\r\n\
             Authorization: {bearer}\r\nContent-Type: text/csv\r\n{extra}\r\n\r\n"
        )
    };
    let half = "a,b\n1,2\n".repeat(10_000);
    // An announced length that never comes, and a chunked body that never ends.
    let cases = [
        head(&format!("Content-Length: {}", 2 * half.len())) + &half,
        head("Transfer-Encoding: chunked") + &format!("{:x}\r\n{half}\r\n", half.len()),
    ];
    for (text, abrupt) in cases.iter().flat_map(|text| [(text, false), (text, true)]) {
        let mut stream = TcpStream::connect(("127.0.0.1", app.port())).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        if abrupt {
            drop(stream);
            continue;
        }
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
        let _ = read.await.unwrap_or_else(|_| panic!("the connection hangs"));
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    // A form that breaks off inside a whole body: here there is somebody to answer.
    let boundary = "sixteen-hundred-and-one";
    let body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"cut.csv\"\r\n\
         content-type: text/csv\r\n\r\n{half}"
    );
    let request = officer
        .request(Method::POST, "/api/v1/datasets/cut-in-half/versions")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        )
        .body(body);
    let problem = officer
        .send(request)
        .await
        .expect_problem(400, "upload-incomplete");
    assert!(problem["detail"].as_str().unwrap().contains("KiB"), "{problem}");

    wait_until(|| entries(&app.data().join("quarantine/pending")).is_empty()).await;
    let versions = officer
        .get("/api/v1/datasets/cut-in-half/versions")
        .await
        .expect(200);
    assert_eq!(versions["results"], json!([]), "half a file is no version");
    assert_clean(&app, &[]).await;
}

async fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..200 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_a_path_names_nothing() {
    let app = TestApp::start().await;
    app.create_entry(&fixture::plain_entry("path-names")).await;
    let officer = app.client(Who::Officer);
    let names = [
        "../../etc/passwd",
        "/etc/passwd",
        "a\\..\\b.csv",
        "..",
        "C:evil.csv",
        "a\u{0}b.csv",
        "a\nb.csv",
    ];
    for name in names {
        let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = format!("/api/v1/datasets/path-names/versions?filename={encoded}");
        let request = officer.request(Method::POST, &path).body("a,b\n1,2\n3,4\n");
        officer.send(request).await.expect_problem(422, "refused");
        if !name.contains(['\0', '\n']) {
            let file = Part::bytes("a,b\n1,2\n3,4\n".as_bytes().to_vec()).file_name(name);
            let request = officer.request(Method::POST, "/api/v1/datasets/path-names/versions");
            let answer = officer
                .send(request.multipart(Form::new().part("file", file)))
                .await;
            answer.expect_problem(422, "refused");
        }
    }
    for slug in ["../up", "a/b", "..", "", "A", "x".repeat(200).as_str(), "a\0b"] {
        let entry = fixture::plain_entry(slug);
        officer
            .post("/api/v1/datasets", &entry)
            .await
            .expect_problem(400, "invalid-input");
    }
    for path in [
        "/api/v1/datasets/..%2F..%2Fetc%2Fpasswd",
        "/datasets/%2e%2e%2fx/download.csv",
        "/datasets/a%00b",
    ] {
        officer.get(path).await.expect_problem(404, "not-found");
    }
    for path in [
        "/ledger/tile/..%2f..%2fsecrets%2fledger.key",
        "/assets/x/..%2f..%2fsecrets%2fledger.key",
    ] {
        let answer = officer.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("PRIVATE"), "{path}");
    }
    assert_clean(&app, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_before_and_while_it_fills() {
    // Before: the reserve that must stay free is larger than any disk.
    let data = format!("reserve_bytes = {}\n", 1_u64 << 60);
    let app = TestApp::start_with(Options {
        data,
        ..Options::default()
    })
    .await;
    app.create_entry(&fixture::plain_entry("no-room")).await;
    let problem = app
        .upload("no-room", b"a,b\n1,2\n".to_vec())
        .await
        .expect_problem(503, "unavailable");
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.len() > 10),
        "{problem}"
    );
    assert_clean(&app, &[]).await;
    drop(app);
    if !can_mount() {
        return;
    }
    // While: a memory disk that is too small for the file.
    let data = "reserve_bytes = 0\n".to_owned();
    let app = TestApp::start_with(Options {
        data,
        disk: Some(24 << 20),
        ..Options::default()
    })
    .await;
    app.create_entry(&fixture::plain_entry("no-room")).await;
    let large = "x,y\n".repeat(10 << 20).into_bytes();
    app.upload("no-room", large)
        .await
        .expect_problem(503, "unavailable");
    wait_until(|| entries(&app.data().join("quarantine/pending")).is_empty()).await;
    assert_clean(&app, &[]).await;
    // With the room given back, work goes on.
    app.upload_good("no-room", b"x,y\n1,2\n3,4\n".to_vec()).await;
    let request = app.submit_release("no-room").await;
    app.approve(&request, Value::Null).await;
    assert_eq!(
        app.client(Who::Anonymous)
            .get("/datasets/no-room/download.csv")
            .await
            .status,
        200
    );
}

/// Whether this machine lets us have a mount namespace: root in a container without it cannot.
fn can_mount() -> bool {
    let script = "mount -t tmpfs -o size=64k x /tmp";
    let tried = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "/bin/sh", "-c", script])
        .stderr(std::process::Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_over_the_limit_is_cut_off() {
    let data = "upload_bytes = 100000\n".to_owned();
    let app = TestApp::start_with(Options {
        data,
        ..Options::default()
    })
    .await;
    app.create_entry(&fixture::plain_entry("too-large")).await;
    let answer = app.upload("too-large", "a,b\n".repeat(50_000).into_bytes()).await;
    answer.expect_problem(413, "too-large");
    assert_clean(&app, &[]).await;
    let ghost = app.upload("no-such-dataset", b"a,b\n1,2\n".to_vec()).await;
    ghost.expect_problem(404, "not-found");
}

/// A minimal archive: the end-of-directory record behind a local file header.
fn zip() -> Vec<u8> {
    let name = b"a.csv";
    let mut bytes = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\x08\0\0\0\x05\0\0\0".to_vec();
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(b"a,b\n1,2\nPK\x05\x06");
    bytes.extend_from_slice(&[0; 18]);
    bytes
}

/// The file with a second column named like the unit key, but for case.
fn repeat_key(text: &str) -> String {
    let lines = text.lines().enumerate().map(|(n, line)| {
        let rest = line.split_once(',').unwrap().1;
        let key = line.split(',').next().unwrap();
        format!("{key},{},{rest}\n", if n == 0 { "PERSON_ID" } else { "x" })
    });
    lines.collect()
}

/// The file with a wrong check digit in every ID number.
fn scramble_keys(text: &str) -> String {
    let mut lines = text.lines();
    let mut out = lines.next().unwrap().to_owned();
    for line in lines {
        let (key, rest) = line.split_once(',').unwrap();
        let (body, check) = key.split_at(key.len() - 1);
        let wrong = if check == "1" { "2" } else { "1" };
        out.push_str(&format!("\n{body}{wrong},{rest}"));
    }
    out + "\n"
}

/// The file with one trip of one person from another residence.
fn move_house(text: &str) -> String {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let place = headers
        .iter()
        .position(|name| name == "residence_district")
        .unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut persons = std::collections::HashMap::<&str, Vec<usize>>::new();
    for (n, record) in records.iter().enumerate() {
        persons.entry(record.get(0).unwrap()).or_default().push(n);
    }
    let rows = persons
        .values()
        .find(|rows| rows.len() > 1 && !records[rows[0]][place].is_empty())
        .unwrap();
    let home = &records[rows[0]][place];
    let other = records
        .iter()
        .map(|r| &r[place])
        .find(|name| *name != home && !name.is_empty())
        .unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&headers).unwrap();
    for (n, record) in records.iter().enumerate() {
        let change = |(column, value)| {
            if n == rows[1] && column == place {
                other
            } else {
                value
            }
        };
        writer
            .write_record(record.iter().enumerate().map(change))
            .unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}
