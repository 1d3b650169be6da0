//! Answers about special datasets: two blinded checkers, all or nothing, on a fixed day.

use db::testing::TestDatabase;
use identity::Actor;
use ledger::Act;
use model::{CheckId, Clock as _, JobState, OrganizationKind, ProjectId, Role, Timestamp, Verdict};

use super::World;
use crate::{CheckObstacle, JobError, JobView, Price};

db::on_both_databases!(
    an_answer_that_both_let_go_is_released_on_the_fixed_day,
    checkers_see_all_that_is_let_go_and_no_words_of_the_analyst,
    repeats_of_one_answer_push_no_other_out_of_the_list,
    one_who_would_not_is_enough_to_withhold_and_asking_again_changes_nothing,
    a_missing_vote_withholds_and_can_be_given_when_the_question_is_asked_again,
    only_checkers_look_and_nobody_in_their_own_cause,
    nobody_votes_twice_and_the_bureau_has_a_seat,
    a_late_answer_leaves_checkers_their_days,
    a_vote_is_a_commitment_until_the_fixed_day,
    racing_votes_take_one_seat_each,
);

const EPSILON: f64 = 0.1;

/// Asks, computes, and goes on to where checkers are asked.
async fn asked(world: &World, project: ProjectId, sql: &str) -> (JobView, CheckId) {
    let view = world
        .sandbox
        .submit(&world.analyst, project, sql, EPSILON)
        .await
        .unwrap();
    let paid = view.job.reuse_of.unwrap_or(view.job.id);
    if view.job.reuse_of.is_none() {
        world.answer(paid).await;
    }
    world.go_to(view.job.answer_due_at);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 0);
    let check = db::job_check::find_of_job(world.db.read(), paid)
        .await
        .unwrap()
        .unwrap();
    (view, check.id)
}

async fn state(world: &World, view: &JobView) -> JobState {
    let shown = world.sandbox.job(&world.analyst, view.job.id).await.unwrap();
    shown.job.state
}

async fn reviewer(world: &World, name: &str) -> Actor {
    world.join(name, OrganizationKind::Bureau, Role::Reviewer).await
}

async fn assessor(world: &World, name: &str) -> Actor {
    world.join(name, OrganizationKind::Assessor, Role::Assessor).await
}

async fn an_answer_that_both_let_go_is_released_on_the_fixed_day(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let sql = world.question();
    let estimate = world
        .sandbox
        .estimate(&world.analyst, project.id, &sql, &Price::Epsilon(EPSILON))
        .await
        .unwrap();
    // The clock stands at a Friday morning in China: Monday and Tuesday are the checkers'.
    let fixed = Timestamp::parse("2026-11-26T08:00:00Z").unwrap();
    assert_eq!(estimate.checked_until, Some(fixed));

    let (view, check) = asked(&world, project.id, &sql).await;
    assert_eq!(view.job.due_at, fixed);
    assert_eq!(state(&world, &view).await, JobState::AwaitingReview);
    let (first, second) = (reviewer(&world, "bureau").await, assessor(&world, "lab").await);
    for checker in [&first, &second] {
        let listed = world.sandbox.list_checks(checker).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id, listed[0].due_at), (check, fixed));
        assert!(listed[0].own_vote.is_none());
        let seen = world.sandbox.check(checker, check).await.unwrap();
        assert_eq!(seen.answers[0].rows.len(), 1);
        // Nothing of who asked, nor of the text of the question.
        let told = format!("{seen:?}");
        for hidden in [
            sql.as_str(),
            &project.id.to_string(),
            &view.job.id.to_string(),
            &project.organization_id.to_string(),
            &project.purpose,
        ] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
        world
            .sandbox
            .vote(checker, check, Verdict::Release, "")
            .await
            .unwrap();
        let early = world.sandbox.result(&world.analyst, view.job.id).await;
        assert!(
            matches!(early, Err(JobError::NotDue(due)) if due == fixed),
            "{early:?}"
        );
    }
    world.go_to(fixed.plus_seconds(-1));
    assert_eq!(
        world.sandbox.release_due().await.unwrap(),
        0,
        "a second too early"
    );
    world.go_to(fixed);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 1);
    assert_eq!(state(&world, &view).await, JobState::Released);
    let (answer, receipt) = world.sandbox.result(&world.analyst, view.job.id).await.unwrap();
    assert_eq!((answer.rows.len(), receipt.is_some()), (1, true));
    let leaves = world.leaves(Act::JobReleased).await;
    assert_eq!(leaves[0].subjects()["check"], check.to_string());
    assert!(world.sandbox.list_checks(&first).await.unwrap().is_empty());
    let after = world.sandbox.check(&first, check).await;
    assert!(matches!(after, Err(JobError::NotFound(_))), "{after:?}");
}

/// The next query of the same totals is free and shows what it likes of them.
async fn checkers_see_all_that_is_let_go_and_no_words_of_the_analyst(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let sql = "SELECT sex AS \"Acme Ltd\", COUNT(*) AS \"please release\" FROM trips GROUP BY sex \
               HAVING COUNT(*) > 1000000000 ORDER BY 2 LIMIT 1";
    let (_, check) = asked(&world, project.id, sql).await;
    let seen = world
        .sandbox
        .check(&reviewer(&world, "bureau").await, check)
        .await
        .unwrap();
    let names: Vec<&str> = seen.answers[0]
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["1 sex", "2 rows"]);
    assert_eq!(seen.answers[0].rows.len(), 4, "two values, other and NULL");
    assert!(!format!("{seen:?}").contains("Acme"));
}

async fn repeats_of_one_answer_push_no_other_out_of_the_list(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let sql = world.question();
    let (_, first) = asked(&world, project.id, &sql).await;
    for _ in 0..3 {
        asked(&world, project.id, &sql).await;
    }
    let (_, second) = asked(&world, project.id, &world.question()).await;
    let listed = db::job_check::list_awaiting(world.db.read(), 2).await.unwrap();
    let listed: Vec<CheckId> = listed.iter().map(|(check, _)| check.id).collect();
    assert!(listed.contains(&first) && listed.contains(&second), "{listed:?}");
}

async fn one_who_would_not_is_enough_to_withhold_and_asking_again_changes_nothing(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let sql = world.question();
    let (view, check) = asked(&world, project.id, &sql).await;
    let (first, second) = (reviewer(&world, "bureau").await, reviewer(&world, "other").await);
    let sandbox = &world.sandbox;
    let without = sandbox.vote(&second, check, Verdict::Withhold, " no ").await;
    assert!(matches!(without, Err(JobError::Reason(_))), "{without:?}");
    sandbox.vote(&first, check, Verdict::Release, "").await.unwrap();
    let reason = "一个格子可能指向少数病人";
    sandbox
        .vote(&second, check, Verdict::Withhold, reason)
        .await
        .unwrap();
    let spent = world.charged(project.id).await;
    let mut withheld = view;
    for round in 1..=2 {
        world.go_to(withheld.job.due_at);
        assert_eq!(sandbox.release_due().await.unwrap(), 1, "round {round}");
        assert_eq!(state(&world, &withheld).await, JobState::Withheld);
        let result = sandbox.result(&world.analyst, withheld.job.id).await;
        assert!(matches!(result, Err(JobError::Withheld)), "{result:?}");
        let why = sandbox.withheld_because(&world.analyst, withheld.job.id).await;
        assert_eq!(why.unwrap(), [reason]);
        assert_eq!(world.leaves(Act::JobWithheld).await.len(), round);
        // The same question is free, and its votes stand: nobody can be asked until they give in.
        let (again, same) = asked(&world, project.id, &sql).await;
        assert_eq!(same, check);
        assert!(again.job.reuse_of.is_some());
        let third = reviewer(&world, &format!("third-{round}")).await;
        let late = sandbox.vote(&third, check, Verdict::Release, "").await;
        assert!(
            matches!(late, Err(JobError::Check(CheckObstacle::SeatsTaken))),
            "{late:?}"
        );
        withheld = again;
    }
    assert_eq!(world.charged(project.id).await, spent);
}

async fn a_missing_vote_withholds_and_can_be_given_when_the_question_is_asked_again(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let sql = world.question();
    let (view, check) = asked(&world, project.id, &sql).await;
    let (first, second) = (reviewer(&world, "bureau").await, assessor(&world, "lab").await);
    world
        .sandbox
        .vote(&first, check, Verdict::Release, "")
        .await
        .unwrap();
    world.go_to(view.job.due_at);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 1);
    assert_eq!(state(&world, &view).await, JobState::Withheld);
    // Who may still vote learns nothing from the ledger: neither how the other voted nor whose answer it is.
    let leaf = &world.leaves(Act::JobWithheld).await[0];
    assert!(
        !leaf.subjects().contains_key("check") && leaf.facts().is_empty(),
        "{leaf:?}"
    );
    let why = world.sandbox.withheld_because(&world.analyst, view.job.id).await;
    assert!(why.unwrap().is_empty());
    let closed = world.sandbox.vote(&second, check, Verdict::Release, "").await;
    assert!(matches!(closed, Err(JobError::NotFound(_))), "{closed:?}");

    let (again, _) = asked(&world, project.id, &sql).await;
    let listed = world.sandbox.list_checks(&first).await.unwrap();
    assert!(listed[0].own_vote.is_some(), "their vote stands");
    world
        .sandbox
        .vote(&second, check, Verdict::Release, "")
        .await
        .unwrap();
    world.go_to(again.job.due_at);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 1);
    assert_eq!(state(&world, &again).await, JobState::Released);
    assert_eq!(
        state(&world, &view).await,
        JobState::Withheld,
        "what ended has ended"
    );
}

async fn only_checkers_look_and_nobody_in_their_own_cause(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let (_, check) = asked(&world, project.id, &world.question()).await;
    let sandbox = &world.sandbox;
    for (name, kind, role) in [
        ("an-officer", OrganizationKind::Department, Role::Officer),
        ("an-auditor", OrganizationKind::Bureau, Role::Auditor),
        ("an-analyst", OrganizationKind::Enterprise, Role::Analyst),
        ("an-admin", OrganizationKind::Bureau, Role::Admin),
    ] {
        let actor = world.join(name, kind, role).await;
        assert!(
            matches!(sandbox.list_checks(&actor).await, Err(JobError::Denied(_))),
            "{name}"
        );
        let seen = sandbox.check(&actor, check).await;
        assert!(matches!(seen, Err(JobError::NotFound(_))), "{name}: {seen:?}");
        let voted = sandbox.vote(&actor, check, Verdict::Release, "").await;
        assert!(matches!(voted, Err(JobError::NotFound(_))), "{name}: {voted:?}");
    }
    let anonymous = Actor::anonymous();
    assert!(sandbox.list_checks(&anonymous).await.is_err());
    assert!(sandbox.check(&anonymous, check).await.is_err());
    let unknown = sandbox
        .check(&reviewer(&world, "bureau").await, CheckId::at(world.clock.now()))
        .await;
    assert!(matches!(unknown, Err(JobError::NotFound(_))), "{unknown:?}");
}

async fn nobody_votes_twice_and_the_bureau_has_a_seat(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let (view, check) = asked(&world, project.id, &world.question()).await;
    let (lab, other) = (assessor(&world, "lab").await, assessor(&world, "other").await);
    let sandbox = &world.sandbox;
    sandbox.vote(&lab, check, Verdict::Release, "").await.unwrap();
    let twice = sandbox.vote(&lab, check, Verdict::Release, "").await;
    assert!(
        matches!(twice, Err(JobError::Check(CheckObstacle::Voted))),
        "{twice:?}"
    );
    let second = sandbox.vote(&other, check, Verdict::Release, "").await;
    assert!(
        matches!(second, Err(JobError::Check(CheckObstacle::SeatsTaken))),
        "{second:?}"
    );
    world.go_to(view.job.due_at);
    sandbox.release_due().await.unwrap();
    assert_eq!(
        state(&world, &view).await,
        JobState::Withheld,
        "not without the bureau"
    );
}

async fn a_late_answer_leaves_checkers_their_days(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let view = world
        .sandbox
        .submit(&world.analyst, project.id, &world.question(), EPSILON)
        .await
        .unwrap();
    world.go_to(view.job.answer_due_at);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 0);
    assert_eq!(state(&world, &view).await, JobState::Delayed);
    // The machines are mended on the fixed day itself.
    world.go_to(view.job.due_at);
    assert_eq!(world.sandbox.release_due().await.unwrap(), 0);
    world.answer(view.job.id).await;
    assert_eq!(world.sandbox.release_due().await.unwrap(), 0);
    let shown = world.sandbox.job(&world.analyst, view.job.id).await.unwrap().job;
    assert_eq!(shown.state, JobState::AwaitingReview);
    assert_eq!(
        shown.due_at,
        Timestamp::parse("2026-12-03T08:00:00Z").unwrap(),
        "a week later"
    );
}

async fn a_vote_is_a_commitment_until_the_fixed_day(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let (view, check) = asked(&world, project.id, &world.question()).await;
    let (first, second) = (reviewer(&world, "bureau").await, assessor(&world, "lab").await);
    world
        .sandbox
        .vote(&first, check, Verdict::Withhold, "too fine a grouping")
        .await
        .unwrap();
    let leaves = world.leaves(Act::JobChecked).await;
    assert_eq!(leaves.len(), 1);
    let told = format!("{:?}", leaves[0]);
    for hidden in [
        "withhold",
        "too fine",
        &view.job.id.to_string(),
        &project.id.to_string(),
        &check.to_string(),
    ] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    assert!(leaves[0].commitments().contains_key("verdict"));
    // Not by the moment of the charge either, which the ledger tells of every job.
    assert_eq!(check.as_uuid().get_version_num(), 4, "a random id");
    // Nor does the other checker learn of it.
    let seen = world.sandbox.check(&second, check).await.unwrap();
    assert!(seen.summary.own_vote.is_none());
    assert!(!format!("{seen:?}").contains("Withhold"));
}

async fn racing_votes_take_one_seat_each(test: TestDatabase) {
    let world = std::sync::Arc::new(World::over(&test, true).await);
    let project = world.open_project().await;
    let (_, check) = asked(&world, project.id, &world.question()).await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let checker = reviewer(&world, &format!("checker-{number}")).await;
        for _ in 0..2 {
            let (world, checker) = (std::sync::Arc::clone(&world), checker.clone());
            racers.spawn(async move {
                let voted = world.sandbox.vote(&checker, check, Verdict::Release, "").await;
                assert!(matches!(voted, Ok(_) | Err(JobError::Check(_))), "{voted:?}");
                usize::from(voted.is_ok())
            });
        }
    }
    let mut counted = 0;
    while let Some(outcome) = racers.join_next().await {
        counted += outcome.unwrap();
    }
    assert_eq!(counted, 2);
    let votes = db::job_check::list_votes(world.db.read(), check).await.unwrap();
    assert_ne!(votes[0].user_id, votes[1].user_id);
}
