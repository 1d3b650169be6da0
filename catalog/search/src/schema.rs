//! The engine's fields, and how a document fills them.

use tantivy::TantivyDocument;
use tantivy::schema::{
    Field, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use uuid::Uuid;

use crate::analysis::Kind;
use crate::document::{Bilingual, Document};
use crate::phonetic;
use crate::request::Language;
use crate::text::Folded;

/// Version of fields and analysis together. Raise it whenever either changes: older indexes are rebuilt.
pub(crate) const FORMAT: u32 = 1;

/// Longest title, name or keyword that is indexed, in characters.
const NAME_CHARS_MAX: usize = 1_000;
/// Longest summary that is indexed, in characters.
const SUMMARY_CHARS_MAX: usize = 20_000;
/// Most keywords, formats or fields that are indexed.
const LIST_MAX: usize = 5_000;
/// Longest facet value, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// The facets, in the order in which [`crate::Facets`] lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facet {
    Theme,
    Level,
    Organization,
    UpdateCycle,
    Format,
}

impl Facet {
    pub(crate) const ALL: [Self; 5] = [
        Self::Theme,
        Self::Level,
        Self::Organization,
        Self::UpdateCycle,
        Self::Format,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Theme => "theme",
            Self::Level => "level",
            Self::Organization => "organization",
            Self::UpdateCycle => "update_cycle",
            Self::Format => "format",
        }
    }
}

pub(crate) const ID: &str = "id";
pub(crate) const LIVE: &str = "live";
pub(crate) const REVISION: &str = "revision";
pub(crate) const UPDATED_AT: &str = "updated_at";

/// Name of the column that titles are sorted by.
pub(crate) fn title_key(language: Language) -> &'static str {
    match language {
        Language::Zh => "title_key_zh",
        Language::En => "title_key_en",
    }
}

/// How much a match says about a dataset, by where it is.
pub(crate) struct Tier {
    /// Multiplies the score of a match.
    pub(crate) boost: f32,
    words: Field,
    grams: Field,
    stems: Field,
}

impl Tier {
    /// The tier's field for Chinese words, bigrams or stems; pinyin has no tiers.
    pub(crate) fn field(&self, kind: Kind) -> Field {
        match kind {
            Kind::Grams => self.grams,
            Kind::Stems => self.stems,
            Kind::Words | Kind::Syllables | Kind::Initials => self.words,
        }
    }

    fn index(&self, document: &mut TantivyDocument, text: &str) {
        for field in [self.words, self.grams, self.stems] {
            document.add_text(field, text);
        }
    }
}

/// The fields of the index.
pub(crate) struct Fields {
    pub(crate) id: Field,
    pub(crate) live: Field,
    revision: Field,
    updated_at: Field,
    facets: [Field; 5],
    title_keys: [Field; 2],
    /// Title; keywords, organisation, slug, region; summary and fields.
    pub(crate) tiers: [Tier; 3],
    pub(crate) syllables: Field,
    pub(crate) initials: Field,
    /// What is shown: title and summary in Chinese, then both in English.
    stored: [Field; 4],
}

/// Weights of the three tiers. A title outranks any number of words in a summary.
const TIERS: [(&str, f32); 3] = [("title", 10.0), ("keyword", 4.0), ("body", 1.0)];

impl Fields {
    /// The schema with its fields.
    pub(crate) fn build() -> (Schema, Self) {
        let mut builder = Schema::builder();
        let column = || TextOptions::default().set_fast("raw");
        let terms = |kind: Kind, record| {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(kind.tokenizer_name())
                .set_index_option(record);
            TextOptions::default().set_indexing_options(indexing)
        };
        let frequencies = IndexRecordOption::WithFreqs;
        let positions = IndexRecordOption::WithFreqsAndPositions;
        let fields = Self {
            id: builder.add_text_field(ID, STRING | column()),
            live: builder.add_u64_field(LIVE, NumericOptions::default().set_indexed().set_fast()),
            revision: builder.add_i64_field(REVISION, NumericOptions::default().set_fast()),
            updated_at: builder.add_i64_field(UPDATED_AT, NumericOptions::default().set_fast()),
            facets: Facet::ALL.map(|facet| builder.add_text_field(facet.name(), column())),
            title_keys: [Language::Zh, Language::En]
                .map(|language| builder.add_text_field(title_key(language), column())),
            tiers: TIERS.map(|(name, boost)| {
                let mut field = |suffix: &str, kind| {
                    builder.add_text_field(&format!("{name}_{suffix}"), terms(kind, frequencies))
                };
                Tier {
                    boost,
                    words: field("words", Kind::Words),
                    grams: field("grams", Kind::Grams),
                    stems: field("stems", Kind::Stems),
                }
            }),
            syllables: builder.add_text_field("syllables", terms(Kind::Syllables, positions)),
            initials: builder.add_text_field("initials", terms(Kind::Initials, positions)),
            stored: ["title_zh", "summary_zh", "title_en", "summary_en"]
                .map(|name| builder.add_text_field(name, STORED)),
        };
        (builder.build(), fields)
    }

    /// The engine's document for a dataset.
    pub(crate) fn document(&self, source: &Document) -> TantivyDocument {
        let mut document = self.revision_document(source.id, source.revision);
        document.add_u64(self.live, 1);
        document.add_i64(self.updated_at, source.updated_at);

        let [theme, level, organization, update_cycle, format] = self.facets;
        document.add_text(theme, head(&source.theme, VALUE_CHARS_MAX));
        document.add_text(level, source.level.to_string());
        document.add_text(organization, source.organization.id.to_string());
        document.add_text(update_cycle, head(&source.update_cycle, VALUE_CHARS_MAX));
        let mut formats: Vec<_> = source
            .formats
            .iter()
            .take(LIST_MAX)
            .map(|code| head(code, VALUE_CHARS_MAX))
            .collect();
        formats.sort_unstable();
        formats.dedup();
        for code in formats {
            document.add_text(format, code);
        }

        let [title, keyword, body] = &self.tiers;
        let name = |text: &str| Folded::new(text, NAME_CHARS_MAX).text;
        for text in source.title.texts() {
            title.index(&mut document, &name(text));
        }
        let keywords = source.keywords.iter().take(LIST_MAX).map(String::as_str);
        let code = std::iter::once(source.slug.as_str()).chain(source.region.as_deref());
        for text in keywords
            .clone()
            .chain(source.organization.name.texts())
            .chain(code)
        {
            keyword.index(&mut document, &name(text));
        }
        for text in source.summary.texts() {
            body.index(&mut document, &Folded::new(text, SUMMARY_CHARS_MAX).text);
        }
        for text in source.fields.iter().take(LIST_MAX) {
            body.index(&mut document, &name(text));
        }
        for text in source
            .title
            .texts()
            .chain(keywords)
            .chain(source.organization.name.texts())
        {
            let folded = name(text);
            document.add_text(self.syllables, &folded);
            document.add_text(self.initials, &folded);
        }

        let title_en = source.title.en.as_deref().unwrap_or(&source.title.zh);
        for (field, text) in self
            .title_keys
            .into_iter()
            .zip([source.title.zh.as_str(), title_en])
        {
            document.add_text(field, phonetic::collation_key(&name(text)));
        }
        let [title_zh, summary_zh, title_en, summary_en] = self.stored;
        for (field, text, max) in [
            (title_zh, Some(source.title.zh.as_str()), NAME_CHARS_MAX),
            (summary_zh, Some(source.summary.zh.as_str()), SUMMARY_CHARS_MAX),
            (title_en, source.title.en.as_deref(), NAME_CHARS_MAX),
            (summary_en, source.summary.en.as_deref(), SUMMARY_CHARS_MAX),
        ] {
            if let Some(text) = text {
                document.add_text(field, head(text, max));
            }
        }
        document
    }

    /// The document that stands for a deleted dataset: found by no search, it only keeps the revision.
    pub(crate) fn tombstone(&self, id: Uuid, revision: i64) -> TantivyDocument {
        let mut document = self.revision_document(id, revision);
        document.add_u64(self.live, 0);
        document
    }

    fn revision_document(&self, id: Uuid, revision: i64) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_text(self.id, id.to_string());
        document.add_i64(self.revision, revision);
        document
    }

    /// Title and summary as they were given, from a stored document.
    pub(crate) fn shown(&self, document: &TantivyDocument) -> (Bilingual, Bilingual) {
        use tantivy::schema::Value;
        let [title_zh, summary_zh, title_en, summary_en] = self.stored.map(|field| {
            document
                .get_first(field)
                .and_then(|v| v.as_str())
                .map(str::to_owned)
        });
        (
            Bilingual {
                zh: title_zh.unwrap_or_default(),
                en: title_en,
            },
            Bilingual {
                zh: summary_zh.unwrap_or_default(),
                en: summary_en,
            },
        )
    }
}

fn head(text: &str, max_chars: usize) -> &str {
    text.char_indices()
        .nth(max_chars)
        .map_or(text, |(end, _)| &text[..end])
}
