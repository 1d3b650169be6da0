//! Planning under limits: few at once, and none for ever.

use std::time::Duration;

use db::testing::TestDatabase;
use sandbox_plan::{Refusal, Rule};

use super::World;
use crate::{JobError, Price};

db::on_both_databases!(planners_are_few_and_do_not_take_for_ever);

async fn planners_are_few_and_do_not_take_for_ever(test: TestDatabase) {
    let mut world = World::new(&test).await;
    let project = world.open_project().await;
    world.sandbox.planning.patience = Duration::from_millis(200);
    let slow = || {
        let sandbox = world.sandbox.clone();
        tokio::spawn(async move {
            let planned = sandbox.planned(|| {
                std::thread::sleep(Duration::from_secs(2));
                Err(Refusal::new(Rule::Rows))
            });
            planned.await
        })
    };
    let slow: Vec<_> = (0..crate::PLANNERS).map(|_| slow()).collect();
    for planned in slow {
        let told = planned.await.unwrap().unwrap_err();
        let JobError::Refused(refusal) = told else {
            panic!("{told:?}")
        };
        assert_eq!(refusal.rule, Rule::TooComplex, "given up");
    }
    // They are given up, and still hold their threads.
    let ask = || {
        let (world, project) = (&world, project.id);
        async move {
            let sql = "SELECT COUNT(*) AS n FROM trips";
            world
                .sandbox
                .estimate(&world.analyst, project, sql, &Price::Epsilon(0.1))
                .await
        }
    };
    let told = ask().await;
    assert!(matches!(told, Err(JobError::PlannerBusy)), "{told:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ask().await.unwrap();
    assert_eq!(world.charged(project.id).await, 0);
}
