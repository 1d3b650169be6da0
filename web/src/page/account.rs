//! Signing in, and one's own account.

use askama::Template;
use model::{OrganizationKind, Role, Scope, Timestamp};

use super::shell::{FieldErrors, Shell};

/// `GET /sign-in?next=` and `POST /sign-in` with `username`, `password`, `next`.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What was typed as the name; the password is never sent back.
    pub username: String,
    /// The path to go to afterwards; the handler takes only paths of the portal.
    pub next: String,
    /// Whether name or password were wrong. Which one is not told.
    pub failed: bool,
    /// What was left empty: `username`, `password`.
    pub errors: FieldErrors,
}

/// An API token in the list.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// The name its owner gave it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
    /// Whether it was revoked or has ended.
    pub dead: bool,
}

/// What was typed into the form for a new token.
#[derive(Debug, Clone)]
pub struct TokenForm {
    /// `name`.
    pub name: String,
    /// `scopes`, repeated.
    pub scopes: Vec<Scope>,
    /// `expires_in_days`.
    pub days: String,
}

/// `GET /account`; again after `POST /account/tokens` with `name`, `scopes` (repeated), `expires_in_days`.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What surrounds the page; somebody is signed in.
    pub shell: Shell,
    /// Name for signing in.
    pub username: String,
    /// Name for people.
    pub name: String,
    /// The organisation's name in the page's language.
    pub organization: String,
    /// What the organisation is.
    pub organization_kind: OrganizationKind,
    /// What the reader may do.
    pub roles: Vec<Role>,
    /// The reader's tokens, newest first.
    pub tokens: Vec<TokenRow>,
    /// The secret of the token just made: shown this once.
    pub new_token: Option<String>,
    /// Scopes that the reader's roles allow.
    pub allowed: Vec<Scope>,
    /// What was typed.
    pub form: TokenForm,
    /// What is wrong with it: `name`, `scopes`, `expires_in_days`.
    pub errors: FieldErrors,
}
