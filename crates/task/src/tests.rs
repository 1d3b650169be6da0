//! Workers that succeed, fail, panic, hang, die and stop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use db::Database;
use db::task::{NewTask, Task, TaskState};
use db::testing::TestDatabase;
use model::{Clock as _, ManualClock, TaskId, Timestamp};
use serde_json::{Value, json};

use crate::{Failure, Owner, Runner, RunnerConfig};

db::on_both_databases!(
    tasks_are_done_once_each,
    failures_wait_and_are_retried,
    a_panic_is_a_failed_attempt,
    a_dead_worker_s_task_is_taken_over,
    a_successor_takes_over_at_once,
    progress_is_stored_while_working,
    stopping_gives_back_what_is_unfinished,
    a_lost_lease_stops_the_handler,
);

const CONFIG: RunnerConfig = RunnerConfig {
    workers: 3,
    lease_seconds: 60,
    poll_millis: 20,
    first_retry_seconds: 10,
    longest_retry_seconds: 15,
    grace_millis: 100,
};

struct World {
    db: Database,
    clock: ManualClock,
}

impl World {
    fn new(test: &TestDatabase) -> Self {
        let clock = ManualClock::new(Timestamp::from_micros(1_795_392_000_000_000));
        Self {
            db: test.database.clone(),
            clock,
        }
    }

    fn runner(&self, config: RunnerConfig) -> Runner {
        self.runner_of(Owner::fresh(), config)
    }

    fn runner_of(&self, owner: Owner, config: RunnerConfig) -> Runner {
        Runner::new(self.db.clone(), Arc::new(self.clock.clone()), config, owner)
    }

    async fn enqueue(&self, max_attempts: i64, payload: Value) -> TaskId {
        let now = self.clock.now();
        let id = TaskId::at(now);
        let task = NewTask {
            id,
            kind: "work".to_owned(),
            payload,
            organization_id: None,
            max_attempts,
            run_at: now,
        };
        let tx = self.db.begin_write().await.unwrap();
        db::task::enqueue(&tx, &task, now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn load(&self, id: TaskId) -> Task {
        db::task::find(self.db.read(), id).await.unwrap().unwrap()
    }

    /// Waits for the task to look as it should, at most 20 seconds.
    async fn until(&self, id: TaskId, looks: impl Fn(&Task) -> bool) -> Task {
        for _ in 0..2_000 {
            let task = self.load(id).await;
            if looks(&task) {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it stays {:?}", self.load(id).await)
    }
}

async fn tasks_are_done_once_each(test: TestDatabase) {
    let world = World::new(&test);
    let runs = Arc::new(AtomicUsize::new(0));
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let mut runner = world.runner(CONFIG);
    let counters = (runs.clone(), at_once.clone(), most.clone());
    runner.register("work", move |context| {
        let (runs, at_once, most) = counters.clone();
        async move {
            runs.fetch_add(1, Ordering::SeqCst);
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(json!({"echo": context.task().payload}))
        }
    });
    let running = runner.start();
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(world.enqueue(1, json!(number)).await);
        running.wake();
    }
    for (number, id) in ids.into_iter().enumerate() {
        let done = world.until(id, |task| task.state.is_over()).await;
        assert_eq!(
            (done.state, done.result),
            (TaskState::Done, Some(json!({"echo": number})))
        );
    }
    assert_eq!(runs.load(Ordering::SeqCst), 12);
    assert!(most.load(Ordering::SeqCst) <= CONFIG.workers);
    running.stop().await;
}

async fn failures_wait_and_are_retried(test: TestDatabase) {
    let world = World::new(&test);
    let mut runner = world.runner(CONFIG);
    runner.register("work", |context| async move {
        match context.task().payload.as_str() {
            Some("permanent") => Err(Failure::permanent(json!({"code": "no"}))),
            _ if context.task().attempt < 3 => Err(Failure::passing(json!({"code": "later"}))),
            _ => Ok(json!("at last")),
        }
    });
    let running = runner.start();
    let permanent = world.enqueue(5, json!("permanent")).await;
    let failed = world.until(permanent, |task| task.state.is_over()).await;
    assert_eq!(
        (failed.state, failed.attempt, failed.error),
        (TaskState::Failed, 1, Some(json!({"code": "no"})))
    );
    let passing = world.enqueue(5, json!("passing")).await;
    let waiting = world
        .until(passing, |task| {
            task.attempt == 1 && task.state == TaskState::Queued
        })
        .await;
    assert_eq!(waiting.run_at, world.clock.now().plus_seconds(10));
    world.clock.advance_seconds(9);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.load(passing).await.attempt, 1, "not before its time");
    world.clock.advance_seconds(1);
    let waiting = world
        .until(passing, |task| {
            task.attempt == 2 && task.state == TaskState::Queued
        })
        .await;
    assert_eq!(
        waiting.run_at,
        world.clock.now().plus_seconds(15),
        "doubled, up to the longest"
    );
    world.clock.advance_seconds(15);
    let done = world.until(passing, |task| task.state.is_over()).await;
    assert_eq!((done.state, done.attempt), (TaskState::Done, 3));
    running.stop().await;
}

async fn a_panic_is_a_failed_attempt(test: TestDatabase) {
    let world = World::new(&test);
    let mut runner = world.runner(RunnerConfig { workers: 1, ..CONFIG });
    runner.register("work", |context| async move {
        if context.task().payload == json!("bad") {
            panic!("110101199003078515 in a row");
        }
        Ok(json!(null))
    });
    let running = runner.start();
    let bad = world.enqueue(1, json!("bad")).await;
    let good = world.enqueue(1, json!("good")).await;
    let failed = world.until(bad, |task| task.state.is_over()).await;
    assert_eq!(
        (failed.state, failed.error),
        (TaskState::Failed, Some(json!({"code": "handler-panicked"})))
    );
    let done = world.until(good, |task| task.state.is_over()).await;
    assert_eq!(done.state, TaskState::Done, "the only worker lives on");
    running.stop().await;
}

async fn a_dead_worker_s_task_is_taken_over(test: TestDatabase) {
    let world = World::new(&test);
    let mut doomed = world.runner(CONFIG);
    doomed.register("work", |context| async move {
        context.report(json!({"rows": 5}));
        std::future::pending::<()>().await;
        Ok(json!("never"))
    });
    let doomed = doomed.start();
    let id = world.enqueue(2, json!(1)).await;
    world.until(id, |task| task.state == TaskState::Running).await;
    drop(doomed);
    let mut heir = world.runner(CONFIG);
    heir.register("work", |context| async move {
        Ok(json!({"attempt": context.task().attempt}))
    });
    let heir = heir.start();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(world.load(id).await.attempt, 1, "the lease still holds");
    world.clock.advance_seconds(61);
    let done = world.until(id, |task| task.state.is_over()).await;
    assert_eq!(
        (done.state, done.result),
        (TaskState::Done, Some(json!({"attempt": 2})))
    );
    heir.stop().await;
}

async fn a_successor_takes_over_at_once(test: TestDatabase) {
    let world = World::new(&test);
    let [gone, neighbour] = [Owner::fresh(), Owner::fresh()];
    let mut running = Vec::new();
    let mut ids = Vec::new();
    for owner in [gone, neighbour] {
        let mut runner = world.runner_of(owner, RunnerConfig { workers: 1, ..CONFIG });
        runner.register("work", |_| async move {
            std::future::pending::<()>().await;
            Ok(json!("never"))
        });
        running.push(runner.start());
        let id = world.enqueue(2, json!(1)).await;
        world.until(id, |task| task.state == TaskState::Running).await;
        ids.push(id);
    }
    // Killed: no lease is given back.
    drop(running.remove(0));
    let now = world.clock.now();
    assert_eq!(crate::reclaim(&world.db, gone, now).await.unwrap(), 1);
    let mut heir = world.runner(CONFIG);
    heir.register("work", |context| async move {
        Ok(json!({"attempt": context.task().attempt}))
    });
    let heir = heir.start();
    let done = world.until(ids[0], |task| task.state.is_over()).await;
    assert_eq!(done.result, Some(json!({"attempt": 2})), "the clock did not move");
    let kept = world.load(ids[1]).await;
    assert_eq!(
        (kept.state, kept.attempt),
        (TaskState::Running, 1),
        "the neighbour works on"
    );
    heir.stop().await;
}

async fn progress_is_stored_while_working(test: TestDatabase) {
    let world = World::new(&test);
    // Heartbeats every third of a second.
    let mut runner = world.runner(RunnerConfig {
        lease_seconds: 1,
        ..CONFIG
    });
    runner.register("work", |context| async move {
        context.report(json!({"rows": 1}));
        context.report(json!({"rows": 2}));
        context.stopped().await;
        context.report(json!({"rows": 3}));
        Ok(json!("stopped in order"))
    });
    let running = runner.start();
    let id = world.enqueue(1, json!(1)).await;
    let working = world.until(id, |task| task.progress.is_some()).await;
    assert_eq!(
        (working.state, working.progress),
        (TaskState::Running, Some(json!({"rows": 2})))
    );
    running.stop().await;
    let done = world.load(id).await;
    assert_eq!(
        (done.state, done.progress),
        (TaskState::Done, Some(json!({"rows": 3})))
    );
}

async fn stopping_gives_back_what_is_unfinished(test: TestDatabase) {
    let world = World::new(&test);
    let mut runner = world.runner(CONFIG);
    runner.register("work", |_| async {
        std::future::pending::<()>().await;
        Ok(json!(null))
    });
    let running = runner.start();
    let id = world.enqueue(1, json!(1)).await;
    world.until(id, |task| task.state == TaskState::Running).await;
    running.stop().await;
    let task = world.load(id).await;
    assert_eq!(
        (task.state, task.attempt),
        (TaskState::Queued, 0),
        "at once, and the attempt does not count"
    );
}

async fn a_lost_lease_stops_the_handler(test: TestDatabase) {
    let world = World::new(&test);
    let ended = Arc::new(AtomicUsize::new(0));
    let mut slow = world.runner(RunnerConfig {
        workers: 1,
        lease_seconds: 1,
        ..CONFIG
    });
    struct Ended(Arc<AtomicUsize>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counter = ended.clone();
    slow.register("work", move |_| {
        let guard = Ended(counter.clone());
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
            Ok(json!("too late"))
        }
    });
    let slow = slow.start();
    let id = world.enqueue(3, json!(1)).await;
    world.until(id, |task| task.state == TaskState::Running).await;
    // Another process finds the lease lapsed before the next heartbeat.
    world.clock.advance_seconds(100);
    let now = world.clock.now();
    let tx = world.db.begin_write().await.unwrap();
    let thief = uuid::Uuid::now_v7();
    let (lease, _) = db::task::lease(&tx, &["work"], thief, now.plus_seconds(60), now)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    for _ in 0..500 {
        if ended.load(Ordering::SeqCst) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ended.load(Ordering::SeqCst), 1, "the handler was ended");
    let tx = world.db.begin_write().await.unwrap();
    db::task::complete(&tx, &lease, json!("by the other"), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    slow.stop().await;
    assert_eq!(world.load(id).await.result, Some(json!("by the other")));
}

/// What is logged on this thread while the guard lives.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| line.contains("task="))
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// On one thread, whose log it is.
#[tokio::test]
async fn a_refusal_is_no_error_of_the_portal_and_quotes_nothing() {
    let test = TestDatabase::sqlite().await;
    let world = World::new(&test);
    let log = Log::default();
    let _guard = log.begin();
    let mut runner = world.runner(RunnerConfig { workers: 1, ..CONFIG });
    runner.register("work", |context| async move {
        let error = json!({"code": "ingest-value", "message": "line 2: 110101199003078515 is no number"});
        Err(match context.task().payload.as_str() {
            Some("refused") => Failure::refused(error),
            Some("permanent") => Failure::permanent(error),
            _ => Failure::passing(error),
        })
    });
    let running = runner.start();
    for (payload, attempts, level) in [
        ("refused", 5, " INFO "),
        ("permanent", 5, "ERROR "),
        ("passing", 5, " WARN "),
        ("passing", 1, "ERROR "),
    ] {
        let before = log.lines().len();
        let id = world.enqueue(attempts, json!(payload)).await;
        let failed = world.until(id, |task| task.error.is_some()).await;
        let retried = payload == "passing" && attempts > 1;
        let state = if retried {
            TaskState::Queued
        } else {
            TaskState::Failed
        };
        assert_eq!(failed.state, state, "{payload}");
        let lines = log.lines().split_off(before);
        assert_eq!(lines.len(), 1, "{payload}: {lines:?}");
        assert!(
            lines[0].contains(level) && lines[0].contains("ingest-value"),
            "{lines:?}"
        );
        assert!(!lines[0].contains("110101199003078515"), "{lines:?}");
    }
    running.stop().await;
}
