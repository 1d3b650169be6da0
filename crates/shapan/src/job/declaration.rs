//! Where declarations come from: a portal's catalogue, or files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Clock as _, DatasetId, DeclaredMetadata, Level, Slug, SystemClock, VersionId};
use reqwest::{Client, Response, StatusCode};
use sandbox_plan::Relation;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::address;
use crate::failure::Failure;

/// The longest that a portal may take for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 64 << 20;

/// A portal whose catalogue is asked.
pub(super) struct Portal {
    /// With a slash at its end.
    base: Url,
    pub(super) client: Client,
}

/// What of a catalogue entry matters here, as the API answers it and as `shapan import --entry` takes it.
#[derive(Deserialize)]
struct Entry {
    slug: Option<Slug>,
    level: Option<Level>,
    declared: Option<DeclaredMetadata>,
}

impl Portal {
    /// A portal's address.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut base =
            Url::parse(text).map_err(Failure::cannot(format_args!("understand the address {text:?}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Failure::new(format!(
                "a portal's address begins with http:// or https://; got {text:?}"
            )));
        }
        base.set_query(None);
        base.set_fragment(None);
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let client = address::client(&base, ANSWER_TIME)?;
        Ok(Self { base, client })
    }

    /// The address of something of the API.
    pub(super) fn address(&self, path: &str) -> Result<Url, Failure> {
        let path = format!("api/v1/{path}");
        self.base
            .join(&path)
            .map_err(Failure::cannot(format_args!("make the address of {path}")))
    }

    /// The protected datasets among these names. What is not in the catalogue, or open, is left to the planner.
    pub(super) async fn relations(&self, names: &BTreeSet<String>) -> Result<Vec<Relation>, Failure> {
        let mut relations = Vec::new();
        for slug in names.iter().filter_map(|name| Slug::from_sql_name(name)) {
            let url = self.address(&format!("datasets/{slug}"))?;
            let ask = || Failure::cannot(format!("ask {} for {slug}", self.base));
            let response = self.client.get(url).send().await.map_err(ask())?;
            if response.status() == StatusCode::NOT_FOUND {
                continue;
            }
            let response = response.error_for_status().map_err(ask())?;
            let bytes = read(response).await?;
            let entry: Entry = serde_json::from_slice(&bytes)
                .map_err(Failure::cannot(format_args!("read the entry of {slug}")))?;
            relations.extend(relation(entry, slug));
        }
        Ok(relations)
    }
}

/// The bytes of an answer, if there are not too many.
pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > ANSWER_BYTES {
            return Err(Failure::new(format!(
                "an answer is longer than {ANSWER_BYTES} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The datasets that files declare.
pub(super) fn read_files(files: &[PathBuf]) -> Result<Vec<Relation>, Failure> {
    let mut relations: Vec<Relation> = Vec::new();
    for file in files {
        let shown = file.display();
        let relation =
            read_file(file)?.ok_or_else(|| Failure::new(format!("{shown} declares no protected dataset")))?;
        if relations.iter().any(|known| known.slug == relation.slug) {
            return Err(Failure::new(format!(
                "{shown}: {} is declared twice",
                relation.slug
            )));
        }
        relations.push(relation);
    }
    Ok(relations)
}

/// A file is an entry, or the declaration alone; without a slug of its own it is named as the file is.
fn read_file(file: &Path) -> Result<Option<Relation>, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(Failure::cannot(format_args!("read {shown}")))?;
    let value: Value =
        serde_json::from_str(&text).map_err(Failure::cannot(format_args!("read {shown} as JSON")))?;
    let unfit = || Failure::cannot(format!("use {shown} as an entry or a declaration"));
    let entry = if value.get("declared").is_some() {
        serde_json::from_value(value).map_err(unfit())?
    } else {
        Entry {
            slug: None,
            level: Some(Level::L3),
            declared: Some(serde_json::from_value(value).map_err(unfit())?),
        }
    };
    let name = match &entry.slug {
        Some(slug) => slug.clone(),
        None => {
            let stem = file
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            Slug::parse(stem).map_err(Failure::cannot(format_args!(
                "take {shown}'s name as the dataset's, since the file has no \"slug\""
            )))?
        }
    };
    Ok(relation(entry, name))
}

/// The planner's view of an entry; none if it is open, or not declared.
fn relation(entry: Entry, slug: Slug) -> Option<Relation> {
    let (level, metadata) = (entry.level?, entry.declared?);
    let now = SystemClock.now();
    (!level.is_open()).then(|| Relation {
        slug: entry.slug.unwrap_or(slug),
        dataset: DatasetId::at(now),
        version: VersionId::at(now),
        level,
        metadata,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const DECLARED: &str = r#"{"unit": {"type": "row", "max_units": 10, "max_rows": 10, "max_rows_per_unit": 1},
        "fields": [{"name": "a", "type": "integer", "level": "L3"}]}"#;

    #[test]
    fn a_file_is_an_entry_or_a_declaration() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            read_files(&[file]).map(|mut relations| relations.remove(0))
        };
        assert_eq!(read("my-trips.json", DECLARED).unwrap().slug.as_str(), "my-trips");
        let entry =
            format!(r#"{{"slug": "trips", "level": "L3", "declared": {DECLARED}, "state": "released"}}"#);
        let relation = read("x.json", &entry).unwrap();
        assert_eq!(relation.slug.as_str(), "trips");
        for (name, text, want) in [
            (
                "open.json",
                entry.replace("L3\", \"decl", "L1\", \"decl"),
                "no protected dataset",
            ),
            ("No slug.json", DECLARED.to_owned(), "slug"),
            ("a-b.json", "{}".to_owned(), "fields"),
            ("a-b.json", "rows".to_owned(), "JSON"),
        ] {
            let error = read(name, &text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn a_portal_has_an_address() {
        let portal = Portal::parse("http://127.0.0.1:8080/?x#y").unwrap();
        let address = portal.address("datasets/a-b").unwrap();
        assert_eq!(address.as_str(), "http://127.0.0.1:8080/api/v1/datasets/a-b");
        let below = Portal::parse("https://city.example/data").unwrap();
        assert_eq!(
            below.address("sql").unwrap().as_str(),
            "https://city.example/data/api/v1/sql"
        );
        assert!(Portal::parse("file:///etc").is_err() && Portal::parse("nowhere").is_err());
    }
}
