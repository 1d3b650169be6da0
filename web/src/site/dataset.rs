//! The page of one dataset: the same for everybody, so nothing of protected data but what is declared.

use catalog_entry::DatasetView;
use db::usage::UsageKind;
use http::{Method, StatusCode};
use identity::Actor;
use model::{DatasetState, DeclaredMetadata, Level, License, Role, Slug, VersionState};
use query::{OpenTable, RowQuery};
use serde_json::{Value, json};
use storage::{DistributionFormat, Manifest};

use super::profile::{column_profiles, found_fields, table};
use super::visit::{Page, Visit, number, see_other};
use crate::api::extract::ApiPath;
use crate::failure::Failure;
use crate::page::dataset::{Access, DatasetPage, Download, VersionRow};
use crate::page::table::DataTable;
use crate::page::{Section, Shell, respond};

/// Rows of the preview.
const PREVIEW_ROWS: usize = 20;
/// Versions that the page lists.
const VERSIONS: u64 = 20;

/// Whether the actor is an officer of the dataset's department. For showing; the use-cases decide.
pub(super) fn manages(actor: &Actor, dataset: &db::dataset::Dataset) -> bool {
    actor.has_role(Role::Officer) && actor.organization() == Some(dataset.organization_id)
}

/// `GET /datasets/{slug}`.
pub(super) async fn dataset(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let (state, language) = (&visit.state, visit.language());
    let view = state.catalog.find(visit.actor(), &slug).await?;
    let dataset = &view.dataset;
    let manages = manages(visit.actor(), dataset);
    if dataset.slug != slug {
        let query = visit.query.pairs();
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let join = if query.is_empty() { "" } else { "?" };
        let mut response = see_other(&format!("/datasets/{}{join}{query}", dataset.slug));
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        return Ok(response);
    }
    let level = match (dataset.state, dataset.level) {
        (DatasetState::Released | DatasetState::Retired, Some(level)) => level,
        // Not public yet: those who keep it find it among their own.
        _ if manages => return Ok(see_other(&format!("/publish/{slug}/edit"))),
        _ => return Err(Failure::not_found("dataset")),
    };
    if visit.method == Method::GET {
        state.usage.count(UsageKind::View, slug.as_str());
    }
    let shell = visit.shell(Section::Datasets);
    let open = open_figures(&visit, &view, level, &shell).await?;
    let declared = dataset.declared.as_ref();
    let fields = match (declared, &open.manifest) {
        (Some(declared), _) => declared.fields().to_vec(),
        (None, Some(manifest)) => found_fields(manifest, level),
        (None, None) => Vec::new(),
    };
    let origin = visit.origin();
    let downloads: Vec<Download> = open
        .manifest
        .iter()
        .flat_map(|manifest| &manifest.distributions)
        .map(|file| Download {
            format: file.format.extension().to_owned(),
            bytes: file.bytes,
        })
        .collect();
    let retired = dataset.state == DatasetState::Retired;
    let page = DatasetPage {
        json_ld: Some(json_ld(&view, &origin, &shell, open.manifest.as_ref())),
        slug: slug.to_string(),
        origin,
        entry: dataset.metadata.clone(),
        level,
        department: view.organization.name.get(language).to_owned(),
        region: None,
        fields,
        unit: declared.and_then(DeclaredMetadata::unit),
        access: access(&visit, &view, level, &shell),
        preview: open.preview,
        profiles: open.profiles,
        rows: open.manifest.as_ref().map(|manifest| manifest.rows),
        versions: open.versions,
        downloads,
        retired: retired.then(|| shell.t1("dataset-retired-on", "date", shell.date(&dataset.updated_at))),
        manages: manages && !retired,
        shell,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

fn access(visit: &Visit, view: &DatasetView, level: Level, shell: &Shell) -> Access {
    let dataset = &view.dataset;
    if dataset.state == DatasetState::Retired {
        return Access::Closed {
            reason: shell.t("dataset-retired-closed"),
        };
    }
    match level {
        Level::L1 if view.manifest.is_some() => Access::Open,
        Level::L1 => Access::Announced,
        Level::L2 | Level::L3 if dataset.current_version_id.is_some() => Access::Conditional {
            may_apply: visit.actor().has_role(Role::Analyst),
        },
        Level::L2 | Level::L3 => Access::Announced,
        Level::L4 => {
            let conditions = dataset.metadata.conditions.as_ref();
            let reason = conditions.map(|text| text.get(shell.language).to_owned());
            Access::Closed {
                reason: reason.unwrap_or_else(|| shell.level_meaning(&level)),
            }
        }
    }
}

/// What the page shows of the data themselves; nothing unless they are open.
#[derive(Default)]
struct OpenFigures {
    manifest: Option<Manifest>,
    preview: Option<DataTable>,
    profiles: Vec<crate::page::dataset::ColumnProfile>,
    versions: Vec<VersionRow>,
}

async fn open_figures(
    visit: &Visit,
    view: &DatasetView,
    level: Level,
    shell: &Shell,
) -> Result<OpenFigures, Failure> {
    let dataset = &view.dataset;
    if !level.is_open() || dataset.state != DatasetState::Released {
        return Ok(OpenFigures::default());
    }
    let versions = visit
        .state
        .catalog
        .versions(visit.actor(), &dataset.slug, None, VERSIONS)
        .await?;
    let versions = versions
        .into_iter()
        .filter(|version| matches!(version.state, VersionState::Released | VersionState::Retired))
        .map(|version| {
            let manifest = version
                .manifest
                .and_then(|m| serde_json::from_value::<Manifest>(m).ok());
            let parquet = manifest
                .as_ref()
                .and_then(|m| m.find_distribution(DistributionFormat::Parquet));
            VersionRow {
                number: number(version.number),
                state: version.state,
                moment: version.published_at.or(Some(version.created_at)),
                rows: manifest.as_ref().map(|manifest| manifest.rows),
                checksum: parquet.map(|file| file.sha256.clone()),
            }
        })
        .collect();
    Ok(OpenFigures {
        manifest: view.manifest.clone(),
        preview: preview(visit, view, shell).await?,
        profiles: column_profiles(view.version.as_ref().and_then(|version| version.profile.as_ref())),
        versions,
    })
}

/// The first rows. A portal that is too busy to read them shows the rest of the page.
async fn preview(visit: &Visit, view: &DatasetView, shell: &Shell) -> Result<Option<DataTable>, Failure> {
    let dataset = &view.dataset;
    if view.manifest.is_none() {
        return Ok(None);
    }
    let (_, parts) = visit
        .state
        .catalog
        .open_parts(visit.actor(), &dataset.slug, None)
        .await?;
    let query = RowQuery {
        limit: PREVIEW_ROWS,
        ..RowQuery::default()
    };
    let answer = match visit
        .state
        .query
        .rows(
            OpenTable {
                sql_name: dataset.slug.sql_name(),
                parts,
            },
            query,
        )
        .await
    {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, slug = %dataset.slug, "no preview");
            return Ok(None);
        }
    };
    let label = |name: &str| {
        let field = dataset
            .declared
            .as_ref()
            .and_then(|declared| declared.find_field(name));
        let label = field.and_then(|field| field.label.as_ref());
        label
            .map(|label| label.get(shell.language).to_owned())
            .unwrap_or_default()
    };
    let caption = shell.t1("preview-caption", "count", answer.row_count());
    Ok(Some(table(&answer, caption, PREVIEW_ROWS, label)?.0))
}

/// The dataset in schema.org's words, for search engines.
fn json_ld(view: &DatasetView, origin: &str, shell: &Shell, manifest: Option<&Manifest>) -> Value {
    let dataset = &view.dataset;
    let (slug, metadata) = (&dataset.slug, &dataset.metadata);
    let url = format!("{origin}/datasets/{slug}");
    let license = match metadata.license {
        License::CcBy4 => json!("https://creativecommons.org/licenses/by/4.0/"),
        License::Cc0 => json!("https://creativecommons.org/publicdomain/zero/1.0/"),
        License::PublicData | License::Agreement => {
            json!({"@type": "CreativeWork", "name": metadata.license.name(shell.language)})
        }
    };
    let mut value = json!({
        "@context": "https://schema.org/", "@type": "Dataset", "@id": url, "url": url, "identifier": slug,
        "name": metadata.title.get(shell.language), "description": metadata.summary.get(shell.language),
        "inLanguage": metadata.title.language_for(shell.language).tag(), "keywords": metadata.keywords,
        "license": license, "isAccessibleForFree": dataset.level.is_some_and(Level::is_open),
        "dateModified": dataset.updated_at,
        "creator": {"@type": "GovernmentOrganization", "name": view.organization.name.get(shell.language)},
    });
    if let Some(manifest) = manifest {
        let files = manifest.distributions.iter().map(|file| {
            json!({
                "@type": "DataDownload", "encodingFormat": file.media_type,
                "contentUrl": format!("{url}/download.{}", file.format.extension()),
                "contentSize": format!("{} B", file.bytes), "sha256": file.sha256,
            })
        });
        value["distribution"] = files.collect();
    }
    value
}
