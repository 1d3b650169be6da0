//! API tokens: shown once, stored as a hash, narrower than their owner, withdrawn at once.

use std::collections::BTreeSet;

use db::token::Token;
use ledger::{Act, Leaf};
use model::{Scope, TokenId};

use crate::Identity;
use crate::account::record;
use crate::actor::{Actor, Credential};
use crate::authority::{Action, Resource};
use crate::error::{Error, Rule};
use crate::secret::{self, Secret};

/// The longest life of a token.
pub const MAX_TOKEN_DAYS: i64 = 365;
/// The most tokens of one person that stand at once.
pub const MAX_TOKENS: usize = 50;

/// Uses of a token are noted at most so often.
const TOUCH_SECONDS: i64 = 3600;

impl Identity {
    /// Makes a token of the actor's own. The secret is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name not of 1 to 80 characters, no scopes, a life not of 1 to
    /// [`MAX_TOKEN_DAYS`] days, or too many tokens; [`Error::Denied`] unless the actor has signed in.
    pub async fn create_token(
        &self,
        actor: &Actor,
        name: &str,
        scopes: BTreeSet<Scope>,
        days: i64,
    ) -> Result<(Token, Secret), Error> {
        let (user, organization) = actor.person()?;
        self.authority.decide(
            actor,
            Action::ManageOwnTokens,
            &Resource::Organization(organization),
        )?;
        let name = name.trim();
        if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Rule::TokenName.into());
        }
        if scopes.is_empty() {
            return Err(Rule::NoScope.into());
        }
        if !(1..=MAX_TOKEN_DAYS).contains(&days) {
            return Err(Rule::TokenDays {
                most: MAX_TOKEN_DAYS,
                got: days,
            }
            .into());
        }
        let now = self.clock.now();
        let secret = Secret::token()?;
        let hash = secret::token_hash(secret.expose()).ok_or(Error::Internal("a token's secret"))?;
        let token = Token {
            id: TokenId::at(now),
            user_id: user,
            name: name.to_owned(),
            scopes,
            created_at: now,
            expires_at: now.plus_days(days),
            revoked_at: None,
            last_used_at: None,
        };
        let tx = self.db.begin_write().await?;
        db::user::lock(&tx, user).await?;
        let standing = db::token::count_standing(&tx, user, now).await?;
        if standing >= MAX_TOKENS as u64 {
            return Err(Rule::TooManyTokens(MAX_TOKENS).into());
        }
        db::token::insert(&tx, &token, &hash).await?;
        let scopes: Vec<String> = token
            .scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect();
        let leaf = Leaf::builder(Act::TokenCreated, now.as_micros(), actor.ledger_actor())
            .subject("token", token.id.to_string())
            .fact("scopes", scopes)
            .fact("expires_at", token.expires_at.to_string());
        record(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok((token, secret))
    }

    /// Withdraws a token of the actor's own; it is worthless from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is not theirs.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<(), Error> {
        let (user, organization) = actor.person()?;
        self.authority.decide(
            actor,
            Action::ManageOwnTokens,
            &Resource::Organization(organization),
        )?;
        let now = self.clock.now();
        let token = db::token::find(self.db.read(), id)
            .await?
            .filter(|token| token.user_id == user);
        token.ok_or(Error::NotFound("token"))?;
        let tx = self.db.begin_write().await?;
        if db::token::revoke(&tx, id, now).await? {
            let leaf = Leaf::builder(Act::TokenRevoked, now.as_micros(), actor.ledger_actor())
                .subject("token", id.to_string());
            record(&tx, leaf, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Up to `limit` of the actor's own tokens, newest first, before the one with id `before`.
    ///
    /// # Errors
    /// [`Error::Denied`] unless the actor has signed in.
    pub async fn list_tokens(
        &self,
        actor: &Actor,
        before: Option<TokenId>,
        limit: u64,
    ) -> Result<Vec<Token>, Error> {
        let (user, organization) = actor.person()?;
        self.authority.decide(
            actor,
            Action::ManageOwnTokens,
            &Resource::Organization(organization),
        )?;
        Ok(db::token::list_of_user(self.db.read(), user, before, limit).await?)
    }

    /// The actor behind a token's secret; `None` if the token has ended, was withdrawn or never was, or its
    /// account is closed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_token_actor(&self, secret: &str) -> Result<Option<Actor>, Error> {
        let Some(hash) = secret::token_hash(secret) else {
            return Ok(None);
        };
        let Some(token) = db::token::find_by_secret(self.db.read(), &hash).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if token.revoked_at.is_some() || now >= token.expires_at {
            return Ok(None);
        }
        let Some(user) = db::user::find(self.db.read(), token.user_id).await? else {
            return Ok(None);
        };
        let credential = Credential::Token {
            id: token.id,
            scopes: token.scopes,
        };
        let Some(actor) = self.actor_of(user, credential).await? else {
            return Ok(None);
        };
        if token
            .last_used_at
            .is_none_or(|used| now >= used.plus_seconds(TOUCH_SECONDS))
        {
            let tx = self.db.begin_write().await?;
            db::token::touch(&tx, token.id, now).await?;
            tx.commit().await?;
        }
        Ok(Some(actor))
    }
}
