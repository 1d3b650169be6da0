//! The one place where authority is decided. Denied by default; the rules stand in `policies/*.cedar`.

mod action;
mod resource;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use model::{Category, OrganizationKind};

use crate::actor::{Actor, Credential};

pub use action::Action;
pub use resource::Resource;

#[cfg(test)]
pub(crate) const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");
pub(crate) const POLICIES: [&str; 4] = [
    include_str!("../../policies/catalog.cedar"),
    include_str!("../../policies/review.cedar"),
    include_str!("../../policies/sandbox.cedar"),
    include_str!("../../policies/administration.cedar"),
];

/// The actor may not do this. Says nothing about the resource, which the actor may not be allowed to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", if *.anonymous { "sign in to do this" } else { "your roles, or this token's scopes, do not allow this" })]
pub struct Denied {
    action: Action,
    anonymous: bool,
}

impl Denied {
    pub(crate) const fn unauthenticated(action: Action) -> Self {
        Self {
            action,
            anonymous: true,
        }
    }

    /// What was asked for.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Unauthenticated if nobody is signed in, else forbidden.
    pub const fn category(&self) -> Category {
        if self.anonymous {
            Category::Unauthenticated
        } else {
            Category::Forbidden
        }
    }
}

/// The policies that the program carries are broken; it must not start.
#[derive(Debug, thiserror::Error)]
#[error("the authority's policies cannot be read: {0}")]
pub struct PolicyError(String);

/// Decides who may do what. Cheap to clone; the policies are parsed once.
#[derive(Clone)]
pub struct Authority {
    engine: Arc<Engine>,
}

struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    user: EntityTypeName,
    actions: HashMap<Action, EntityUid>,
    resources: HashMap<&'static str, EntityTypeName>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Reads the policies that the program carries.
    ///
    /// # Errors
    /// [`PolicyError`] if they are broken.
    pub fn new() -> Result<Self, PolicyError> {
        let broken = |error: &dyn fmt::Display| PolicyError(error.to_string());
        let policies = PolicySet::from_str(&POLICIES.join("\n")).map_err(|e| broken(&e))?;
        let type_name = |name: &str| EntityTypeName::from_str(name).map_err(|e| broken(&e));
        let mut actions = HashMap::new();
        let action_type = type_name("Action")?;
        for action in Action::ALL {
            let id = EntityId::new(action.as_str());
            actions.insert(*action, EntityUid::from_type_name_and_id(action_type.clone(), id));
        }
        let mut resources = HashMap::new();
        for name in Resource::TYPES {
            resources.insert(name, type_name(name)?);
        }
        Ok(Self {
            engine: Arc::new(Engine {
                authorizer: Authorizer::new(),
                policies,
                user: type_name("User")?,
                actions,
                resources,
            }),
        })
    }

    /// Whether the actor may do this to the resource.
    ///
    /// # Errors
    /// [`Denied`] if no rule permits it, if one forbids it, or if a rule could not be evaluated.
    pub fn decide(&self, actor: &Actor, action: Action, resource: &Resource) -> Result<(), Denied> {
        let denied = Denied {
            action,
            anonymous: actor.is_anonymous(),
        };
        match self.engine.permits(actor, action, resource) {
            Some(true) => Ok(()),
            Some(false) => Err(denied),
            None => {
                tracing::error!(
                    action = action.as_str(),
                    "a policy could not be evaluated; denied"
                );
                Err(denied)
            }
        }
    }
}

impl Engine {
    /// `None` if anything about the evaluation went wrong: a rule that fails may be one that forbids.
    fn permits(&self, actor: &Actor, action: Action, resource: &Resource) -> Option<bool> {
        let principal_uid = EntityUid::from_type_name_and_id(self.user.clone(), EntityId::new("actor"));
        let (type_name, attributes) = resource.describe();
        let resource_uid = EntityUid::from_type_name_and_id(
            self.resources.get(type_name)?.clone(),
            EntityId::new("resource"),
        );
        let principal = Entity::new(principal_uid.clone(), describe(actor), HashSet::new()).ok()?;
        let resource = Entity::new(resource_uid.clone(), attributes, HashSet::new()).ok()?;
        let entities = Entities::from_entities([principal, resource], None).ok()?;
        let context = Context::from_pairs([
            (
                "scopes".to_owned(),
                RestrictedExpression::new_set(action.scopes().iter().map(|scope| text(scope.as_str()))),
            ),
            (
                "writes".to_owned(),
                RestrictedExpression::new_bool(action.writes()),
            ),
        ])
        .ok()?;
        let action = self.actions.get(&action)?.clone();
        let request = Request::new(principal_uid, action, resource_uid, context, None).ok()?;
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        if response.diagnostics().errors().next().is_some() {
            return None;
        }
        Some(response.decision() == Decision::Allow)
    }
}

/// The attributes of `User` in the schema.
fn describe(actor: &Actor) -> HashMap<String, RestrictedExpression> {
    let person = actor.find_person();
    let mut roles: Vec<&str> = person
        .into_iter()
        .flat_map(|p| &p.roles)
        .map(|role| role.as_str())
        .collect();
    if actor.is_system() {
        roles.push("system");
    }
    let scopes = match person.map(|person| &person.credential) {
        Some(Credential::Token { scopes, .. }) => Some(scopes),
        _ => None,
    };
    let scope_names = scopes.into_iter().flatten().map(|scope| text(scope.as_str()));
    HashMap::from([
        (
            "organization".to_owned(),
            text(&person.map(|p| p.organization.to_string()).unwrap_or_default()),
        ),
        (
            "kind".to_owned(),
            text(person.map_or("none", |p| OrganizationKind::as_str(p.organization_kind))),
        ),
        (
            "roles".to_owned(),
            RestrictedExpression::new_set(roles.into_iter().map(text)),
        ),
        ("scopes".to_owned(), RestrictedExpression::new_set(scope_names)),
        (
            "scoped".to_owned(),
            RestrictedExpression::new_bool(scopes.is_some()),
        ),
        (
            "present".to_owned(),
            RestrictedExpression::new_bool(person.is_some()),
        ),
    ])
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}
