//! Uploading a file in the browser: it is received, its officer checks how it will be read, and then it is read.

use axum::body::Bytes;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use axum::response::Response;
use catalog_entry::{EntryError, HeldUpload, Obstacle, UploadLook};
use catalog_ingest::{Encoding, IngestOptions, SourceFormat};
use db::dataset::Dataset;
use http::{StatusCode, header};
use model::{FieldType, Slug, VersionId};
use serde::{Deserialize, Serialize};

use super::entry::own_dataset;
use super::visit::{Page, Values, Visit, see_other};
use crate::api::extract::ApiPath;
use crate::api::version::{append, bad_form, cut};
use crate::cursor;
use crate::failure::Failure;
use crate::page::publish::{DetectedColumn, Detection, ReadOptions, ReceivedFile, UploadPage};
use crate::page::table::{DataColumn, DataTable};
use crate::page::{FieldErrors, Section, respond};
use crate::problem::Code;
use crate::told::{Told, say};

/// The most fields that a form has before its file.
const MAX_FIELDS: usize = 20;
/// The longest value of such a field, in bytes.
const MAX_FIELD_BYTES: usize = 4 << 10;
/// The longest form that confirms a file: two short fields a column.
const MAX_CONFIRMATION: usize = 1 << 20;

/// A held upload as its form carries it, signed for one dataset and one person.
#[derive(Serialize, Deserialize)]
struct Token {
    id: VersionId,
    name: String,
    bytes: u64,
    #[serde(with = "hex")]
    key: Vec<u8>,
}

/// What a token is signed for.
fn purpose(visit: &Visit, dataset: &Dataset) -> Result<String, Failure> {
    let (user, _) = visit.actor().person()?;
    Ok(format!("upload/{}/{user}", dataset.id))
}

fn token(visit: &Visit, dataset: &Dataset, held: &HeldUpload) -> Result<String, Failure> {
    let token = Token {
        id: held.id,
        name: held.name.clone(),
        bytes: held.bytes,
        key: held.key.clone(),
    };
    cursor::write(&visit.state.cursor_key, &purpose(visit, dataset)?, &token)
}

/// The upload that a token names; one that was not given out here names nothing that is still there.
fn held(visit: &Visit, dataset: &Dataset, token: &str) -> Result<HeldUpload, Failure> {
    let read = cursor::read(&visit.state.cursor_key, &purpose(visit, dataset)?, token);
    let Token { id, name, bytes, key } = read.map_err(|_| EntryError::State(Obstacle::UploadGone))?;
    Ok(HeldUpload { id, name, bytes, key })
}

/// `GET /publish/{slug}/upload`, with `upload` to check a file that is here.
pub(super) async fn form(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    let options = ReadOptions::default();
    match visit.query.find("upload") {
        None => Ok(show(
            &visit,
            StatusCode::OK,
            &dataset,
            options,
            None,
            FieldErrors::default(),
        )),
        Some(token) => check(&visit, &dataset, token, options).await,
    }
}

/// `POST /publish/{slug}/upload`: a file, or what is decided about one.
pub(super) async fn receive(visit: Visit, ApiPath(slug): ApiPath<Slug>, request: Request) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        decide(&visit, &dataset, request).await
    } else {
        take(&visit, &dataset, request).await
    }
}

/// A form with a file. The token comes before the file, so that no byte of one is taken from a form that is not this
/// session's.
async fn take(visit: &Visit, dataset: &Dataset, request: Request) -> Page {
    let mut form = Multipart::from_request(request, &visit.state)
        .await
        .map_err(|error| bad_form(&error.body_text()))?;
    let mut csrf = visit.query.find("csrf_token").map(str::to_owned);
    for _ in 0..MAX_FIELDS {
        let Some(field) = form.next_field().await.map_err(|_| cut(0, None))? else {
            visit.caller.check_csrf(csrf.as_deref())?;
            return Ok(refused(visit, dataset, visit.t("form-file")));
        };
        if field.name() != Some("file") {
            let is_csrf = field.name() == Some("csrf_token");
            let value = short(field).await?;
            if is_csrf {
                csrf = Some(value);
            }
            continue;
        }
        visit.caller.check_csrf(csrf.as_deref())?;
        let name = field.file_name().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Ok(refused(visit, dataset, visit.t("form-file")));
        }
        return match keep(visit, &dataset.slug, field, &name).await {
            Ok(held) => {
                let token = token(visit, dataset, &held)?;
                Ok(see_other(&format!(
                    "/publish/{}/upload?upload={token}",
                    dataset.slug
                )))
            }
            Err(failure) => match failure.0.code.status() {
                status if status == StatusCode::UNAUTHORIZED || status.is_server_error() => Err(failure),
                status => {
                    let mut errors = FieldErrors::default();
                    errors.push("file", failure.0.detail_text(visit.language()));
                    let status = match status {
                        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => status,
                        _ => StatusCode::UNPROCESSABLE_ENTITY,
                    };
                    Ok(show(visit, status, dataset, ReadOptions::default(), None, errors))
                }
            },
        };
    }
    Err(Failure::say(Code::InvalidInput, "why-too-many-parts"))
}

async fn keep(visit: &Visit, slug: &Slug, mut file: Field<'_>, name: &str) -> Result<HeldUpload, Failure> {
    let catalog = &visit.state.catalog;
    let (_, mut spool) = catalog.begin_upload(visit.actor(), slug).await?;
    while let Some(chunk) = file.chunk().await.map_err(|_| cut(spool.bytes(), None))? {
        spool = append(spool, chunk).await?;
    }
    Ok(catalog.hold_upload(spool, name).await?)
}

/// A form about a file that is here: look again, or read it.
async fn decide(visit: &Visit, dataset: &Dataset, request: Request) -> Page {
    let body: Bytes = axum::body::to_bytes(request.into_body(), MAX_CONFIRMATION)
        .await
        .map_err(|_| {
            let limit = i18n::format::bytes(MAX_CONFIRMATION as u64);
            Failure::new(Code::TooLarge, say("why-form-too-long").with("limit", limit))
        })?;
    let form = Values::parse(&body);
    visit.check(&form)?;
    let (typed, given) = (typed(&form), form.text("upload"));
    if form.text("action") != "confirm" {
        return check(visit, dataset, given, typed).await;
    }
    let held = held(visit, dataset, given)?;
    let Ok(options) = read_options(&typed) else {
        return check(visit, dataset, given, typed).await;
    };
    let catalog = &visit.state.catalog;
    let (_, task) = catalog
        .confirm_upload(visit.actor(), dataset, &held, &options)
        .await?;
    Ok(see_other(&format!("/tasks/{task}")))
}

/// Shows what a file looks like under these options, or why it cannot be read under them.
async fn check(visit: &Visit, dataset: &Dataset, given: &str, typed: ReadOptions) -> Page {
    let held = held(visit, dataset, given)?;
    let mut errors = FieldErrors::default();
    let detection = match read_options(&typed) {
        Err(control) => {
            errors.push(control, visit.t("form-choose"));
            None
        }
        Ok(options) => {
            let looked = visit
                .state
                .catalog
                .look_at_upload(visit.actor(), dataset, &held, &options)
                .await;
            match looked {
                Ok(look) => Some(detection(visit, &typed, look)),
                Err(EntryError::Ingest(error)) => {
                    errors.push("file", error.told().text(visit.language()));
                    None
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let received = ReceivedFile {
        token: token(visit, dataset, &held)?,
        name: held.name,
        bytes: held.bytes,
        detection,
    };
    Ok(show(visit, status, dataset, typed, Some(received), errors))
}

fn detection(visit: &Visit, typed: &ReadOptions, look: UploadLook) -> Detection {
    let must_be_declared = look.declared;
    let found = match look.glance.detection.format {
        SourceFormat::Parquet => Vec::new(),
        SourceFormat::Csv => {
            let read = &look.glance.detection;
            let delimiter = match read.delimiter {
                ',' => "comma",
                '\t' => "tab",
                ';' => "semicolon",
                _ => "pipe",
            };
            let encoding = match read.encoding {
                Encoding::Utf8 => "utf-8",
                Encoding::Gb18030 => "gb18030",
                Encoding::Utf16Le => "utf-16-le",
                Encoding::Utf16Be => "utf-16-be",
            };
            vec![
                ("encoding", encoding),
                ("delimiter", delimiter),
                ("header", if read.header { "yes" } else { "no" }),
                ("quote", if read.quoted { "double" } else { "none" }),
                ("trim", if read.trim { "yes" } else { "no" }),
            ]
        }
    };
    let preview = (!look.glance.rows.is_empty()).then(|| DataTable {
        caption: visit.t("upload-first-rows"),
        columns: look
            .columns
            .iter()
            .map(|column| DataColumn {
                name: column.name.clone().unwrap_or_default(),
                label: String::new(),
                numeric: column.detected.is_numeric(),
            })
            .collect(),
        rows: look.glance.rows,
    });
    let columns = look.columns.into_iter().map(|column| DetectedColumn {
        chosen: column
            .name
            .as_ref()
            .and_then(|name| typed.types.get(name).copied()),
        name: column.name,
        detected: column.detected,
        declared: column.declared,
        missing: column.missing,
    });
    Detection {
        found,
        columns: columns.collect(),
        absent: look.absent,
        must_be_declared,
        rows: look.glance.detection.rows,
        whole: look.glance.whole,
        preview,
    }
}

/// The controls of a form.
fn typed(form: &Values) -> ReadOptions {
    let mut typed = ReadOptions::default();
    for (control, slot) in [
        ("encoding", &mut typed.encoding),
        ("delimiter", &mut typed.delimiter),
        ("header", &mut typed.header),
        ("quote", &mut typed.quote),
        ("trim", &mut typed.trim),
        ("null_marks", &mut typed.null_marks),
    ] {
        if let Some(value) = form.find(control) {
            value.clone_into(slot);
        }
    }
    let mut names = std::collections::HashMap::new();
    for (control, value) in form.pairs() {
        if let Some(number) = control.strip_prefix("column.") {
            names.insert(number, value);
        } else if let Some(number) = control.strip_prefix("type.")
            && let (Some(name), Some(kind)) = (names.get(number), FieldType::from_name(value))
        {
            typed.types.insert((*name).to_owned(), kind);
        }
    }
    typed
}

async fn short(mut field: Field<'_>) -> Result<String, Failure> {
    let mut text = Vec::new();
    let name = field.name().unwrap_or_default().to_owned();
    while let Some(chunk) = field.chunk().await.map_err(|_| cut(0, None))? {
        text.extend_from_slice(&chunk);
        if text.len() > MAX_FIELD_BYTES {
            let detail = say("why-part-too-long")
                .with("part", name)
                .with("limit", i18n::format::bytes(MAX_FIELD_BYTES as u64));
            return Err(Failure::new(Code::TooLarge, detail));
        }
    }
    String::from_utf8(text)
        .map_err(|_| Failure::new(Code::InvalidInput, say("why-part-text").with("part", name)))
}

/// The options as ingestion takes them, or the control that says something else.
fn read_options(typed: &ReadOptions) -> Result<IngestOptions, &'static str> {
    let marks: Vec<String> = typed.null_marks.split_whitespace().map(str::to_owned).collect();
    Ok(IngestOptions {
        encoding: match typed.encoding.as_str() {
            "auto" => None,
            "utf-8" => Some(Encoding::Utf8),
            "gb18030" => Some(Encoding::Gb18030),
            "utf-16-le" => Some(Encoding::Utf16Le),
            "utf-16-be" => Some(Encoding::Utf16Be),
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
            _ => return Err("quote"),
        },
        trim: match typed.trim.as_str() {
            "auto" => None,
            "yes" => Some(true),
            "no" => Some(false),
            _ => return Err("trim"),
        },
        missing: (!marks.is_empty()).then_some(marks),
        types: typed.types.clone(),
    })
}

fn refused(visit: &Visit, dataset: &Dataset, message: String) -> Response {
    let mut errors = FieldErrors::default();
    errors.push("file", message);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show(visit, status, dataset, ReadOptions::default(), None, errors)
}

fn show(
    visit: &Visit,
    status: StatusCode,
    dataset: &Dataset,
    options: ReadOptions,
    received: Option<ReceivedFile>,
    errors: FieldErrors,
) -> Response {
    let page = UploadPage {
        shell: visit.shell(Section::Publish),
        slug: dataset.slug.to_string(),
        title: dataset.metadata.title.get(visit.language()).to_owned(),
        max_bytes: visit.state.catalog.upload_bytes(),
        options,
        received,
        errors,
    };
    respond(status, visit.language(), &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::publish::CHOICES;

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
            trim: "yes".to_owned(),
            null_marks: " NA  - 无 ".to_owned(),
            types: [("code".to_owned(), FieldType::Text)].into(),
        };
        let options = IngestOptions {
            encoding: Some(Encoding::Gb18030),
            delimiter: Some('\t'),
            header: Some(false),
            quoted: Some(false),
            trim: Some(true),
            missing: Some(vec!["NA".to_owned(), "-".to_owned(), "无".to_owned()]),
            types: [("code".to_owned(), FieldType::Text)].into(),
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

    #[test]
    fn every_choice_that_is_offered_is_one_that_ingestion_reads() {
        for (control, choices) in CHOICES {
            for (value, _) in choices {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair(control, value);
                let typed = typed(&Values::parse(form.finish().as_bytes()));
                assert!(read_options(&typed).is_ok(), "{control} {value}");
            }
        }
    }

    #[test]
    fn types_go_with_the_names_of_their_columns() {
        let form = "column.0=a%22b&type.0=integer&type.1=text&column.2=c&type.2=auto&column.3=d&type.3=blob";
        let typed = typed(&Values::parse(form.as_bytes()));
        assert_eq!(typed.types, [("a\"b".to_owned(), FieldType::Integer)].into());
    }
}
