//! What becomes of uploads when processes die, and of their keys when the operator's changes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod abandoned;
mod rewrap;

use std::path::PathBuf;
use std::sync::Arc;

use catalog_ingest::IngestOptions;
use db::Database;
use db::organization::Organization;
use db::task::{Lease, TaskState};
use db::testing::TestDatabase;
use db::user::User;
use identity::{Actor, Authority, Identity, SessionPolicy};
use model::{
    Clock, Level, Localized, ManualClock, OrganizationId, OrganizationKind, Role, Slug, TaskId, Timestamp,
    UserId, VersionId,
};
use serde_json::json;
use storage::{OpenStore, QuarantineStore, SandboxStore};

use crate::ingestion::TASK_KIND;
use crate::{Catalog, NewEntry, Parts};

/// A file that can be read.
const GOOD: &[u8] = b"id,place\n1,a\n2,b\n";
/// Seconds that leases of these tests hold.
const LEASE: i64 = 15;

/// A catalogue in a temporary folder, with one officer.
struct World {
    db: Database,
    clock: ManualClock,
    catalog: Catalog,
    officer: Actor,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(test: &TestDatabase) -> Self {
        let db = test.database.clone();
        let clock = ManualClock::new(Timestamp::parse("2026-11-20T01:00:00Z").unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(Parts {
            db: db.clone(),
            clock: Arc::clone(&shared),
            authority: authority.clone(),
            quarantine: QuarantineStore::open(folder.path(), 0).unwrap(),
            sandbox: SandboxStore::open(folder.path(), 0).unwrap(),
            open: OpenStore::open(folder.path(), 0).unwrap(),
            upload_bytes: 1 << 20,
            unit_key: [1; 32],
            keys: seal::OperatorKey::new([3; 32].into()),
        });
        let now = clock.now();
        let organization = Organization {
            id: OrganizationId::at(now),
            slug: Slug::parse("transport").unwrap(),
            name: Localized::parse("交通运输局", None).unwrap(),
            kind: OrganizationKind::Department,
            region: None,
            created_at: now,
            revision: 1,
        };
        let user = User {
            id: UserId::at(now),
            username: "officer".to_owned(),
            display_name: "officer".to_owned(),
            organization_id: organization.id,
            created_at: now,
            disabled_at: None,
            revision: 1,
        };
        let tx = db.begin_write().await.unwrap();
        db::organization::insert(&tx, &organization).await.unwrap();
        db::user::insert(&tx, &user, "no password opens this")
            .await
            .unwrap();
        db::user::grant_role(&tx, user.id, Role::Officer).await.unwrap();
        tx.commit().await.unwrap();
        let identity = Identity::new(db.clone(), shared, authority, SessionPolicy::default(), 1).unwrap();
        let officer = identity.load_actor(user.id).await.unwrap();
        Self {
            db,
            clock,
            catalog,
            officer,
            folder,
        }
    }

    /// Uploads a file to an open dataset of its own.
    async fn upload(&self, slug: &str, bytes: &[u8]) -> (VersionId, TaskId) {
        let slug = Slug::parse(slug).unwrap();
        let metadata = json!({
            "title": {"zh": "测试"}, "summary": {"zh": "小表"}, "theme": "transport", "update_cycle": "once",
            "license": "cc-by-4.0",
        });
        let entry = NewEntry {
            slug: slug.clone(),
            level: Some(Level::L1),
            metadata: serde_json::from_value(metadata).unwrap(),
            declared: None,
        };
        self.catalog.create(&self.officer, entry).await.unwrap();
        let (dataset, mut spool) = self.catalog.begin_upload(&self.officer, &slug).await.unwrap();
        spool.append(bytes).unwrap();
        let options = IngestOptions::default();
        let uploaded = self
            .catalog
            .finish_upload(&self.officer, &dataset, spool, "a.csv", &options)
            .await;
        let (version, task) = uploaded.unwrap();
        (version.id, task)
    }

    /// Leases the task that is next, if there is one.
    async fn lease(&self) -> Option<Lease> {
        let now = self.clock.now();
        let tx = self.db.begin_write().await.unwrap();
        let owner = TaskId::at(now).as_uuid();
        let leased = db::task::lease(&tx, &[TASK_KIND], owner, now.plus_seconds(LEASE), now).await;
        tx.commit().await.unwrap();
        leased.unwrap().map(|(lease, _)| lease)
    }

    /// Processes begin the task that is next and die, until nobody begins it any more.
    async fn die_of(&self, task: TaskId) {
        while self.lease().await.is_some() {
            self.clock.advance_seconds(LEASE);
        }
        let task = db::task::find(self.db.read(), task).await.unwrap().unwrap();
        assert_eq!((task.state, task.attempt), (TaskState::Failed, task.max_attempts));
    }

    async fn version(&self, id: VersionId) -> db::version::Version {
        db::version::load(self.db.read(), id).await.unwrap()
    }

    fn original(&self, id: VersionId) -> PathBuf {
        self.folder.path().join("quarantine/uploads").join(id.to_string())
    }
}
