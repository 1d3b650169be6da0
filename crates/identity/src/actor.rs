//! Who acts: a visitor, a person behind a session or a token, or the portal itself.

use std::collections::BTreeSet;

use model::{OrganizationId, OrganizationKind, Role, Scope, TokenId, UserId};

use crate::authority::{Action, Denied};

/// Somebody who asks for something, with what was established about them. Only this crate makes one that is
/// more than a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(Standing);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Anonymous,
    System,
    Person(Person),
}

/// A person who has an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub user: UserId,
    /// The name to sign in with.
    pub username: String,
    /// The name for people.
    pub display_name: String,
    /// Where the person works.
    pub organization: OrganizationId,
    /// What that organisation is.
    pub organization_kind: OrganizationKind,
    /// What the person does there, as of now.
    pub roles: BTreeSet<Role>,
    /// How the person was recognised.
    pub credential: Credential,
}

/// How a person was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// By a login session, with this hash of its secret as id.
    Session([u8; 32]),
    /// By an API token, which narrows what the person may do to its scopes.
    Token {
        /// The token.
        id: TokenId,
        /// What it may be used for.
        scopes: BTreeSet<Scope>,
    },
    /// By whoever runs the portal's own commands on its own machine.
    Local,
}

impl Actor {
    /// Somebody who has not signed in.
    pub const fn anonymous() -> Self {
        Self(Standing::Anonymous)
    }

    /// The portal itself: its schedule, and its operator's commands before the first account exists.
    pub const fn system() -> Self {
        Self(Standing::System)
    }

    pub(crate) const fn of(person: Person) -> Self {
        Self(Standing::Person(person))
    }

    /// The person, if it is one who has signed in.
    pub const fn find_person(&self) -> Option<&Person> {
        match &self.0 {
            Standing::Person(person) => Some(person),
            Standing::Anonymous | Standing::System => None,
        }
    }

    /// The account and organisation of a person who has signed in.
    ///
    /// # Errors
    /// [`Denied`] for visitors and for the portal itself.
    pub fn person(&self) -> Result<(UserId, OrganizationId), Denied> {
        self.find_person()
            .map(|person| (person.user, person.organization))
            .ok_or_else(|| Denied::unauthenticated(Action::ManageOwnTokens))
    }

    /// Whether nobody is signed in.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self.0, Standing::Anonymous)
    }

    /// Whether it is the portal itself.
    pub const fn is_system(&self) -> bool {
        matches!(self.0, Standing::System)
    }

    /// The account, if it is a person.
    pub fn user(&self) -> Option<UserId> {
        self.find_person().map(|person| person.user)
    }

    /// The organisation, if it is a person.
    pub fn organization(&self) -> Option<OrganizationId> {
        self.find_person().map(|person| person.organization)
    }

    /// Whether it is a person with this role. For showing and hiding; what may be done, the authority decides.
    pub fn has_role(&self, role: Role) -> bool {
        self.find_person()
            .is_some_and(|person| person.roles.contains(&role))
    }

    /// How the ledger names the actor: organisation and roles, never the person.
    pub fn ledger_actor(&self) -> ledger::Actor {
        match &self.0 {
            Standing::System => ledger::Actor::system(),
            Standing::Anonymous => ledger::Actor::member("none", "visitor"),
            Standing::Person(person) => {
                let roles: Vec<&str> = person.roles.iter().map(|role| role.as_str()).collect();
                let roles = if roles.is_empty() {
                    "member".to_owned()
                } else {
                    roles.join("+")
                };
                ledger::Actor::member(person.organization.to_string(), roles)
            }
        }
    }
}
