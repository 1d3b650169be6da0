//! The sandbox over a database of its own, with projects that may ask.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod audit;
mod check;
mod closing;
mod noise;
mod planning;
mod price;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use db::Database;
use db::allocation::{Allocation, Cost, Lineage};
use db::dataset::Dataset;
use db::organization::Organization;
use db::project::Project;
use db::request::Request;
use db::testing::TestDatabase;
use db::user::User;
use db::version::Version;
use identity::{Actor, Authority, Identity, SessionPolicy};
use ledger::Leaf;
use model::{
    AllocationId, Clock, DatasetId, DatasetState, DeclaredMetadata, JobId, Level, LineageId, Localized,
    ManualClock, OrganizationId, OrganizationKind, ProjectId, RequestId, RequestKind, RequestState, Role,
    Slug, Timestamp, UserId, VersionId, VersionState,
};
use privacy::{NoiseSource, OpenDpNoise};
use sandbox_plan::{PlanCore, PrivatePlan, Totals};
use sandbox_worker::{ChildProgram, PLANNER, PlannerLimits, Planners, Supervisor, WorkerLimits};
use serde_json::json;
use storage::SandboxStore;

use crate::{JobCost, Parts, Sandbox};

/// ρ that each project of the tests may spend, in nano.
const CAP: i64 = 50_000_000;
/// Days until they end.
const DAYS: i64 = 30;

struct World {
    identity: Identity,
    db: Database,
    clock: ManualClock,
    sandbox: Sandbox,
    analyst: Actor,
    dataset: Dataset,
    count: AtomicU32,
    _folder: tempfile::TempDir,
}

fn declared() -> DeclaredMetadata {
    let declared = json!({
        "unit": {"type": "person", "max_units": 1_000, "max_rows": 10_000, "max_rows_per_unit": 10},
        "fields": [
            {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
            {"name": "sex", "type": "text", "level": "L3", "domain": ["男", "女"], "unit_static": true},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 100}},
        ],
    });
    serde_json::from_value(declared).unwrap()
}

/// Planners that are the example program in one of its modes, which cargo builds beside the tests.
fn planners(args: &[&str], limits: PlannerLimits) -> Planners {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let program = ChildProgram::new(built.join("examples/child"), args.iter().map(Into::into));
    Planners::new(program, limits)
}

impl World {
    async fn new(test: &TestDatabase) -> Self {
        Self::over(test, false).await
    }

    /// Over a dataset that is special or not.
    async fn over(test: &TestDatabase, special: bool) -> Self {
        Self::planned_by(test, special, planners(&[PLANNER], PlannerLimits::default())).await
    }

    /// With planners of its own.
    async fn planned_by(test: &TestDatabase, special: bool, planners: Planners) -> Self {
        Self::with(test, special, planners, Box::new(OpenDpNoise)).await
    }

    /// With planners and noise of its own.
    async fn with(
        test: &TestDatabase,
        special: bool,
        planners: Planners,
        noise: Box<dyn NoiseSource>,
    ) -> Self {
        let db = test.database.clone();
        let clock = ManualClock::new(Timestamp::parse("2026-11-20T01:00:00Z").unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let limits = WorkerLimits {
            slots: 1,
            threads: 1,
            memory_bytes: 1 << 30,
        };
        let sandbox = Sandbox::new(Parts {
            db: db.clone(),
            clock: Arc::clone(&shared),
            authority: authority.clone(),
            store: SandboxStore::open(folder.path(), 0).unwrap(),
            supervisor: Supervisor::new(ChildProgram::new("/bin/false".into(), []), limits),
            planners,
            noise: Mutex::new(noise),
            group_key: [2; 32],
            keys: seal::OperatorKey::new([3; 32].into()),
            cores: 1,
            open: Arc::new(crate::NoOpenData),
        });
        let identity = Identity::new(db.clone(), shared, authority, SessionPolicy::default(), 1).unwrap();
        let now = clock.now();
        let officer = join(&db, "officer", OrganizationKind::Department, Role::Officer, now).await;
        let analyst = join(&db, "analyst", OrganizationKind::Enterprise, Role::Analyst, now).await;
        let dataset = release(&db, &officer, special, now).await;
        Self {
            sandbox,
            analyst: identity.load_actor(analyst.id).await.unwrap(),
            dataset,
            count: AtomicU32::new(0),
            identity,
            db,
            clock,
            _folder: folder,
        }
    }

    /// Opens a project of [`DAYS`] days over the dataset.
    async fn open_project(&self) -> Project {
        let now = self.clock.now();
        let organization = self.analyst.organization().unwrap();
        let request = Request {
            id: RequestId::at(now),
            kind: RequestKind::Access,
            state: RequestState::Approved,
            organization_id: organization,
            submitted_by: self.analyst.user().unwrap(),
            level: Level::L3,
            special: false,
            deadline: now,
            payload: json!({}),
            policy_id: None,
            revision: 1,
            created_at: now,
            decided_at: Some(now),
        };
        let project = Project {
            id: ProjectId::at(now),
            request_id: request.id,
            organization_id: organization,
            active: true,
            purpose: "traffic".to_owned(),
            created_at: now,
            expires_at: now.plus_days(DAYS),
            closed_at: None,
            revision: 1,
        };
        let cap = Cost {
            rho_nano: CAP,
            delta_atto: 1_000_000_000,
        };
        let allocation = Allocation {
            id: AllocationId::at(now),
            project_id: project.id,
            lineage_id: self.dataset.lineage_id,
            cap,
            remaining: cap,
            window_days: 90,
            created_at: now,
            closed_at: None,
        };
        let tx = self.db.begin_write().await.unwrap();
        db::request::insert(&tx, &request, &[(self.dataset.id, None)])
            .await
            .unwrap();
        db::project::insert(&tx, &project, &[]).await.unwrap();
        db::allocation::insert(&tx, &allocation).await.unwrap();
        let used = [(self.dataset.id, Some(allocation.id.as_uuid()))];
        db::project::insert_datasets(&tx, project.id, &used)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        project
    }

    /// Moves the clock to a moment, or up to a second past it.
    fn go_to(&self, moment: Timestamp) {
        let micros = moment.micros_since(self.clock.now());
        self.clock
            .advance_seconds(micros.div_euclid(1_000_000) + i64::from(micros % 1_000_000 != 0));
    }

    /// Somebody in an organisation of their own, or a colleague of theirs.
    async fn join(&self, name: &str, kind: OrganizationKind, role: Role) -> Actor {
        let user = join(&self.db, name, kind, role, self.clock.now()).await;
        self.identity.load_actor(user.id).await.unwrap()
    }

    /// Stores an answer as if a worker had computed it.
    async fn answer(&self, job: JobId) {
        let stored = db::job::load(self.db.read(), job).await.unwrap();
        let plan: PrivatePlan = serde_json::from_value(stored.plan.clone()).unwrap();
        let cost: JobCost = serde_json::from_value(stored.cost.clone()).unwrap();
        let of_part = |core: &PlanCore| Totals {
            aggregates: core.aggregates.len(),
            values: vec![7; core.cells as usize * core.aggregates.len()],
            counted: vec![],
            found: None,
        };
        let totals: Vec<Totals> = plan.parts.iter().map(|part| of_part(&part.core)).collect();
        self.sandbox.settle(&stored, plan, cost, totals).await.unwrap();
    }

    /// A question that nobody has asked.
    fn question(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed) % 100;
        format!("SELECT COUNT(*) AS n FROM trips WHERE fare > {number}")
    }

    async fn lineage(&self) -> Lineage {
        db::allocation::load_lineage(self.db.read(), self.dataset.lineage_id, self.clock.now())
            .await
            .unwrap()
    }

    /// What a project has been charged in all, in nano.
    async fn charged(&self, project: ProjectId) -> i64 {
        let charges = db::allocation::list_charges(self.db.read(), project)
            .await
            .unwrap();
        charges.iter().map(|charge| charge.cost.rho_nano).sum()
    }

    /// The leaves of an act, in order.
    async fn leaves(&self, act: ledger::Act) -> Vec<Leaf> {
        let tx = self.db.begin_write().await.unwrap();
        db::ledger::sequence(&tx, 100_000).await.unwrap();
        let stored = db::ledger::list_leaves(&tx, 0, 100_000).await.unwrap();
        tx.rollback().await.unwrap();
        let leaves = stored.iter().map(|leaf| Leaf::parse(&leaf.entry).unwrap());
        leaves.filter(|leaf| leaf.act() == act).collect()
    }
}

/// Somebody in an organisation of their own.
async fn join(db: &Database, name: &str, kind: OrganizationKind, role: Role, now: Timestamp) -> User {
    let organization = Organization {
        id: OrganizationId::at(now),
        slug: Slug::parse(name).unwrap(),
        name: Localized::parse(name, None).unwrap(),
        kind,
        region: None,
        created_at: now,
        revision: 1,
    };
    let user = User {
        id: UserId::at(now),
        username: name.to_owned(),
        display_name: name.to_owned(),
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
    db::user::grant_role(&tx, user.id, role).await.unwrap();
    tx.commit().await.unwrap();
    user
}

/// A released L3 dataset whose data nobody has.
async fn release(db: &Database, officer: &User, special: bool, now: Timestamp) -> Dataset {
    let metadata = json!({
        "title": {"zh": "出行"}, "summary": {"zh": "逐次出行"}, "theme": "transport", "update_cycle": "monthly",
        "license": "agreement", "special": special,
    });
    let dataset = Dataset {
        id: DatasetId::at(now),
        slug: Slug::parse("trips").unwrap(),
        origin: None,
        organization_id: officer.organization_id,
        created_by: officer.id,
        lineage_id: LineageId::at(now),
        level: Some(Level::L3),
        state: DatasetState::Draft,
        metadata: serde_json::from_value(metadata).unwrap(),
        declared: Some(declared()),
        current_version_id: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let cap = 100 * CAP;
    let lineage = Lineage {
        id: dataset.lineage_id,
        unit_type: None,
        lifetime_cap: Cost {
            rho_nano: cap,
            delta_atto: 1_000_000_000_000,
        },
        lifetime_spent: Cost::default(),
        rho_window_cap_nano: cap,
        rho_remaining_nano: cap,
        rho_reserved_nano: 0,
        window_days: 365,
        created_at: now,
    };
    let version = Version {
        id: VersionId::at(now),
        dataset_id: dataset.id,
        number: 1,
        state: VersionState::Ready,
        created_by: officer.id,
        source_name: "trips.csv".to_owned(),
        options: json!({}),
        declared: dataset.declared.clone(),
        manifest: None,
        profile: None,
        failure: None,
        checksum: None,
        created_at: now,
        ready_at: Some(now),
        published_at: None,
    };
    let tx = db.begin_write().await.unwrap();
    db::allocation::insert_lineage(&tx, &lineage).await.unwrap();
    db::dataset::insert(&tx, &dataset).await.unwrap();
    db::version::insert(&tx, &version).await.unwrap();
    db::version::set_released(&tx, version.id, now).await.unwrap();
    db::dataset::set_current_version(&tx, dataset.id, Some(version.id), DatasetState::Released, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    db::dataset::load(db.read(), dataset.id).await.unwrap()
}
