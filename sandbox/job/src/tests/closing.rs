//! Projects end by the clock, whatever is under way.

use std::sync::Arc;

use db::testing::TestDatabase;
use ledger::{Act, Fact};
use model::{Clock as _, JobState};

use super::{CAP, World};
use crate::{JobError, Obstacle, Price};

db::on_both_databases!(
    a_project_is_closed_at_its_end_and_gives_back_what_is_left,
    what_was_charged_before_the_end_is_released_after_it,
    nothing_is_taken_after_the_end,
    a_submission_at_the_moment_of_closing_is_charged_or_refused,
);

const EPSILON: f64 = 0.1;

async fn a_project_is_closed_at_its_end_and_gives_back_what_is_left(test: TestDatabase) {
    let world = World::new(&test).await;
    let (project, idle) = (world.open_project().await, world.open_project().await);
    world
        .sandbox
        .submit(&world.analyst, project.id, &world.question(), EPSILON)
        .await
        .unwrap();
    let spent = world.charged(project.id).await;
    assert!(spent > 0);
    assert_eq!(world.lineage().await.rho_reserved_nano, 2 * CAP);

    world.go_to(project.expires_at.plus_seconds(-1));
    assert_eq!(
        world.sandbox.close_expired().await.unwrap(),
        0,
        "a second too early"
    );
    world.go_to(project.expires_at);
    assert_eq!(world.sandbox.close_expired().await.unwrap(), 2);
    assert_eq!(world.sandbox.close_expired().await.unwrap(), 0, "once");
    for id in [project.id, idle.id] {
        let closed = db::project::find(world.db.read(), id).await.unwrap().unwrap();
        assert_eq!(
            (closed.active, closed.closed_at),
            (false, Some(world.clock.now()))
        );
    }
    let lineage = world.lineage().await;
    assert_eq!(
        lineage.rho_reserved_nano, spent,
        "what was spent is not promised to others"
    );
    assert_eq!(lineage.lifetime_spent.rho_nano, spent);
    assert_eq!(lineage.rho_remaining_nano, lineage.rho_window_cap_nano - spent);

    let leaves = world.leaves(Act::ProjectClosed).await;
    let said: Vec<_> = leaves
        .iter()
        .map(|leaf| (&leaf.subjects()["project"], leaf))
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    for (id, nano) in [(project.id, spent), (idle.id, 0)] {
        let (_, leaf) = said.iter().find(|(said, _)| **said == id.to_string()).unwrap();
        assert_eq!(leaf.actor().role(), "system");
        let Fact::List(texts) = &leaf.facts()["spent"] else {
            panic!("{leaf:?}")
        };
        assert!(
            texts[0].starts_with(&format!("trips rho_nano={nano} delta_atto=")),
            "{texts:?}"
        );
    }
}

async fn what_was_charged_before_the_end_is_released_after_it(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    world.go_to(project.expires_at.plus_seconds(-1));
    let job = world
        .sandbox
        .submit(&world.analyst, project.id, &world.question(), EPSILON)
        .await
        .unwrap()
        .job;
    world.go_to(job.due_at.max(project.expires_at));
    assert_eq!(world.sandbox.close_expired().await.unwrap(), 1);
    world.answer(job.id).await;
    assert_eq!(world.sandbox.release_due().await.unwrap(), 1);
    let shown = world.sandbox.job(&world.analyst, job.id).await.unwrap();
    assert_eq!(shown.job.state, JobState::Released);
    let (answer, receipt) = world.sandbox.result(&world.analyst, job.id).await.unwrap();
    assert_eq!(answer.rows.len(), 1);
    assert!(receipt.is_some());
}

async fn nothing_is_taken_after_the_end(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let sql = world.question();
    world
        .sandbox
        .submit(&world.analyst, project.id, &sql, EPSILON)
        .await
        .unwrap();
    let spent = world.charged(project.id).await;
    for closed in [false, true] {
        world.go_to(project.expires_at);
        if closed {
            world.sandbox.close_expired().await.unwrap();
        }
        // Neither a new question nor the repeat that would be free.
        for sql in [&world.question(), &sql] {
            let submitted = world
                .sandbox
                .submit(&world.analyst, project.id, sql, EPSILON)
                .await;
            assert!(ended(&submitted), "{closed}: {submitted:?}");
            let estimated = world
                .sandbox
                .estimate(&world.analyst, project.id, sql, &Price::Epsilon(EPSILON))
                .await;
            assert!(ended(&estimated), "{closed}: {estimated:?}");
        }
    }
    // A clock that goes back opens nothing again.
    world.go_to(project.created_at);
    let submitted = world
        .sandbox
        .submit(&world.analyst, project.id, &sql, EPSILON)
        .await;
    assert!(ended(&submitted), "{submitted:?}");
    assert_eq!(world.charged(project.id).await, spent);
}

async fn a_submission_at_the_moment_of_closing_is_charged_or_refused(test: TestDatabase) {
    let world = Arc::new(World::new(&test).await);
    for round in 0..12 {
        let project = world.open_project().await;
        let reserved = world.lineage().await.rho_reserved_nano;
        let mut racers = tokio::task::JoinSet::new();
        for number in 0..6 {
            let (world, project) = (Arc::clone(&world), project.clone());
            racers.spawn(async move {
                if number == 3 {
                    tokio::time::sleep(std::time::Duration::from_millis(round * 2)).await;
                    world.go_to(project.expires_at);
                    world.sandbox.close_expired().await.unwrap();
                    return;
                }
                let sql = world.question();
                let submitted = world
                    .sandbox
                    .submit(&world.analyst, project.id, &sql, EPSILON)
                    .await;
                assert!(submitted.is_ok() || ended(&submitted), "{submitted:?}");
            });
        }
        while let Some(outcome) = racers.join_next().await {
            outcome.unwrap();
        }
        let closed = db::project::find(world.db.read(), project.id)
            .await
            .unwrap()
            .unwrap();
        assert!(!closed.active);
        // Whatever was charged is in the accounts: the reservation became exactly what was spent.
        let spent = world.charged(project.id).await;
        assert_eq!(world.lineage().await.rho_reserved_nano, reserved - CAP + spent);
        let leaves = world.leaves(Act::ProjectClosed).await;
        let Fact::List(said) = &leaves.last().unwrap().facts()["spent"] else {
            panic!("no list")
        };
        assert!(
            said[0].starts_with(&format!("trips rho_nano={spent} ")),
            "{said:?}, {spent}"
        );
    }
}

/// Whether somebody was told that the project has ended.
fn ended<T>(outcome: &Result<T, JobError>) -> bool {
    matches!(outcome, Err(JobError::State(Obstacle::Ended)))
}
