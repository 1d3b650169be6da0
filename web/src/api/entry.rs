//! Catalogue entries as JSON: read as plain words and numbers first, so that everything that breaks a rule is told at
//! once, each at its place in the body and in the reader's language.

use i18n::Message;
use model::{
    Bounds, DeclaredMetadata, Domain, EntryMetadata, FieldDeclaration, FieldName, FieldRole, FieldType,
    Level, License, Localized, Slug, Theme, UnitDeclaration, UnitType, UpdateCycle,
};
use serde::Deserialize;

use crate::failure::Failure;
use crate::problem::{Code, Problem};
use crate::told::{Told, say};

/// A text in Chinese and perhaps in English.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRequest {
    zh: String,
    #[serde(default)]
    en: Option<String>,
}

/// The catalogue's description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataRequest {
    title: TextRequest,
    summary: TextRequest,
    #[serde(default)]
    keywords: Vec<String>,
    theme: String,
    update_cycle: String,
    license: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    resource_code: Option<String>,
    #[serde(default)]
    contact: Option<String>,
    #[serde(default)]
    conditions: Option<TextRequest>,
    #[serde(default)]
    recipe: Option<TextRequest>,
    #[serde(default)]
    special: bool,
}

/// What is declared of the data.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredRequest {
    #[serde(default)]
    unit: Option<UnitRequest>,
    #[serde(default)]
    zone: Option<String>,
    fields: Vec<FieldRequest>,
}

/// The privacy unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitRequest {
    #[serde(rename = "type")]
    unit_type: String,
    max_units: u64,
    max_rows: u64,
    max_rows_per_unit: u32,
}

/// One information item.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldRequest {
    name: String,
    #[serde(default)]
    label: Option<TextRequest>,
    #[serde(default)]
    description: Option<TextRequest>,
    #[serde(rename = "type")]
    field_type: String,
    #[serde(default)]
    role: Option<String>,
    level: String,
    #[serde(default)]
    bounds: Option<BoundsRequest>,
    #[serde(default)]
    domain: Option<Vec<String>>,
    #[serde(default)]
    unit_static: bool,
    #[serde(default)]
    measure: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundsRequest {
    lo: f64,
    hi: f64,
}

/// What a body says, as the model's types.
pub(super) struct Entry {
    pub(super) slug: Option<Slug>,
    pub(super) level: Option<Level>,
    pub(super) metadata: EntryMetadata,
    pub(super) declared: Option<DeclaredMetadata>,
}

/// Reads a body.
///
/// # Errors
/// [`Code::InvalidInput`] with everything that breaks a rule.
pub(super) fn read(
    slug: Option<&str>,
    level: Option<&str>,
    metadata: &MetadataRequest,
    declared: Option<&DeclaredRequest>,
) -> Result<Entry, Failure> {
    let mut faults = Faults::default();
    let slug = slug.map(|slug| faults.take("/slug", Slug::parse(slug)));
    let level = level.map(|level| faults.take("/level", level.parse::<Level>()));
    let metadata = faults.metadata(metadata);
    let declared = declared.map(|declared| faults.declared(declared));
    let entry = (|| {
        Some(Entry {
            slug: optional(slug)?,
            level: optional(level)?,
            metadata: metadata?,
            declared: optional(declared)?,
        })
    })();
    match entry {
        Some(entry) if faults.0.is_empty() => Ok(entry),
        _ => Err(faults.into_failure()),
    }
}

/// What was given is there; what was not given is fine.
#[expect(
    clippy::option_option,
    reason = "not given, and given but wrong, are two things"
)]
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}

/// What is wrong, each at its place.
#[derive(Default)]
struct Faults(Vec<(String, Message)>);

impl Faults {
    fn push(&mut self, at: impl Into<String>, message: Message) {
        self.0.push((at.into(), message));
    }

    fn take<T, E: Told>(&mut self, at: impl Into<String>, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.push(at, error.told())).ok()
    }

    /// A word of a vocabulary.
    fn word<T>(
        &mut self,
        at: impl Into<String>,
        given: &str,
        found: Option<T>,
        known: impl Iterator<Item = &'static str>,
    ) -> Option<T> {
        if found.is_none() {
            let given: String = given.chars().take(40).collect();
            let known: Vec<&str> = known.collect();
            let message = say("why-word")
                .with("given", given)
                .with("known", known.join(", "));
            self.push(at, message);
        }
        found
    }

    fn text(&mut self, at: impl Into<String>, text: &TextRequest) -> Option<Localized> {
        self.take(at, Localized::parse(&text.zh, text.en.as_deref()))
    }

    #[expect(
        clippy::option_option,
        reason = "not given, and given but wrong, are two things"
    )]
    fn text_if(&mut self, at: impl Into<String>, text: Option<&TextRequest>) -> Option<Option<Localized>> {
        optional(text.map(|text| self.text(at, text)))
    }

    fn metadata(&mut self, given: &MetadataRequest) -> Option<EntryMetadata> {
        let at = |name: &str| format!("/metadata/{name}");
        let title = self.text(at("title"), &given.title);
        let summary = self.text(at("summary"), &given.summary);
        let conditions = self.text_if(at("conditions"), given.conditions.as_ref());
        let recipe = self.text_if(at("recipe"), given.recipe.as_ref());
        let theme = self.word(
            at("theme"),
            &given.theme,
            Theme::from_code(&given.theme),
            Theme::ALL.iter().map(|word| word.code()),
        );
        let update_cycle = self.word(
            at("update_cycle"),
            &given.update_cycle,
            UpdateCycle::from_code(&given.update_cycle),
            UpdateCycle::ALL.iter().map(|word| word.code()),
        );
        let license = self.word(
            at("license"),
            &given.license,
            License::from_code(&given.license),
            License::ALL.iter().map(|word| word.code()),
        );
        let metadata = EntryMetadata {
            title: title?,
            summary: summary?,
            keywords: given.keywords.clone(),
            theme: theme?,
            update_cycle: update_cycle?,
            license: license?,
            region: given.region.clone(),
            resource_code: given.resource_code.clone(),
            contact: given.contact.clone(),
            conditions: conditions?,
            recipe: recipe?,
            special: given.special,
        };
        Some(metadata)
    }

    fn declared(&mut self, given: &DeclaredRequest) -> Option<DeclaredMetadata> {
        let unit = optional(given.unit.as_ref().map(|unit| {
            let unit_type = self.word(
                "/declared/unit/type",
                &unit.unit_type,
                UnitType::from_name(&unit.unit_type),
                UnitType::ALL.iter().map(|word| word.as_str()),
            );
            Some(UnitDeclaration {
                unit_type: unit_type?,
                max_units: unit.max_units,
                max_rows: unit.max_rows,
                max_rows_per_unit: unit.max_rows_per_unit,
            })
        }));
        let fields: Vec<Option<FieldDeclaration>> = given
            .fields
            .iter()
            .enumerate()
            .map(|(number, field)| self.field(number, field))
            .collect();
        let fields: Option<Vec<FieldDeclaration>> = fields.into_iter().collect();
        let zone = given.zone.clone().unwrap_or_else(|| "Asia/Shanghai".to_owned());
        let read = DeclaredMetadata::new(unit?, zone, fields?);
        self.take("/declared", read)
    }

    fn field(&mut self, number: usize, given: &FieldRequest) -> Option<FieldDeclaration> {
        let at = |name: &str| format!("/declared/fields/{number}/{name}");
        let name = self.take(at("name"), FieldName::parse(&given.name));
        let label = self.text_if(at("label"), given.label.as_ref());
        let description = self.text_if(at("description"), given.description.as_ref());
        let field_type = self.word(
            at("type"),
            &given.field_type,
            FieldType::from_name(&given.field_type),
            FieldType::ALL.iter().map(|word| word.as_str()),
        );
        let role = match given.role.as_deref() {
            None => Some(FieldRole::default()),
            Some(role) => self.word(
                at("role"),
                role,
                FieldRole::ALL.into_iter().find(|word| word.as_str() == role),
                FieldRole::ALL.iter().map(|word| word.as_str()),
            ),
        };
        let level = self.take(at("level"), given.level.parse::<Level>());
        let bounds = given
            .bounds
            .map(|bounds| self.take(at("bounds"), Bounds::new(bounds.lo, bounds.hi)));
        let domain = given
            .domain
            .clone()
            .map(|values| self.take(at("domain"), Domain::new(values)));
        Some(FieldDeclaration {
            name: name?,
            label: label?,
            description: description?,
            field_type: field_type?,
            role: role?,
            level: level?,
            bounds: optional(bounds)?,
            domain: optional(domain)?,
            unit_static: given.unit_static,
            measure: given.measure.clone(),
        })
    }

    fn into_failure(self) -> Failure {
        let detail = match self.0.as_slice() {
            [(_, only)] => only.clone(),
            several => say("why-json-fields").with("count", several.len()),
        };
        let mut problem = Problem::new(Code::InvalidInput).detail(detail);
        for (at, message) in self.0 {
            problem = problem.field(at, message);
        }
        problem.into()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use model::Language;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::dataset::CreateRequest;

    fn body() -> Value {
        json!({
            "slug": "trips", "level": "L3",
            "metadata": {
                "title": {"zh": "骑行", "en": "Trips"}, "summary": {"zh": "每次骑行一行"}, "theme": "transport",
                "update_cycle": "monthly", "license": "agreement", "recipe": {"zh": "去除身份证号"},
            },
            "declared": {
                "unit": {"type": "person", "max_units": 1_000, "max_rows": 10_000, "max_rows_per_unit": 10},
                "fields": [
                    {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
                    {"name": "km", "type": "number", "level": "L2", "bounds": {"lo": 0, "hi": 9}},
                    {"name": "sex", "type": "text", "level": "L2", "domain": ["男", "女"], "unit_static": true},
                ],
            },
        })
    }

    fn read(body: Value) -> Result<(), Failure> {
        let request: CreateRequest = serde_json::from_value(body).unwrap();
        request.read().map(drop)
    }

    #[test]
    fn a_body_becomes_what_the_models_own_reading_makes_of_it() {
        let request: CreateRequest = serde_json::from_value(body()).unwrap();
        let entry = request.read().unwrap();
        assert_eq!(entry.slug.unwrap().as_str(), "trips");
        assert_eq!(entry.level, Some(Level::L3));
        assert_eq!(
            entry.metadata,
            serde_json::from_value(body()["metadata"].clone()).unwrap()
        );
        assert_eq!(
            entry.declared,
            serde_json::from_value(body()["declared"].clone()).unwrap()
        );
    }

    #[test]
    fn every_fault_is_told_at_its_place_in_the_readers_language() {
        type Spoil = fn(&mut Value);
        let cases: &[(&str, Spoil)] = &[
            ("/slug", |b| b["slug"] = json!("../x")),
            ("/level", |b| b["level"] = json!("L9")),
            ("/metadata/title", |b| b["metadata"]["title"]["zh"] = json!(" ")),
            ("/metadata/recipe", |b| {
                b["metadata"]["recipe"]["zh"] = json!("\u{0}")
            }),
            ("/metadata/theme", |b| b["metadata"]["theme"] = json!("x")),
            ("/metadata/license", |b| b["metadata"]["license"] = json!("mit")),
            ("/declared", |b| b["declared"]["zone"] = json!("Mars/One")),
            ("/declared", |b| b["declared"]["unit"]["max_units"] = json!(1_001)),
            ("/declared/unit/type", |b| {
                b["declared"]["unit"]["type"] = json!("cat")
            }),
            ("/declared/fields/0/name", |b| {
                b["declared"]["fields"][0]["name"] = json!("")
            }),
            ("/declared/fields/1/type", |b| {
                b["declared"]["fields"][1]["type"] = json!("x")
            }),
            ("/declared/fields/1/bounds", |b| {
                b["declared"]["fields"][1]["bounds"]["lo"] = json!(10)
            }),
            ("/declared/fields/2/domain", |b| {
                b["declared"]["fields"][2]["domain"] = json!(["男", "男"])
            }),
            ("/declared/fields/2/role", |b| {
                b["declared"]["fields"][2]["role"] = json!("x")
            }),
        ];
        let mut all = body();
        for (at, spoil) in cases {
            let mut bad = body();
            spoil(&mut bad);
            let problem = read(bad).unwrap_err().0;
            assert_eq!(problem.errors.len(), 1, "{at}");
            assert_eq!(problem.errors[0].field, *at);
            let (zh, en) = (
                problem.detail_text(Language::Zh),
                problem.detail_text(Language::En),
            );
            assert!(
                !i18n::is_untranslated(&zh) && !i18n::is_untranslated(&en),
                "{at}: {zh} {en}"
            );
            assert!(zh != en, "{at}: {zh}");
            if *at != "/declared" {
                spoil(&mut all);
            }
        }
        let problem = read(all).unwrap_err().0;
        let places: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        let wanted: Vec<&str> = cases
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| *at != "/declared")
            .collect();
        for at in &wanted {
            assert!(places.contains(at), "{at} in {places:?}");
        }
        assert_eq!(places.len(), wanted.len());
        assert!(problem.detail_text(Language::Zh).contains("12"), "{problem:?}");
    }
}
