//! Transactions, constraints and errors, alike on both engines.

use model::Category;

use super::{START, a_user, an_organization, somebody};
use crate::Error;
use crate::connection::Database;
use crate::organization::{self, SLUG_KEY};
use crate::testing::TestDatabase;

crate::on_both_databases!(
    a_transaction_is_all_or_nothing,
    constraints_have_the_same_names,
    values_of_another_type_are_refused,
    revisions_guard_edits,
    lists_page_by_id,
    migrating_again_and_at_once_is_harmless,
    readers_do_not_wait_for_a_writer,
    readers_cannot_write,
);

async fn a_transaction_is_all_or_nothing(test: TestDatabase) {
    let db = &test.database;
    let organization = an_organization("kept");
    let tx = db.begin_write().await.unwrap();
    organization::insert(&tx, &organization).await.unwrap();
    assert_eq!(
        organization::find(&tx, organization.id).await.unwrap(),
        Some(organization.clone())
    );
    drop(tx);
    assert_eq!(
        organization::find(db.read(), organization.id).await.unwrap(),
        None
    );
    let tx = db.begin_write().await.unwrap();
    organization::insert(&tx, &organization).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(
        organization::find(db.read(), organization.id).await.unwrap(),
        None
    );
    let tx = db.begin_write().await.unwrap();
    organization::insert(&tx, &organization).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        organization::load(db.read(), organization.id).await.unwrap(),
        organization
    );
}

async fn constraints_have_the_same_names(test: TestDatabase) {
    let db = &test.database;
    let (organization, user) = somebody(db).await;
    let tx = db.begin_write().await.unwrap();
    let error = organization::insert(&tx, &an_organization("transport"))
        .await
        .unwrap_err();
    assert!(error.violates(SLUG_KEY), "{error:?}");
    assert_eq!(error.category(), Category::Conflict);
    drop(tx);
    let tx = db.begin_write().await.unwrap();
    let error = crate::user::insert(&tx, &a_user("li.na", organization.id), "x")
        .await
        .unwrap_err();
    assert!(error.violates(crate::user::USERNAME_KEY), "{error:?}");
    drop(tx);
    let tx = db.begin_write().await.unwrap();
    let stranger = a_user("stranger", model::OrganizationId::at(START));
    let error = crate::user::insert(&tx, &stranger, "x").await.unwrap_err();
    assert!(matches!(error, Error::ForeignKeyViolation), "{error:?}");
    drop(tx);
    let tx = db.begin_write().await.unwrap();
    let sql = "INSERT INTO user_role (user_id, role) VALUES ($1, $2)";
    let error = tx
        .execute(sql, [user.id.as_uuid().into(), "root".into()])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::CheckViolation(_)), "{error:?}");
    drop(tx);
    // A composite primary key is named like any unique constraint.
    let tx = db.begin_write().await.unwrap();
    tx.execute(sql, [user.id.as_uuid().into(), "officer".into()])
        .await
        .unwrap();
    let error = tx
        .execute(sql, [user.id.as_uuid().into(), "officer".into()])
        .await
        .unwrap_err();
    assert!(error.violates("user_role_user_id_role_key"), "{error:?}");
}

async fn values_of_another_type_are_refused(test: TestDatabase) {
    let tx = test.database.begin_write().await.unwrap();
    let sql = "INSERT INTO organization (id, slug, name_zh, kind, created_at, revision) \
               VALUES ($1, 'typed', 'x', 'bureau', $2, 1)";
    let id = uuid::Uuid::now_v7();
    let error = tx
        .execute(sql, [id.into(), "yesterday".into()])
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::CheckViolation(_) | Error::Statement(_)),
        "{error:?}"
    );
    assert!(
        !error.to_string().contains("yesterday"),
        "no value in a message: {error}"
    );
}

async fn revisions_guard_edits(test: TestDatabase) {
    let db = &test.database;
    let (mut organization, _) = somebody(db).await;
    organization.region = None;
    let tx = db.begin_write().await.unwrap();
    assert_eq!(organization::update(&tx, &organization).await.unwrap(), 2);
    assert!(matches!(
        organization::update(&tx, &organization).await,
        Err(Error::Stale(_))
    ));
    tx.commit().await.unwrap();
    let found = organization::find_by_slug(db.read(), &organization.slug)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.region, found.revision), (None, 2));
}

async fn lists_page_by_id(test: TestDatabase) {
    let db = &test.database;
    let tx = db.begin_write().await.unwrap();
    for number in 0..7 {
        organization::insert(&tx, &an_organization(&format!("office-{number}")))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = organization::list(db.read(), None, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|organization| organization.id));
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(
        (seen.len(), &sorted),
        (7, &seen),
        "each once, in the order of ids"
    );
}

async fn migrating_again_and_at_once_is_harmless(test: TestDatabase) {
    let (one, two) = (
        Database::connect(&test.config).await.unwrap(),
        Database::connect(&test.config).await.unwrap(),
    );
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
    test.database.ping().await.unwrap();
    somebody(&one).await;
    one.close().await.unwrap();
}

async fn readers_do_not_wait_for_a_writer(test: TestDatabase) {
    let db = &test.database;
    let (organization, _) = somebody(db).await;
    let tx = db.begin_write().await.unwrap();
    organization::insert(&tx, &an_organization("waiting"))
        .await
        .unwrap();
    let reading = organization::load(db.read(), organization.id);
    let read = tokio::time::timeout(std::time::Duration::from_secs(5), reading).await;
    assert_eq!(read.unwrap().unwrap(), organization);
    tx.commit().await.unwrap();
}

async fn readers_cannot_write(test: TestDatabase) {
    if !matches!(test.config, crate::DatabaseConfig::File { .. }) {
        return;
    }
    // SQLite only: there, a write outside the writer's queue would fail others with "busy".
    let error = test
        .database
        .read()
        .execute("DELETE FROM outbox", [])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}
