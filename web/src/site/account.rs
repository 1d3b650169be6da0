//! Signing in and out, and one's own account with its tokens.

use std::collections::BTreeSet;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use identity::{Error, MAX_TOKEN_DAYS, Rule};
use model::{Role, Scope, TokenId};

use super::visit::{Done, Form, Page, Values, Visit, done, local_path, see_other};
use crate::api::extract::ApiPath;
use crate::auth::SESSION_COOKIE;
use crate::failure::Failure;
use crate::page::account::{AccountPage, SignInPage, TokenForm, TokenRow};
use crate::page::{FieldErrors, Section, respond};

/// The days that the form for a token proposes.
const TOKEN_DAYS: &str = "90";
/// Tokens that the page lists: more than can stand at once.
const TOKENS: u64 = 100;

/// `GET /sign-in`.
pub(super) async fn sign_in_form(visit: Visit) -> Page {
    let next = local_path(visit.query.text("next")).to_owned();
    if visit.caller.session.is_some() {
        return Ok(see_other(&next));
    }
    let errors = FieldErrors::default();
    Ok(sign_in_page(&visit, StatusCode::OK, "", next, false, errors))
}

/// `POST /sign-in`. That the form is the portal's own is checked by where it comes from: there is no session
/// yet whose token it could carry.
pub(super) async fn sign_in(visit: Visit, Form(form): Form) -> Page {
    let next = local_path(form.text("next")).to_owned();
    let username = form.text("username").trim();
    let mut errors = FieldErrors::default();
    for (control, label) in [("username", "sign-in-username"), ("password", "sign-in-password")] {
        if form.text(control).trim().is_empty() {
            errors.push(control, visit.missing(label));
        }
    }
    if !errors.is_empty() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(sign_in_page(&visit, status, username, next, false, errors));
    }
    let identity = &visit.state.identity;
    match identity
        .sign_in(username, form.text("password"), visit.client.as_deref())
        .await
    {
        Ok(signed_in) => {
            // A session that this browser had before ends with it.
            if let Some(before) = &visit.cookie {
                identity.sign_out(before).await?;
            }
            let micros = signed_in.expires_at.micros_since(visit.state.clock.now());
            let cookie = cookie(
                signed_in.secret.expose(),
                micros / 1_000_000,
                visit.state.secure_cookies,
            );
            with_cookie(see_other(&next), &cookie)
        }
        Err(Error::WrongCredentials) => Ok(sign_in_page(
            &visit,
            StatusCode::UNPROCESSABLE_ENTITY,
            username,
            next,
            true,
            errors,
        )),
        Err(error) => Err(error.into()),
    }
}

fn sign_in_page(
    visit: &Visit,
    status: StatusCode,
    username: &str,
    next: String,
    failed: bool,
    errors: FieldErrors,
) -> Response {
    let mut shell = visit.shell(Section::None);
    if status != StatusCode::OK {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        shell.address = format!("/sign-in?next={next}");
    }
    let page = SignInPage {
        shell,
        username: username.to_owned(),
        next,
        failed,
        errors,
    };
    respond(status, visit.language(), &page)
}

/// `POST /sign-out`.
pub(super) async fn sign_out(visit: Visit, Form(form): Form) -> Page {
    visit.check(&form)?;
    if let Some(secret) = &visit.cookie {
        visit.state.identity.sign_out(secret).await?;
    }
    with_cookie(
        done("/", Done::SignedOut),
        &cookie("", 0, visit.state.secure_cookies),
    )
}

/// The session cookie: for this host alone, not for scripts, and not with what other sites send.
fn cookie(secret: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let seconds = seconds.max(0);
    format!("{SESSION_COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn with_cookie(mut response: Response, cookie: &str) -> Page {
    let value = HeaderValue::from_str(cookie).map_err(|_| Failure::internal())?;
    response.headers_mut().append(header::SET_COOKIE, value);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /account`.
pub(super) async fn account(visit: Visit) -> Page {
    account_page(&visit, StatusCode::OK, None, new_form(), FieldErrors::default()).await
}

/// `POST /account/tokens`. The secret is shown on this answer and never again, so there is no redirect.
pub(super) async fn create_token(visit: Visit, Form(form): Form) -> Page {
    visit.check(&form)?;
    visit.actor().person()?;
    let mut errors = FieldErrors::default();
    let (typed, days) = read_form(&visit, &form, &mut errors);
    if errors.is_empty() {
        let scopes: BTreeSet<Scope> = typed.scopes.iter().copied().collect();
        match visit
            .state
            .identity
            .create_token(visit.actor(), &typed.name, scopes, days)
            .await
        {
            Ok((_, secret)) => {
                let secret = Some(secret.expose().to_owned());
                return account_page(&visit, StatusCode::OK, secret, new_form(), errors).await;
            }
            Err(Error::Invalid(rule)) => {
                let control = match rule {
                    Rule::NoScope => "scopes",
                    Rule::TokenDays { .. } => "expires_in_days",
                    _ => "name",
                };
                errors.push(control, visit.invalid(&rule));
            }
            Err(error) => return Err(error.into()),
        }
    }
    account_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, None, typed, errors).await
}

fn new_form() -> TokenForm {
    TokenForm {
        name: String::new(),
        scopes: Vec::new(),
        days: TOKEN_DAYS.to_owned(),
    }
}

fn read_form(visit: &Visit, form: &Values, errors: &mut FieldErrors) -> (TokenForm, i64) {
    let known: BTreeSet<Scope> = form.all("scopes").filter_map(Scope::from_name).collect();
    let typed = TokenForm {
        name: form.text("name").trim().to_owned(),
        scopes: known.into_iter().collect(),
        days: form.text("expires_in_days").trim().to_owned(),
    };
    if typed.name.is_empty() {
        errors.push("name", visit.missing("token-name"));
    }
    if typed.scopes.is_empty() {
        errors.push("scopes", visit.t("form-choose"));
    }
    let days = typed.days.parse().unwrap_or(0);
    if !(1..=MAX_TOKEN_DAYS).contains(&days) {
        let shell = visit.shell(Section::None);
        errors.push(
            "expires_in_days",
            shell.t2("form-number-range", &("least", 1), &("most", MAX_TOKEN_DAYS)),
        );
    }
    (typed, days)
}

/// `POST /account/tokens/{id}/revoke`.
pub(super) async fn revoke_token(visit: Visit, ApiPath(id): ApiPath<TokenId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    visit.state.identity.revoke_token(visit.actor(), id).await?;
    Ok(done("/account", Done::TokenRevoked))
}

async fn account_page(
    visit: &Visit,
    status: StatusCode,
    new_token: Option<String>,
    form: TokenForm,
    errors: FieldErrors,
) -> Page {
    let Some(person) = visit.actor().find_person() else {
        return Err(visit.refusal());
    };
    let organization = db::organization::load(visit.state.db.read(), person.organization).await?;
    let now = visit.state.clock.now();
    let tokens = visit
        .state
        .identity
        .list_tokens(visit.actor(), None, TOKENS)
        .await?;
    let tokens = tokens
        .into_iter()
        .map(|token| TokenRow {
            id: token.id.to_string(),
            name: token.name,
            scopes: token.scopes.into_iter().collect(),
            created: token.created_at,
            expires: token.expires_at,
            used: token.last_used_at,
            dead: token.revoked_at.is_some() || token.expires_at <= now,
        })
        .collect();
    let page = AccountPage {
        shell: visit.shell_at(Section::None, "/account".to_owned()),
        username: person.username.clone(),
        name: person.display_name.clone(),
        organization: organization.name.get(visit.language()).to_owned(),
        organization_kind: person.organization_kind,
        roles: person.roles.iter().copied().collect(),
        tokens,
        new_token,
        allowed: Scope::ALL
            .into_iter()
            .filter(|scope| is_of_use(*scope, &person.roles))
            .collect(),
        form,
        errors,
    };
    let mut response = respond(status, visit.language(), &page);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whether a token of this scope could do anything for somebody with these roles. A token never does more
/// than its owner may: this is about what the form offers.
fn is_of_use(scope: Scope, roles: &BTreeSet<Role>) -> bool {
    let wanted: &[Role] = match scope {
        Scope::CatalogRead => return true,
        Scope::DatasetWrite => &[Role::Officer],
        Scope::ReviewWrite => &[Role::Reviewer, Role::Assessor, Role::Auditor],
        Scope::SandboxUse => &[Role::Analyst],
        Scope::AdminWrite => &[Role::Admin],
    };
    wanted.iter().any(|role| roles.contains(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_cookie_is_for_this_host_and_no_script() {
        let set = cookie("abc", 43_200, true);
        for part in [
            "shapan_session=abc",
            "Path=/",
            "Max-Age=43200",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
        ] {
            assert!(set.split("; ").any(|given| given == part), "{part}: {set}");
        }
        assert!(!set.contains("Domain"));
        assert!(!cookie("", 0, false).contains("Secure"));
        assert!(cookie("", -5, false).contains("Max-Age=0"));
    }
}
