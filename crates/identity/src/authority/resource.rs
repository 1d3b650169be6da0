//! What is acted on, as far as authority is concerned.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::RestrictedExpression;
use model::{DatasetState, Level, OrganizationId, RequestKind, RequestState};

/// What the authority has to know of a thing to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A catalogue entry with its data.
    Dataset {
        /// The department that provides it.
        organization: OrganizationId,
        /// Its level; none in quarantine.
        level: Option<Level>,
        /// Where it stands.
        state: DatasetState,
        /// Whether people review results.
        special: bool,
    },
    /// A request for release or access.
    Request {
        /// What it asks for.
        kind: RequestKind,
        /// Who asks.
        organization: OrganizationId,
        /// The departments that provide the datasets it is about.
        owners: BTreeSet<OrganizationId>,
        /// The assessing organisations that have given an opinion on it.
        assessors: BTreeSet<OrganizationId>,
        /// The highest level among the datasets.
        level: Level,
        /// Whether one of the datasets is special.
        special: bool,
        /// Where it stands.
        state: RequestState,
    },
    /// A project with its budget, jobs and results.
    Project {
        /// Whose it is.
        organization: OrganizationId,
        /// Whether it is neither closed nor expired.
        active: bool,
    },
    /// The review of a special dataset's noised answer.
    Check {
        /// Whose job it is.
        organization: OrganizationId,
        /// The departments that provide the datasets it is about.
        owners: BTreeSet<OrganizationId>,
    },
    /// An organisation's own affairs.
    Organization(OrganizationId),
    /// The portal as a whole.
    Portal,
}

impl Resource {
    pub(super) const TYPES: [&'static str; 6] =
        ["Dataset", "Request", "Project", "Check", "Organization", "Portal"];

    /// A dataset.
    pub const fn dataset(
        organization: OrganizationId,
        level: Option<Level>,
        state: DatasetState,
        special: bool,
    ) -> Self {
        Self::Dataset {
            organization,
            level,
            state,
            special,
        }
    }

    /// A project.
    pub const fn project(organization: OrganizationId, active: bool) -> Self {
        Self::Project { organization, active }
    }

    /// An organisation's own affairs.
    pub const fn organization(organization: OrganizationId) -> Self {
        Self::Organization(organization)
    }

    /// Its entity type and attributes in the schema.
    pub(super) fn describe(&self) -> (&'static str, HashMap<String, RestrictedExpression>) {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let id = |id: &OrganizationId| RestrictedExpression::new_string(id.to_string());
        let level = |level: Option<Level>| {
            RestrictedExpression::new_long(level.map_or(0, |level| i64::from(level.number())))
        };
        match self {
            Self::Dataset {
                organization,
                level: grade,
                state,
                special,
            } => (
                "Dataset",
                HashMap::from([
                    ("organization".to_owned(), id(organization)),
                    ("level".to_owned(), level(*grade)),
                    ("state".to_owned(), text(state.as_str())),
                    ("special".to_owned(), RestrictedExpression::new_bool(*special)),
                ]),
            ),
            Self::Request {
                kind,
                organization,
                owners,
                assessors,
                level: grade,
                special,
                state,
            } => (
                "Request",
                HashMap::from([
                    ("kind".to_owned(), text(kind.as_str())),
                    ("organization".to_owned(), id(organization)),
                    (
                        "owners".to_owned(),
                        RestrictedExpression::new_set(owners.iter().map(id)),
                    ),
                    (
                        "assessors".to_owned(),
                        RestrictedExpression::new_set(assessors.iter().map(id)),
                    ),
                    ("level".to_owned(), level(Some(*grade))),
                    ("special".to_owned(), RestrictedExpression::new_bool(*special)),
                    ("state".to_owned(), text(state.as_str())),
                ]),
            ),
            Self::Project { organization, active } => (
                "Project",
                HashMap::from([
                    ("organization".to_owned(), id(organization)),
                    ("active".to_owned(), RestrictedExpression::new_bool(*active)),
                ]),
            ),
            Self::Check { organization, owners } => (
                "Check",
                HashMap::from([
                    ("organization".to_owned(), id(organization)),
                    (
                        "owners".to_owned(),
                        RestrictedExpression::new_set(owners.iter().map(id)),
                    ),
                ]),
            ),
            Self::Organization(organization) => (
                "Organization",
                HashMap::from([("organization".to_owned(), id(organization))]),
            ),
            Self::Portal => ("Portal", HashMap::new()),
        }
    }
}
