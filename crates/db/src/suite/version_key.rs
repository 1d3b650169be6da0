//! Wrapped keys: one per version and purpose, and destroyed for good.

use model::{DatasetId, LineageId, Timestamp, VersionId, VersionState};
use serde_json::json;

use super::{START, somebody};
use crate::Error;
use crate::connection::Database;
use crate::testing::TestDatabase;
use crate::version::Version;

crate::on_both_databases!(
    a_destroyed_key_never_comes_back,
    another_wrapping_replaces_the_one_that_is_there,
    the_schema_before_is_brought_up_to_date,
);

/// A version of a dataset, committed.
async fn a_version(db: &Database) -> VersionId {
    let (organization, user) = somebody(db).await;
    let (lineage, dataset, id) = (LineageId::at(START), DatasetId::at(START), VersionId::at(START));
    let now = START.as_micros();
    let tx = db.begin_write().await.unwrap();
    tx.execute(
        "INSERT INTO lineage (id, rho_lifetime_cap_nano, rho_lifetime_spent_nano, delta_lifetime_cap_atto, \
         delta_lifetime_spent_atto, rho_window_cap_nano, rho_remaining_nano, rho_reserved_nano, window_days, \
         window_start, created_at) VALUES ($1, 0, 0, 0, 0, 0, 0, 0, 90, $2, $2)",
        [lineage.as_uuid().into(), now.into()],
    )
    .await
    .unwrap();
    tx.execute(
        "INSERT INTO dataset (id, slug, organization_id, created_by, lineage_id, special, state, metadata, revision, \
         created_at, updated_at) VALUES ($1, 'trips', $2, $3, $4, $5, 'draft', $6, 1, $7, $7)",
        [
            dataset.as_uuid().into(),
            organization.id.as_uuid().into(),
            user.id.as_uuid().into(),
            lineage.as_uuid().into(),
            false.into(),
            json!({}).into(),
            now.into(),
        ],
    )
    .await
    .unwrap();
    let version = Version {
        id,
        dataset_id: dataset,
        number: 1,
        state: VersionState::Ingesting,
        created_by: user.id,
        source_name: "trips.csv".to_owned(),
        options: json!({}),
        declared: None,
        manifest: None,
        profile: None,
        failure: None,
        checksum: None,
        created_at: START,
        ready_at: None,
        published_at: None,
    };
    crate::version::insert(&tx, &version).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn a_destroyed_key_never_comes_back(test: TestDatabase) {
    let db = &test.database;
    let id = a_version(db).await;
    let later = Timestamp::from_micros(START.as_micros() + 1);
    let wrapped = |byte: u8| vec![byte; 72];
    let put = async |purpose: &str, byte: u8| {
        let tx = db.begin_write().await.unwrap();
        crate::version_key::put(&tx, id, purpose, &wrapped(byte), START).await?;
        tx.commit().await
    };
    let find = async |purpose: &str| crate::version_key::find(db.read(), id, purpose).await.unwrap();
    assert_eq!(find("copy").await, None);
    put("copy", 1).await.unwrap();
    put("original", 2).await.unwrap();
    put("copy", 3).await.unwrap();
    assert_eq!(find("copy").await, Some(wrapped(3)));
    assert_eq!(find("original").await, Some(wrapped(2)));
    assert!(put("other", 1).await.is_err());
    let kept = crate::version_key::list_kept(db.read()).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(!format!("{kept:?}").contains("3, 3"), "keys are not shown");

    let tx = db.begin_write().await.unwrap();
    assert!(crate::version_key::destroy(&tx, id, "copy", later).await.unwrap());
    drop(tx);
    assert_eq!(find("copy").await, Some(wrapped(3)), "not committed");
    for first in [true, false] {
        let tx = db.begin_write().await.unwrap();
        let destroyed = crate::version_key::destroy(&tx, id, "copy", later).await.unwrap();
        assert_eq!(destroyed, first);
        tx.commit().await.unwrap();
    }
    assert_eq!(find("copy").await, None);
    assert!(matches!(put("copy", 4).await, Err(Error::Stale(_))));
    assert_eq!(find("copy").await, None);
    assert_eq!(find("original").await, Some(wrapped(2)), "of its own");
    assert_eq!(crate::version_key::list_kept(db.read()).await.unwrap().len(), 1);
}

async fn another_wrapping_replaces_the_one_that_is_there(test: TestDatabase) {
    let db = &test.database;
    let id = a_version(db).await;
    let later = Timestamp::from_micros(START.as_micros() + 1);
    let wrapped = |byte: u8| vec![byte; 72];
    let tx = db.begin_write().await.unwrap();
    crate::version_key::put(&tx, id, "copy", &wrapped(1), START)
        .await
        .unwrap();
    crate::version_key::put(&tx, id, "original", &wrapped(1), START)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let rewrap = async |before: u8, after: u8| {
        let tx = db.begin_write().await.unwrap();
        crate::version_key::rewrap(&tx, id, "copy", &wrapped(before), &wrapped(after)).await?;
        tx.commit().await
    };
    rewrap(1, 2).await.unwrap();
    assert!(matches!(rewrap(1, 3).await, Err(Error::Stale(_))));
    let kept = crate::version_key::list_kept(db.read()).await.unwrap();
    let found = kept
        .into_iter()
        .map(|key| (key.purpose, key.wrapped, key.created_at));
    let want = [("copy", 2), ("original", 1)]
        .map(|(purpose, byte)| (purpose.to_owned(), Some(wrapped(byte)), START));
    assert_eq!(found.collect::<Vec<_>>(), want);

    let tx = db.begin_write().await.unwrap();
    assert!(crate::version_key::destroy(&tx, id, "copy", later).await.unwrap());
    tx.commit().await.unwrap();
    assert!(matches!(rewrap(2, 3).await, Err(Error::Stale(_))));
    assert_eq!(
        crate::version_key::find(db.read(), id, "copy").await.unwrap(),
        None
    );
}

async fn the_schema_before_is_brought_up_to_date(test: TestDatabase) {
    let db = &test.database;
    let tx = db.begin_write().await.unwrap();
    tx.execute("DROP TABLE version_key", []).await.unwrap();
    tx.execute(
        "DELETE FROM seaql_migrations WHERE version = '0005_version_key'",
        [],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let id = a_version(db).await;
    db.migrate().await.unwrap();
    assert_eq!(crate::version::load(db.read(), id).await.unwrap().id, id);
    assert_eq!(
        crate::version_key::find(db.read(), id, "copy").await.unwrap(),
        None
    );
}
