//! An account for every role, each with a token that carries all scopes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use db::Database;
use demo::organization::{ASSESSOR, DATA_BUREAU, ECOLOGY, HEALTH, INSIGHT, MOBILITY, TRANSPORT};
use demo::{Organization, OrganizationKind as Kind};
use identity::{Actor, Authority, Identity, NewAccount, NewOrganization, SessionPolicy};
use model::{Localized, OrganizationKind, Role, Scope, Slug, SystemClock};

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery 沙盘";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Nobody.
    Anonymous,
    /// The transport bureau's officer: owner of what the tests publish.
    Officer,
    /// Another department's officer.
    OtherOfficer,
    /// An enterprise's analyst.
    Analyst,
    /// Another enterprise's analyst.
    OtherAnalyst,
    /// A developer of the first enterprise, without its analysts' rights.
    Developer,
    /// A reviewer of the bureau.
    Reviewer,
    /// Another one.
    SecondReviewer,
    /// The third-party assessor.
    Assessor,
    /// The bureau's auditor.
    Auditor,
    /// Who manages accounts.
    Admin,
}

impl Who {
    /// Everybody, nobody included.
    pub(crate) const ALL: [Self; 11] = [
        Self::Anonymous,
        Self::Officer,
        Self::OtherOfficer,
        Self::Analyst,
        Self::OtherAnalyst,
        Self::Developer,
        Self::Reviewer,
        Self::SecondReviewer,
        Self::Assessor,
        Self::Auditor,
        Self::Admin,
    ];

    /// The name to sign in with.
    pub(crate) const fn username(self) -> &'static str {
        match self {
            Self::Anonymous => "nobody",
            Self::Officer => "officer",
            Self::OtherOfficer => "other-officer",
            Self::Analyst => "analyst",
            Self::OtherAnalyst => "other-analyst",
            Self::Developer => "developer",
            Self::Reviewer => "reviewer",
            Self::SecondReviewer => "second-reviewer",
            Self::Assessor => "assessor",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    const fn place(self) -> Option<(Organization, Role)> {
        match self {
            Self::Anonymous => None,
            Self::Officer => Some((TRANSPORT, Role::Officer)),
            Self::OtherOfficer => Some((HEALTH, Role::Officer)),
            Self::Analyst => Some((MOBILITY, Role::Analyst)),
            Self::OtherAnalyst => Some((INSIGHT, Role::Analyst)),
            Self::Developer => Some((MOBILITY, Role::Developer)),
            Self::Reviewer | Self::SecondReviewer => Some((DATA_BUREAU, Role::Reviewer)),
            Self::Assessor => Some((ASSESSOR, Role::Assessor)),
            Self::Auditor => Some((DATA_BUREAU, Role::Auditor)),
            Self::Admin => Some((DATA_BUREAU, Role::Admin)),
        }
    }
}

/// Everybody's token.
#[derive(Debug, Default)]
pub(crate) struct People(BTreeMap<Who, String>);

impl People {
    /// Registers the organisations and opens the accounts in a migrated database.
    pub(crate) async fn register(database: &Database) -> Self {
        let authority = Authority::new().unwrap();
        let clock = Arc::new(SystemClock);
        let identity =
            Identity::new(database.clone(), clock, authority, SessionPolicy::default(), 2).unwrap();
        let system = Actor::system();
        let mut places = BTreeMap::new();
        for organization in [
            TRANSPORT,
            HEALTH,
            ECOLOGY,
            MOBILITY,
            INSIGHT,
            DATA_BUREAU,
            ASSESSOR,
        ] {
            let new = NewOrganization {
                slug: Slug::parse(organization.slug).unwrap(),
                name: Localized::parse(organization.name.zh, Some(organization.name.en)).unwrap(),
                kind: kind(organization.kind),
                region: Some(organization.region.to_owned()),
            };
            let made = identity.create_organization(&system, new).await.unwrap();
            places.insert(organization.slug, made.id);
        }
        let mut tokens = BTreeMap::new();
        for who in Who::ALL {
            let Some((organization, role)) = who.place() else {
                continue;
            };
            let new = NewAccount {
                username: who.username().to_owned(),
                display_name: format!("测试 {}", who.username()),
                organization: places[organization.slug],
                roles: BTreeSet::from([role]),
            };
            let user = identity.create_account(&system, new, PASSWORD).await.unwrap();
            let actor = identity.load_actor(user.id).await.unwrap();
            let scopes = Scope::ALL.into_iter().collect();
            let (_, secret) = identity.create_token(&actor, "e2e", scopes, 1).await.unwrap();
            tokens.insert(who, secret.expose().to_owned());
        }
        Self(tokens)
    }

    /// Somebody's token; none for nobody.
    pub(crate) fn token(&self, who: Who) -> Option<String> {
        self.0.get(&who).cloned()
    }
}

const fn kind(kind: Kind) -> OrganizationKind {
    match kind {
        Kind::Department => OrganizationKind::Department,
        Kind::Bureau => OrganizationKind::Bureau,
        Kind::Enterprise => OrganizationKind::Enterprise,
        Kind::Assessor => OrganizationKind::Assessor,
    }
}
