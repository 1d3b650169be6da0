//! The stored log is the log of the `ledger` crate, without gaps, whatever races.

use ledger::proof::{verify_consistency, verify_inclusion};
use ledger::{Act, Actor, Frontier, Leaf, Tile};

use super::START;
use crate::connection::Database;
use crate::ledger::{self as log, Head, StoredCheckpoint};
use crate::testing::TestDatabase;

crate::on_both_databases!(
    parallel_acts_get_gap_free_indices,
    proofs_and_tiles_hold,
    an_act_that_is_rolled_back_leaves_no_leaf,
    one_checkpoint_a_size,
);

fn leaf(number: i64) -> Leaf {
    Leaf::builder(
        Act::DatasetCreated,
        START.as_micros(),
        Actor::member("o", "officer"),
    )
    .fact("number", number)
    .build()
    .unwrap()
}

async fn append(db: &Database, numbers: std::ops::Range<i64>) {
    let tx = db.begin_write().await.unwrap();
    for number in numbers {
        log::append(&tx, &leaf(number), START).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn sequence(db: &Database, limit: u64) -> Head {
    let tx = db.begin_write().await.unwrap();
    let head = log::sequence(&tx, limit).await.unwrap();
    tx.commit().await.unwrap();
    head
}

async fn parallel_acts_get_gap_free_indices(test: TestDatabase) {
    let db = &test.database;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let db = db.clone();
        tasks.spawn(async move { append(&db, number * 3..number * 3 + 3).await });
    }
    for _ in 0..20 {
        let db = db.clone();
        tasks.spawn(async move {
            sequence(&db, 10).await;
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
    while sequence(db, 50).await.added > 0 {}
    let head = sequence(db, 50).await;
    assert_eq!((head.size, head.added), (180, 0));
    let leaves = log::list_leaves(db.read(), 0, 1_000).await.unwrap();
    let indices: Vec<u64> = leaves.iter().map(|leaf| leaf.index.unwrap()).collect();
    assert_eq!(indices, (0..180).collect::<Vec<_>>());
    let mut frontier = Frontier::new();
    let mut numbers = Vec::new();
    for leaf in &leaves {
        frontier.append(&leaf.entry);
        let parsed = Leaf::parse(&leaf.entry).unwrap();
        numbers.push(parsed.facts()["number"].clone());
    }
    assert_eq!(frontier.root(), head.root);
    numbers.sort_by_key(|fact| format!("{fact:?}"));
    numbers.dedup();
    assert_eq!(numbers.len(), 180, "each act once");
    let newest = log::list_newest_leaves(db.read(), Some(170), 5).await.unwrap();
    assert_eq!(
        newest.iter().map(|leaf| leaf.index).collect::<Vec<_>>(),
        [169, 168, 167, 166, 165].map(Some)
    );
}

async fn proofs_and_tiles_hold(test: TestDatabase) {
    let db = &test.database;
    append(db, 0..300).await;
    let old = sequence(db, 100).await;
    assert_eq!((old.size, old.added), (100, 100));
    assert_eq!(sequence(db, 500).await.size, 300);
    let head = sequence(db, 500).await;
    let leaves = log::list_leaves(db.read(), 0, 400).await.unwrap();
    for index in [0, 1, 99, 255, 256, 299] {
        let proof = log::prove_inclusion(db.read(), index, 300).await.unwrap();
        let leaf = &leaves[usize::try_from(index).unwrap()];
        verify_inclusion(&leaf.hash, index, 300, &proof, &head.root).unwrap();
        assert_eq!(
            log::find_leaf(db.read(), &leaf.hash).await.unwrap().as_ref(),
            Some(leaf)
        );
    }
    let proof = log::prove_consistency(db.read(), 100, 300).await.unwrap();
    verify_consistency(100, 300, &proof, &old.root, &head.root).unwrap();
    assert!(log::prove_inclusion(db.read(), 300, 300).await.is_err());
    assert!(
        log::prove_inclusion(db.read(), 5, 301).await.is_err(),
        "beyond what is sequenced"
    );
    let tile = Tile::in_tree(0, 1, 300).unwrap();
    let bytes = log::find_tile(db.read(), tile).await.unwrap().unwrap();
    let hashes = tile.parse_hashes(&bytes).unwrap();
    assert_eq!(
        hashes,
        leaves[256..].iter().map(|leaf| leaf.hash).collect::<Vec<_>>()
    );
    assert!(log::find_tile(db.read(), tile.full()).await.unwrap().is_none());
    assert!(
        log::find_tile(db.read(), Tile::in_tree(1, 0, 300).unwrap())
            .await
            .unwrap()
            .is_some()
    );
}

async fn an_act_that_is_rolled_back_leaves_no_leaf(test: TestDatabase) {
    let db = &test.database;
    let tx = db.begin_write().await.unwrap();
    let hash = log::append(&tx, &leaf(1), START).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(log::find_leaf(db.read(), &hash).await.unwrap(), None);
    append(db, 2..4).await;
    assert_eq!(sequence(db, 10).await.size, 2, "and no gap");
}

async fn one_checkpoint_a_size(test: TestDatabase) {
    let db = &test.database;
    assert_eq!(log::find_checkpoint(db.read()).await.unwrap(), None);
    append(db, 0..3).await;
    let tx = db.begin_write().await.unwrap();
    let head = log::sequence(&tx, 10).await.unwrap();
    let checkpoint = StoredCheckpoint {
        size: head.size,
        root: head.root,
        note: "signed".to_owned(),
        created_at: START,
    };
    log::insert_checkpoint(&tx, &checkpoint).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        log::find_checkpoint(db.read()).await.unwrap(),
        Some(checkpoint.clone())
    );
    let tx = db.begin_write().await.unwrap();
    let error = log::insert_checkpoint(&tx, &checkpoint).await.unwrap_err();
    assert!(error.violates("ledger_checkpoint_size_key"), "{error:?}");
}
