//! Outbox, usage, settings, policies.

use std::collections::BTreeMap;

use model::PolicyId;
use serde_json::json;
use uuid::Uuid;

use super::START;
use crate::policy::Policy;
use crate::testing::TestDatabase;
use crate::usage::UsageKind;

crate::on_both_databases!(
    usage_adds_up_under_races,
    the_outbox_keeps_what_was_not_handled,
    settings_agree_under_races,
    policies_are_dated,
);

async fn usage_adds_up_under_races(test: TestDatabase) {
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let db = test.database.clone();
        writers.spawn(async move {
            let counts = BTreeMap::from([
                ((UsageKind::View, "a".to_owned()), 2),
                ((UsageKind::View, "b".to_owned()), 1),
            ]);
            let tx = db.begin_write().await.unwrap();
            crate::usage::count_all(&tx, "2026-11-23", &counts).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome.unwrap();
    }
    let read = test.database.read();
    assert_eq!(crate::usage::total(read, UsageKind::View, "a").await.unwrap(), 80);
    assert_eq!(
        crate::usage::total(read, UsageKind::Download, "a").await.unwrap(),
        0
    );
    let days = crate::usage::list(read, "b", "2026-11-01", "2026-11-30")
        .await
        .unwrap();
    assert_eq!(
        (days.len(), days[0].count, days[0].kind),
        (1, 40, UsageKind::View)
    );
    assert!(
        crate::usage::list(read, "b", "2026-11-24", "2026-11-30")
            .await
            .unwrap()
            .is_empty()
    );
    let tx = test.database.begin_write().await.unwrap();
    assert!(
        crate::usage::count(&tx, UsageKind::Job, "a", "2026-11-23", 0)
            .await
            .is_err()
    );
}

async fn the_outbox_keeps_what_was_not_handled(test: TestDatabase) {
    let db = &test.database;
    let tx = db.begin_write().await.unwrap();
    for number in 0..5 {
        crate::outbox::push(&tx, "search", Uuid::from_u128(number), json!({"n": 1}), START)
            .await
            .unwrap();
    }
    crate::outbox::push(&tx, "mail", Uuid::nil(), json!(null), START)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let messages = crate::outbox::list(db.read(), "search", 3).await.unwrap();
    assert_eq!(
        messages.iter().map(|m| m.subject.as_u128()).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let tx = db.begin_write().await.unwrap();
    crate::outbox::remove(&tx, &[messages[0].id, messages[2].id])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let messages = crate::outbox::list(db.read(), "search", 10).await.unwrap();
    assert_eq!(
        messages.iter().map(|m| m.subject.as_u128()).collect::<Vec<_>>(),
        [1, 3, 4]
    );
}

async fn settings_agree_under_races(test: TestDatabase) {
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let db = test.database.clone();
        writers.spawn(async move {
            let tx = db.begin_write().await.unwrap();
            let value = crate::setting::put_if_absent(&tx, "origin", json!(number), START)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            value
        });
    }
    let mut values = Vec::new();
    while let Some(value) = writers.join_next().await {
        values.push(value.unwrap());
    }
    values.dedup();
    assert_eq!(values.len(), 1, "everyone got the same: {values:?}");
    let tx = test.database.begin_write().await.unwrap();
    crate::setting::put(&tx, "origin", json!("new"), START)
        .await
        .unwrap();
    assert_eq!(
        crate::setting::find(&tx, "origin").await.unwrap(),
        Some(json!("new"))
    );
    assert_eq!(crate::setting::find(&tx, "none").await.unwrap(), None);
}

async fn policies_are_dated(test: TestDatabase) {
    let policy = |days: i64, value: f64| Policy {
        id: PolicyId::at(START),
        kind: "budget".to_owned(),
        effective_from: START.plus_days(days),
        body: json!({"epsilon": value, "groups": 5}),
        created_by: None,
        created_at: START,
    };
    let (old, new) = (policy(0, 0.1), policy(10, 0.5));
    let tx = test.database.begin_write().await.unwrap();
    crate::policy::insert(&tx, &old).await.unwrap();
    crate::policy::insert(&tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let read = test.database.read();
    for (days, expected) in [
        (-1, None),
        (0, Some(&old)),
        (9, Some(&old)),
        (10, Some(&new)),
        (99, Some(&new)),
    ] {
        let found = crate::policy::find_effective(read, "budget", START.plus_days(days))
            .await
            .unwrap();
        assert_eq!(found.as_ref(), expected, "day {days}");
    }
    assert_eq!(crate::policy::load(read, old.id).await.unwrap(), old);
    assert_eq!(crate::policy::list(read, "budget").await.unwrap(), [new, old]);
    let tx = test.database.begin_write().await.unwrap();
    let error = crate::policy::insert(&tx, &policy(0, 0.2)).await.unwrap_err();
    assert!(error.violates(crate::policy::EFFECTIVE_FROM_KEY), "{error:?}");
}
