//! The catalogue's list: search, facets, pages.

use catalog_search::{FacetCount, Hit};
use http::StatusCode;
use model::{DatasetId, Language, Level, OrganizationId, Theme, UpdateCycle};
use storage::Manifest;

use super::visit::{Page, Values, Visit};
use crate::api::dataset::SearchParameters;
use crate::failure::Failure;
use crate::page::dataset_list::{DatasetListPage, Facet, FacetKind, FacetValue, SearchAddress, Sort};
use crate::page::home::DatasetCard;
use crate::page::{Section, Segment, Shell, respond};
use crate::state::AppState;

/// Datasets on one page of the list.
const PER_PAGE: u32 = 20;
/// The last page within the search's window.
const LAST_PAGE: u32 = catalog_search::WINDOW_MAX / PER_PAGE;
/// The facets, in the order of the page.
const FACETS: [FacetKind; 5] = [
    FacetKind::Theme,
    FacetKind::Organization,
    FacetKind::Level,
    FacetKind::UpdateCycle,
    FacetKind::Format,
];

/// `GET /datasets`.
pub(super) async fn list(visit: Visit) -> Page {
    let (state, language) = (&visit.state, visit.language());
    let chosen =
        |kind: FacetKind| -> String { visit.query.all(kind.parameter()).collect::<Vec<_>>().join(",") };
    let sort = Sort::from_code(visit.query.text("sort"));
    let mut parameters = SearchParameters {
        q: visit.query.text("q").trim().to_owned(),
        theme: chosen(FacetKind::Theme),
        level: chosen(FacetKind::Level),
        format: chosen(FacetKind::Format),
        organization: chosen(FacetKind::Organization),
        update_cycle: chosen(FacetKind::UpdateCycle),
        sort: sort.code().to_owned(),
        page: Some(visit.query.text("page").parse().unwrap_or(1).clamp(1, LAST_PAGE)),
        per_page: Some(PER_PAGE),
        lang: None,
    };
    let mut found = state
        .indexer
        .search(parameters.query(state, language).await?)
        .await?;
    let pages = u32::try_from(found.count.div_ceil(u64::from(PER_PAGE)))
        .unwrap_or(LAST_PAGE)
        .min(LAST_PAGE);
    if pages > 0 && parameters.page > Some(pages) {
        // The list has become shorter than the address remembers.
        parameters.page = Some(pages);
        found = state
            .indexer
            .search(parameters.query(state, language).await?)
            .await?;
    }
    let shell = visit.shell(Section::Datasets);
    let facets = facets(state, &shell, &visit.query, &found.facets).await?;
    let search = SearchAddress {
        query: parameters.q.clone(),
        filters: filters(&visit.query)
            .map(|(kind, code)| (kind.parameter().to_owned(), code))
            .collect(),
        sort,
    };
    let page = DatasetListPage {
        search,
        count: found.count,
        results: cards(state, found.hits, language).await?,
        facets,
        page: parameters.page.unwrap_or(1),
        pages,
        shell,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

/// Each value that the address chooses, once; one parameter may hold several, separated by commas.
fn filters(query: &Values) -> impl Iterator<Item = (FacetKind, String)> {
    FACETS.into_iter().flat_map(|kind| {
        let mut codes: Vec<String> = Vec::new();
        for code in query
            .all(kind.parameter())
            .flat_map(|value| value.split(','))
            .map(str::trim)
        {
            if !code.is_empty() && !codes.iter().any(|known| known == code) {
                codes.push(code.to_owned());
            }
        }
        codes.into_iter().map(move |code| (kind, code))
    })
}

async fn facets(
    state: &AppState,
    shell: &Shell,
    query: &Values,
    found: &catalog_search::Facets,
) -> Result<Vec<Facet>, Failure> {
    let ids = found
        .organizations
        .iter()
        .map(|facet| OrganizationId::from_uuid(facet.value));
    let names = state.organizations(ids).await?;
    let language = shell.language;
    let value = |code: String, label: String, count: u64| FacetValue {
        code,
        label,
        count,
        selected: false,
    };
    let plain = |facets: &[FacetCount<String>], label: &dyn Fn(&str) -> String| -> Vec<FacetValue> {
        facets
            .iter()
            .map(|facet| value(facet.value.clone(), label(&facet.value), facet.count))
            .collect()
    };
    let mut facets = Vec::with_capacity(FACETS.len());
    for kind in FACETS {
        let values = match kind {
            FacetKind::Theme => plain(&found.themes, &|code| theme(code, language)),
            FacetKind::UpdateCycle => plain(&found.update_cycles, &|code| update_cycle(code, language)),
            FacetKind::Format => plain(&found.formats, &|code| code.to_uppercase()),
            FacetKind::Level => found
                .levels
                .iter()
                .filter_map(|facet| Level::from_number(facet.value).map(|level| (level, facet.count)))
                .map(|(level, count)| value(level.to_string(), level_label(shell, level), count))
                .collect(),
            FacetKind::Organization => found
                .organizations
                .iter()
                .filter_map(|facet| {
                    let organization = names.get(&OrganizationId::from_uuid(facet.value))?;
                    let name = organization.name.get(language).to_owned();
                    Some(value(organization.slug.to_string(), name, facet.count))
                })
                .collect(),
        };
        facets.push(Facet { kind, values });
    }
    for (kind, code) in filters(query) {
        let Some(facet) = facets.iter_mut().find(|facet| facet.kind == kind) else {
            continue;
        };
        match facet.values.iter_mut().find(|value| value.code == code) {
            Some(value) => value.selected = true,
            None => {
                let label = match kind {
                    FacetKind::Theme => theme(&code, language),
                    FacetKind::UpdateCycle => update_cycle(&code, language),
                    FacetKind::Format => code.to_uppercase(),
                    FacetKind::Level => code
                        .parse()
                        .map_or(code.clone(), |level| level_label(shell, level)),
                    FacetKind::Organization => organization(state, &code, language).await?,
                };
                facet.values.push(FacetValue {
                    code,
                    label,
                    count: 0,
                    selected: true,
                });
            }
        }
    }
    Ok(facets)
}

fn theme(code: &str, language: Language) -> String {
    Theme::from_code(code)
        .map_or(code, |theme| theme.name(language))
        .to_owned()
}

fn update_cycle(code: &str, language: Language) -> String {
    UpdateCycle::from_code(code)
        .map_or(code, |cycle| cycle.name(language))
        .to_owned()
}

fn level_label(shell: &Shell, level: Level) -> String {
    format!("{level} {}", shell.level_name(&level))
}

async fn organization(state: &AppState, code: &str, language: Language) -> Result<String, Failure> {
    let found = match model::Slug::parse(code) {
        Ok(slug) => db::organization::find_by_slug(state.db.read(), &slug).await?,
        Err(_) => None,
    };
    Ok(found.map_or_else(
        || code.to_owned(),
        |organization| organization.name.get(language).to_owned(),
    ))
}

/// What a search found, as lists show it.
pub(super) async fn cards(
    state: &AppState,
    hits: Vec<Hit>,
    language: Language,
) -> Result<Vec<DatasetCard>, Failure> {
    let ids: Vec<DatasetId> = hits.iter().map(|hit| DatasetId::from_uuid(hit.id)).collect();
    let datasets = db::dataset::list_shown(state.db.read(), &ids).await?;
    let organizations = state
        .organizations(datasets.iter().map(|dataset| dataset.organization_id))
        .await?;
    // Of protected data nothing is told of its versions.
    let open = datasets
        .iter()
        .filter(|dataset| dataset.level.is_some_and(Level::is_open))
        .filter_map(|dataset| dataset.current_version_id);
    let versions = db::version::list_manifests::<Manifest>(state.db.read(), open).await?;
    let mut cards = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(dataset) = datasets.iter().find(|dataset| dataset.id.as_uuid() == hit.id) else {
            continue;
        };
        let Some(level) = dataset.level else { continue };
        let department = organizations.get(&dataset.organization_id);
        let version = versions
            .iter()
            .find(|(id, ..)| Some(*id) == dataset.current_version_id);
        let (updated, manifest) = version.map_or((None, None), |(_, at, manifest)| (*at, manifest.as_ref()));
        let formats = manifest.iter().flat_map(|manifest| &manifest.distributions);
        cards.push(DatasetCard {
            slug: dataset.slug.to_string(),
            title: segments(hit.highlights.title, dataset.metadata.title.get(language)),
            summary: segments(hit.highlights.summary, dataset.metadata.summary.get(language)),
            text_language: dataset.metadata.title.language_for(language),
            level,
            department: department
                .map(|o| o.name.get(language).to_owned())
                .unwrap_or_default(),
            theme: dataset.metadata.theme,
            update_cycle: dataset.metadata.update_cycle,
            updated,
            formats: formats.map(|file| file.format.extension().to_owned()).collect(),
        });
    }
    Ok(cards)
}

fn segments(found: Vec<catalog_search::Segment>, whole: &str) -> Vec<Segment> {
    if found.is_empty() {
        return Segment::plain(whole);
    }
    found
        .into_iter()
        .map(|segment| Segment {
            text: segment.text,
            hit: segment.is_match,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_may_repeat_or_hold_several() {
        let query = Values::parse(b"theme=transport&level=L1,L3&theme=health&theme=transport&level=&q=x");
        let chosen: Vec<_> = filters(&query)
            .map(|(kind, code)| (kind.parameter(), code))
            .collect();
        let wanted = [
            ("theme", "transport"),
            ("theme", "health"),
            ("level", "L1"),
            ("level", "L3"),
        ];
        assert_eq!(chosen, wanted.map(|(name, code)| (name, code.to_owned())));
    }
}
