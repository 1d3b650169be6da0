//! Open data out: preview, rows, downloads, SQL.

use demo::Table;
use demo::write::CsvEncoding;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::{TestApp, Who};
use crate::fixture;

const SLUG: &str = "bike-parking";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_dataset_comes_out_in_every_way() {
    let app = TestApp::start().await;
    let city = fixture::city(0.01);
    let csv = app.publish(&city, Table::BikeParking, SLUG).await;
    let rows = csv::Reader::from_reader(csv.as_slice()).records().count();
    assert!(rows > 20, "{rows}");
    catalogue(&app, rows).await;
    row_api(&app, rows).await;
    downloads(&app).await;
    sql(&app, rows).await;
    next_version(&app, &city).await;
}

async fn catalogue(app: &TestApp, rows: usize) {
    let nobody = app.client(Who::Anonymous);
    let dataset = nobody.get(&format!("/api/v1/datasets/{SLUG}")).await.expect(200);
    assert_eq!(dataset["version"]["rows"], rows);
    assert_eq!(dataset["version"]["downloads"].as_array().unwrap().len(), 5);
    let found = nobody
        .get("/api/v1/datasets?level=L1&format=parquet")
        .await
        .expect(200);
    assert_eq!(found["count"], 1);
    assert_eq!(found["results"][0]["slug"], SLUG);
    let versions = nobody
        .get(&format!("/api/v1/datasets/{SLUG}/versions"))
        .await
        .expect(200);
    assert_eq!(versions["results"].as_array().unwrap().len(), 1);
    assert_eq!(versions["results"][0]["state"], "released");
    let profile = nobody
        .get(&format!("/api/v1/datasets/{SLUG}/versions/1"))
        .await
        .expect(200);
    assert_eq!(
        profile["profile"]["rows"], rows,
        "an open dataset's profile is public"
    );
    for path in [
        format!("/datasets/{SLUG}"),
        "/datasets?q=bike".to_owned(),
        "/".to_owned(),
    ] {
        let page = nobody.page(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(page.text().contains(SLUG), "{path}");
    }
}

async fn row_api(app: &TestApp, rows: usize) {
    let nobody = app.client(Who::Anonymous);
    let base = format!("/api/v1/datasets/{SLUG}/rows");
    let all = nobody.get(&format!("{base}?limit=10000")).await.expect(200);
    assert_eq!(all["results"].as_array().unwrap().len(), rows);
    assert_eq!(all["next_cursor"], Value::Null);
    let mut pages = Vec::new();
    let mut path = format!("{base}?limit=7");
    loop {
        let page = nobody.get(&path).await.expect(200);
        pages.extend(page["results"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{base}?limit=7&cursor={cursor}");
    }
    assert_eq!(
        Value::Array(pages),
        all["results"],
        "pages are the whole, in order"
    );
    let column = all["results"][0]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    let some = nobody
        .get(&format!("{base}?columns={column}&order=-{column}&limit=2"))
        .await
        .expect(200);
    assert_eq!(some["results"][0].as_object().unwrap().len(), 1);
    let none = nobody.get(&format!("{base}?where=1%3D0")).await.expect(200);
    assert_eq!(none["results"], json!([]));
    for bad in [
        "where=(SELECT%201)",
        "where=1%3B%20DROP%20TABLE%20x",
        "columns=nothing",
        "order=nothing",
    ] {
        nobody
            .get(&format!("{base}?{bad}"))
            .await
            .expect_problem(400, "invalid-sql");
    }
    for bad in ["limit=0", "limit=10001", "limit=x", "colums=a"] {
        nobody
            .get(&format!("{base}?{bad}"))
            .await
            .expect_problem(400, "invalid-input");
    }
}

async fn downloads(app: &TestApp) {
    let nobody = app.client(Who::Anonymous);
    for extension in ["csv", "json", "ndjson", "parquet", "arrow"] {
        let path = format!("/datasets/{SLUG}/download.{extension}");
        let whole = nobody.get(&path).await;
        assert_eq!(whole.status, 200, "{}", whole.text());
        let digest = hex::encode(Sha256::digest(&whole.body));
        let line = nobody.get(&format!("{path}.sha256")).await.text();
        assert_eq!(
            line.split_whitespace().next(),
            Some(digest.as_str()),
            "{extension}"
        );
        let etag = whole.header("etag").to_owned();
        assert!(etag.starts_with('"'), "a strong tag: {etag}");
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert!(whole.header("content-disposition").starts_with("attachment"));
        assert_eq!(whole.header("x-content-type-options"), "nosniff");

        let ask = |headers: &[(&str, &str)]| {
            let mut request = nobody.request(Method::GET, &path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            nobody.send(request)
        };
        let known = ask(&[("if-none-match", &etag)]).await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        let part = ask(&[("range", "bytes=3-12")]).await;
        assert_eq!(part.status, 206);
        assert_eq!(part.body, whole.body[3..13]);
        assert_eq!(
            part.header("content-range"),
            format!("bytes 3-12/{}", whole.body.len())
        );
        let tail = ask(&[("range", "bytes=-5"), ("if-range", &etag)]).await;
        assert_eq!(
            (tail.status, tail.body.as_slice()),
            (206, &whole.body[whole.body.len() - 5..])
        );
        let changed = ask(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await;
        assert_eq!((changed.status, changed.body.len()), (200, whole.body.len()));
        let beyond = ask(&[("range", "bytes=99999999-")]).await;
        beyond.expect_problem(416, "range-not-satisfiable");
        assert_eq!(
            beyond.header("content-range"),
            format!("bytes */{}", whole.body.len())
        );
        let lost = ask(&[("if-match", "\"other\"")]).await;
        lost.expect_problem(412, "precondition-failed");
        let head = nobody.send(nobody.request(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.header("etag")), (200, etag.as_str()));
        assert_eq!(head.header("content-length"), whole.body.len().to_string());
    }
    nobody
        .get(&format!("/datasets/{SLUG}/download.exe"))
        .await
        .expect_problem(404, "not-found");
    nobody
        .get(&format!("/datasets/{SLUG}/download.csv?version=9"))
        .await
        .expect_problem(404, "not-found");
}

async fn sql(app: &TestApp, rows: usize) {
    let nobody = app.client(Who::Anonymous);
    let query = json!({"sql": "SELECT COUNT(*) AS n FROM bike_parking"});
    let ask = |accept: &'static str| {
        nobody.send(
            nobody
                .request(Method::POST, "/api/v1/sql")
                .header("accept", accept)
                .json(&query),
        )
    };
    let answer = ask("application/json").await.expect(200);
    assert!(answer.to_string().contains(&rows.to_string()), "{answer}");
    let csv = ask("text/csv").await;
    assert_eq!(csv.text().trim_end().replace('\r', ""), format!("n\n{rows}"));
    let arrow = ask("application/vnd.apache.arrow.stream").await;
    assert!(
        arrow.status == 200 && arrow.body.starts_with(&[0xFF; 4]),
        "an Arrow stream begins with a continuation"
    );
    let parquet = ask("application/vnd.apache.parquet").await;
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    ask("image/png").await.expect_problem(406, "not-acceptable");
    for bad in [
        "SELECT",
        "DROP TABLE bike_parking",
        "COPY bike_parking TO '/tmp/x'",
        "SELECT * FROM '/etc/passwd'",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "SET datafusion.execution.target_partitions = 1",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT * FROM information_schema.tables",
    ] {
        let answer = nobody.post("/api/v1/sql", &json!({"sql": bad})).await;
        assert!((400..500).contains(&answer.status), "{bad}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{bad}");
    }
}

/// A second version takes the pointer; the first keeps its address and its bytes.
async fn next_version(app: &TestApp, city: &demo::City) {
    let nobody = app.client(Who::Anonymous);
    let old = nobody
        .get(&format!("/datasets/{SLUG}/download.csv?version=1"))
        .await;
    let csv = fixture::csv(city, Table::BikeParking, CsvEncoding::Utf8);
    let shorter: Vec<u8> = csv
        .split_inclusive(|b| *b == b'\n')
        .take(11)
        .flatten()
        .copied()
        .collect();
    app.upload_good(SLUG, shorter).await;
    let during = nobody.get(&format!("/api/v1/datasets/{SLUG}")).await.expect(200);
    assert_eq!(
        during["version"]["number"], 1,
        "nothing changes before the release"
    );
    nobody
        .get(&format!("/api/v1/datasets/{SLUG}/versions/2"))
        .await
        .expect_problem(404, "not-found");
    let request = app.submit_release(SLUG).await;
    app.approve(&request, Value::Null).await;
    let after = nobody.get(&format!("/api/v1/datasets/{SLUG}")).await.expect(200);
    assert_eq!(
        (&after["version"]["number"], &after["version"]["rows"]),
        (&json!(2), &json!(10))
    );
    let again = nobody
        .get(&format!("/datasets/{SLUG}/download.csv?version=1"))
        .await;
    assert_eq!(again.body, old.body, "a version never changes");
}
