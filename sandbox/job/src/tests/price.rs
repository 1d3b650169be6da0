//! What an answer costs: by precision, the difference to what was paid, and nothing for what is there.

use std::sync::Arc;

use db::testing::TestDatabase;
use ledger::Act;

use super::World;
use crate::{EpsilonRule, JobError, JobView, Precision, Price};

db::on_both_databases!(
    a_better_answer_pays_the_difference,
    what_is_not_due_yet_is_not_topped_up,
    special_answers_are_not_topped_up,
    a_total_of_cells_is_told_its_own_error,
    a_worse_answer_is_free,
    what_noise_has_chosen_is_paid_for_anew,
    racing_top_ups_pay_for_every_draw,
    questions_about_different_people_share_a_budget,
    a_precision_finds_the_smallest_epsilon,
    a_precision_without_meaning_is_refused,
);

const SEXES: &str = "SELECT sex, COUNT(*) AS n FROM trips GROUP BY sex";

async fn ask(world: &World, project: model::ProjectId, sql: &str, epsilon: f64) -> JobView {
    world
        .sandbox
        .submit(&world.analyst, project, sql, epsilon)
        .await
        .unwrap()
}

/// What a question costs that nobody has paid anything for.
async fn price(world: &World, sql: &str, epsilon: f64) -> i64 {
    let fresh = world.open_project().await;
    let estimate = world
        .sandbox
        .estimate(&world.analyst, fresh.id, sql, &Price::Epsilon(epsilon))
        .await
        .unwrap();
    estimate.cost.rho_nano
}

async fn released(world: &World, view: &JobView) -> f64 {
    world.go_to(view.job.due_at);
    world.sandbox.release_due().await.unwrap();
    let (answer, _) = world.sandbox.result(&world.analyst, view.job.id).await.unwrap();
    let column = answer.columns.iter().find(|column| column.name == "n").unwrap();
    column.noise.as_ref().unwrap().scale
}

async fn a_better_answer_pays_the_difference(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let first = ask(&world, project.id, SEXES, 0.1).await;
    world.answer(first.job.id).await;
    world.go_to(first.job.answer_due_at);
    let told = world
        .sandbox
        .estimate(&world.analyst, project.id, SEXES, &Price::Epsilon(0.3))
        .await
        .unwrap();
    let second = ask(&world, project.id, SEXES, 0.3).await;
    assert_eq!(second.job.tops_up, Some(first.job.id));
    assert!(second.job.reuse_of.is_none());
    let whole = price(&world, SEXES, 0.3).await;
    assert_eq!(world.charged(project.id).await, whole, "as if asked for at once");
    assert_eq!(told.cost, second.cost, "the estimate said so");
    assert_eq!(second.cost.rho_nano + first.cost.rho_nano, whole);
    let leaf = &world.leaves(Act::JobCharged).await[1];
    assert_eq!(leaf.subjects()["tops_up"], first.job.id.to_string());

    world.answer(second.job.id).await;
    let coarse = released(&world, &first).await;
    let fine = released(&world, &second).await;
    let other = world.open_project().await;
    let at_once = ask(&world, other.id, SEXES, 0.3).await;
    world.answer(at_once.job.id).await;
    let expected = released(&world, &at_once).await;
    assert!((fine / expected - 1.0).abs() < 1e-9, "{fine} {expected}");
    assert!(fine < coarse);

    // And again: from 0.3, not from 0.1.
    world.go_to(second.job.answer_due_at);
    let third = ask(&world, project.id, SEXES, 0.4).await;
    assert_eq!(third.job.tops_up, Some(second.job.id));
    assert_eq!(world.charged(project.id).await, price(&world, SEXES, 0.4).await);
}

async fn questions_about_different_people_share_a_budget(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let of = |sex: &str| format!("SELECT COUNT(*) AS n FROM trips WHERE sex = '{sex}' AND fare > 3");
    let left = async || {
        let view = world.sandbox.project(&world.analyst, project.id).await.unwrap();
        view.budgets[0].allocation.as_ref().unwrap().remaining.rho_nano
    };
    let estimate = async |sql: &str| {
        let price = Price::Epsilon(0.3);
        let estimate = world
            .sandbox
            .estimate(&world.analyst, project.id, sql, &price)
            .await;
        estimate.unwrap()
    };
    let before = left().await;
    let told = estimate(&of("男")).await;
    assert_eq!(told.about[0].field, "sex");
    assert_eq!(told.about[0].values, ["男"]);
    let first = ask(&world, project.id, &of("男"), 0.3).await;
    let cost = first.cost.rho_nano;
    assert_eq!(left().await, before - cost);
    // The other half of the people: carried by the first.
    let told = estimate(&of("女")).await;
    let after = told.budgets_after.unwrap()[0]
        .allocation
        .as_ref()
        .unwrap()
        .remaining
        .rho_nano;
    assert_eq!(after, before - cost, "the estimate says so");
    let second = ask(&world, project.id, &of("女"), 0.3).await;
    assert_eq!(second.cost.rho_nano, cost, "it has the noise of its price");
    assert_eq!(left().await, before - cost);
    // About everyone, or about the same people again: it adds.
    let told = estimate("SELECT COUNT(*) AS n FROM trips WHERE fare > 3").await;
    assert!(told.about.is_empty());
    ask(&world, project.id, &of("女").replace('3', "4"), 0.3).await;
    assert_eq!(left().await, before - 2 * cost);
    ask(
        &world,
        project.id,
        "SELECT COUNT(*) AS n FROM trips WHERE fare > 3",
        0.3,
    )
    .await;
    assert_eq!(left().await, before - 3 * cost);
    // In the ledger stands what each costs whom it is about, and not whom.
    let leaves = world.leaves(Act::JobCharged).await;
    assert!(
        leaves
            .iter()
            .all(|leaf| leaf.facts()["rho_nano"] == ledger::Fact::Integer(cost))
    );
    assert!(!format!("{leaves:?}").contains('女'));
}

/// A job that waited for another's work would tell by its delay how long that takes.
async fn what_is_not_due_yet_is_not_topped_up(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let first = ask(&world, project.id, SEXES, 0.1).await;
    world.answer(first.job.id).await;
    world.go_to(first.job.answer_due_at.plus_seconds(-1));
    let early = ask(&world, project.id, SEXES, 0.2).await;
    assert!(early.job.tops_up.is_none());
    world.go_to(first.job.answer_due_at);
    let second = ask(&world, project.id, SEXES, 0.3).await;
    assert_eq!(second.job.tops_up, Some(first.job.id), "the one that is there");
}

/// Else a few billionths would buy new checkers for an answer that was withheld.
async fn special_answers_are_not_topped_up(test: TestDatabase) {
    let world = World::over(&test, true).await;
    let project = world.open_project().await;
    let first = ask(&world, project.id, SEXES, 0.1).await;
    world.answer(first.job.id).await;
    world.go_to(first.job.due_at);
    let second = ask(&world, project.id, SEXES, 0.100_1).await;
    assert!(second.job.tops_up.is_none() && second.job.reuse_of.is_none());
    assert_eq!(
        world.charged(project.id).await,
        first.cost.rho_nano + second.cost.rho_nano
    );
    assert!(second.cost.rho_nano >= first.cost.rho_nano);
}

async fn a_total_of_cells_is_told_its_own_error(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let error = |sql: &'static str| {
        let (world, project) = (&world, project.id);
        async move {
            let estimate = world
                .sandbox
                .estimate(&world.analyst, project, sql, &Price::Epsilon(0.1))
                .await
                .unwrap();
            estimate.expected_error[0].half_width95
        }
    };
    let plain = error(SEXES).await;
    let total = error("SELECT sex, COUNT(*) AS n FROM trips GROUP BY ROLLUP (sex)").await;
    // Two values, other and NULL: the total sums four cells.
    assert!((total / plain - 2.0).abs() < 1e-9, "{total} {plain}");
}

async fn a_worse_answer_is_free(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let first = ask(&world, project.id, SEXES, 0.3).await;
    world.answer(first.job.id).await;
    let spent = world.charged(project.id).await;
    let worse = ask(&world, project.id, SEXES, 0.2).await;
    assert_eq!(worse.job.reuse_of, Some(first.job.id));
    assert_eq!((worse.cost.rho_nano, worse.cost.paid_nano), (0, 0));
    assert_eq!(world.charged(project.id).await, spent);
    let told = world
        .sandbox
        .estimate(&world.analyst, project.id, SEXES, &Price::Epsilon(0.2))
        .await
        .unwrap();
    assert!(told.already_paid);
    assert_eq!(released(&world, &worse).await, released(&world, &first).await);
    // Another project has paid nothing.
    let other = world.open_project().await;
    let theirs = ask(&world, other.id, SEXES, 0.2).await;
    assert!(theirs.job.reuse_of.is_none() && theirs.job.tops_up.is_none());
}

async fn what_noise_has_chosen_is_paid_for_anew(test: TestDatabase) {
    let world = World::new(&test).await;
    for sql in [
        "SELECT MEDIAN(fare) AS m FROM trips",
        "SELECT fare, COUNT(*) AS n FROM trips WHERE fare > 1 GROUP BY fare",
    ] {
        let project = world.open_project().await;
        ask(&world, project.id, sql, 0.1).await;
        let second = ask(&world, project.id, sql, 0.2).await;
        let plan: sandbox_plan::PrivatePlan = serde_json::from_value(second.job.plan.clone()).unwrap();
        if crate::answer::can_top_up(&plan) {
            continue;
        }
        assert!(second.job.tops_up.is_none(), "{sql}");
        assert_eq!(
            world.charged(project.id).await,
            price(&world, sql, 0.1).await + price(&world, sql, 0.2).await,
            "{sql}"
        );
    }
}

async fn racing_top_ups_pay_for_every_draw(test: TestDatabase) {
    let world = Arc::new(World::new(&test).await);
    let project = world.open_project().await;
    let base = ask(&world, project.id, SEXES, 0.05).await;
    world.answer(base.job.id).await;
    world.go_to(base.job.answer_due_at);
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (world, id) = (Arc::clone(&world), project.id);
        let epsilon = f64::from(10 + number % 6) / 100.0;
        racers.spawn(async move { ask(&world, id, SEXES, epsilon).await });
    }
    let mut jobs = Vec::new();
    while let Some(job) = racers.join_next().await {
        jobs.push(job.unwrap());
    }
    // Whatever topped up whatever: each job that draws has paid what its answer is worth beyond its base.
    let mut paid = world.charged(project.id).await - price(&world, SEXES, 0.05).await;
    for view in &jobs {
        let job = db::job::load(world.db.read(), view.job.id).await.unwrap();
        let Some(base) = job.tops_up else {
            assert!(job.reuse_of.is_some());
            continue;
        };
        let base = db::job::load(world.db.read(), base).await.unwrap();
        let cost: crate::JobCost = serde_json::from_value(job.cost).unwrap();
        assert_eq!(
            job.answer_rho_nano.unwrap(),
            base.answer_rho_nano.unwrap() + cost.rho_nano
        );
        paid -= cost.rho_nano;
    }
    assert_eq!(paid, 0);
}

async fn a_precision_finds_the_smallest_epsilon(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    for (sql, column, half_width) in [
        (SEXES, "n", 700.0),
        (
            "SELECT sex, SUM(fare) AS total FROM trips GROUP BY sex",
            "total",
            60_000.0,
        ),
        (
            "SELECT sex, AVG(fare) AS mean, COUNT(*) AS n FROM trips GROUP BY sex",
            "mean",
            90.0,
        ),
        (
            "SELECT STDDEV(fare) AS deviation, MEDIAN(fare) AS middle FROM trips",
            "deviation",
            400.0,
        ),
        // In rows.
        ("SELECT MEDIAN(fare) AS middle FROM trips", "middle", 5_000.0),
    ] {
        let price = |half_width| {
            Price::Precision(Precision {
                column: Some(column.to_owned()),
                half_width,
                relative: false,
            })
        };
        let estimate = |price| {
            let world = &world;
            async move {
                world
                    .sandbox
                    .estimate(&world.analyst, project.id, sql, &price)
                    .await
            }
        };
        let found = estimate(price(half_width)).await.unwrap();
        let width = |estimate: &crate::Estimate| {
            let mut errors = estimate.expected_error.iter();
            errors.find(|error| error.column == column).unwrap().half_width95
        };
        assert!(width(&found) <= half_width, "{sql}: {found:?}");
        // A step less would not do.
        let less = estimate(Price::Epsilon(found.cost.epsilon - 0.000_2))
            .await
            .unwrap();
        assert!(width(&less) > half_width, "{sql}: {less:?}");
        let out_of_reach = estimate(price(half_width / 1_000.0)).await.unwrap_err();
        let JobError::Invalid(EpsilonRule::Precision { most, best, .. }) = out_of_reach else {
            panic!("{out_of_reach:?}")
        };
        let at_most = estimate(Price::Epsilon(most)).await.unwrap();
        assert!((width(&at_most) / best - 1.0).abs() < 1e-12, "{sql}");
    }
}

/// Column, half-width, what is said of them.
type Case = (Option<&'static str>, f64, fn(&EpsilonRule) -> bool);

async fn a_precision_without_meaning_is_refused(test: TestDatabase) {
    let world = World::new(&test).await;
    let project = world.open_project().await;
    let sql = "SELECT COUNT(*) AS n, SUM(fare) AS total FROM trips";
    let cases: [Case; 6] = [
        (
            None,
            10.0,
            |rule| matches!(rule, EpsilonRule::Column { figures } if *figures == ["n", "total"]),
        ),
        (Some("m"), 10.0, |rule| matches!(rule, EpsilonRule::Column { .. })),
        (Some("n"), 0.0, |rule| matches!(rule, EpsilonRule::HalfWidth(_))),
        (Some("n"), -1.0, |rule| matches!(rule, EpsilonRule::HalfWidth(_))),
        (Some("n"), f64::NAN, |rule| {
            matches!(rule, EpsilonRule::HalfWidth(_))
        }),
        (Some("n"), 1e-300, |rule| {
            matches!(rule, EpsilonRule::Precision { .. })
        }),
    ];
    for (column, half_width, fits) in cases {
        let price = Price::Precision(Precision {
            column: column.map(str::to_owned),
            half_width,
            relative: false,
        });
        let told = world
            .sandbox
            .estimate(&world.analyst, project.id, sql, &price)
            .await;
        let Err(JobError::Invalid(rule)) = &told else {
            panic!("{column:?} {half_width}: {told:?}")
        };
        assert!(fits(rule), "{column:?} {half_width}: {rule:?}");
    }
    // Five per cent of a fare is no number of rows.
    let sql = "SELECT COUNT(*) AS n, MEDIAN(fare) AS middle FROM trips";
    let price = |column: Option<&str>| {
        Price::Precision(Precision {
            column: column.map(str::to_owned),
            half_width: 5_000.0,
            relative: true,
        })
    };
    let estimate = async |price| {
        world
            .sandbox
            .estimate(&world.analyst, project.id, sql, &price)
            .await
    };
    let told = estimate(price(Some("middle"))).await.unwrap_err();
    assert!(
        matches!(told, JobError::Invalid(EpsilonRule::Ranks { .. })),
        "{told:?}"
    );
    assert!(estimate(price(None)).await.is_ok(), "the only total is meant");
}
