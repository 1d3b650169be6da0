//! The portal's terms in the reader's language: one place where a state, level or role becomes a word.

use model::{
    Bounds, Decision, FieldRole, FieldType, JobState, Language, Level, License, Opinion, OrganizationKind,
    RequestState, Role, Scope, Theme, UnitType, UpdateCycle, Verdict, VersionState,
};

use super::shell::Shell;

macro_rules! terms {
    ($($(#[$doc:meta])* $name:ident($type:ty) { $($variant:ident => $key:literal,)+ })+) => {
        impl Shell {
            $($(#[$doc])*
            pub fn $name(&self, term: &$type) -> String {
                self.t(key::$name(term))
            })+
        }

        /// The keys of the terms, for messages whose language is not known yet.
        pub(crate) mod key {
            use super::*;

            $($(#[$doc])*
            pub(crate) const fn $name(term: &$type) -> &'static str {
                match term { $(<$type>::$variant => $key),+ }
            })+
        }
    };
}

terms! {
    /// A level's name.
    level_name(Level) {
        L1 => "level-l1",
        L2 => "level-l2",
        L3 => "level-l3",
        L4 => "level-l4",
    }
    /// How data of a level are opened.
    level_opening(Level) {
        L1 => "level-l1-opening",
        L2 => "level-l2-opening",
        L3 => "level-l3-opening",
        L4 => "level-l4-opening",
    }
    /// What a level means for those who want to use the data.
    level_meaning(Level) {
        L1 => "level-l1-meaning",
        L2 => "level-l2-meaning",
        L3 => "level-l3-meaning",
        L4 => "level-l4-meaning",
    }
    /// A field type's name.
    field_type(FieldType) {
        Text => "field-type-text",
        Integer => "field-type-integer",
        Number => "field-type-number",
        Boolean => "field-type-boolean",
        Date => "field-type-date",
        Timestamp => "field-type-timestamp",
    }
    /// A field role's name.
    field_role(FieldRole) {
        UnitKey => "field-role-unit-key",
        DirectIdentifier => "field-role-direct-identifier",
        QuasiIdentifier => "field-role-quasi-identifier",
        Sensitive => "field-role-sensitive",
        Attribute => "field-role-attribute",
    }
    /// A privacy unit's name.
    unit_type(UnitType) {
        Person => "unit-person",
        Enterprise => "unit-enterprise",
        Household => "unit-household",
        Vehicle => "unit-vehicle",
        Row => "unit-row",
    }
    /// A version's state.
    version_state(VersionState) {
        Ingesting => "version-ingesting",
        Failed => "version-failed",
        Ready => "version-ready",
        Released => "version-released",
        Retired => "version-retired",
    }
    /// A request's state.
    request_state(RequestState) {
        AwaitingOpinion => "request-awaiting-opinion",
        AwaitingDecision => "request-awaiting-decision",
        Approved => "request-approved",
        Returned => "request-returned",
        Rejected => "request-rejected",
        Withdrawn => "request-withdrawn",
    }
    /// A decision, as a choice.
    decision(Decision) {
        Approve => "decision-approve",
        Return => "decision-return",
        Reject => "decision-reject",
    }
    /// An assessor's finding.
    opinion(Opinion) {
        Safe => "opinion-safe",
        Unsafe => "opinion-unsafe",
    }
    /// What a checker found.
    verdict(Verdict) {
        Release => "verdict-release",
        Withhold => "verdict-withhold",
    }
    /// A job's state.
    job_state(JobState) {
        Queued => "job-queued",
        Running => "job-running",
        Delayed => "job-delayed",
        AwaitingReview => "job-awaiting-review",
        Withheld => "job-withheld",
        Released => "job-released",
    }
    /// What a job's state means.
    job_state_meaning(JobState) {
        Queued => "job-queued-meaning",
        Running => "job-running-meaning",
        Delayed => "job-delayed-meaning",
        AwaitingReview => "job-awaiting-review-meaning",
        Withheld => "job-withheld-meaning",
        Released => "job-released-meaning",
    }
    /// A role's name.
    role(Role) {
        Developer => "role-developer",
        Analyst => "role-analyst",
        Officer => "role-officer",
        Reviewer => "role-reviewer",
        Assessor => "role-assessor",
        Auditor => "role-auditor",
        Admin => "role-admin",
    }
    /// What a token's scope allows.
    scope(Scope) {
        CatalogRead => "scope-catalog-read",
        DatasetWrite => "scope-dataset-write",
        ReviewWrite => "scope-review-write",
        SandboxUse => "scope-sandbox-use",
        AdminWrite => "scope-admin-write",
    }
    /// A kind of organisation.
    organization_kind(OrganizationKind) {
        Department => "organization-department",
        Bureau => "organization-bureau",
        Enterprise => "organization-enterprise",
        Assessor => "organization-assessor",
        Public => "organization-public",
    }
}

impl Shell {
    /// The badge of a request's state.
    pub(super) fn request_tone(&self, state: &RequestState) -> &'static str {
        match state {
            RequestState::Approved => "good",
            RequestState::Rejected | RequestState::Returned => "bad",
            RequestState::Withdrawn => "past",
            RequestState::AwaitingOpinion | RequestState::AwaitingDecision => "wait",
        }
    }

    /// The badge of a job's state.
    pub(super) fn job_tone(&self, state: &JobState) -> &'static str {
        match state {
            JobState::Released => "good",
            JobState::Withheld => "bad",
            JobState::Running => "going",
            JobState::Queued | JobState::Delayed | JobState::AwaitingReview => "wait",
        }
    }

    /// The badge of a version's state.
    pub(super) fn version_tone(&self, state: &VersionState) -> &'static str {
        match state {
            VersionState::Released => "good",
            VersionState::Failed => "bad",
            VersionState::Ready => "going",
            VersionState::Ingesting => "wait",
            VersionState::Retired => "past",
        }
    }

    /// A theme's name.
    pub fn theme(&self, theme: &Theme) -> &'static str {
        theme.name(self.language)
    }

    /// An update cycle's name.
    pub fn update_cycle(&self, cycle: &UpdateCycle) -> &'static str {
        cycle.name(self.language)
    }

    /// A licence's name.
    pub fn license(&self, license: &License) -> &'static str {
        license.name(self.language)
    }

    /// A language's own name.
    pub fn language_name(&self, language: &Language) -> &'static str {
        match language {
            Language::Zh => "中文",
            Language::En => "English",
        }
    }

    /// Bounds as an interval.
    pub fn bounds(&self, bounds: &Bounds) -> String {
        format!("[{}, {}]", self.number(&bounds.lo()), self.number(&bounds.hi()))
    }
}
