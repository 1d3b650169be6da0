//! Budgets are never overspent, whatever races.

use model::{AllocationId, JobId, LineageId, ProjectId, Timestamp, UnitType, VersionId};
use uuid::Uuid;

use super::{START, a_job, a_project, somebody};
use crate::allocation::{self, Allocation, Charge, Cost, Lineage};
use crate::connection::Database;
use crate::error::Purse;
use crate::organization::Organization;
use crate::subset::Subset;
use crate::testing::TestDatabase;
use crate::user::User;
use crate::{Error, allocation::charge};

crate::on_both_databases!(
    parallel_charges_never_overspend,
    reservations_never_sum_past_the_cap,
    windows_slide,
    a_long_project_reserves_each_of_its_windows,
    joins_in_both_orders_do_not_deadlock,
    charges_about_disjoint_units_count_once,
    what_was_carried_stays_when_its_carrier_slides_out,
    no_unit_loses_more_than_the_cap,
    charges_are_in_the_order_in_which_they_are_made,
    what_an_ended_project_took_is_what_it_leaves,
    parallel_charges_about_subsets_never_overspend,
    repeats_spare_the_lineage,
    a_refused_charge_leaves_no_trace,
    nothing_changes_a_charge,
    losses_about_one_type_of_unit_are_summed,
);

pub(super) struct World {
    pub(super) organization: Organization,
    pub(super) user: User,
    pub(super) project: Uuid,
    pub(super) lineage: LineageId,
    pub(super) allocation: AllocationId,
}

fn lineage(cap: i64) -> Lineage {
    Lineage {
        id: LineageId::at(START),
        unit_type: Some(UnitType::Person),
        lifetime_cap: Cost {
            rho_nano: 4 * cap,
            delta_atto: 1_000,
        },
        lifetime_spent: Cost::default(),
        rho_window_cap_nano: cap,
        rho_remaining_nano: cap,
        rho_reserved_nano: 0,
        window_days: 365,
        created_at: START,
    }
}

pub(super) fn allocated(project: Uuid, lineage: LineageId, rho_nano: i64) -> Allocation {
    let cap = Cost {
        rho_nano,
        delta_atto: 1_000,
    };
    Allocation {
        id: AllocationId::at(START),
        project_id: ProjectId::from_uuid(project),
        lineage_id: lineage,
        cap,
        remaining: cap,
        window_days: 90,
        created_at: START,
        closed_at: None,
    }
}

pub(super) async fn world(db: &Database, lineage_cap: i64, allocation_cap: i64) -> World {
    let (organization, user) = somebody(db).await;
    world_of(db, organization, user, lineage_cap, allocation_cap).await
}

/// A world whose allocation is not stored yet.
pub(super) async fn unallocated(
    tx: &crate::connection::Tx,
    organization: Organization,
    user: User,
    lineage_cap: i64,
) -> World {
    let project = a_project(tx, &organization, &user).await;
    let lineage = lineage(lineage_cap);
    allocation::insert_lineage(tx, &lineage).await.unwrap();
    World {
        organization,
        user,
        project,
        lineage: lineage.id,
        allocation: AllocationId::at(START),
    }
}

/// One of several worlds with the same people.
pub(super) async fn world_of(
    db: &Database,
    organization: Organization,
    user: User,
    lineage_cap: i64,
    allocation_cap: i64,
) -> World {
    let tx = db.begin_write().await.unwrap();
    let world = unallocated(&tx, organization, user, lineage_cap).await;
    let allocation = Allocation {
        id: world.allocation,
        ..allocated(world.project, world.lineage, allocation_cap)
    };
    allocation::insert(&tx, &allocation).await.unwrap();
    tx.commit().await.unwrap();
    world
}

impl World {
    pub(super) fn charge(&self, job: Uuid, rho_nano: i64, at: Timestamp) -> Charge {
        Charge {
            id: Uuid::now_v7(),
            job_id: JobId::from_uuid(job),
            project_id: ProjectId::from_uuid(self.project),
            allocation_id: self.allocation,
            lineage_id: self.lineage,
            cost: Cost {
                rho_nano,
                delta_atto: 1,
            },
            lineage_charged: true,
            subset: None,
            created_at: at,
        }
    }

    /// Pays for a question about the units with these values of a field.
    async fn pay_for(
        &self,
        db: &Database,
        (field, values): (&str, &[&str]),
        rho_nano: i64,
        at: Timestamp,
    ) -> Result<(), Error> {
        let tx = db.begin_write().await?;
        let job = a_job(&tx, self.project, &self.user).await;
        let one = Charge {
            subset: Some(subset(field, values)),
            ..self.charge(job, rho_nano, at)
        };
        charge(&tx, &[one]).await?;
        tx.commit().await
    }

    async fn left(&self, db: &Database, at: Timestamp) -> (i64, i64) {
        let project = ProjectId::from_uuid(self.project);
        let allocations = allocation::list_of_project(db.read(), project, at).await.unwrap();
        let lineage = allocation::load_lineage(db.read(), self.lineage, at)
            .await
            .unwrap();
        (allocations[0].remaining.rho_nano, lineage.rho_remaining_nano)
    }

    pub(super) async fn pay(&self, db: &Database, rho_nano: i64, at: Timestamp) -> Result<(), Error> {
        let tx = db.begin_write().await?;
        let job = a_job(&tx, self.project, &self.user).await;
        charge(&tx, &[self.charge(job, rho_nano, at)]).await?;
        tx.commit().await
    }
}

async fn parallel_charges_never_overspend(test: TestDatabase) {
    let db = &test.database;
    let world = std::sync::Arc::new(world(db, 1_000, 300).await);
    let mut jobs = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (db, world) = (db.clone(), world.clone());
        jobs.spawn(async move { world.pay(&db, 7, START).await });
    }
    let (mut paid, mut refused) = (0, 0);
    while let Some(outcome) = jobs.join_next().await {
        match outcome.unwrap() {
            Ok(()) => paid += 1,
            Err(Error::BudgetExhausted(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((paid, refused), (42, 58), "42 × 7 = 294 of 300");
    let project = ProjectId::from_uuid(world.project);
    let left = allocation::list_of_project(db.read(), project, START)
        .await
        .unwrap();
    assert_eq!(
        left[0].remaining,
        Cost {
            rho_nano: 6,
            delta_atto: 1_000 - 42
        }
    );
    let charges = allocation::list_charges(db.read(), project).await.unwrap();
    assert_eq!(charges.iter().map(|c| c.cost.rho_nano).sum::<i64>(), 294);
    let lineage = allocation::load_lineage(db.read(), world.lineage, START)
        .await
        .unwrap();
    assert_eq!(
        lineage.lifetime_spent,
        Cost {
            rho_nano: 294,
            delta_atto: 42
        }
    );
    assert_eq!(
        (lineage.rho_remaining_nano, lineage.rho_reserved_nano),
        (706, 300)
    );
}

async fn reservations_never_sum_past_the_cap(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 300).await;
    let mut approvals = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (db, organization, user, lineage) = (
            db.clone(),
            world.organization.clone(),
            world.user.clone(),
            world.lineage,
        );
        approvals.spawn(async move {
            let tx = db.begin_write().await?;
            let project = a_project(&tx, &organization, &user).await;
            allocation::insert(&tx, &allocated(project, lineage, 100)).await?;
            tx.commit().await
        });
    }
    let mut approved = 0;
    while let Some(outcome) = approvals.join_next().await {
        approved += usize::from(outcome.unwrap().is_ok());
    }
    assert_eq!(approved, 7, "300 + 7 × 100 = 1000");
    let tx = db.begin_write().await.unwrap();
    assert!(allocation::close(&tx, world.allocation, START).await.unwrap());
    assert!(!allocation::close(&tx, world.allocation, START).await.unwrap());
    tx.commit().await.unwrap();
    let lineage = allocation::load_lineage(db.read(), world.lineage, START)
        .await
        .unwrap();
    assert_eq!(lineage.rho_reserved_nano, 700);
    let error = world.pay(db, 1, START).await.unwrap_err();
    assert!(
        matches!(error, Error::BudgetExhausted(_)),
        "a closed allocation pays nothing: {error:?}"
    );
}

async fn windows_slide(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    let exhausted = |outcome: Result<(), Error>| matches!(outcome, Err(Error::BudgetExhausted(_)));
    world.pay(db, 60, START).await.unwrap();
    world.pay(db, 40, START.plus_days(30)).await.unwrap();
    assert!(exhausted(world.pay(db, 1, START.plus_days(89)).await));
    // The first charge has slid out, the second has not.
    let project = ProjectId::from_uuid(world.project);
    let left = allocation::list_of_project(db.read(), project, START.plus_days(90))
        .await
        .unwrap();
    assert_eq!(left[0].remaining.rho_nano, 60);
    assert!(exhausted(world.pay(db, 61, START.plus_days(90)).await));
    world.pay(db, 60, START.plus_days(90)).await.unwrap();
    assert!(exhausted(world.pay(db, 1, START.plus_days(119)).await));
    world.pay(db, 40, START.plus_days(120)).await.unwrap();
    // A clock that went back gives nothing back.
    assert!(exhausted(world.pay(db, 1, START).await));
    // What is spent in a lifetime never comes back: 200 so far of 4000.
    for day in 1..=38 {
        let _ = world.pay(db, 100, START.plus_days(120 + 400 * day)).await;
    }
    let later = START.plus_days(20_000);
    assert!(exhausted(world.pay(db, 1, later).await), "the lifetime cap");
    let lineage = allocation::load_lineage(db.read(), world.lineage, later)
        .await
        .unwrap();
    assert_eq!(
        (lineage.lifetime_spent.rho_nano, lineage.rho_remaining_nano),
        (4_000, 1_000)
    );
}

/// A project of 200 days with a window of 90 can spend its cap three times within the lineage's year.
async fn a_long_project_reserves_each_of_its_windows(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    let reserve = |days: i64, cap: i64| {
        let (organization, user) = (world.organization.clone(), world.user.clone());
        let lineage = world.lineage;
        async move {
            let tx = db.begin_write().await?;
            let project = a_project(&tx, &organization, &user).await;
            let until = START.plus_days(days).as_micros();
            tx.execute(
                "UPDATE project SET expires_at = $2 WHERE id = $1",
                [project.into(), until.into()],
            )
            .await?;
            let allocation = allocated(project, lineage, cap);
            allocation::insert(&tx, &allocation).await?;
            tx.commit().await?;
            Ok::<_, Error>(World {
                organization,
                user,
                project,
                lineage,
                allocation: allocation.id,
            })
        }
    };
    let reserved = || async {
        let lineage = allocation::load_lineage(db.read(), world.lineage, START).await;
        lineage.unwrap().rho_reserved_nano
    };
    let long = reserve(200, 250).await.unwrap();
    assert_eq!(reserved().await, 100 + 3 * 250);
    assert!(matches!(
        reserve(91, 100).await,
        Err(Error::BudgetExhausted(Purse::Reserved))
    ));
    reserve(90, 150).await.unwrap();
    // Whoever was promised something can spend it all, whatever the others do.
    for day in [0, 90, 180] {
        long.pay(db, 250, START.plus_days(day)).await.unwrap();
    }
    world.pay(db, 100, START.plus_days(180)).await.unwrap();
    let tx = db.begin_write().await.unwrap();
    assert!(allocation::close(&tx, long.allocation, START).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(
        allocation::load_lineage(db.read(), world.lineage, START.plus_days(200))
            .await
            .unwrap()
            .rho_reserved_nano,
        100 + 150 + 750,
        "what it spent is in the lineage's window still"
    );
    for (period, window, lineage, windows) in [
        (0, 90, 365, 1),
        (90, 90, 365, 1),
        (91, 90, 365, 2),
        (365, 90, 365, 5),
        (3_650, 90, 365, 5),
        (3_650, 90, 30, 1),
    ] {
        assert_eq!(
            allocation::windows(period * 86_400_000_000, window, lineage),
            windows
        );
    }
}

async fn joins_in_both_orders_do_not_deadlock(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 100_000, 50_000).await;
    let tx = db.begin_write().await.unwrap();
    let other = lineage(100_000);
    allocation::insert_lineage(&tx, &other).await.unwrap();
    let second = allocated(world.project, other.id, 50_000);
    allocation::insert(&tx, &second).await.unwrap();
    tx.commit().await.unwrap();
    let world = std::sync::Arc::new(world);
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..60 {
        let (db, world, other, second) = (db.clone(), world.clone(), other.id, second.id);
        jobs.spawn(async move {
            let tx = db.begin_write().await?;
            let job = a_job(&tx, world.project, &world.user).await;
            let one = world.charge(job, 3, START);
            let two = Charge {
                id: Uuid::now_v7(),
                allocation_id: second,
                lineage_id: other,
                ..one.clone()
            };
            let both = if number % 2 == 0 { [one, two] } else { [two, one] };
            charge(&tx, &both).await?;
            tx.commit().await
        });
    }
    while let Some(outcome) = jobs.join_next().await {
        outcome.unwrap().unwrap();
    }
    let left = allocation::list_of_project(db.read(), ProjectId::from_uuid(world.project), START)
        .await
        .unwrap();
    assert!(
        left.iter().all(|a| a.remaining.rho_nano == 50_000 - 180),
        "{left:?}"
    );
}

fn subset(field: &str, values: &[&str]) -> Subset {
    let version = VersionId::from_uuid(Uuid::from_u128(9));
    Subset::of(version, field, values.iter().copied())
}

async fn charges_about_disjoint_units_count_once(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    let pay = async |values: &[&str], rho| world.pay_for(db, ("home", values), rho, START).await;
    pay(&["a"], 60).await.unwrap();
    pay(&["b"], 60).await.unwrap();
    assert_eq!(
        world.left(db, START).await,
        (40, 940),
        "the second is carried by the first"
    );
    assert!(
        world.pay(db, 41, START).await.is_err(),
        "what is about all adds to the largest"
    );
    pay(&["b", "c"], 40).await.unwrap();
    assert_eq!(world.left(db, START).await, (0, 900));
    assert!(pay(&["b"], 1).await.is_err());
    assert!(pay(&["a", "b"], 1).await.is_err());
    pay(&["a"], 40).await.unwrap();
    pay(&["d"], 100).await.unwrap();
    assert!(pay(&["d"], 1).await.is_err());
    assert_eq!(world.left(db, START).await, (0, 900));
    // Another field parts the units in another way, and its losses add.
    let other = world.pay_for(db, ("age", &["a"]), 1, START).await;
    assert!(matches!(other, Err(Error::BudgetExhausted(Purse::Project))));
    let charges = allocation::list_charges(db.read(), ProjectId::from_uuid(world.project))
        .await
        .unwrap();
    let counted: Vec<i64> = charges.iter().map(|charge| charge.cost.rho_nano).collect();
    assert_eq!(counted, [60, 0, 40, 0, 0]);
    assert_eq!(charges[2].subset, Some(subset("home", &["b", "c"])));
    let lineage = allocation::load_lineage(db.read(), world.lineage, START)
        .await
        .unwrap();
    assert_eq!(lineage.lifetime_spent.rho_nano, 100);
}

async fn what_was_carried_stays_when_its_carrier_slides_out(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    let home = |value: &'static str| ("home", std::slice::from_ref(Box::leak(Box::new(value))));
    world.pay_for(db, home("a"), 60, START).await.unwrap();
    world
        .pay_for(db, home("b"), 60, START.plus_days(30))
        .await
        .unwrap();
    let later = START.plus_days(91);
    assert_eq!(world.left(db, later).await.0, 40, "60 on b are within the window");
    assert!(world.pay(db, 41, later).await.is_err());
    let asked = Charge {
        subset: Some(subset("home", &["c"])),
        ..world.charge(Uuid::now_v7(), 70, later)
    };
    assert_eq!(allocation::taken(db.read(), &asked).await.unwrap(), 10);
    world.pay_for(db, home("c"), 70, later).await.unwrap();
    assert_eq!(world.left(db, later).await.0, 30);
    assert!(world.pay(db, 31, later).await.is_err());
    world.pay(db, 30, later).await.unwrap();
    // The lineage remembers for longer: a and b are in its window, and c.
    let lineage = allocation::load_lineage(db.read(), world.lineage, later)
        .await
        .unwrap();
    assert_eq!(1_000 - lineage.rho_remaining_nano, 60 + 70 + 30);
    assert_eq!(world.left(db, START.plus_days(400)).await.1, 1_000 - 70 - 30);
}

/// Against a count of every unit's loss: at each charge, within the window that ends with it, nobody has lost more than the cap.
async fn no_unit_loses_more_than_the_cap(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 4_000, 100).await;
    let mut random = 7u64;
    let mut below = |n: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let (mut day, mut paid, mut refused) = (0i64, Vec::new(), 0);
    for _ in 0..160 {
        day += i64::try_from(below(12)).unwrap();
        let rho = i64::try_from(1 + below(40)).unwrap();
        let field = ["home", "home", "age"][usize::try_from(below(3)).unwrap()];
        let values: Vec<&str> = ["a", "b", "c"].into_iter().filter(|_| below(3) == 0).collect();
        let at = START.plus_days(day);
        let outcome = if values.is_empty() {
            world.pay(db, rho, at).await
        } else {
            world.pay_for(db, (field, &values), rho, at).await
        };
        match outcome {
            Ok(()) => paid.push((day, rho, field, values)),
            Err(Error::BudgetExhausted(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        for home in ["a", "b", "c", "x"] {
            for age in ["a", "b", "c", "x"] {
                let concerned = |(then, _, field, values): &&(i64, i64, &str, Vec<&str>)| {
                    let own = if *field == "home" { home } else { age };
                    *then > day - 90 && (values.is_empty() || values.contains(&own))
                };
                let loss: i64 = paid.iter().filter(concerned).map(|(_, rho, ..)| rho).sum();
                assert!(loss <= 100, "{home} {age} lost {loss} by day {day}");
            }
        }
        let lineage = allocation::load_lineage(db.read(), world.lineage, at)
            .await
            .unwrap();
        for home in ["a", "b", "c"] {
            let concerned = |(.., field, values): &&(i64, i64, &str, Vec<&str>)| {
                values.is_empty() || (*field == "home" && values.contains(&home))
            };
            let loss: i64 = paid.iter().filter(concerned).map(|(_, rho, ..)| rho).sum();
            assert!(
                loss <= lineage.lifetime_spent.rho_nano,
                "{home} lost {loss} in all"
            );
        }
        let (left, of_all) = world.left(db, at).await;
        assert!(left >= 0 && of_all >= 0, "{left} {of_all}");
    }
    assert!(
        paid.len() > 60 && refused > 20,
        "{} paid, {refused} refused",
        paid.len()
    );
}

/// Who asks first is charged first, whatever their clocks said when they began to wait.
async fn charges_are_in_the_order_in_which_they_are_made(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    let (early, late) = (START.plus_days(10), START.plus_days(11));
    world.pay_for(db, ("home", &["a"]), 60, late).await.unwrap();
    world.pay_for(db, ("home", &["b"]), 60, early).await.unwrap();
    // Both leave the window together: what carried the other has not stayed behind.
    let between = early.plus_days(90);
    world.pay_for(db, ("home", &["b"]), 40, between).await.unwrap();
    assert!(world.pay_for(db, ("home", &["b"]), 1, between).await.is_err());
    let lineage = allocation::load_lineage(db.read(), world.lineage, between)
        .await
        .unwrap();
    assert_eq!(lineage.lifetime_spent.rho_nano, 100);
}

/// A project that asked many people once leaves what the most of any was charged, and not the sum.
async fn what_an_ended_project_took_is_what_it_leaves(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 100).await;
    for value in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"] {
        world.pay_for(db, ("home", &[value]), 100, START).await.unwrap();
    }
    let tx = db.begin_write().await.unwrap();
    allocation::close(&tx, world.allocation, START).await.unwrap();
    tx.commit().await.unwrap();
    let lineage = allocation::load_lineage(db.read(), world.lineage, START)
        .await
        .unwrap();
    assert_eq!(lineage.rho_reserved_nano, 100);
    // Also where what was carried outlasts its carrier.
    let other = world_of(db, world.organization.clone(), world.user.clone(), 1_000, 100).await;
    other.pay_for(db, ("home", &["a"]), 100, START).await.unwrap();
    other
        .pay_for(db, ("home", &["b"]), 100, START.plus_days(30))
        .await
        .unwrap();
    let tx = db.begin_write().await.unwrap();
    allocation::close(&tx, other.allocation, START.plus_days(31))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let reserved = async |day| {
        let at = START.plus_days(day);
        let lineage = allocation::load_lineage(db.read(), other.lineage, at)
            .await
            .unwrap();
        lineage.rho_reserved_nano
    };
    assert_eq!(
        (reserved(31).await, reserved(370).await, reserved(396).await),
        (100, 100, 0)
    );
}

async fn parallel_charges_about_subsets_never_overspend(test: TestDatabase) {
    let db = &test.database;
    let world = std::sync::Arc::new(world(db, 1_000, 100).await);
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..100usize {
        let (db, world) = (db.clone(), world.clone());
        jobs.spawn(async move {
            let value = ["a", "b", "c", "d"][number % 4];
            world.pay_for(&db, ("home", &[value]), 7, START).await
        });
    }
    let mut paid = 0;
    while let Some(outcome) = jobs.join_next().await {
        match outcome.unwrap() {
            Ok(()) => paid += 1,
            Err(Error::BudgetExhausted(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(paid, 4 * 14, "14 × 7 = 98 of 100 for each value");
    assert_eq!(world.left(db, START).await, (2, 902));
}

async fn repeats_spare_the_lineage(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 300).await;
    let tx = db.begin_write().await.unwrap();
    let job = a_job(&tx, world.project, &world.user).await;
    let repeat = Charge {
        lineage_charged: false,
        ..world.charge(job, 10, START)
    };
    charge(&tx, &[repeat]).await.unwrap();
    tx.commit().await.unwrap();
    let lineage = allocation::load_lineage(db.read(), world.lineage, START)
        .await
        .unwrap();
    assert_eq!(lineage.rho_remaining_nano, 1_000);
    // Nor does a repeat that slides out of the window give the lineage what it never took.
    world.pay(db, 1, START.plus_days(400)).await.unwrap();
    let lineage = allocation::load_lineage(db.read(), world.lineage, START.plus_days(400))
        .await
        .unwrap();
    assert_eq!(lineage.rho_remaining_nano, 999);
}

async fn a_refused_charge_leaves_no_trace(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 300).await;
    assert!(world.pay(db, 301, START).await.is_err());
    assert!(matches!(
        world.pay(db, -5, START).await,
        Err(Error::CheckViolation(_))
    ));
    let tx = db.begin_write().await.unwrap();
    let job = a_job(&tx, world.project, &world.user).await;
    let elsewhere = Charge {
        lineage_id: LineageId::at(START),
        ..world.charge(job, 1, START)
    };
    assert!(
        matches!(charge(&tx, &[elsewhere]).await, Err(Error::BudgetExhausted(_))),
        "another's lineage"
    );
    drop(tx);
    let project = ProjectId::from_uuid(world.project);
    assert!(
        allocation::list_charges(db.read(), project)
            .await
            .unwrap()
            .is_empty()
    );
    let left = allocation::list_of_project(db.read(), project, START)
        .await
        .unwrap();
    assert_eq!(left[0].remaining.rho_nano, 300);
    let jobs = db.read().query("SELECT id FROM job", []).await.unwrap();
    assert!(jobs.is_empty(), "the job went with its charge");
}

async fn nothing_changes_a_charge(_: TestDatabase) {
    // The rows are what a restored budget is compared with; no statement of this crate touches them.
    let sources = [
        include_str!("../repository/allocation.rs"),
        include_str!("../repository/job.rs"),
    ];
    for source in sources {
        for word in [
            "UPDATE charge",
            "DELETE FROM charge",
            "charge::Entity::update",
            "charge::Entity::delete",
        ] {
            assert!(!source.contains(word), "{word}");
        }
    }
}

async fn losses_about_one_type_of_unit_are_summed(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 300).await;
    let other = |unit_type, cap| Lineage {
        unit_type: Some(unit_type),
        lifetime_cap: Cost {
            rho_nano: cap,
            delta_atto: cap,
        },
        ..lineage(cap)
    };
    let (vehicles, drafted, opened) = (
        other(UnitType::Vehicle, 7_000_000),
        other(UnitType::Person, 10),
        other(UnitType::Person, 500),
    );
    let tx = db.begin_write().await.unwrap();
    for (lineage, slug, level, state) in [
        (&vehicles, "vehicles", 3_i64, "released"),
        (&drafted, "drafted", 3, "draft"),
        (&opened, "opened", 2, "released"),
    ] {
        allocation::insert_lineage(&tx, lineage).await.unwrap();
        tx.execute(
            "INSERT INTO dataset (id, slug, organization_id, created_by, lineage_id, level, special, state, metadata, \
             revision, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)",
            [
                Uuid::now_v7().into(),
                slug.into(),
                world.organization.id.as_uuid().into(),
                world.user.id.as_uuid().into(),
                lineage.id.as_uuid().into(),
                level.into(),
                false.into(),
                state.into(),
                serde_json::json!({}).into(),
                START.as_micros().into(),
            ],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    let total = async |unit_type, also| {
        let total = allocation::total_of_unit_type(db.read(), unit_type, also)
            .await
            .unwrap();
        (
            total.lineages,
            total.spent.rho_nano,
            total.cap.rho_nano,
            total.least_delta_cap_atto,
        )
    };
    assert_eq!(total(UnitType::Household, vehicles.id).await, (0, 0, 0, 0));
    assert_eq!(
        total(UnitType::Vehicle, vehicles.id).await,
        (1, 0, 7_000_000, 7_000_000)
    );
    // Nobody can ask about a draft or about data of level L2; what was spent counts, whatever became of the dataset.
    assert_eq!(total(UnitType::Person, vehicles.id).await, (0, 0, 0, 0));
    world.pay(db, 30, START).await.unwrap();
    assert_eq!(total(UnitType::Person, vehicles.id).await, (1, 30, 4_000, 1_000));
    assert_eq!(total(UnitType::Person, drafted.id).await, (2, 30, 4_010, 10));
    let tx = db.begin_write().await.unwrap();
    tx.execute("UPDATE dataset SET state = 'retired' WHERE slug = 'drafted'", [])
        .await
        .unwrap();
    tx.execute("UPDATE dataset SET level = 3 WHERE slug = 'opened'", [])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(total(UnitType::Person, world.lineage).await, (3, 30, 4_510, 10));
}
