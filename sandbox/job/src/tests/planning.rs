//! Planning in processes of its own: few at once, not all of them one account's, and none for ever.

use std::time::Duration;

use db::testing::TestDatabase;
use identity::Actor;
use model::{Clock as _, ProjectId, Role, UserId};
use sandbox_plan::Rule;
use sandbox_worker::{PLANNER, PlannerLimits};

use super::{World, planners};
use crate::{Estimate, JobError, Price};

const SQL: &str = "SELECT COUNT(*) AS n FROM trips";

/// Slow enough that twenty queries would keep four planners at work for longer than a query waits for one.
const SLOW: &str = "700";
const LIMITS: PlannerLimits = PlannerLimits {
    at_once: 4,
    per_account: 2,
    wait: Duration::from_secs(3),
    deadline: Duration::from_secs(60),
    cpu_seconds: 30,
    memory_bytes: 1 << 30,
};

/// Another account of the analyst's organisation.
async fn colleague(world: &World) -> Actor {
    let mut user = db::user::load(world.db.read(), world.analyst.user().unwrap())
        .await
        .unwrap();
    user.id = UserId::at(world.clock.now());
    user.username = "colleague".to_owned();
    let tx = world.db.begin_write().await.unwrap();
    db::user::insert(&tx, &user, "no password opens this")
        .await
        .unwrap();
    db::user::grant_role(&tx, user.id, Role::Analyst).await.unwrap();
    tx.commit().await.unwrap();
    world.identity.load_actor(user.id).await.unwrap()
}

async fn ask(world: &World, actor: &Actor, project: ProjectId) -> Result<Estimate, JobError> {
    let price = Price::Epsilon(0.1);
    world.sandbox.estimate(actor, project, SQL, &price).await
}

db::on_both_databases!(
    one_account_leaves_planners_to_the_others,
    a_query_beyond_the_limits_is_too_complex,
    a_planner_that_fails_is_nobodys_refusal,
);

async fn one_account_leaves_planners_to_the_others(test: TestDatabase) {
    let planners = planners(&["slow", SLOW, PLANNER], LIMITS);
    let world = World::planned_by(&test, false, planners).await;
    let project = world.open_project().await.id;
    let colleague = colleague(&world).await;
    let many = futures::future::join_all((0..20).map(|_| ask(&world, &world.analyst, project)));
    let other = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ask(&world, &colleague, project).await
    };
    let (many, other) = tokio::join!(many, other);
    other.unwrap();
    let busy = |told: &&Result<Estimate, JobError>| matches!(told, Err(JobError::PlannerBusy));
    let turned_away = many.iter().filter(busy).count();
    let planned = many.iter().filter(|told| told.is_ok()).count();
    assert!(
        planned >= 2 && turned_away > 0,
        "{planned} planned, {turned_away} not"
    );
    assert_eq!(planned + turned_away, 20);
    ask(&world, &world.analyst, project).await.unwrap();
}

async fn a_query_beyond_the_limits_is_too_complex(test: TestDatabase) {
    // One planner, which the next query needs back.
    let one = PlannerLimits { at_once: 1, ..LIMITS };
    let world = World::planned_by(&test, false, planners(&["spin"], one)).await;
    let project = world.open_project().await.id;
    for _ in 0..2 {
        let told = world.sandbox.submit(&world.analyst, project, SQL, 0.1).await;
        let JobError::Refused(refusal) = told.unwrap_err() else {
            panic!("not refused")
        };
        assert_eq!(refusal.rule, Rule::TooComplex);
    }
    assert_eq!(world.charged(project).await, 0);
}

async fn a_planner_that_fails_is_nobodys_refusal(test: TestDatabase) {
    let world = World::planned_by(&test, false, planners(&["no such mode"], LIMITS)).await;
    let project = world.open_project().await.id;
    let told = ask(&world, &world.analyst, project).await.unwrap_err();
    assert!(matches!(told, JobError::Internal(_)), "{told:?}");
    assert_eq!(world.charged(project).await, 0);
}
