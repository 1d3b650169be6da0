//! The first page, what the portal is, and the list of problems.

use http::StatusCode;
use model::{BudgetPolicy, JobState, Theme};

use super::catalog::cards;
use super::visit::{Page, Visit, count};
use crate::api::dataset::SearchParameters;
use crate::page::about::{AboutPage, BudgetRules, ProblemListPage};
use crate::page::home::{HomePage, LiveNumbers, ThemeCount};
use crate::page::{Section, respond};

/// How many entries the first page shows.
const LATEST: u32 = 6;

/// `GET /`.
pub(super) async fn home(visit: Visit) -> Page {
    let state = &visit.state;
    let newest = SearchParameters {
        sort: "updated".to_owned(),
        per_page: Some(LATEST),
        ..SearchParameters::default()
    };
    let found = state
        .indexer
        .search(newest.query(state, visit.language()).await?)
        .await?;
    let facets = &found.facets;
    let of_theme = |theme: Theme| facets.themes.iter().find(|facet| facet.value == theme.code());
    let numbers = LiveNumbers {
        datasets: found.count,
        open: facets
            .levels
            .iter()
            .find(|facet| facet.value == 1)
            .map_or(0, |facet| facet.count),
        departments: facets.organizations.len() as u64,
        downloads: count(db::usage::total_of_kind(state.db.read(), db::usage::UsageKind::Download).await?),
        jobs: db::job::count_in_state(state.db.read(), JobState::Released).await?,
        ledger: db::ledger::find_checkpoint(state.db.read())
            .await?
            .map_or(0, |checkpoint| checkpoint.size),
    };
    let themes = Theme::ALL
        .iter()
        .filter_map(|theme| {
            of_theme(*theme).map(|facet| ThemeCount {
                theme: *theme,
                count: facet.count,
            })
        })
        .collect();
    let latest = cards(state, found.hits, visit.language()).await?;
    let page = HomePage {
        shell: visit.shell(Section::None),
        numbers,
        themes,
        latest,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

/// `GET /about`.
pub(super) async fn about(visit: Visit) -> Page {
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let budget = BudgetRules {
        job: policy.job_epsilon,
        project: policy.project_epsilon,
        project_days: policy.project_days,
        lineage: policy.lineage_epsilon,
        lineage_days: policy.lineage_days,
        lifetime: policy.lifetime_epsilon,
    };
    let page = AboutPage {
        shell: visit.shell(Section::About),
        budget,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

/// `GET /problems`.
pub(super) async fn problems(visit: Visit) -> Page {
    let page = ProblemListPage {
        shell: visit.shell(Section::About),
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}
