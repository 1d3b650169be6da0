//! `/api/v1/datasets`: search, entries.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_entry::{DatasetView, EntryChange, NewEntry, SearchRule};
use catalog_search::{Filters, Page, SearchQuery, Sort};
use db::usage::UsageKind;
use http::{HeaderMap, StatusCode, header};
use model::{Language, Level, Slug};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::entry::{self, DeclaredRequest, Entry, MetadataRequest};
use crate::api::extract::{ApiJson, ApiPath, ApiQuery, etag, if_match, stale_is_precondition};
use crate::auth::ApiCaller;
use crate::failure::Failure;
use crate::language::RequestLanguage;
use crate::problem::Code;
use crate::state::AppState;
use crate::told::{Told, say};

/// Parameters of the search.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchParameters {
    /// Words in Chinese or English, or pinyin.
    #[serde(default)]
    pub q: String,
    /// Theme codes, separated by commas.
    #[serde(default)]
    pub theme: String,
    /// Levels such as `L1,L3`.
    #[serde(default)]
    pub level: String,
    /// Download formats, separated by commas.
    #[serde(default)]
    pub format: String,
    /// Slugs or ids of organisations, separated by commas.
    #[serde(default)]
    pub organization: String,
    /// Update cycles, separated by commas.
    #[serde(default)]
    pub update_cycle: String,
    /// relevance, updated or title.
    #[serde(default)]
    pub sort: String,
    /// From 1.
    pub page: Option<u32>,
    /// 1 to 100, 20 if not given.
    pub per_page: Option<u32>,
    /// Language of titles, as in every address.
    #[serde(default)]
    pub lang: Option<String>,
}

impl SearchParameters {
    /// The search that these parameters ask for.
    ///
    /// # Errors
    /// If a code, level or number makes no sense; the message names it.
    pub async fn query(&self, state: &AppState, language: Language) -> Result<SearchQuery, Failure> {
        let bad = |what: &str, got: &str| {
            let got: String = got.chars().take(40).collect();
            let detail = say("why-parameter").with("name", what).with("got", got);
            Failure::new(Code::InvalidInput, detail)
        };
        let list = |text: &str| -> Vec<String> {
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let mut levels = Vec::new();
        for text in list(&self.level) {
            levels.push(text.parse::<Level>().map_err(|_| bad("level", &text))?.number());
        }
        for text in list(&self.theme) {
            model::Theme::from_code(&text).ok_or_else(|| bad("theme", &text))?;
        }
        for text in list(&self.update_cycle) {
            model::UpdateCycle::from_code(&text).ok_or_else(|| bad("update_cycle", &text))?;
        }
        let mut organizations = Vec::new();
        for text in list(&self.organization) {
            let id = match Uuid::try_parse(&text) {
                Ok(id) => id,
                Err(_) => {
                    let slug = Slug::parse(&text).map_err(|_| bad("organization", &text))?;
                    let found = db::organization::find_by_slug(state.db.read(), &slug).await?;
                    found.ok_or_else(|| bad("organization", &text))?.id.as_uuid()
                }
            };
            organizations.push(id);
        }
        let sort = match self.sort.as_str() {
            "" | "relevance" => Sort::Relevance,
            "updated" => Sort::Updated,
            "title" => Sort::Title,
            other => return Err(bad("sort", other)),
        };
        let page = Page::new(self.page.unwrap_or(1), self.per_page.unwrap_or(20)).map_err(|error| {
            let rule = SearchRule::of(&error);
            let detail = rule.map_or_else(|| say("problem-invalid-input"), |rule| rule.told());
            Failure::new(Code::InvalidInput, detail)
        })?;
        Ok(SearchQuery {
            text: self.q.clone(),
            filters: Filters {
                themes: list(&self.theme),
                levels,
                organizations,
                update_cycles: list(&self.update_cycle),
                formats: list(&self.format),
            },
            page,
            sort,
            language: match language {
                Language::Zh => catalog_search::Language::Zh,
                Language::En => catalog_search::Language::En,
            },
        })
    }
}

#[derive(Serialize)]
struct SegmentResponse {
    text: String,
    is_match: bool,
}

/// `GET /api/v1/datasets`.
pub async fn search(
    State(state): State<AppState>,
    // Everyone may search, but not with a token that is none.
    ApiCaller(_): ApiCaller,
    RequestLanguage(language): RequestLanguage,
    ApiQuery(parameters): ApiQuery<SearchParameters>,
) -> Result<Json<Value>, Failure> {
    let query = parameters.query(&state, language).await?;
    let (page, per_page) = (query.page.number(), query.page.size());
    let found = state.indexer.search(query).await?;
    let ids: Vec<_> = found
        .hits
        .iter()
        .map(|hit| model::DatasetId::from_uuid(hit.id))
        .collect();
    let datasets = db::dataset::list_shown(state.db.read(), &ids).await?;
    let counted = found.facets.organizations.iter();
    let counted = counted.map(|facet| model::OrganizationId::from_uuid(facet.value));
    let organizations = state
        .organizations(datasets.iter().map(|d| d.organization_id).chain(counted))
        .await?;
    let segments = |segments: Vec<catalog_search::Segment>| -> Vec<SegmentResponse> {
        segments
            .into_iter()
            .map(|s| SegmentResponse {
                text: s.text,
                is_match: s.is_match,
            })
            .collect()
    };
    let mut results = Vec::with_capacity(found.hits.len());
    for hit in found.hits {
        let Some(dataset) = datasets.iter().find(|dataset| dataset.id.as_uuid() == hit.id) else {
            continue;
        };
        let organization = organizations.get(&dataset.organization_id);
        results.push(json!({
            "id": dataset.id, "slug": dataset.slug, "title": dataset.metadata.title,
            "summary": dataset.metadata.summary, "level": dataset.level, "special": dataset.metadata.special,
            "theme": dataset.metadata.theme, "update_cycle": dataset.metadata.update_cycle,
            "license": dataset.metadata.license, "keywords": dataset.metadata.keywords,
            "organization": organization.map(|o| json!({"id": o.id, "slug": o.slug, "name": o.name})),
            "updated_at": dataset.updated_at, "score": hit.score,
            "highlights": {"title": segments(hit.highlights.title), "summary": segments(hit.highlights.summary)},
        }));
    }
    let facets = found.facets;
    let levels: Vec<_> = facets
        .levels
        .iter()
        .map(|f| json!({"value": Level::from_number(f.value), "count": f.count}))
        .collect();
    let counts: Vec<_> = facets
        .organizations
        .iter()
        .map(|f| {
            let organization = organizations.get(&model::OrganizationId::from_uuid(f.value));
            json!({
                "value": organization.map(|o| o.slug.as_str()), "count": f.count,
                "name": organization.map(|o| &o.name),
            })
        })
        .collect();
    let plain = |facets: &[catalog_search::FacetCount<String>]| -> Vec<Value> {
        facets
            .iter()
            .map(|f| json!({"value": f.value, "count": f.count}))
            .collect()
    };
    Ok(Json(json!({
        "count": found.count, "page": page, "per_page": per_page, "approximate": found.approximate,
        "results": results,
        "facets": {
            "theme": plain(&facets.themes), "level": levels, "organization": counts,
            "update_cycle": plain(&facets.update_cycles), "format": plain(&facets.formats),
        },
    })))
}

/// The body of a new entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// The name in addresses.
    slug: String,
    /// The proposed level; none keeps the files in quarantine.
    #[serde(default)]
    level: Option<String>,
    /// The catalogue fields.
    metadata: MetadataRequest,
    /// Unit, zone and fields.
    #[serde(default)]
    declared: Option<DeclaredRequest>,
}

impl CreateRequest {
    /// The body as the model's types.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] with everything that breaks a rule.
    pub(super) fn read(&self) -> Result<Entry, Failure> {
        let level = self.level.as_deref();
        entry::read(Some(&self.slug), level, &self.metadata, self.declared.as_ref())
    }
}

/// `POST /api/v1/datasets`.
pub async fn create(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiJson(body): ApiJson<CreateRequest>,
) -> Result<Response, Failure> {
    let entry = body.read()?;
    let new = NewEntry {
        slug: entry.slug.ok_or_else(Failure::internal)?,
        level: entry.level,
        metadata: entry.metadata,
        declared: entry.declared,
    };
    let dataset = state.catalog.create(&caller.actor, new).await?;
    let view = state.catalog.find(&caller.actor, &dataset.slug).await?;
    let location = format!("/api/v1/datasets/{}", dataset.slug);
    let headers = [
        (header::LOCATION, location),
        (header::ETAG, etag(dataset.revision)),
    ];
    Ok((StatusCode::CREATED, headers, Json(describe(&view))).into_response())
}

/// `GET /api/v1/datasets/{slug}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
) -> Result<Response, Failure> {
    let view = state.catalog.find(&caller.actor, &slug).await?;
    if view.dataset.slug != slug {
        let location = format!("/api/v1/datasets/{}", view.dataset.slug);
        return Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response());
    }
    state.usage.count(UsageKind::ApiCall, slug.as_str());
    Ok((
        [(header::ETAG, etag(view.dataset.revision))],
        Json(describe(&view)),
    )
        .into_response())
}

/// The body that replaces an entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRequest {
    /// The level.
    #[serde(default)]
    level: Option<String>,
    /// The catalogue fields.
    metadata: MetadataRequest,
    /// Unit, zone and fields.
    #[serde(default)]
    declared: Option<DeclaredRequest>,
}

/// `PUT /api/v1/datasets/{slug}`, with `If-Match`.
pub async fn replace(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<ReplaceRequest>,
) -> Result<Response, Failure> {
    let revision = if_match(&headers)?;
    let entry = entry::read(
        None,
        body.level.as_deref(),
        &body.metadata,
        body.declared.as_ref(),
    )?;
    let change = EntryChange {
        level: entry.level,
        metadata: entry.metadata,
        declared: entry.declared,
    };
    let changed = state.catalog.update(&caller.actor, &slug, revision, change).await;
    let dataset = changed.map_err(|error| {
        let stale = matches!(&error, catalog_entry::EntryError::Database(db::Error::Stale(_)));
        stale_is_precondition(error.into(), stale)
    })?;
    state.indexer.catch_up().await?;
    let view = state.catalog.find(&caller.actor, &dataset.slug).await?;
    Ok((
        [(header::ETAG, etag(view.dataset.revision))],
        Json(describe(&view)),
    )
        .into_response())
}

/// A dataset as JSON: declared metadata for everyone, figures for those who may see them.
pub fn describe(view: &DatasetView) -> Value {
    let dataset = &view.dataset;
    let mut value = json!({
        "id": dataset.id, "slug": dataset.slug, "sql_name": dataset.slug.sql_name(),
        "level": dataset.level, "state": dataset.state, "special": dataset.metadata.special,
        "organization": {
            "id": view.organization.id, "slug": view.organization.slug, "name": view.organization.name,
        },
        "metadata": dataset.metadata, "title": dataset.metadata.title, "summary": dataset.metadata.summary,
        "declared": dataset.declared,
        "fields": dataset.declared.as_ref().map(|declared| declared.fields()),
        "revision": dataset.revision,
        "created_at": dataset.created_at, "updated_at": dataset.updated_at,
    });
    if let (Some(version), Some(manifest)) = (&view.version, &view.manifest) {
        value["version"] = super::version::describe(version, Some(manifest), &dataset.slug);
        if dataset.declared.is_none() {
            value["fields"] = json!(manifest.fields);
        }
    }
    value
}
