//! A database of an earlier release is brought up to date with what is in it.

use sea_orm_migration::MigratorTrait;

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
        db.migrate().await.unwrap();
        let project = model::ProjectId::from_uuid(world.project);
        let kept = crate::project::find(db.read(), project).await.unwrap().unwrap();
        assert_eq!(kept.organization_id, world.organization.id, "step {steps}");
        let charges = crate::allocation::list_charges(db.read(), project).await.unwrap();
        assert_eq!(charges.len(), 1, "step {steps}");
        db.migrate().await.unwrap();
    }
}
