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
        let world = super::allocation::world(&db, 1_000, 300).await;
        world.pay(&db, 7, super::START).await.unwrap();
        let request = decided(&db, &world).await;
        db.migrate().await.unwrap();
        let project = ProjectId::from_uuid(world.project);
        let kept = crate::project::find(db.read(), project).await.unwrap().unwrap();
        assert_eq!(kept.organization_id, world.organization.id, "step {steps}");
        let charges = crate::allocation::list_charges(db.read(), project).await.unwrap();
        assert_eq!(charges.len(), 1, "step {steps}");
        let decisions = crate::request::list_decisions(db.read(), request).await.unwrap();
        assert_eq!(decisions[0].reason, "because", "step {steps}");
        db.migrate().await.unwrap();
    }
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
