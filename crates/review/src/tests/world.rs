//! A small city with somebody in every role.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use db::allocation::{Cost, Lineage};
use db::dataset::Dataset;
use db::organization::Organization;
use db::request::Request;
use db::testing::TestDatabase;
use db::user::User;
use db::version::Version;
use db::{Database, DatabaseConfig};
use identity::{Actor, Authority, Identity, SessionPolicy};
use ledger::Leaf;
use model::{
    BudgetPolicy, Clock, DatasetId, DatasetState, Decision, Level, LineageId, Localized, ManualClock,
    Opinion, OrganizationId, OrganizationKind, PolicyId, RequestState, ReviewPolicy, Role, Slug, Timestamp,
    UserId, VersionId, VersionState,
};
use serde_json::{Value, json};

use crate::{AccessApplication, Review, ReviewError};

pub(super) const PURPOSE: &str = "研究早高峰通勤与地铁换乘之间的关系";
pub(super) const SAFEGUARDS: &str = "结果仅限项目组内使用, 账号不外借";

/// Who there is: name, organisation, its kind, roles.
const CAST: [(&str, &str, OrganizationKind, &[Role]); 12] = [
    (
        "officer",
        "transport",
        OrganizationKind::Department,
        &[Role::Officer],
    ),
    (
        "other-officer",
        "water",
        OrganizationKind::Department,
        &[Role::Officer],
    ),
    (
        "second-officer",
        "transport",
        OrganizationKind::Department,
        &[Role::Officer],
    ),
    ("reviewer", "bureau", OrganizationKind::Bureau, &[Role::Reviewer]),
    (
        "second-reviewer",
        "bureau",
        OrganizationKind::Bureau,
        &[Role::Reviewer],
    ),
    ("auditor", "bureau", OrganizationKind::Bureau, &[Role::Auditor]),
    ("admin", "bureau", OrganizationKind::Bureau, &[Role::Admin]),
    (
        "assessor",
        "assess-one",
        OrganizationKind::Assessor,
        &[Role::Assessor],
    ),
    (
        "second-assessor",
        "assess-two",
        OrganizationKind::Assessor,
        &[Role::Assessor],
    ),
    (
        "analyst",
        "mobility",
        OrganizationKind::Enterprise,
        &[Role::Analyst],
    ),
    (
        "other-analyst",
        "logistics",
        OrganizationKind::Enterprise,
        &[Role::Analyst],
    ),
    (
        "developer",
        "mobility",
        OrganizationKind::Enterprise,
        &[Role::Developer],
    ),
];

pub(super) struct World {
    pub(super) db: Database,
    pub(super) clock: ManualClock,
    pub(super) review: Review,
    actors: BTreeMap<&'static str, Actor>,
    organizations: BTreeMap<&'static str, OrganizationId>,
    count: AtomicU32,
}

impl World {
    pub(super) async fn in_memory() -> Self {
        let db = Database::connect(&DatabaseConfig::Memory).await.unwrap();
        db.migrate().await.unwrap();
        Self::over(db).await
    }

    /// The same on PostgreSQL; none where its tests are left out.
    pub(super) async fn on_postgres() -> Option<(Self, TestDatabase)> {
        let test = TestDatabase::postgres().await?;
        Some((Self::over(test.database.clone()).await, test))
    }

    async fn over(db: Database) -> Self {
        let clock = ManualClock::new(Timestamp::parse("2026-11-20T01:00:00Z").unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let authority = Authority::new().unwrap();
        let policy = SessionPolicy::default();
        let identity = Identity::new(db.clone(), shared.clone(), authority.clone(), policy, 1).unwrap();
        let review = Review::new(db.clone(), shared, authority);
        let mut world = Self {
            db,
            clock,
            review,
            actors: BTreeMap::from([("visitor", Actor::anonymous())]),
            organizations: BTreeMap::new(),
            count: AtomicU32::new(0),
        };
        for (name, organization, kind, roles) in CAST {
            let user = world.join(name, organization, kind, roles).await;
            world
                .actors
                .insert(name, identity.load_actor(user).await.unwrap());
        }
        world
    }

    async fn join(
        &mut self,
        name: &str,
        organization: &'static str,
        kind: OrganizationKind,
        roles: &[Role],
    ) -> UserId {
        let now = self.clock.now();
        let tx = self.db.begin_write().await.unwrap();
        if !self.organizations.contains_key(organization) {
            let row = Organization {
                id: OrganizationId::at(now),
                slug: Slug::parse(organization).unwrap(),
                name: Localized::parse(organization, None).unwrap(),
                kind,
                region: None,
                created_at: now,
                revision: 1,
            };
            db::organization::insert(&tx, &row).await.unwrap();
            self.organizations.insert(organization, row.id);
        }
        let user = User {
            id: UserId::at(now),
            username: name.to_owned(),
            display_name: name.to_owned(),
            organization_id: self.organizations[organization],
            created_at: now,
            disabled_at: None,
            revision: 1,
        };
        db::user::insert(&tx, &user, "no password opens this")
            .await
            .unwrap();
        for role in roles {
            db::user::grant_role(&tx, user.id, *role).await.unwrap();
        }
        tx.commit().await.unwrap();
        user.id
    }

    pub(super) fn actor(&self, name: &str) -> &Actor {
        &self.actors[name]
    }

    pub(super) fn organization(&self, name: &str) -> OrganizationId {
        self.organizations[name]
    }

    /// An entry of the transport department that has all that its level needs, with its lineage.
    pub(super) fn entry(&self, level: Level) -> Dataset {
        // Ids sort by time; lists are compared in order.
        self.clock.advance_seconds(1);
        let now = self.clock.now();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let unit =
            json!({"type": "person", "max_units": 200_000, "max_rows": 2_000_000, "max_rows_per_unit": 100});
        let key = json!({"name": "person_id", "type": "text", "level": "L2", "role": "unit_key"});
        let mode = json!({"name": "mode", "type": "text", "level": "L1"});
        let declared = match level {
            Level::L2 | Level::L3 => json!({"unit": unit, "fields": [key, mode]}),
            Level::L1 | Level::L4 => json!({"fields": [mode]}),
        };
        let metadata = json!({
            "title": {"zh": "出行"}, "summary": {"zh": "逐次出行"}, "theme": "transport",
            "update_cycle": "monthly", "license": "agreement", "conditions": {"zh": "涉及国家安全"},
            "recipe": {"zh": "去除姓名与证件号"}
        });
        Dataset {
            id: DatasetId::at(now),
            slug: Slug::parse(&format!("trips-{number}")).unwrap(),
            origin: None,
            organization_id: self.organization("transport"),
            created_by: self.actor("officer").user().unwrap(),
            lineage_id: LineageId::at(now),
            level: Some(level),
            state: DatasetState::Draft,
            metadata: serde_json::from_value(metadata).unwrap(),
            declared: Some(serde_json::from_value(declared).unwrap()),
            current_version_id: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Stores an entry, with a lineage for which `epsilon` is the most over everyone.
    pub(super) async fn store(&self, dataset: &Dataset, epsilon: f64) {
        let now = self.clock.now();
        let cap = |epsilon: f64| {
            let epsilon = privacy::Epsilon::new(epsilon).unwrap();
            i64::try_from(
                privacy::conversion::cap(epsilon, privacy::Delta::BILLIONTH)
                    .rho
                    .nano(),
            )
            .unwrap()
        };
        let lineage = Lineage {
            id: dataset.lineage_id,
            unit_type: None,
            lifetime_cap: Cost {
                rho_nano: cap(25.0),
                delta_atto: 1_000_000_000,
            },
            lifetime_spent: Cost::default(),
            rho_window_cap_nano: cap(epsilon),
            rho_remaining_nano: cap(epsilon),
            rho_reserved_nano: 0,
            window_days: 365,
            created_at: now,
        };
        let tx = self.db.begin_write().await.unwrap();
        db::allocation::insert_lineage(&tx, &lineage).await.unwrap();
        db::dataset::insert(&tx, dataset).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Adds the next version of a dataset in this state.
    pub(super) async fn add_version(&self, dataset: &Dataset, state: VersionState) -> VersionId {
        let now = self.clock.now();
        let tx = self.db.begin_write().await.unwrap();
        let ready = matches!(state, VersionState::Ready | VersionState::Released);
        let figure = |value: Value| ready.then_some(value);
        let version = Version {
            id: VersionId::at(now),
            dataset_id: dataset.id,
            number: db::version::next_number(&tx, dataset.id).await.unwrap(),
            state,
            created_by: dataset.created_by,
            source_name: "trips-secret-name.csv".to_owned(),
            options: json!({}),
            declared: dataset.declared.clone(),
            manifest: figure(json!({"rows": 123_456})),
            profile: figure(json!({"rows": 123_456, "mode": {"distinct": 7}})),
            failure: None,
            checksum: ready.then(|| "ab".repeat(32)),
            created_at: now,
            ready_at: ready.then_some(now),
            published_at: None,
        };
        db::version::insert(&tx, &version).await.unwrap();
        tx.commit().await.unwrap();
        version.id
    }

    /// A dataset with a ready version, or for L4 none.
    pub(super) async fn ready(&self, level: Level) -> Dataset {
        let dataset = self.entry(level);
        self.store(&dataset, 10.0).await;
        if level != Level::L4 {
            self.add_version(&dataset, VersionState::Ready).await;
        }
        dataset
    }

    /// A dataset that is released, by the use-cases themselves.
    pub(super) async fn released(&self, level: Level) -> Dataset {
        self.released_with(level, 10.0).await
    }

    /// The same under another cap of its lineage.
    pub(super) async fn released_with(&self, level: Level, epsilon: f64) -> Dataset {
        let dataset = self.entry(level);
        self.store(&dataset, epsilon).await;
        if level != Level::L4 {
            self.add_version(&dataset, VersionState::Ready).await;
        }
        self.release(&dataset).await;
        db::dataset::load(self.db.read(), dataset.id).await.unwrap()
    }

    /// Has the dataset released.
    pub(super) async fn release(&self, dataset: &Dataset) -> Request {
        let request = self.awaiting_decision(dataset).await;
        let reviewer = self.actor("reviewer");
        let decided = self
            .review
            .decide(
                reviewer,
                request.id,
                request.revision,
                Decision::Approve,
                "",
                None,
            )
            .await;
        decided.unwrap().request
    }

    pub(super) async fn submitted(&self, dataset: &Dataset) -> Request {
        self.review
            .submit_release(self.actor("officer"), &dataset.slug, "请尽快")
            .await
            .unwrap()
    }

    pub(super) async fn awaiting_decision(&self, dataset: &Dataset) -> Request {
        let request = self.submitted(dataset).await;
        if request.state == RequestState::AwaitingDecision {
            return request;
        }
        self.opine("assessor", &request, Opinion::Safe).await.unwrap()
    }

    pub(super) async fn opine(
        &self,
        actor: &str,
        request: &Request,
        opinion: Opinion,
    ) -> Result<Request, ReviewError> {
        let reason = "已核对字段与脱敏规则";
        self.review
            .give_opinion(self.actor(actor), request.id, request.revision, opinion, reason)
            .await
    }

    pub(super) async fn decide(
        &self,
        actor: &str,
        request: &Request,
        decision: Decision,
    ) -> Result<crate::Decided, ReviewError> {
        let reason = "请补充字段说明";
        self.review
            .decide(
                self.actor(actor),
                request.id,
                request.revision,
                decision,
                reason,
                None,
            )
            .await
    }

    pub(super) fn application(&self, datasets: &[&Dataset]) -> AccessApplication {
        AccessApplication {
            datasets: datasets.iter().map(|dataset| dataset.slug.clone()).collect(),
            purpose: PURPOSE.to_owned(),
            safeguards: SAFEGUARDS.to_owned(),
            days: None,
        }
    }

    pub(super) async fn applied(&self, datasets: &[&Dataset]) -> Request {
        self.clock.advance_seconds(1);
        self.review
            .submit_access(self.actor("analyst"), &self.application(datasets))
            .await
            .unwrap()
    }

    pub(super) async fn set_policies(&self, review: &ReviewPolicy, budget: &BudgetPolicy) -> [PolicyId; 2] {
        let now = self.clock.now();
        let tx = self.db.begin_write().await.unwrap();
        let mut ids = Vec::new();
        for (kind, body) in [
            (ReviewPolicy::KIND, serde_json::to_value(review).unwrap()),
            (BudgetPolicy::KIND, serde_json::to_value(budget).unwrap()),
        ] {
            let policy = db::policy::Policy {
                id: PolicyId::at(now),
                kind: kind.to_owned(),
                effective_from: now,
                body,
                created_by: None,
                created_at: now,
            };
            db::policy::insert(&tx, &policy).await.unwrap();
            ids.push(policy.id);
        }
        tx.commit().await.unwrap();
        [ids[0], ids[1]]
    }

    /// All leaves written so far, in order.
    pub(super) async fn leaves(&self) -> Vec<Leaf> {
        let tx = self.db.begin_write().await.unwrap();
        db::ledger::sequence(&tx, 100_000).await.unwrap();
        let stored = db::ledger::list_leaves(&tx, 0, 100_000).await.unwrap();
        tx.rollback().await.unwrap();
        stored
            .iter()
            .map(|leaf| Leaf::parse(&leaf.entry).unwrap())
            .collect()
    }

    /// The acts of the leaves after the first `known`.
    pub(super) async fn acts_after(&self, known: usize) -> Vec<&'static str> {
        self.leaves().await[known..]
            .iter()
            .map(|leaf| leaf.act().as_str())
            .collect()
    }

    pub(super) async fn reload(&self, request: &Request) -> Request {
        db::request::load(self.db.read(), request.id).await.unwrap()
    }
}

/// `ok`, or the code of the error.
pub(super) fn outcome<T>(result: &Result<T, ReviewError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}
