//! Leases are given to one worker at a time, and lapse.

use std::collections::HashSet;

use model::TaskId;
use serde_json::json;
use uuid::Uuid;

use super::START;
use crate::Error;
use crate::connection::Database;
use crate::task::{self, Lease, NewTask, Task, TaskState};
use crate::testing::TestDatabase;

crate::on_both_databases!(
    racing_workers_never_share_a_lease,
    a_lapsed_lease_is_taken_over_and_fenced,
    failures_are_retried_and_end,
    what_is_not_due_waits,
    a_lease_can_be_given_back,
    what_a_dead_process_held_is_free_at_once,
);

async fn enqueue(db: &Database, kind: &str, max_attempts: i64) -> TaskId {
    let id = TaskId::at(START);
    let task = NewTask {
        id,
        kind: kind.to_owned(),
        payload: json!({"n": 1}),
        organization_id: None,
        max_attempts,
        run_at: START,
    };
    let tx = db.begin_write().await.unwrap();
    task::enqueue(&tx, &task, START).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn lease(db: &Database, seconds: i64) -> Option<(Lease, Task)> {
    lease_as(db, Uuid::now_v7(), seconds).await
}

async fn lease_as(db: &Database, owner: Uuid, seconds: i64) -> Option<(Lease, Task)> {
    let now = START.plus_seconds(seconds);
    let tx = db.begin_write().await.unwrap();
    let leased = task::lease(&tx, &["work", "more"], owner, now.plus_seconds(30), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    leased
}

async fn racing_workers_never_share_a_lease(test: TestDatabase) {
    let db = &test.database;
    for _ in 0..30 {
        enqueue(db, "work", 3).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let db = db.clone();
        workers.spawn(async move { lease(&db, 0).await.map(|(lease, _)| lease.task_id) });
    }
    let mut leased = Vec::new();
    while let Some(outcome) = workers.join_next().await {
        leased.extend(outcome.unwrap());
    }
    let distinct: HashSet<_> = leased.iter().collect();
    assert_eq!((leased.len(), distinct.len()), (30, 30));
    assert!(lease(db, 29).await.is_none());
}

async fn a_lapsed_lease_is_taken_over_and_fenced(test: TestDatabase) {
    let db = &test.database;
    let id = enqueue(db, "work", 2).await;
    let (first, seen) = lease(db, 0).await.unwrap();
    assert_eq!(
        (seen.payload, seen.attempt, seen.state),
        (json!({"n": 1}), 1, TaskState::Running)
    );
    let tx = db.begin_write().await.unwrap();
    let (until, now) = (START.plus_seconds(50), START.plus_seconds(20));
    task::heartbeat(&tx, &first, until, Some(json!({"rows": 7})), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        task::find_next_run(db.read(), &["work"]).await.unwrap(),
        Some(until)
    );
    assert!(lease(db, 49).await.is_none(), "prolonged");
    let (second, task_seen) = lease(db, 50).await.unwrap();
    assert_eq!((second.task_id, second.attempt), (id, 2));
    assert_eq!(task_seen.progress, Some(json!({"rows": 7})));
    let now = START.plus_seconds(60);
    let tx = db.begin_write().await.unwrap();
    let stale = |outcome: Result<(), Error>| matches!(outcome, Err(Error::Stale(_)));
    assert!(stale(task::heartbeat(&tx, &first, until, None, now).await));
    assert!(stale(task::complete(&tx, &first, json!(1), now).await));
    assert!(stale(
        task::fail(&tx, &first, json!(1), None, now).await.map(|_| ())
    ));
    assert!(stale(task::give_back(&tx, &first, now).await));
    task::complete(&tx, &second, json!({"ok": true}), now)
        .await
        .unwrap();
    assert!(stale(task::complete(&tx, &second, json!(2), now).await), "once");
    tx.commit().await.unwrap();
    let done = task::find(db.read(), id).await.unwrap().unwrap();
    assert_eq!(
        (done.state, done.result, done.finished_at),
        (TaskState::Done, Some(json!({"ok": true})), Some(now))
    );
}

async fn failures_are_retried_and_end(test: TestDatabase) {
    let db = &test.database;
    let id = enqueue(db, "work", 2).await;
    enqueue(db, "other", 1).await;
    let open = async || task::list_open_payloads(db.read(), "work").await.unwrap();
    let (first, _) = lease(db, 0).await.unwrap();
    assert_eq!(open().await, [json!({"n": 1})], "at work");
    let tx = db.begin_write().await.unwrap();
    let state = task::fail(
        &tx,
        &first,
        json!({"code": "x"}),
        Some(START.plus_seconds(10)),
        START,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state, TaskState::Queued);
    assert_eq!(open().await, [json!({"n": 1})], "to be tried again");
    assert!(lease(db, 9).await.is_none());
    lease(db, 10).await.unwrap();
    // The last attempt's worker dies: the next one to look ends the task.
    assert!(lease(db, 100).await.is_none());
    let failed = task::find(db.read(), id).await.unwrap().unwrap();
    let code = failed.error.map(|error| error["code"].clone());
    assert_eq!(
        (failed.state, code),
        (TaskState::Failed, Some(json!("lease-lapsed")))
    );
    assert_eq!(open().await, Vec::<serde_json::Value>::new());
    assert!(lease(db, 1_000).await.is_none());
}

async fn what_is_not_due_waits(test: TestDatabase) {
    let db = &test.database;
    enqueue(db, "other", 1).await;
    assert!(lease(db, 0).await.is_none(), "of another kind");
    enqueue(db, "more", 1).await;
    assert!(lease(db, -1).await.is_none(), "of later");
    assert!(lease(db, 0).await.is_some());
    assert_eq!(task::find_next_run(db.read(), &["none"]).await.unwrap(), None);
}

async fn a_lease_can_be_given_back(test: TestDatabase) {
    let db = &test.database;
    enqueue(db, "work", 1).await;
    let (first, _) = lease(db, 0).await.unwrap();
    let tx = db.begin_write().await.unwrap();
    task::give_back(&tx, &first, START).await.unwrap();
    tx.commit().await.unwrap();
    let (_, again) = lease(db, 0).await.unwrap();
    assert_eq!(again.attempt, 1, "it did not count");
}

async fn what_a_dead_process_held_is_free_at_once(test: TestDatabase) {
    let db = &test.database;
    let (dead, alive) = (Uuid::now_v7(), Uuid::now_v7());
    let mut leases = Vec::new();
    for (owner, attempts) in [(dead, 3), (dead, 3), (dead, 1), (alive, 3)] {
        let id = enqueue(db, "work", attempts).await;
        leases.push(lease_as(db, owner, 0).await.unwrap().0);
        assert_eq!(leases[leases.len() - 1].task_id, id);
    }
    let [first, second, last, other] = [0, 1, 2, 3].map(|place: usize| leases[place].task_id);
    assert!(lease(db, 1).await.is_none(), "all leases hold");
    let now = START.plus_seconds(1);
    let tx = db.begin_write().await.unwrap();
    assert_eq!(task::end_leases(&tx, dead, now).await.unwrap(), 3);
    assert_eq!(
        task::end_leases(&tx, Uuid::now_v7(), now).await.unwrap(),
        0,
        "nobody's"
    );
    tx.commit().await.unwrap();
    let mut again = HashSet::new();
    for _ in 0..2 {
        let lease = lease(db, 1).await.unwrap().0;
        again.insert((lease.task_id, lease.attempt));
    }
    assert_eq!(again, HashSet::from([(first, 2), (second, 2)]));
    assert!(lease(db, 1).await.is_none(), "the living one keeps its own");
    let state = async |id| task::find(db.read(), id).await.unwrap().unwrap().state;
    assert_eq!(state(last).await, TaskState::Failed, "its only attempt was spent");
    assert_eq!(state(other).await, TaskState::Running);
    let tx = db.begin_write().await.unwrap();
    let late = task::complete(&tx, &leases[0], json!(1), now).await;
    assert!(matches!(late, Err(Error::Stale(_))), "fenced: {late:?}");
}
