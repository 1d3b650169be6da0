//! The page of one dataset.

use askama::Template;
use model::{EntryMetadata, FieldDeclaration, Level, Timestamp, UnitDeclaration, VersionState};

use super::chart::{Histogram, HistogramBar};
use super::shell::Shell;
use super::table::DataTable;

/// How the reader can get at the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Unconditionally open: downloads, API, SQL.
    Open,
    /// On conditions; `may_apply` is whether the reader's role can apply now.
    Conditional {
        /// Whether the reader is an analyst of an enterprise.
        may_apply: bool,
    },
    /// Not opened, with the reason in the page's language.
    Closed {
        /// Why.
        reason: String,
    },
    /// Published, but no version is released yet.
    Announced,
}

/// A file that can be downloaded: `/datasets/{slug}/download.{format}`.
#[derive(Debug, Clone)]
pub struct Download {
    /// `csv`, `json`, `ndjson`, `parquet`, `arrow`.
    pub format: String,
    /// Its size.
    pub bytes: u64,
}

/// What is known of a column's values. Outside the trusted roles for open data only.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    /// The column.
    pub name: String,
    /// Values that are missing.
    pub nulls: u64,
    /// How many different values.
    pub distinct: u64,
    /// The relative standard error of `distinct` when it is approximate, such as 0.008.
    pub distinct_error: Option<f64>,
    /// The least value as text, if values are ordered.
    pub least: Option<String>,
    /// The greatest value as text.
    pub greatest: Option<String>,
    /// Bins in order, or the most frequent values.
    pub bars: Vec<HistogramBar>,
}

/// A version in a list.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// Its number, from 1.
    pub number: u32,
    /// Where it stands.
    pub state: VersionState,
    /// When it was released, or else made.
    pub moment: Option<Timestamp>,
    /// Rows; only for open data or trusted roles.
    pub rows: Option<u64>,
    /// SHA-256 of its Parquet distribution in hexadecimal; only for open data or trusted roles.
    pub checksum: Option<String>,
}

/// `GET /datasets/{slug}`.
///
/// For L2 and L3 the handler leaves `preview`, `profiles`, `downloads`, row counts and checksums out, whoever
/// reads: this is the public page.
#[derive(Debug, Clone, Template)]
#[template(path = "dataset.html")]
pub struct DatasetPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Its slug.
    pub slug: String,
    /// The scheme and authority that code examples call, such as `https://data.example.gov.cn`.
    pub origin: String,
    /// The catalogue's description.
    pub entry: EntryMetadata,
    /// Its level.
    pub level: Level,
    /// The department's name in the page's language.
    pub department: String,
    /// The name of the region in the page's language, if it is known.
    pub region: Option<String>,
    /// Declared fields, in file order.
    pub fields: Vec<FieldDeclaration>,
    /// Whom the guarantee protects.
    pub unit: Option<UnitDeclaration>,
    /// How the reader can get at the data.
    pub access: Access,
    /// The first rows; open data only.
    pub preview: Option<DataTable>,
    /// Profiles of columns; open data only.
    pub profiles: Vec<ColumnProfile>,
    /// Rows of the current version; open data only.
    pub rows: Option<u64>,
    /// Released and retired versions, newest first.
    pub versions: Vec<VersionRow>,
    /// Files; open data only.
    pub downloads: Vec<Download>,
    /// Why it was taken out of use, in the page's language.
    pub retired: Option<String>,
    /// schema.org description; the template makes it safe to stand in a `<script>` data block.
    pub json_ld: Option<serde_json::Value>,
    /// Whether the reader is an officer of the department: shows the way to its management.
    pub manages: bool,
}

#[derive(Debug, Clone)]
struct Example {
    id: &'static str,
    title: &'static str,
    code: String,
}

impl DatasetPage {
    fn title(&self) -> &str {
        self.entry.title.get(self.shell.language)
    }

    fn title_lang(&self) -> &'static str {
        self.entry.title.language_for(self.shell.language).tag()
    }

    fn summary(&self) -> &str {
        self.entry.summary.get(self.shell.language)
    }

    fn summary_lang(&self) -> &'static str {
        self.entry.summary.language_for(self.shell.language).tag()
    }

    fn histogram(&self, profile: &ColumnProfile) -> Histogram {
        let title = self.shell.t1("profile-histogram", "column", &profile.name);
        Histogram::new(title, &profile.bars)
    }

    fn sql_name(&self) -> String {
        self.slug.replace('-', "_")
    }

    /// JSON for a data block: `<` cannot close the element, and U+2028 and U+2029 stay harmless.
    fn json_ld_text(&self) -> Option<String> {
        let text = self.json_ld.as_ref()?.to_string();
        Some(
            text.replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026")
                .replace('\u{2028}', "\\u2028")
                .replace('\u{2029}', "\\u2029"),
        )
    }

    fn examples(&self) -> Vec<Example> {
        let (origin, slug) = (&self.origin, &self.slug);
        let url = format!("{origin}/datasets/{slug}/download");
        let name = slug.replace('-', "_");
        vec![
            Example {
                id: "curl",
                title: "curl",
                code: format!(
                    "curl -LO {url}.csv\n\
                     curl '{origin}/api/v1/datasets/{slug}/rows?limit=10'\n\
                     curl {origin}/api/v1/sql -H 'Content-Type: application/json' \\\n     \
                     -d '{{\"sql\": \"SELECT count(*) FROM {name}\"}}'"
                ),
            },
            Example {
                id: "python",
                title: "Python",
                code: format!(
                    "import pandas as pd\n\n{name} = pd.read_parquet(\n    \"{url}.parquet\"\n)\n{name}.describe()"
                ),
            },
            Example {
                id: "duckdb",
                title: "DuckDB",
                code: format!(
                    "INSTALL httpfs; LOAD httpfs;\n\nSELECT *\nFROM read_parquet('{url}.parquet')\nLIMIT 10;"
                ),
            },
            Example {
                id: "r",
                title: "R",
                code: format!("library(readr)\n\n{name} <- read_csv(\n  \"{url}.csv\"\n)\nsummary({name})"),
            },
        ]
    }
}
