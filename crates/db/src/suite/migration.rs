//! A database of an earlier release is brought up to date with what is in it.

use model::{ProjectId, RequestId};
use sea_orm_migration::MigratorTrait;

use super::allocation::World;
use crate::connection::{Database, DatabaseConfig};
use crate::migration::Migrator;
use crate::testing::TestDatabase;

crate::on_both_databases!(every_earlier_schema_is_brought_up_to_date);

/// A database with the first steps only.
async fn at_step(test: &TestDatabase, steps: u32) -> Database {
    let db = match &test.config {
        DatabaseConfig::File { path, readers } => {
            let config = DatabaseConfig::File {
                path: path.with_file_name(format!("step-{steps}.sqlite")),
                readers: *readers,
            };
            Database::connect(&config).await.unwrap()
        }
        _ => {
            let tx = test.database.begin_write().await.unwrap();
            for sql in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
                tx.execute(sql, []).await.unwrap();
            }
            tx.commit().await.unwrap();
            test.database.clone()
        }
    };
    let tx = db.begin_write().await.unwrap();
    Migrator::up(tx.executor(), Some(steps)).await.unwrap();
    tx.commit().await.unwrap();
    db
}

async fn every_earlier_schema_is_brought_up_to_date(test: TestDatabase) {
    let latest = u32::try_from(Migrator::migrations().len()).unwrap();
    for steps in 1..latest {
        let db = at_step(&test, steps).await;
        let world = charged(&db).await;
        let request = decided(&db, &world).await;
        db.migrate().await.unwrap();
        let project = ProjectId::from_uuid(world.project);
        let kept = crate::project::find(db.read(), project).await.unwrap().unwrap();
        assert_eq!(kept.organization_id, world.organization.id, "step {steps}");
        let charges = crate::allocation::list_charges(db.read(), project).await.unwrap();
        assert_eq!(charges.len(), 1, "step {steps}");
        assert_eq!(charges[0].cost.rho_nano, 7, "step {steps}");
        assert_eq!(charges[0].subset, None, "step {steps}");
        world.pay(&db, 293, super::START).await.unwrap();
        assert!(world.pay(&db, 1, super::START).await.is_err(), "step {steps}");
        let decisions = crate::request::list_decisions(db.read(), request).await.unwrap();
        assert_eq!(decisions[0].reason, "because", "step {steps}");
        db.migrate().await.unwrap();
    }
}

/// A project of which 7 of 300 were spent, as the first release wrote it.
async fn charged(db: &Database) -> World {
    let (organization, user) = super::somebody(db).await;
    let tx = db.begin_write().await.unwrap();
    let world = super::allocation::unallocated(&tx, organization, user, 1_000).await;
    let start = super::START.as_micros();
    tx.execute(
        "INSERT INTO allocation (id, project_id, lineage_id, rho_cap_nano, rho_remaining_nano, delta_cap_atto, \
         delta_remaining_atto, window_days, window_start, created_at) VALUES ($1, $2, $3, 300, 293, 1000, 999, 90, $4, $5)",
        [
            world.allocation.as_uuid().into(),
            world.project.into(),
            world.lineage.as_uuid().into(),
            (start - 1).into(),
            start.into(),
        ],
    )
    .await
    .unwrap();
    let job = super::a_job(&tx, world.project, &world.user).await;
    tx.execute(
        "INSERT INTO charge (id, job_id, project_id, allocation_id, lineage_id, rho_nano, delta_atto, lineage_charged, \
         created_at) VALUES ($1, $2, $3, $4, $5, 7, 1, $6, $7)",
        [
            uuid::Uuid::now_v7().into(),
            job.into(),
            world.project.into(),
            world.allocation.as_uuid().into(),
            world.lineage.as_uuid().into(),
            true.into(),
            start.into(),
        ],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    world
}

/// A decision on the request of the project, written as the first release wrote it.
async fn decided(db: &Database, world: &World) -> RequestId {
    let project = crate::project::find(db.read(), ProjectId::from_uuid(world.project)).await;
    let request = project.unwrap().unwrap().request_id;
    let tx = db.begin_write().await.unwrap();
    tx.execute(
        "INSERT INTO decision (id, request_id, user_id, decision, reason, created_at) \
         VALUES ($1, $2, $3, 'approve', 'because', $4)",
        [
            uuid::Uuid::now_v7().into(),
            request.as_uuid().into(),
            world.user.id.as_uuid().into(),
            super::START.as_micros().into(),
        ],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    request
}
