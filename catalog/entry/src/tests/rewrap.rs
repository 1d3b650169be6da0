//! A new operator's key opens everything, or the old one still does.

use db::testing::TestDatabase;
use db::version_key::VersionKey;
use model::{Clock as _, VersionId};
use seal::{DataKey, KeyPurpose, OperatorKey};

use super::{GOOD, World};
use crate::{KeyName, RewrapError, Rewrapped, rewrap};

db::on_both_databases!(
    all_keys_are_wrapped_anew_once,
    what_breaks_off_in_the_middle_changes_nothing,
    keys_that_neither_opens_are_named,
);

/// What the catalogue of a [`World`] wraps with.
fn old() -> OperatorKey {
    OperatorKey::new([3; 32].into())
}

fn new() -> OperatorKey {
    OperatorKey::new([4; 32].into())
}

async fn stored(world: &World) -> Vec<VersionKey> {
    db::version_key::list_kept(world.db.read()).await.unwrap()
}

/// The data keys that an operator's key opens.
async fn opened(world: &World, operator: &OperatorKey) -> Vec<Option<DataKey>> {
    let open = |key: VersionKey| {
        let purpose = KeyPurpose::from_name(&key.purpose).unwrap();
        operator.unwrap(&key.wrapped.unwrap(), key.version, purpose).ok()
    };
    stored(world).await.into_iter().map(open).collect()
}

async fn put_copy(world: &World, version: VersionId, wrapped: &[u8]) {
    let tx = world.db.begin_write().await.unwrap();
    db::version_key::put(&tx, version, "copy", wrapped, world.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn all_keys_are_wrapped_anew_once(test: TestDatabase) {
    let world = World::new(&test).await;
    let (kept, _) = world.upload("kept", GOOD).await;
    let (erased, _) = world.upload("erased", GOOD).await;
    let copy = DataKey::generate().unwrap();
    let wrapped = old().wrap(&copy, kept, KeyPurpose::Copy).unwrap();
    put_copy(&world, kept, &wrapped).await;
    world.catalog.erase(erased, KeyPurpose::Original).await.unwrap();
    let before = opened(&world, &old()).await;
    assert!(before.len() == 2 && before.iter().all(Option::is_some));

    let run = async || {
        let tx = world.db.begin_write().await.unwrap();
        let done = rewrap(&tx, &old(), &new()).await.unwrap();
        tx.commit().await.unwrap();
        done
    };
    assert_eq!(run().await, Rewrapped { anew: 2, already: 0 });
    assert_eq!(opened(&world, &new()).await, before, "the same data keys");
    assert_eq!(opened(&world, &old()).await, [None, None]);
    assert_eq!(
        db::version_key::find(world.db.read(), erased, "original")
            .await
            .unwrap(),
        None,
        "destroyed for good"
    );
    let after = stored(&world).await;
    assert_eq!(run().await, Rewrapped { anew: 0, already: 2 });
    assert_eq!(stored(&world).await, after, "untouched");

    // A process that nobody stopped stored one more with the old key.
    put_copy(&world, kept, &wrapped).await;
    assert_eq!(run().await, Rewrapped { anew: 1, already: 1 });
    assert_eq!(opened(&world, &new()).await, before);
}

async fn what_breaks_off_in_the_middle_changes_nothing(test: TestDatabase) {
    let world = World::new(&test).await;
    for slug in ["one", "two"] {
        world.upload(slug, GOOD).await;
        world.clock.advance_seconds(1);
    }
    let before = stored(&world).await;
    // All are written and nothing is committed, as when the process dies.
    let tx = world.db.begin_write().await.unwrap();
    assert_eq!(rewrap(&tx, &old(), &new()).await.unwrap().anew, 2);
    drop(tx);
    assert_eq!(stored(&world).await, before);

    // The first is written, the last cannot be.
    let last = before.last().unwrap().version;
    put_copy(&world, last, &[7; 72]).await;
    let before = stored(&world).await;
    let tx = world.db.begin_write().await.unwrap();
    assert!(matches!(
        rewrap(&tx, &old(), &new()).await,
        Err(RewrapError::Closed(_))
    ));
    drop(tx);
    assert_eq!(stored(&world).await, before);
    assert_eq!(opened(&world, &new()).await, [None, None, None]);
}

async fn keys_that_neither_opens_are_named(test: TestDatabase) {
    let world = World::new(&test).await;
    let (version, _) = world.upload("trips", GOOD).await;
    let tx = world.db.begin_write().await.unwrap();
    let another = OperatorKey::new([5; 32].into());
    let error = rewrap(&tx, &another, &new()).await.unwrap_err();
    let said = format!("the original of version 1 of trips ({version})");
    assert!(error.to_string().contains(&said), "{error}");
    let RewrapError::Closed(names) = error else {
        panic!("{error}");
    };
    let [
        KeyName {
            number: 1,
            version: found,
            ..
        },
    ] = names.as_slice()
    else {
        panic!("{names:?}");
    };
    assert_eq!(*found, version);
}
