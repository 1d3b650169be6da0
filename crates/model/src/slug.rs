//! Slugs: the immutable public names of datasets and organisations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 2 to 80 of `a–z`, `0–9` and single inner hyphens, beginning with a letter.
///
/// It is safe as a path segment, a file name, an HTML id and, with `_` for `-`, as a SQL name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a slug has 2 to 80 of a-z, 0-9 and single hyphens between them, and begins with a letter; got {0:?}"
)]
pub struct SlugError(String);

impl SlugError {
    /// What was given, shortened.
    pub fn given(&self) -> &str {
        &self.0
    }
}

impl Slug {
    /// Checks a text; nothing is mended.
    ///
    /// # Errors
    /// If it breaks the rules of [`Slug`].
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let bytes = text.as_bytes();
        let ok = (2..=80).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && !text.ends_with('-')
            && !text.contains("--");
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(SlugError(text.chars().take(100).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The dataset's name in SQL: `-` becomes `_` (interfaces.md). One to one, as slugs have no `_`.
    pub fn sql_name(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The slug of a SQL name, if it is one.
    pub fn from_sql_name(name: &str) -> Option<Self> {
        if name.contains('-') {
            None
        } else {
            Self::parse(&name.replace('_', "-")).ok()
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, SlugError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_safe_names_pass() {
        for good in ["air-quality", "a1", "bike-share-trips-2024"] {
            assert_eq!(Slug::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(81);
        for bad in [
            "", "a", "-a", "a-", "a--b", "A-b", "1a", "a_b", "a/b", "..", "空气", "a b", &long,
        ] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sql_names_round_trip() {
        let slug = Slug::parse("bike-share-trips").unwrap();
        assert_eq!(slug.sql_name(), "bike_share_trips");
        assert_eq!(Slug::from_sql_name("bike_share_trips"), Some(slug));
        assert_eq!(Slug::from_sql_name("bike-share-trips"), None);
    }
}
