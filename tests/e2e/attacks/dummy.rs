//! Dummy rows tell nothing of the data: two portals that declare the same answer with the same bytes.

use demo::Table;
use demo::write::CsvEncoding;

use crate::app::{TestApp, Who};
use crate::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_declaration_gives_the_same_dummy_rows_whatever_the_data_are() {
    let city = fixture::city(0.001);
    let rows = fixture::csv(&city, Table::BikeShareTrips, CsvEncoding::Utf8);
    let neighbour = fixture::without_first_person(&rows);
    let entry = fixture::entry(&city, Table::BikeShareTrips, "trips");
    let mut answers = Vec::new();
    for data in [Some(rows), Some(neighbour), None] {
        let app = TestApp::start().await;
        let who = if let Some(data) = data {
            app.publish_csv(&entry, data).await;
            Who::Anonymous
        } else {
            // No data at all: only its officers see the entry.
            app.create_entry(&entry).await;
            Who::Officer
        };
        let client = app.client(who);
        let mut files = Vec::new();
        for query in ["dummy.csv", "dummy.parquet", "dummy.csv?rows=5000&seed=3"] {
            let answer = client.get(&format!("/api/v1/datasets/trips/{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text());
            assert!(answer.body.len() > 10_000, "{query}");
            files.push(answer.body);
        }
        answers.push(files);
    }
    assert_eq!(answers[0], answers[1], "another person in the data");
    assert_eq!(answers[0], answers[2], "no data");
}
