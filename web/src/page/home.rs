//! The first page.

use askama::Template;
use model::{Language, Level, Theme, Timestamp, UpdateCycle};

use super::shell::{Segment, Shell};

/// A dataset as lists show it.
#[derive(Debug, Clone)]
pub struct DatasetCard {
    /// Its slug.
    pub slug: String,
    /// Its title, with hits where it was searched for.
    pub title: Vec<Segment>,
    /// Its summary or the part of it with hits; shown on at most three lines.
    pub summary: Vec<Segment>,
    /// The language of title and summary, for `lang`.
    pub text_language: Language,
    /// Its level.
    pub level: Level,
    /// The department's name in the page's language.
    pub department: String,
    /// Its theme.
    pub theme: Theme,
    /// Its update cycle.
    pub update_cycle: UpdateCycle,
    /// When the current version was released.
    pub updated: Option<Timestamp>,
    /// The formats offered for download (`csv`, …); none unless it is open.
    pub formats: Vec<String>,
}

/// A theme with the number of its public datasets.
#[derive(Debug, Clone)]
pub struct ThemeCount {
    /// The theme.
    pub theme: Theme,
    /// How many public entries it has.
    pub count: u64,
}

/// The portal in figures, counted from its own records when the page is made.
#[derive(Debug, Clone)]
pub struct LiveNumbers {
    /// Public entries.
    pub datasets: u64,
    /// Those of them that are unconditionally open.
    pub open: u64,
    /// Departments with a public entry.
    pub departments: u64,
    /// Downloads of open data so far.
    pub downloads: u64,
    /// Private jobs released so far.
    pub jobs: u64,
    /// Leaves in the ledger.
    pub ledger: u64,
}

/// `GET /`. The handler fills figures, themes that have datasets, and the six entries released last.
#[derive(Debug, Clone, Template)]
#[template(path = "home.html")]
pub struct HomePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The portal in figures.
    pub numbers: LiveNumbers,
    /// Themes with at least one dataset, in the vocabulary's order.
    pub themes: Vec<ThemeCount>,
    /// The entries released last, newest first.
    pub latest: Vec<DatasetCard>,
}
