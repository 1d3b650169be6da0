//! No version is being read for ever.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use db::testing::TestDatabase;
use model::{Clock as _, VersionState};

use super::{GOOD, World};
use crate::ingestion::Ingested;

db::on_both_databases!(
    a_version_whose_last_reader_died_is_given_up,
    a_version_that_somebody_reads_or_will_read_is_left_alone,
);

async fn a_version_whose_last_reader_died_is_given_up(test: TestDatabase) {
    let world = World::new(&test).await;
    let (version, task) = world.upload("deadly", GOOD).await;
    assert!(world.original(version).exists());
    world.die_of(task).await;
    assert_eq!(
        world.version(version).await.state,
        VersionState::Ingesting,
        "nobody has said so"
    );

    assert_eq!(world.catalog.give_up_abandoned().await.unwrap(), 1);
    let failed = world.version(version).await;
    assert_eq!(failed.state, VersionState::Failed);
    let failure = failed.failure.unwrap();
    assert_eq!(failure["code"], "ingest-unavailable");
    assert!(
        failure["message"].as_str().unwrap().contains("upload it again"),
        "{failure}"
    );
    assert!(!world.original(version).exists(), "nobody needs the original");
    assert_eq!(world.catalog.give_up_abandoned().await.unwrap(), 0, "once");
}

async fn a_version_that_somebody_reads_or_will_read_is_left_alone(test: TestDatabase) {
    let world = World::new(&test).await;
    let none = async || assert_eq!(world.catalog.give_up_abandoned().await.unwrap(), 0);
    let (version, _) = world.upload("waiting", GOOD).await;
    none().await;
    let lease = world.lease().await.unwrap();
    none().await;
    // A failed attempt that will be repeated.
    let now = world.clock.now();
    let tx = world.db.begin_write().await.unwrap();
    db::task::fail(&tx, &lease, serde_json::json!({"code": "x"}), Some(now), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    none().await;
    // A process died, and its lease runs still; then it has run out, and nobody has looked.
    world.lease().await.unwrap();
    none().await;
    world.clock.advance_seconds(60);
    none().await;
    let read = world
        .catalog
        .ingest(version, |_| {}, Arc::new(AtomicBool::new(false)))
        .await;
    assert!(matches!(read, Ok(Ingested::Ready(_))), "{read:?}");
    none().await;
    assert_eq!(world.version(version).await.state, VersionState::Ready);
}
