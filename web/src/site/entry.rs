//! Making and editing catalogue entries.

use catalog_entry::{EntryChange, EntryError, NewEntry, Rule};
use db::dataset::Dataset;
use http::StatusCode;
use model::{Level, Role, Slug};

use super::dataset::manages;
use super::visit::{Done, Form, Page, Visit, done};
use crate::api::extract::ApiPath;
use crate::failure::Failure;
use crate::page::entry_form::{EntryForm, EntryFormPage, ParsedEntry, control};
use crate::page::{FieldErrors, Section, respond};
use crate::problem::Code;

/// `GET /publish/new`.
pub(super) async fn new_form(visit: Visit) -> Page {
    visit.require(Role::Officer)?;
    Ok(show(
        &visit,
        StatusCode::OK,
        EntryForm::empty(),
        false,
        FieldErrors::default(),
    ))
}

/// `POST /publish/new`.
pub(super) async fn create(visit: Visit, Form(form): Form) -> Page {
    visit.check(&form)?;
    visit.require(Role::Officer)?;
    let mut form = EntryForm::from_pairs(form.into_pairs());
    let parsed = match edit(&visit, &mut form) {
        Edited::Form(status, errors) => return Ok(show(&visit, status, form, false, errors)),
        Edited::Entry(parsed) => *parsed,
    };
    let level = parsed.level;
    let new = NewEntry {
        slug: parsed.slug,
        level,
        metadata: parsed.entry,
        declared: parsed.declared,
    };
    match visit.state.catalog.create(visit.actor(), new).await {
        Ok(dataset) if level == Some(Level::L4) => Ok(done(
            &format!("/publish/{}/release", dataset.slug),
            Done::EntrySaved,
        )),
        Ok(dataset) => Ok(done(
            &format!("/publish/{}/upload", dataset.slug),
            Done::EntrySaved,
        )),
        Err(error) => {
            let errors = told(&visit, error)?;
            Ok(show(
                &visit,
                StatusCode::UNPROCESSABLE_ENTITY,
                form,
                false,
                errors,
            ))
        }
    }
}

/// `GET /publish/{slug}/edit`.
pub(super) async fn edit_form(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    let revision = dataset.revision.to_string();
    let form = EntryForm::of(
        &dataset.slug,
        &dataset.metadata,
        dataset.level,
        dataset.declared.as_ref(),
        revision,
    );
    Ok(show(&visit, StatusCode::OK, form, true, FieldErrors::default()))
}

/// `POST /publish/{slug}/edit`.
pub(super) async fn update(visit: Visit, ApiPath(slug): ApiPath<Slug>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let dataset = own_dataset(&visit, &slug).await?;
    let mut form = EntryForm::from_pairs(form.into_pairs());
    form.slug = dataset.slug.to_string();
    let parsed = match edit(&visit, &mut form) {
        Edited::Form(status, errors) => return Ok(show(&visit, status, form, true, errors)),
        Edited::Entry(parsed) => *parsed,
    };
    let revision = form
        .revision
        .parse()
        .map_err(|_| Failure::say(Code::InvalidInput, "why-revision-number"))?;
    let change = EntryChange {
        level: parsed.level,
        metadata: parsed.entry,
        declared: parsed.declared,
    };
    let errors = match visit
        .state
        .catalog
        .update(visit.actor(), &dataset.slug, revision, change)
        .await
    {
        Ok(_) => {
            visit.state.indexer.catch_up().await?;
            return Ok(done("/publish", Done::EntrySaved));
        }
        Err(EntryError::Database(db::Error::Stale(_))) => {
            // What was typed is kept; sending it again is a decision to replace what somebody else has
            // written.
            form.revision = own_dataset(&visit, &slug).await?.revision.to_string();
            let mut errors = FieldErrors::default();
            errors.push("title_zh", visit.t("form-stale"));
            errors
        }
        Err(error) => told(&visit, error)?,
    };
    Ok(show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, true, errors))
}

/// The dataset of a slug, for an officer of its department.
///
/// # Errors
/// Not found, unauthenticated or forbidden.
pub(super) async fn own_dataset(visit: &Visit, slug: &Slug) -> Result<Dataset, Failure> {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let dataset = visit.state.catalog.find(visit.actor(), slug).await?.dataset;
    if manages(visit.actor(), &dataset) {
        Ok(dataset)
    } else {
        Err(visit.refusal())
    }
}

/// What came of a sent form before any use-case sees it.
enum Edited {
    /// The form again: more rows were asked for, or something is wrong.
    Form(StatusCode, FieldErrors),
    /// An entry to save.
    Entry(Box<ParsedEntry>),
}

fn edit(visit: &Visit, form: &mut EntryForm) -> Edited {
    let mut errors = FieldErrors::default();
    match form.action.as_str() {
        "rows" => {
            form.add_rows();
            Edited::Form(StatusCode::OK, errors)
        }
        "dictionary" => match form.read_dictionary() {
            Ok(()) => Edited::Form(StatusCode::OK, errors),
            Err(reason) => {
                errors.push("dictionary", visit.said(&reason));
                Edited::Form(StatusCode::UNPROCESSABLE_ENTITY, errors)
            }
        },
        _ => match form.parse(&visit.shell(Section::Publish)) {
            Ok(parsed) => Edited::Entry(Box::new(parsed)),
            Err(errors) => Edited::Form(StatusCode::UNPROCESSABLE_ENTITY, errors),
        },
    }
}

/// What the catalogue has against an entry, at the control that can mend it.
fn told(visit: &Visit, error: EntryError) -> Result<FieldErrors, Failure> {
    let field = match &error {
        EntryError::SlugTaken(_) => "slug",
        EntryError::Invalid(Rule::Description(rule)) => control(rule),
        EntryError::Invalid(_) | EntryError::State(_) => "level",
        _ => return Err(error.into()),
    };
    let mut errors = FieldErrors::default();
    errors.push(field, visit.invalid(&error));
    Ok(errors)
}

fn show(
    visit: &Visit,
    status: StatusCode,
    form: EntryForm,
    exists: bool,
    errors: FieldErrors,
) -> axum::response::Response {
    let page = EntryFormPage {
        shell: visit.shell(Section::Publish),
        form,
        exists,
        errors,
    };
    respond(status, visit.language(), &page)
}
