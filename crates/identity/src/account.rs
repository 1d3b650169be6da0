//! Organisations, accounts and roles.

use std::collections::BTreeSet;

use db::Tx;
use db::organization::Organization;
use db::user::User;
use ledger::{Act, Leaf, LeafBuilder};
use model::{Localized, OrganizationId, OrganizationKind, Role, Slug, Timestamp, UserId};

use crate::Identity;
use crate::actor::{Actor, Credential, Person};
use crate::authority::{Action, Resource};
use crate::error::{Error, Rule};

/// An organisation to register.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOrganization {
    /// Its name in addresses; never changes.
    pub slug: Slug,
    /// Its name for people.
    pub name: Localized,
    /// What it is.
    pub kind: OrganizationKind,
    /// GB/T 2260 code of the area it is responsible for.
    pub region: Option<String>,
}

/// An account to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// 2 to 40 of `a–z`, `0–9`, `.`, `_` and `-`, beginning with a letter; never changes.
    pub username: String,
    /// The person's name, 1 to 80 characters.
    pub display_name: String,
    /// Where the person works.
    pub organization: OrganizationId,
    /// What the person does there.
    pub roles: BTreeSet<Role>,
}

impl Identity {
    /// Registers an organisation.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts; [`Error::Taken`] for the slug.
    pub async fn create_organization(
        &self,
        actor: &Actor,
        new: NewOrganization,
    ) -> Result<Organization, Error> {
        let now = self.clock.now();
        let organization = Organization {
            id: OrganizationId::at(now),
            slug: new.slug,
            name: new.name,
            kind: new.kind,
            region: new.region,
            created_at: now,
            revision: 1,
        };
        self.allow_managing(actor, organization.id)?;
        let bad_region =
            |r: &String| !matches!(r.len(), 6 | 9 | 12) || !r.bytes().all(|b| b.is_ascii_digit());
        if organization.region.as_ref().is_some_and(bad_region) {
            return Err(Rule::Region.into());
        }
        let tx = self.db.begin_write().await?;
        db::organization::insert(&tx, &organization)
            .await
            .map_err(|error| {
                taken(
                    error,
                    db::organization::SLUG_KEY,
                    "the slug",
                    organization.slug.as_str(),
                )
            })?;
        let leaf = Leaf::builder(Act::OrganizationCreated, now.as_micros(), actor.ledger_actor())
            .subject("organization", organization.id.to_string())
            .fact("kind", organization.kind.as_str())
            .fact("slug", organization.slug.as_str());
        record(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok(organization)
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts; [`Error::Invalid`] for a name, password or roles
    /// that break their rules; [`Error::Taken`] for the user name.
    pub async fn create_account(
        &self,
        actor: &Actor,
        new: NewAccount,
        password: &str,
    ) -> Result<User, Error> {
        self.allow_managing(actor, new.organization)?;
        check_username(&new.username)?;
        let name_length = new.display_name.trim().chars().count();
        if !(1..=80).contains(&name_length) || new.display_name.chars().any(char::is_control) {
            return Err(Rule::DisplayName.into());
        }
        let organization = db::organization::find(self.db.read(), new.organization)
            .await?
            .ok_or(Error::NotFound("organization"))?;
        check_roles(&new.roles, organization.kind)?;
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let user = User {
            id: UserId::at(now),
            username: new.username,
            display_name: new.display_name.trim().to_owned(),
            organization_id: organization.id,
            created_at: now,
            disabled_at: None,
            revision: 1,
        };
        let tx = self.db.begin_write().await?;
        db::user::insert(&tx, &user, &hash)
            .await
            .map_err(|error| taken(error, db::user::USERNAME_KEY, "the user name", &user.username))?;
        let leaf = Leaf::builder(Act::AccountCreated, now.as_micros(), actor.ledger_actor())
            .subject("organization", organization.id.to_string());
        record(&tx, leaf, now).await?;
        for role in &new.roles {
            db::user::grant_role(&tx, user.id, *role).await?;
            record(
                &tx,
                role_leaf(Act::RoleGranted, actor, organization.id, *role, now),
                now,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(user)
    }

    /// Gives a role; it counts from the next request on.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts; [`Error::Invalid`] if the role does not fit the
    /// organisation or the person's other roles.
    pub async fn grant_role(&self, actor: &Actor, user: UserId, role: Role) -> Result<(), Error> {
        let user = self.managed(actor, user).await?;
        let organization = db::organization::load(self.db.read(), user.organization_id).await?;
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        // The account's own row orders grants to one person, so that two cannot pass the rule side by side.
        db::user::lock(&tx, user.id).await?;
        let mut roles = db::user::list_roles(&tx, user.id).await?;
        roles.insert(role);
        check_roles(&roles, organization.kind)?;
        if db::user::grant_role(&tx, user.id, role).await? {
            record(
                &tx,
                role_leaf(Act::RoleGranted, actor, organization.id, role, now),
                now,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes a role away; it counts no more from the next request on.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts.
    pub async fn revoke_role(&self, actor: &Actor, user: UserId, role: Role) -> Result<(), Error> {
        let user = self.managed(actor, user).await?;
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        if db::user::revoke_role(&tx, user.id, role).await? {
            record(
                &tx,
                role_leaf(Act::RoleRevoked, actor, user.organization_id, role, now),
                now,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Closes an account: its sessions end and its tokens are withdrawn at once.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts.
    pub async fn disable_account(&self, actor: &Actor, user: UserId) -> Result<(), Error> {
        let user = self.managed(actor, user).await?;
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        if db::user::disable(&tx, user.id, now).await? {
            db::session::delete_of_user(&tx, user.id).await?;
            db::token::revoke_of_user(&tx, user.id, now).await?;
            let leaf = Leaf::builder(Act::AccountDisabled, now.as_micros(), actor.ledger_actor())
                .subject("organization", user.organization_id.to_string());
            record(&tx, leaf, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Replaces a person's own password; all their sessions end.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] if `old` is not the present one; [`Error::Invalid`] for a bad new one.
    pub async fn change_password(&self, actor: &Actor, old: &str, new: &str) -> Result<(), Error> {
        let (_, organization) = actor.person()?;
        self.authority.decide(
            actor,
            Action::ManageOwnTokens,
            &Resource::Organization(organization),
        )?;
        let person = actor.find_person().ok_or(Error::NotFound("account"))?;
        self.check_password(&person.username, old, None).await?;
        let hash = self.passwords.hash(new).await?;
        let tx = self.db.begin_write().await?;
        db::user::update_password(&tx, person.user, &hash).await?;
        db::session::delete_of_user(&tx, person.user).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Up to `limit` accounts, oldest first, after the one with id `after`; of one organisation or of all.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts.
    pub async fn list_accounts(
        &self,
        actor: &Actor,
        organization: Option<OrganizationId>,
        after: Option<UserId>,
        limit: u64,
    ) -> Result<Vec<User>, Error> {
        let own = actor
            .organization()
            .unwrap_or_else(|| OrganizationId::from_uuid(uuid::Uuid::nil()));
        self.allow_managing(actor, organization.unwrap_or(own))?;
        Ok(db::user::list(self.db.read(), organization, after, limit).await?)
    }

    /// The roles of an account.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor manages accounts.
    pub async fn list_roles(&self, actor: &Actor, user: UserId) -> Result<BTreeSet<Role>, Error> {
        let user = self.managed(actor, user).await?;
        Ok(db::user::list_roles(self.db.read(), user.id).await?)
    }

    /// The actor behind an account, for the portal's own commands and its demo. Not for requests from outside:
    /// nothing proves here that it is that person.
    ///
    /// # Errors
    /// [`Error::NotFound`] without such an account, or if it is closed.
    pub async fn load_actor(&self, user: UserId) -> Result<Actor, Error> {
        let user = db::user::find(self.db.read(), user)
            .await?
            .ok_or(Error::NotFound("account"))?;
        self.actor_of(user, Credential::Local)
            .await?
            .ok_or(Error::NotFound("account"))
    }

    /// The actor of an account as it is now; `None` if it is closed.
    pub(crate) async fn actor_of(&self, user: User, credential: Credential) -> Result<Option<Actor>, Error> {
        if user.disabled_at.is_some() {
            return Ok(None);
        }
        let organization = db::organization::load(self.db.read(), user.organization_id).await?;
        let mut roles = db::user::list_roles(self.db.read(), user.id).await?;
        // A role that does not fit the organisation is no role, whoever wrote it there.
        roles.retain(|role| role.fits(organization.kind));
        Ok(Some(Actor::of(Person {
            user: user.id,
            username: user.username,
            display_name: user.display_name,
            organization: organization.id,
            organization_kind: organization.kind,
            roles,
            credential,
        })))
    }

    fn allow_managing(&self, actor: &Actor, organization: OrganizationId) -> Result<(), Error> {
        Ok(self.authority.decide(
            actor,
            Action::ManageAccounts,
            &Resource::Organization(organization),
        )?)
    }

    async fn managed(&self, actor: &Actor, user: UserId) -> Result<User, Error> {
        let found = db::user::find(self.db.read(), user).await?;
        let organization = found.as_ref().map_or_else(
            || OrganizationId::from_uuid(uuid::Uuid::nil()),
            |user| user.organization_id,
        );
        // Decided before it is told whether the account exists.
        self.allow_managing(actor, organization)?;
        found.ok_or(Error::NotFound("account"))
    }
}

/// Adds the leaf of an act to the ledger, in the act's transaction.
pub(crate) async fn record(tx: &Tx, leaf: LeafBuilder, now: Timestamp) -> Result<(), Error> {
    let leaf = leaf.build().map_err(|_| Error::Internal("a ledger leaf"))?;
    db::ledger::append(tx, &leaf, now).await?;
    Ok(())
}

fn role_leaf(
    act: Act,
    actor: &Actor,
    organization: OrganizationId,
    role: Role,
    now: Timestamp,
) -> LeafBuilder {
    Leaf::builder(act, now.as_micros(), actor.ledger_actor())
        .subject("organization", organization.to_string())
        .fact("role", role.as_str())
}

fn taken(error: db::Error, constraint: &str, what: &'static str, name: &str) -> Error {
    if error.violates(constraint) {
        Error::Taken {
            what,
            name: name.to_owned(),
        }
    } else {
        error.into()
    }
}

fn check_username(name: &str) -> Result<(), Error> {
    let good = (2..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b));
    if good { Ok(()) } else { Err(Rule::Username.into()) }
}

/// Roles fit the organisation, and one person does not hold two of management, audit and operation
/// (GB/T 39477-2020).
fn check_roles(roles: &BTreeSet<Role>, kind: OrganizationKind) -> Result<(), Error> {
    if let Some(role) = roles.iter().find(|role| !role.fits(kind)) {
        return Err(Rule::RoleOfOtherHouse { role: *role, kind }.into());
    }
    let separate = [Role::Reviewer, Role::Auditor, Role::Admin];
    if roles.iter().filter(|role| separate.contains(role)).count() > 1 {
        return Err(Rule::SeparateRoles.into());
    }
    Ok(())
}
