//! What the index knows of a dataset, and the changes that bring it there.

use uuid::Uuid;

/// Text for people: Chinese always, English where somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bilingual {
    /// The Chinese text.
    pub zh: String,
    /// The English text.
    pub en: Option<String>,
}

impl Bilingual {
    /// Pairs a Chinese text with its English translation.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            zh: zh.into(),
            en: Some(en.into()),
        }
    }

    /// Both texts that are there.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.zh.as_str()).chain(self.en.as_deref())
    }
}

/// The department that provides a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id, the value of the organisation facet.
    pub id: Uuid,
    /// Its name, which is searchable.
    pub name: Bilingual,
}

/// One dataset as search sees it.
///
/// Longer texts than a catalogue entry may have are cut before they are indexed: titles and names at
/// 1,000 characters, summaries at 20,000, and lists at 5,000 items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The dataset's id; the index holds one document per id.
    pub id: Uuid,
    /// Its slug, searchable by its words.
    pub slug: String,
    /// Its title.
    pub title: Bilingual,
    /// Its summary.
    pub summary: Bilingual,
    /// Its keywords, in any language.
    pub keywords: Vec<String>,
    /// Code of its theme.
    pub theme: String,
    /// Its level, 1 to 4.
    pub level: u8,
    /// Who provides it.
    pub organization: Organization,
    /// Code of its update cycle.
    pub update_cycle: String,
    /// Codes of the formats it can be had in.
    pub formats: Vec<String>,
    /// Names and labels of its fields, in any language.
    pub fields: Vec<String>,
    /// Its region, a GB/T 2260 code.
    pub region: Option<String>,
    /// When it was last updated: microseconds since 1970 in UTC.
    pub updated_at: i64,
    /// Grows with every change of anything above, so that late deliveries are told from new ones.
    pub revision: i64,
}

/// One step of the catalogue's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The dataset is to be found as described. Ignored if the index has a newer revision of it.
    Upsert(Box<Document>),
    /// The dataset is to be found no more. Ignored if the index has a newer revision of it; otherwise
    /// the revision is remembered, so that an older upsert arriving later does not revive it.
    Delete {
        /// The dataset's id.
        id: Uuid,
        /// The revision that deleted it.
        revision: i64,
    },
}

impl Change {
    /// The dataset that changes.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Upsert(document) => document.id,
            Self::Delete { id, .. } => *id,
        }
    }

    /// The revision that the change brings.
    pub fn revision(&self) -> i64 {
        match self {
            Self::Upsert(document) => document.revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}
