//! Dummy rows: a download for whoever sees the entry, and nothing that could be taken for real.

use demo::Table;
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, Who};
use crate::fixture;

const SLUG: &str = "bike-share-trips";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dummy_rows_are_there_for_whoever_sees_the_declaration() {
    let app = TestApp::start().await;
    let city = fixture::city(0.001);
    let entry = fixture::entry(&city, Table::BikeShareTrips, SLUG);
    app.create_entry(&entry).await;
    let base = format!("/api/v1/datasets/{SLUG}/dummy");
    let nobody = app.client(Who::Anonymous);
    nobody
        .get(&format!("{base}.csv"))
        .await
        .expect_problem(404, "not-found");
    let draft = app.client(Who::Officer).get(&format!("{base}.csv")).await;
    assert_eq!(
        draft.status, 200,
        "an officer tries a declaration before there is data"
    );

    app.publish_csv(
        &fixture::entry(&city, Table::BikeShareTrips, "trips"),
        fixture::csv(&city, Table::BikeShareTrips, demo::write::CsvEncoding::Utf8),
    )
    .await;
    let base = "/api/v1/datasets/trips/dummy";
    let file = nobody.get(&format!("{base}.csv?rows=250")).await;
    assert_eq!(file.status, 200, "{}", file.text());
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"trips-dummy.csv\""
    );
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    let mut reader = csv::Reader::from_reader(file.body.as_slice());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let declared = entry["declared"]["fields"].as_array().unwrap();
    let visible: Vec<&str> = declared
        .iter()
        .filter(|field| field["role"] != "direct_identifier")
        .map(|field| field["name"].as_str().unwrap())
        .chain(["__dummy"])
        .collect();
    assert_eq!(header, visible);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 250);
    let key = header.iter().position(|name| name == "person_id").unwrap();
    for record in &records {
        assert!(record[key].starts_with("DUMMY-"), "{record:?}");
        assert!(record[header.len() - 1].contains("dummy"), "{record:?}");
    }
    let parquet = nobody.get(&format!("{base}.parquet?rows=250")).await;
    assert_eq!(parquet.status, 200);
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let again = nobody.get(&format!("{base}.csv?rows=250")).await;
    assert_eq!(file.body, again.body, "the same each time");
    let other = nobody.get(&format!("{base}.csv?rows=250&seed=1")).await;
    assert_ne!(file.body, other.body);

    for bad in ["rows=0", "rows=100001", "rows=many", "seed=-1", "row=5"] {
        nobody
            .get(&format!("{base}.csv?{bad}"))
            .await
            .expect_problem(400, "invalid-input");
    }
    nobody
        .get(&format!("{base}.xlsx"))
        .await
        .expect_problem(404, "not-found");
    nobody
        .get("/api/v1/datasets/nowhere/dummy.csv")
        .await
        .expect_problem(404, "not-found");
    app.create_entry(&fixture::plain_entry("plain")).await;
    app.client(Who::Officer)
        .get("/api/v1/datasets/plain/dummy.csv")
        .await
        .expect_problem(404, "not-found");
    let page = nobody.page("/datasets/trips").await.text();
    assert!(page.contains("/api/v1/datasets/trips/dummy.csv"), "{page}");
    let head = nobody
        .send(nobody.request(Method::HEAD, &format!("{base}.csv")))
        .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_tried_over_dummy_rows() {
    let app = TestApp::start().await;
    let city = fixture::city(0.002);
    app.publish(&city, Table::BikeShareTrips, SLUG).await;
    app.publish(&city, Table::BikeParking, "bike-parking").await;
    let address = app.address();
    let attempt = async |sql: &str| {
        let arguments = ["job", "try", sql, "--portal", address.as_str(), "--rows", "2000"];
        app.command(&arguments).await
    };
    let (fine, text) =
        attempt("SELECT sex, COUNT(*) AS trips, AVG(distance_m) AS mean FROM bike_share_trips GROUP BY sex")
            .await;
    assert!(fine, "{text}");
    for want in ["dummy", "accepted", "ε = 0.5", "trips", "mean", "男"] {
        assert!(text.contains(want), "wanted {want:?} in {text}");
    }
    // Open data comes from the portal.
    let (fine, text) = attempt(
        "SELECT p.district, COUNT(*) AS trips FROM bike_share_trips t JOIN (SELECT district, SUM(capacity) AS capacity \
         FROM bike_parking GROUP BY district) p ON t.start_district = p.district GROUP BY p.district",
    )
    .await;
    assert!(fine, "{text}");
    let (fine, text) = attempt("SELECT sex,\n  MIN(distance_m)\nFROM bike_share_trips GROUP BY sex").await;
    assert!(!fine && text.contains("unbounded-aggregate"), "{text}");
    assert!(
        text.contains("  MIN(distance_m)\n") && text.contains('^'),
        "{text}"
    );
    let (fine, text) = attempt("SELECT COUNT(*) FROM nowhere_at_all").await;
    assert!(!fine && text.contains("nowhere"), "{text}");
    // Nothing was charged, queued or even noticed: nobody was asked who they are.
    let jobs = app.client(Who::Auditor).get("/api/v1/projects").await.expect(200);
    assert_eq!(jobs["results"], json!([]));
}
