//! Everything that can be done, as far as authority is concerned.

use model::Scope;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident: [$($scope:ident)*], $effect:ident;)+) => {
        /// What somebody wants to do. Every route and command of the portal maps to one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in the policies.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What a token can be used for it with: any of these.
            pub const fn scopes(self) -> &'static [Scope] {
                match self { $(Self::$name => &[$(Scope::$scope),*]),+ }
            }

            /// Whether it changes anything.
            pub const fn writes(self) -> bool {
                match self { $(Self::$name => actions!(@ $effect)),+ }
            }
        }
    };
    (@ reads) => { false };
    (@ writes) => { true };
}

actions! {
    /// Look at a catalogue entry that is, or was, released.
    ViewEntry: [CatalogRead DatasetWrite ReviewWrite SandboxUse AdminWrite], reads;
    /// Look at an entry that was not released yet.
    ViewDraftEntry: [DatasetWrite ReviewWrite], reads;
    /// Preview, download or query open data.
    ViewOpenData: [CatalogRead DatasetWrite ReviewWrite SandboxUse AdminWrite], reads;
    /// See figures computed from data as one of the roles that are trusted with them.
    ViewProfile: [DatasetWrite ReviewWrite], reads;
    /// See how much privacy was spent on a dataset and on its unit type, and what is left.
    ViewLoss: [DatasetWrite ReviewWrite], reads;
    /// Make an entry for an organisation.
    CreateDataset: [DatasetWrite], writes;
    /// Change an entry's description, level or declaration.
    EditEntry: [DatasetWrite], writes;
    /// Add a version.
    UploadVersion: [DatasetWrite], writes;
    /// Ask for release.
    SubmitRelease: [DatasetWrite], writes;
    /// Take a dataset out of use.
    RetireDataset: [DatasetWrite], writes;
    /// Follow a background task of an organisation.
    FollowTask: [DatasetWrite], reads;
    /// See lists of requests; each request in them is decided on its own.
    ListRequests: [ReviewWrite DatasetWrite SandboxUse], reads;
    /// Look at a request.
    ViewRequest: [ReviewWrite DatasetWrite SandboxUse], reads;
    /// Give a security opinion.
    GiveOpinion: [ReviewWrite], writes;
    /// Approve, return or reject.
    DecideRequest: [ReviewWrite], writes;
    /// Take a request back.
    WithdrawRequest: [ReviewWrite DatasetWrite SandboxUse], writes;
    /// Apply for conditional data.
    ApplyForAccess: [SandboxUse], writes;
    /// See lists of projects; each project in them is decided on its own.
    ListProjects: [SandboxUse ReviewWrite], reads;
    /// See a project, its budget and the states of its jobs.
    ViewProject: [SandboxUse ReviewWrite], reads;
    /// Ask what a job would cost.
    Estimate: [SandboxUse], reads;
    /// Run a private job.
    RunJob: [SandboxUse], writes;
    /// Read a released result.
    ReadResult: [SandboxUse], reads;
    /// See lists of special datasets' answers that wait for checkers; each in them is decided on its own.
    ListChecks: [ReviewWrite], reads;
    /// Look at the noised answer of a special dataset as its checker.
    ViewCheck: [ReviewWrite], reads;
    /// Vote on releasing it.
    VoteOnCheck: [ReviewWrite], writes;
    /// End a project.
    CloseProject: [SandboxUse ReviewWrite], writes;
    /// Register organisations, open and close accounts, give and take roles.
    ManageAccounts: [AdminWrite], writes;
    /// Make, list and withdraw one's own tokens.
    ManageOwnTokens: [], writes;
    /// Read every decision and who made it.
    ReadAudit: [ReviewWrite], reads;
    /// Set a dated policy.
    ManagePolicy: [ReviewWrite], writes;
}
