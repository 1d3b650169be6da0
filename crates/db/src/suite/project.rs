//! Projects end, and give back what they have not spent.

use std::sync::Arc;

use model::{ProjectId, Timestamp};

use super::allocation::{World, allocated, world, world_of};
use super::{START, a_job, a_project, somebody};
use crate::Error;
use crate::allocation::{self, charge};
use crate::connection::Database;
use crate::project;
use crate::testing::TestDatabase;

crate::on_both_databases!(
    a_project_is_open_until_its_end_and_closed_once,
    closing_meets_charging,
    what_was_spent_is_not_given_back_within_the_window,
    approvals_and_closings_never_promise_what_is_spent,
);

/// A moment before the end of the suite's projects, which is their beginning.
const BEFORE: Timestamp = START.plus_seconds(-10);

impl World {
    fn project(&self) -> ProjectId {
        ProjectId::from_uuid(self.project)
    }

    /// Charges as a submission does: only while the project is open.
    async fn submit(&self, db: &Database, rho_nano: i64) -> Result<bool, Error> {
        let tx = db.begin_write().await?;
        if !project::hold_open(&tx, self.project(), BEFORE).await? {
            return Ok(false);
        }
        let job = a_job(&tx, self.project, &self.user).await;
        charge(&tx, &[self.charge(job, rho_nano, START)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn close(&self, db: &Database, now: Timestamp) -> Result<bool, Error> {
        let tx = db.begin_write().await?;
        let closed = project::close(&tx, self.project(), now).await?;
        let given_back = allocation::close(&tx, self.allocation, now).await?;
        tx.commit().await?;
        assert_eq!(closed, given_back);
        Ok(closed)
    }

    async fn reserved(&self, db: &Database, now: Timestamp) -> i64 {
        let lineage = allocation::load_lineage(db.read(), self.lineage, now)
            .await
            .unwrap();
        lineage.rho_reserved_nano
    }

    /// Whether another project can be promised so much at that moment.
    async fn promise(&self, db: &Database, rho_nano: i64, now: Timestamp) -> Result<(), Error> {
        let tx = db.begin_write().await?;
        let project = a_project(&tx, &self.organization, &self.user).await;
        let mut another = allocated(project, self.lineage, rho_nano);
        another.created_at = now;
        allocation::insert(&tx, &another).await?;
        tx.commit().await
    }
}

async fn a_project_is_open_until_its_end_and_closed_once(test: TestDatabase) {
    let db = &test.database;
    let world = world(db, 1_000, 300).await;
    let expired = async |now| {
        let projects = project::list_expired(db.read(), now, 10).await.unwrap();
        projects.into_iter().map(|project| project.id).collect::<Vec<_>>()
    };
    assert_eq!(expired(BEFORE).await, []);
    assert_eq!(
        expired(START).await,
        [world.project()],
        "the end does not belong to it"
    );
    let open_at = async |now| {
        let tx = db.begin_write().await.unwrap();
        project::hold_open(&tx, world.project(), now).await.unwrap()
    };
    assert!(open_at(BEFORE).await);
    assert!(
        !open_at(START).await,
        "past its end, although nobody has closed it"
    );
    let closed_at = START.plus_seconds(3);
    assert!(world.close(db, closed_at).await.unwrap());
    assert!(!world.close(db, closed_at.plus_seconds(1)).await.unwrap(), "once");
    assert!(!open_at(BEFORE).await, "nor by a clock that went back");
    assert_eq!(expired(closed_at).await, []);
    let project = project::find(db.read(), world.project()).await.unwrap().unwrap();
    assert_eq!(
        (project.active, project.closed_at, project.revision),
        (false, Some(closed_at), 2)
    );
}

async fn closing_meets_charging(test: TestDatabase) {
    let db = &test.database;
    let world = Arc::new(world(db, 1_000, 700).await);
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (db, world) = (db.clone(), world.clone());
        racers.spawn(async move {
            if number == 13 {
                assert!(world.close(&db, START).await.unwrap());
                return 0;
            }
            i64::from(world.submit(&db, 7).await.unwrap())
        });
    }
    let mut paid = 0;
    while let Some(outcome) = racers.join_next().await {
        paid += outcome.unwrap();
    }
    let charges = allocation::list_charges(db.read(), world.project())
        .await
        .unwrap();
    assert_eq!(
        i64::try_from(charges.len()).unwrap(),
        paid,
        "paid or refused, nothing between"
    );
    assert_eq!(
        world.reserved(db, START).await,
        7 * paid,
        "all that was spent and nothing else"
    );
    assert!(!world.submit(db, 7).await.unwrap(), "closed is closed");
    let error = world.pay(db, 7, START).await.unwrap_err();
    assert!(
        matches!(error, Error::BudgetExhausted(_)),
        "even without asking: {error:?}"
    );
}

async fn what_was_spent_is_not_given_back_within_the_window(test: TestDatabase) {
    let db = &test.database;
    // A window of 365 days that holds 1000 over everyone, of which the project has 600.
    let world = world(db, 1_000, 600).await;
    assert!(world.submit(db, 250).await.unwrap());
    assert_eq!(
        world.reserved(db, START).await,
        600,
        "what it may spend, not what it has"
    );
    assert!(world.promise(db, 401, START).await.is_err());
    world.close(db, START).await.unwrap();
    assert_eq!(world.reserved(db, START).await, 250);
    let exhausted = |outcome: Result<(), Error>| matches!(outcome, Err(Error::BudgetExhausted(_)));
    assert!(exhausted(world.promise(db, 751, START).await), "250 are spent");
    world.promise(db, 700, START).await.unwrap();
    let slid_out = START.plus_days(365);
    assert!(exhausted(world.promise(db, 300, slid_out.plus_seconds(-1)).await));
    assert_eq!(
        world.reserved(db, slid_out).await,
        700,
        "the charge has left the window"
    );
    world.promise(db, 300, slid_out).await.unwrap();
    let lineage = allocation::load_lineage(db.read(), world.lineage, slid_out)
        .await
        .unwrap();
    assert_eq!(lineage.lifetime_spent.rho_nano, 250, "a lifetime forgets nothing");
}

async fn approvals_and_closings_never_promise_what_is_spent(test: TestDatabase) {
    let db = &test.database;
    let (organization, user) = somebody(db).await;
    for _ in 0..8 {
        let world = world_of(db, organization.clone(), user.clone(), 1_000, 600).await;
        let world = Arc::new(world);
        assert!(world.submit(db, 250).await.unwrap());
        // 600 of 1000 are reserved, 250 of them spent: after the closing 750 are free, before it 400.
        let closing = {
            let (db, world) = (db.clone(), world.clone());
            tokio::spawn(async move { world.close(&db, START).await.unwrap() })
        };
        let promise = {
            let (db, world) = (db.clone(), world.clone());
            tokio::spawn(async move { world.promise(&db, 800, START).await })
        };
        assert!(closing.await.unwrap());
        assert!(promise.await.unwrap().is_err(), "800 is never free");
        assert_eq!(world.reserved(db, START).await, 250);
    }
}
