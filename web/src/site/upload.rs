//! Uploading a file in the browser.

use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use catalog_ingest::{Encoding, IngestOptions};
use db::dataset::Dataset;
use http::StatusCode;
use model::Slug;
use storage::Spool;

use super::entry::own_dataset;
use super::visit::{Page, Visit, see_other};
use crate::api::extract::ApiPath;
use crate::api::version::{append, cut};
use crate::failure::Failure;
use crate::page::publish::{ReadOptions, UploadPage};
use crate::page::{FieldErrors, Section, respond};
use crate::problem::Code;

/// The most fields that a form has before its file.
const MAX_FIELDS: usize = 20;
/// The longest value of such a field, in bytes.
const MAX_FIELD_BYTES: usize = 4 << 10;

/// `GET /publish/{slug}/upload`.
pub(super) async fn form(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    Ok(show(
        &visit,
        StatusCode::OK,
        &dataset,
        ReadOptions::default(),
        FieldErrors::default(),
    ))
}

/// `POST /publish/{slug}/upload`: the token and the options come before the file, so that no byte of a file
/// is taken from a form that is not this session's.
pub(super) async fn receive(visit: Visit, ApiPath(slug): ApiPath<Slug>, request: Request) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    let mut form = Multipart::from_request(request, &visit.state)
        .await
        .map_err(|error| Failure::new(Code::InvalidInput, error.body_text()))?;
    let mut token = visit.query.find("csrf_token").map(str::to_owned);
    let mut typed = ReadOptions::default();
    for _ in 0..MAX_FIELDS {
        let Some(field) = form.next_field().await.map_err(|_| cut(0, None))? else {
            visit.caller.check_csrf(token.as_deref())?;
            return Ok(refused(&visit, &dataset, typed, "file", visit.t("form-required")));
        };
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            let value = short(field).await?;
            match name.as_str() {
                "csrf_token" => token = Some(value),
                "encoding" => typed.encoding = value,
                "delimiter" => typed.delimiter = value,
                "header" => typed.header = value,
                "quote" => typed.quote = value,
                "null_marks" => typed.null_marks = value,
                _ => {}
            }
            continue;
        }
        visit.caller.check_csrf(token.as_deref())?;
        let options = match read_options(&typed) {
            Ok(options) => options,
            Err(control) => return Ok(refused(&visit, &dataset, typed, control, visit.t("form-choose"))),
        };
        let file_name = field.file_name().unwrap_or_default().to_owned();
        if file_name.is_empty() {
            return Ok(refused(&visit, &dataset, typed, "file", visit.t("form-required")));
        }
        return match take(&visit, &slug, field, &file_name, &options).await {
            Ok(task) => Ok(see_other(&format!("/tasks/{task}"))),
            Err(failure) => match failure.0.code.status() {
                status if status == StatusCode::UNAUTHORIZED || status.is_server_error() => Err(failure),
                status => {
                    let mut errors = FieldErrors::default();
                    let what = failure
                        .0
                        .detail
                        .clone()
                        .unwrap_or_else(|| failure.0.code.title(visit.language()));
                    errors.push("file", visit.invalid(what));
                    let status = match status {
                        StatusCode::PAYLOAD_TOO_LARGE => status,
                        _ => StatusCode::UNPROCESSABLE_ENTITY,
                    };
                    Ok(show(&visit, status, &dataset, typed, errors))
                }
            },
        };
    }
    Err(Failure::new(
        Code::InvalidInput,
        "the form has too many fields before its file",
    ))
}

async fn take(
    visit: &Visit,
    slug: &Slug,
    mut file: Field<'_>,
    name: &str,
    options: &IngestOptions,
) -> Result<model::TaskId, Failure> {
    let catalog = &visit.state.catalog;
    let (dataset, mut spool): (Dataset, Spool) = catalog.begin_upload(visit.actor(), slug).await?;
    while let Some(chunk) = file.chunk().await.map_err(|_| cut(spool.bytes(), None))? {
        spool = append(spool, chunk).await?;
    }
    let (_, task) = catalog
        .finish_upload(visit.actor(), &dataset, spool, name, options)
        .await?;
    Ok(task)
}

async fn short(mut field: Field<'_>) -> Result<String, Failure> {
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|_| cut(0, None))? {
        text.extend_from_slice(&chunk);
        if text.len() > MAX_FIELD_BYTES {
            return Err(Failure::new(
                Code::TooLarge,
                format!("a field of the form is over {MAX_FIELD_BYTES} bytes"),
            ));
        }
    }
    String::from_utf8(text).map_err(|_| Failure::new(Code::InvalidInput, "a field of the form is not UTF-8"))
}

/// The options as ingestion takes them, or the control that says something else.
fn read_options(typed: &ReadOptions) -> Result<IngestOptions, &'static str> {
    let marks: Vec<String> = typed.null_marks.split_whitespace().map(str::to_owned).collect();
    Ok(IngestOptions {
        encoding: match typed.encoding.as_str() {
            "auto" => None,
            "utf-8" => Some(Encoding::Utf8),
            "gb18030" => Some(Encoding::Gb18030),
            _ => return Err("encoding"),
        },
        delimiter: match typed.delimiter.as_str() {
            "auto" => None,
            "comma" => Some(','),
            "tab" => Some('\t'),
            "semicolon" => Some(';'),
            "pipe" => Some('|'),
            _ => return Err("delimiter"),
        },
        header: match typed.header.as_str() {
            "auto" => None,
            "yes" => Some(true),
            "no" => Some(false),
            _ => return Err("header"),
        },
        quoted: match typed.quote.as_str() {
            "auto" => None,
            "double" => Some(true),
            "none" => Some(false),
            // Single quotes are a form's choice that ingestion does not read.
            _ => return Err("quote"),
        },
        missing: (!marks.is_empty()).then_some(marks),
        ..IngestOptions::default()
    })
}

fn refused(
    visit: &Visit,
    dataset: &Dataset,
    typed: ReadOptions,
    control: &str,
    message: String,
) -> axum::response::Response {
    let mut errors = FieldErrors::default();
    errors.push(control, message);
    show(visit, StatusCode::UNPROCESSABLE_ENTITY, dataset, typed, errors)
}

fn show(
    visit: &Visit,
    status: StatusCode,
    dataset: &Dataset,
    options: ReadOptions,
    errors: FieldErrors,
) -> axum::response::Response {
    let page = UploadPage {
        shell: visit.shell(Section::Publish),
        slug: dataset.slug.to_string(),
        title: dataset.metadata.title.get(visit.language()).to_owned(),
        max_bytes: visit.state.catalog.upload_bytes(),
        options,
        detection: None,
        errors,
    };
    respond(status, visit.language(), &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_form_are_those_of_ingestion() {
        assert_eq!(
            read_options(&ReadOptions::default()),
            Ok(IngestOptions::default())
        );
        let chosen = ReadOptions {
            encoding: "gb18030".to_owned(),
            delimiter: "tab".to_owned(),
            header: "no".to_owned(),
            quote: "none".to_owned(),
            null_marks: " NA  - 无 ".to_owned(),
        };
        let options = IngestOptions {
            encoding: Some(Encoding::Gb18030),
            delimiter: Some('\t'),
            header: Some(false),
            quoted: Some(false),
            missing: Some(vec!["NA".to_owned(), "-".to_owned(), "无".to_owned()]),
            ..IngestOptions::default()
        };
        assert_eq!(read_options(&chosen), Ok(options));
        let bad = |change: fn(&mut ReadOptions)| {
            let mut typed = ReadOptions::default();
            change(&mut typed);
            read_options(&typed)
        };
        assert_eq!(bad(|typed| typed.encoding = "latin1".to_owned()), Err("encoding"));
        assert_eq!(bad(|typed| typed.delimiter = ",".to_owned()), Err("delimiter"));
        assert_eq!(bad(|typed| typed.header = String::new()), Err("header"));
        assert_eq!(bad(|typed| typed.quote = "single".to_owned()), Err("quote"));
    }
}
