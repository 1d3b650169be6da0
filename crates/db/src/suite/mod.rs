//! One suite for both databases: whatever is promised on one is tested on the other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod account;
mod allocation;
mod dataset;
mod engine;
mod idempotency;
mod ledger;
mod migration;
mod project;
mod small;
mod task;
mod version_key;

use model::{Localized, OrganizationId, OrganizationKind, Slug, Timestamp, UserId};
use uuid::Uuid;

use crate::connection::{Database, Tx};
use crate::organization::Organization;
use crate::user::User;

/// 2026-11-23T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_392_000_000_000);

pub(crate) fn an_organization(slug: &str) -> Organization {
    Organization {
        id: OrganizationId::at(START),
        slug: Slug::parse(slug).unwrap(),
        name: Localized::parse("交通运输局", Some("Transport Bureau")).unwrap(),
        kind: OrganizationKind::Department,
        region: Some("990100".to_owned()),
        created_at: START,
        revision: 1,
    }
}

pub(crate) fn a_user(username: &str, organization: OrganizationId) -> User {
    User {
        id: UserId::at(START),
        username: username.to_owned(),
        display_name: "测试员".to_owned(),
        organization_id: organization,
        created_at: START,
        disabled_at: None,
        revision: 1,
    }
}

/// An organisation with one user, committed.
pub(crate) async fn somebody(database: &Database) -> (Organization, User) {
    let organization = an_organization("transport");
    let user = a_user("li.na", organization.id);
    let tx = database.begin_write().await.unwrap();
    crate::organization::insert(&tx, &organization).await.unwrap();
    crate::user::insert(&tx, &user, "hash").await.unwrap();
    tx.commit().await.unwrap();
    (organization, user)
}

/// An approved access request with its project; rows of other modules, written as they write them.
pub(crate) async fn a_project(tx: &Tx, organization: &Organization, user: &User) -> Uuid {
    let (request, project) = (Uuid::now_v7(), Uuid::now_v7());
    let now = START.as_micros();
    tx.execute(
        "INSERT INTO request (id, kind, state, organization_id, submitted_by, level, special, deadline, payload, \
         revision, created_at) VALUES ($1, 'access', 'approved', $2, $3, 3, $4, $5, $6, 1, $5)",
        [
            request.into(),
            organization.id.as_uuid().into(),
            user.id.as_uuid().into(),
            false.into(),
            now.into(),
            serde_json::json!({}).into(),
        ],
    )
    .await
    .unwrap();
    tx.execute(
        "INSERT INTO project (id, request_id, organization_id, state, purpose, created_at, expires_at, revision) \
         VALUES ($1, $2, $3, 'active', 'traffic', $4, $4, 1)",
        [project.into(), request.into(), organization.id.as_uuid().into(), now.into()],
    )
    .await
    .unwrap();
    project
}

/// A queued job with a plan of its own.
pub(crate) async fn a_job(tx: &Tx, project: Uuid, user: &User) -> Uuid {
    let job = Uuid::now_v7();
    let mut plan_hash = job.as_bytes().to_vec();
    plan_hash.extend_from_slice(job.as_bytes());
    tx.execute(
        "INSERT INTO job (id, project_id, submitted_by, kind, plan_hash, state, plan, cost, created_at, due_at, \
         revision) VALUES ($1, $2, $3, 'sql', $4, 'queued', $5, $5, $6, $6, 1)",
        [
            job.into(),
            project.into(),
            user.id.as_uuid().into(),
            plan_hash.into(),
            serde_json::json!({}).into(),
            START.as_micros().into(),
        ],
    )
    .await
    .unwrap();
    job
}
