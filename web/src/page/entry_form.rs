//! The form for a catalogue entry: every field of the catalogue, and the dictionary of information items either as
//! rows or as a text in CSV or JSON. Reading it is pure: pairs go in, model types or errors by field come out.

use i18n::Message;
use model::{
    Bounds, DeclaredMetadata, Domain, EntryMetadata, FieldDeclaration, FieldName, FieldRole, FieldType,
    Level, License, Localized, Slug, Theme, UnitDeclaration, UnitType, UpdateCycle,
};

pub use super::entry_form_page::EntryFormPage;
use super::shell::{FieldErrors, Shell};
use crate::api::extract::misfit;
use crate::told::{Told, say};

/// One information item as typed. Control names are `field.<n>.<name>`, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldRow {
    /// `name`: the column's name in the file.
    pub name: String,
    /// `label_zh`.
    pub label_zh: String,
    /// `label_en`.
    pub label_en: String,
    /// `type`.
    pub field_type: String,
    /// `role`.
    pub role: String,
    /// `level`.
    pub level: String,
    /// `lo`.
    pub lo: String,
    /// `hi`.
    pub hi: String,
    /// `domain`: values separated by `|`.
    pub domain: String,
    /// `unit_static`: `yes` when ticked.
    pub unit_static: bool,
    /// `measure`.
    pub measure: String,
}

impl FieldRow {
    fn is_empty(&self) -> bool {
        self.name.trim().is_empty() && self.label_zh.trim().is_empty() && self.label_en.trim().is_empty()
    }

    fn set(&mut self, name: &str, value: String) {
        match name {
            "name" => self.name = value,
            "label_zh" => self.label_zh = value,
            "label_en" => self.label_en = value,
            "type" => self.field_type = value,
            "role" => self.role = value,
            "level" => self.level = value,
            "lo" => self.lo = value,
            "hi" => self.hi = value,
            "domain" => self.domain = value,
            "unit_static" => self.unit_static = value == "yes" || value == "true",
            "measure" => self.measure = value,
            _ => {}
        }
    }

    fn of(field: &FieldDeclaration) -> Self {
        let label = field.label.as_ref();
        Self {
            name: field.name.to_string(),
            label_zh: label.map(|l| l.zh().to_owned()).unwrap_or_default(),
            label_en: label.and_then(|l| l.en().map(str::to_owned)).unwrap_or_default(),
            field_type: field.field_type.as_str().to_owned(),
            role: field.role.as_str().to_owned(),
            level: field.level.to_string(),
            lo: field.bounds.map(|b| b.lo().to_string()).unwrap_or_default(),
            hi: field.bounds.map(|b| b.hi().to_string()).unwrap_or_default(),
            domain: field
                .domain
                .as_ref()
                .map(|d| d.values().join("|"))
                .unwrap_or_default(),
            unit_static: field.unit_static,
            measure: field.measure.clone().unwrap_or_default(),
        }
    }

    fn parse(&self) -> Result<FieldDeclaration, (&'static str, Message)> {
        let label = match (self.label_zh.trim(), self.label_en.trim()) {
            ("", "") => None,
            ("", en) => Some(Localized::parse(en, Some(en))),
            (zh, en) => Some(Localized::parse(zh, Some(en))),
        };
        let bounds = match (self.lo.trim(), self.hi.trim()) {
            ("", "") => None,
            (lo, hi) => {
                let number = |control, text: &str| {
                    let number = text.replace(',', "").parse::<f64>();
                    number.map_err(|_| (control, say("why-number").with("given", text)))
                };
                let (lo, hi) = (number("lo", lo)?, number("hi", hi)?);
                Some(Bounds::new(lo, hi).map_err(|error| ("lo", error.told()))?)
            }
        };
        let domain = match self.domain.trim() {
            "" => None,
            text => {
                let values = text.split('|').map(|value| value.trim().to_owned()).collect();
                Some(Domain::new(values).map_err(|error| ("domain", error.told()))?)
            }
        };
        Ok(FieldDeclaration {
            name: FieldName::parse(&self.name).map_err(|error| ("name", error.told()))?,
            label: label.transpose().map_err(|error| ("label_zh", error.told()))?,
            description: None,
            field_type: FieldType::from_name(self.field_type.trim())
                .ok_or_else(|| ("type", say("form-choose")))?,
            role: match self.role.trim() {
                "" => FieldRole::default(),
                role => {
                    let found = FieldRole::ALL.into_iter().find(|r| r.as_str() == role);
                    found.ok_or_else(|| ("role", say("form-choose")))?
                }
            },
            level: self
                .level
                .trim()
                .parse()
                .map_err(|error: model::level::LevelError| ("level", error.told()))?,
            bounds,
            domain,
            unit_static: self.unit_static,
            measure: Some(self.measure.trim().to_owned()).filter(|measure| !measure.is_empty()),
        })
    }
}

/// The whole form as typed; each field is the control of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryForm {
    /// `slug`; fixed once the entry exists.
    pub slug: String,
    /// `title_zh`.
    pub title_zh: String,
    /// `title_en`.
    pub title_en: String,
    /// `summary_zh`.
    pub summary_zh: String,
    /// `summary_en`.
    pub summary_en: String,
    /// `keywords`, separated by commas or spaces.
    pub keywords: String,
    /// `theme`.
    pub theme: String,
    /// `update_cycle`.
    pub update_cycle: String,
    /// `license`.
    pub license: String,
    /// `region`.
    pub region: String,
    /// `resource_code`.
    pub resource_code: String,
    /// `contact`.
    pub contact: String,
    /// `conditions_zh`.
    pub conditions_zh: String,
    /// `conditions_en`.
    pub conditions_en: String,
    /// `recipe_zh`.
    pub recipe_zh: String,
    /// `recipe_en`.
    pub recipe_en: String,
    /// `special`: `yes` when ticked.
    pub special: bool,
    /// `level`; empty = quarantine.
    pub level: String,
    /// `unit_type`; empty = none.
    pub unit_type: String,
    /// `max_units`.
    pub max_units: String,
    /// `max_rows`.
    pub max_rows: String,
    /// `max_rows_per_unit`.
    pub max_rows_per_unit: String,
    /// `zone`.
    pub zone: String,
    /// `field.<n>.…`.
    pub fields: Vec<FieldRow>,
    /// `dictionary`: CSV or JSON that `action=dictionary` turns into rows.
    pub dictionary: String,
    /// `action`: `save`, `rows` (offer more empty rows), `dictionary`.
    pub action: String,
    /// `revision`: the revision that was edited, compared like `If-Match`.
    pub revision: String,
}

/// What the form says, as the model's types.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedEntry {
    /// The slug.
    pub slug: Slug,
    /// The catalogue's description.
    pub entry: EntryMetadata,
    /// The proposed level; none = quarantine.
    pub level: Option<Level>,
    /// Declared metadata; none when no information item was given.
    pub declared: Option<DeclaredMetadata>,
}

/// Rows that an empty form offers, and that `action=rows` adds.
const EMPTY_ROWS: usize = 4;

impl EntryForm {
    /// A form to begin with.
    pub fn empty() -> Self {
        Self {
            zone: "Asia/Shanghai".to_owned(),
            fields: vec![FieldRow::default(); EMPTY_ROWS],
            ..Self::default()
        }
    }

    /// The form of an entry that exists.
    pub fn of(
        slug: &Slug,
        entry: &EntryMetadata,
        level: Option<Level>,
        declared: Option<&DeclaredMetadata>,
        revision: String,
    ) -> Self {
        let en = |text: &Localized| text.en().unwrap_or_default().to_owned();
        let zh = |text: &Localized| text.zh().to_owned();
        let unit = declared.and_then(DeclaredMetadata::unit);
        Self {
            slug: slug.to_string(),
            title_zh: zh(&entry.title),
            title_en: en(&entry.title),
            summary_zh: zh(&entry.summary),
            summary_en: en(&entry.summary),
            keywords: entry.keywords.join(", "),
            theme: entry.theme.code().to_owned(),
            update_cycle: entry.update_cycle.code().to_owned(),
            license: entry.license.code().to_owned(),
            region: entry.region.clone().unwrap_or_default(),
            resource_code: entry.resource_code.clone().unwrap_or_default(),
            contact: entry.contact.clone().unwrap_or_default(),
            conditions_zh: entry.conditions.as_ref().map(zh).unwrap_or_default(),
            conditions_en: entry.conditions.as_ref().map(en).unwrap_or_default(),
            recipe_zh: entry.recipe.as_ref().map(zh).unwrap_or_default(),
            recipe_en: entry.recipe.as_ref().map(en).unwrap_or_default(),
            special: entry.special,
            level: level.map(|level| level.to_string()).unwrap_or_default(),
            unit_type: unit
                .map(|unit| unit.unit_type.as_str().to_owned())
                .unwrap_or_default(),
            max_units: unit.map(|unit| unit.max_units.to_string()).unwrap_or_default(),
            max_rows: unit.map(|unit| unit.max_rows.to_string()).unwrap_or_default(),
            max_rows_per_unit: unit
                .map(|unit| unit.max_rows_per_unit.to_string())
                .unwrap_or_default(),
            zone: declared
                .map_or("Asia/Shanghai", DeclaredMetadata::zone)
                .to_owned(),
            fields: declared
                .map(|d| d.fields().iter().map(FieldRow::of).collect())
                .unwrap_or_default(),
            revision,
            ..Self::default()
        }
    }

    /// Reads the pairs of a form. Names that are not the form's are passed over; rows beyond
    /// [`model::metadata::MAX_FIELDS`] too.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            if let Some((number, part)) = name.strip_prefix("field.").and_then(|rest| rest.split_once('.')) {
                let Some(number) = number.parse().ok().filter(|n| *n < model::metadata::MAX_FIELDS) else {
                    continue;
                };
                if form.fields.len() <= number {
                    form.fields.resize(number + 1, FieldRow::default());
                }
                form.fields[number].set(part, value);
                continue;
            }
            let slot = match name.as_str() {
                "slug" => &mut form.slug,
                "title_zh" => &mut form.title_zh,
                "title_en" => &mut form.title_en,
                "summary_zh" => &mut form.summary_zh,
                "summary_en" => &mut form.summary_en,
                "keywords" => &mut form.keywords,
                "theme" => &mut form.theme,
                "update_cycle" => &mut form.update_cycle,
                "license" => &mut form.license,
                "region" => &mut form.region,
                "resource_code" => &mut form.resource_code,
                "contact" => &mut form.contact,
                "conditions_zh" => &mut form.conditions_zh,
                "conditions_en" => &mut form.conditions_en,
                "recipe_zh" => &mut form.recipe_zh,
                "recipe_en" => &mut form.recipe_en,
                "level" => &mut form.level,
                "unit_type" => &mut form.unit_type,
                "max_units" => &mut form.max_units,
                "max_rows" => &mut form.max_rows,
                "max_rows_per_unit" => &mut form.max_rows_per_unit,
                "zone" => &mut form.zone,
                "dictionary" => &mut form.dictionary,
                "action" => &mut form.action,
                "revision" => &mut form.revision,
                "special" => {
                    form.special = value == "yes";
                    continue;
                }
                _ => continue,
            };
            *slot = value;
        }
        form
    }

    /// Offers more empty rows.
    pub fn add_rows(&mut self) {
        let wanted = (self.fields.len() + EMPTY_ROWS).min(model::metadata::MAX_FIELDS);
        self.fields.resize(wanted, FieldRow::default());
    }

    /// Turns the text in `dictionary` into rows, replacing those there are. JSON is a list of fields as the API takes
    /// them; CSV has a header with the names of [`FieldRow`]'s controls.
    ///
    /// # Errors
    /// If the text is neither, with the place.
    pub fn read_dictionary(&mut self) -> Result<(), Message> {
        let text = self.dictionary.trim_start_matches('\u{feff}').trim();
        let rows = if text.starts_with('[') {
            let fields: Vec<FieldDeclaration> = serde_json::from_str(text).map_err(|error| misfit(&error))?;
            fields.iter().map(FieldRow::of).collect()
        } else {
            rows_of_csv(text)?
        };
        if rows.is_empty() || rows.len() > model::metadata::MAX_FIELDS {
            return Err(model::MetadataError::FieldCount(rows.len()).told());
        }
        self.fields = rows;
        self.dictionary.clear();
        Ok(())
    }

    /// Reads the form as the model's types.
    ///
    /// # Errors
    /// What is wrong, by control, in the page's language.
    pub fn parse(&self, shell: &Shell) -> Result<ParsedEntry, FieldErrors> {
        let mut errors = FieldErrors::default();
        let slug = Slug::parse(self.slug.trim())
            .map_err(|_| errors.push("slug", shell.t("entry-error-slug")))
            .ok();
        let title = required(&self.title_zh, &self.title_en, "title_zh", shell, &mut errors);
        let summary = required(
            &self.summary_zh,
            &self.summary_en,
            "summary_zh",
            shell,
            &mut errors,
        );
        let conditions = optional(
            &self.conditions_zh,
            &self.conditions_en,
            "conditions_zh",
            shell,
            &mut errors,
        );
        let recipe = optional(&self.recipe_zh, &self.recipe_en, "recipe_zh", shell, &mut errors);
        let theme = chosen(Theme::from_code(&self.theme), "theme", shell, &mut errors);
        let update_cycle = chosen(
            UpdateCycle::from_code(&self.update_cycle),
            "update_cycle",
            shell,
            &mut errors,
        );
        let license = chosen(License::from_code(&self.license), "license", shell, &mut errors);
        let level = match self.level.trim() {
            "" => None,
            text => chosen(text.parse().ok(), "level", shell, &mut errors),
        };
        let declared = self.declared(level, shell, &mut errors);
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (Some(slug), Some(title), Some(summary), Some(theme), Some(update_cycle), Some(license)) =
            (slug, title, summary, theme, update_cycle, license)
        else {
            return Err(errors);
        };
        let entry = EntryMetadata {
            title,
            summary,
            keywords: keywords(&self.keywords),
            theme,
            update_cycle,
            license,
            region: text(&self.region),
            resource_code: text(&self.resource_code),
            contact: text(&self.contact),
            conditions,
            recipe,
            special: self.special,
        };
        if let Err(error) = entry.check() {
            errors.push(control(&error), error.told().text(shell.language));
        }
        if errors.is_empty() {
            Ok(ParsedEntry {
                slug,
                entry,
                level,
                declared,
            })
        } else {
            Err(errors)
        }
    }

    fn declared(
        &self,
        level: Option<Level>,
        shell: &Shell,
        errors: &mut FieldErrors,
    ) -> Option<DeclaredMetadata> {
        let before = errors.0.len();
        let protected = level.is_some_and(Level::is_conditional);
        let maxima = [&self.max_units, &self.max_rows, &self.max_rows_per_unit];
        let unit = match self.unit_type.as_str() {
            "" => {
                if protected {
                    errors.push("unit_type", shell.t("entry-error-unit-of-protected"));
                } else if maxima.iter().any(|most| !most.trim().is_empty()) {
                    // What was typed is not dropped unread.
                    errors.push("unit_type", shell.t("entry-error-unit-of-maxima"));
                }
                None
            }
            name => {
                let unit_type = chosen(UnitType::from_name(name), "unit_type", shell, errors);
                let max_units = whole(&self.max_units, "max_units", shell, errors);
                let max_rows = whole(&self.max_rows, "max_rows", shell, errors);
                let per_unit = whole(&self.max_rows_per_unit, "max_rows_per_unit", shell, errors);
                match (unit_type, max_units, max_rows, per_unit) {
                    (Some(unit_type), Some(max_units), Some(max_rows), Some(per_unit)) => {
                        Some(UnitDeclaration {
                            unit_type,
                            max_units,
                            max_rows,
                            max_rows_per_unit: u32::try_from(per_unit).unwrap_or(u32::MAX),
                        })
                    }
                    _ => None,
                }
            }
        };
        let mut fields = Vec::new();
        for (number, row) in self.fields.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            match row.parse() {
                Ok(field) => fields.push(field),
                Err((part, reason)) => {
                    errors.push(format!("field.{number}.{part}"), reason.text(shell.language));
                }
            }
        }
        if self.fields.iter().all(FieldRow::is_empty) && (protected || !self.unit_type.is_empty()) {
            let first = if self.fields.is_empty() {
                "dictionary"
            } else {
                "field.0.name"
            };
            errors.push(first, shell.t("entry-error-no-fields"));
        }
        if fields.is_empty() || errors.0.len() > before {
            return None;
        }
        match DeclaredMetadata::new(unit, self.zone.trim().to_owned(), fields) {
            Ok(declared) => Some(declared),
            Err(error) => {
                let field = match &error {
                    model::MetadataError::OffLadder { what, .. } => what,
                    model::MetadataError::RowsPerUnit(_) => "max_rows_per_unit",
                    model::MetadataError::UnitKeys { .. } => "unit_type",
                    model::MetadataError::Zone(_) => "zone",
                    _ => "dictionary",
                };
                errors.push(field, error.told().text(shell.language));
                None
            }
        }
    }
}

/// The control that can mend what breaks a rule of the description.
pub(crate) const fn control(error: &model::entry::EntryError) -> &'static str {
    match error {
        model::entry::EntryError::KeywordCount(_) | model::entry::EntryError::Keyword(_) => "keywords",
        model::entry::EntryError::Region(_) => "region",
        model::entry::EntryError::TooLong { field, .. } => match field.as_bytes() {
            b"title" => "title_zh",
            b"summary" => "summary_zh",
            _ => field,
        },
    }
}

fn keywords(text: &str) -> Vec<String> {
    let words = text.split([',', '，', '、', ';', '；', '\n']).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn required(zh: &str, en: &str, field: &str, shell: &Shell, errors: &mut FieldErrors) -> Option<Localized> {
    if zh.trim().is_empty() {
        errors.push(field, shell.t("form-required"));
        return None;
    }
    optional(zh, en, field, shell, errors)
}

fn optional(zh: &str, en: &str, field: &str, shell: &Shell, errors: &mut FieldErrors) -> Option<Localized> {
    if zh.trim().is_empty() {
        if !en.trim().is_empty() {
            errors.push(field, shell.t("entry-error-chinese"));
        }
        return None;
    }
    Localized::parse(zh, Some(en))
        .map_err(|error| errors.push(field, error.told().text(shell.language)))
        .ok()
}

fn chosen<T>(found: Option<T>, field: &str, shell: &Shell, errors: &mut FieldErrors) -> Option<T> {
    if found.is_none() {
        errors.push(field, shell.t("form-choose"));
    }
    found
}

fn whole(text: &str, field: &str, shell: &Shell, errors: &mut FieldErrors) -> Option<u64> {
    if text.trim().is_empty() {
        errors.push(field, shell.t("form-required"));
        return None;
    }
    let number = text.trim().replace([',', ' ', '_'], "").parse().ok();
    if number.is_none() {
        errors.push(field, shell.t("form-whole-number"));
    }
    number
}

fn rows_of_csv(text: &str) -> Result<Vec<FieldRow>, Message> {
    let broken = |error: csv::Error| match (error.kind(), error.position()) {
        (
            csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            },
            Some(place),
        ) => say("why-ingest-ragged-row")
            .with("line", place.line())
            .with("wanted", *expected_len)
            .with("got", *len),
        _ => say("why-dictionary").with("reason", error.to_string()),
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(broken)?.clone();
    if !header.iter().any(|name| name == "name") {
        return Err(say("why-dictionary-header"));
    }
    let mut rows = Vec::new();
    for record in reader.records().take(model::metadata::MAX_FIELDS + 1) {
        let record = record.map_err(broken)?;
        let mut row = FieldRow::default();
        for (name, value) in header.iter().zip(&record) {
            row.set(name, value.to_owned());
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use model::Language;

    use super::*;
    use crate::page::Section;

    fn shell() -> Shell {
        Shell {
            language: Language::En,
            address: "/publish/new".to_owned(),
            section: Section::Publish,
            account: None,
            csrf: "t".to_owned(),
            request_id: "r".to_owned(),
            notices: Vec::new(),
        }
    }

    fn form() -> EntryForm {
        let pairs = [
            ("slug", "bike-share-trips"),
            ("title_zh", "共享单车骑行"),
            ("title_en", "Bike-share trips"),
            ("summary_zh", "每次骑行一行"),
            ("keywords", "单车，骑行, bike"),
            ("theme", "transport"),
            ("update_cycle", "monthly"),
            ("license", "agreement"),
            ("region", "990100"),
            ("level", "L3"),
            ("unit_type", "person"),
            ("max_units", "200,000"),
            ("max_rows", "2000000"),
            ("max_rows_per_unit", "100"),
            ("zone", "Asia/Shanghai"),
            ("field.0.name", "person_id"),
            ("field.0.type", "text"),
            ("field.0.role", "unit_key"),
            ("field.0.level", "L3"),
            ("field.1.name", "distance_m"),
            ("field.1.type", "number"),
            ("field.1.level", "L2"),
            ("field.1.lo", "0"),
            ("field.1.hi", "20,000"),
            ("field.2.name", "sex"),
            ("field.2.type", "text"),
            ("field.2.level", "L2"),
            ("field.2.domain", "男|女"),
            ("field.2.unit_static", "yes"),
            ("field.7.name", ""),
            ("field.99999999.name", "far"),
            ("field.x.name", "odd"),
            ("unknown", "x"),
        ];
        EntryForm::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn a_form_becomes_the_models_types_and_back() {
        let parsed = form().parse(&shell()).unwrap();
        assert_eq!(parsed.level, Some(Level::L3));
        assert_eq!(parsed.entry.keywords, ["单车", "骑行", "bike"]);
        let declared = parsed.declared.clone().unwrap();
        assert_eq!(declared.fields().len(), 3);
        assert_eq!(declared.unit().unwrap().max_units, 200_000);
        let again = EntryForm::of(
            &parsed.slug,
            &parsed.entry,
            parsed.level,
            Some(&declared),
            "1".to_owned(),
        );
        assert_eq!(again.parse(&shell()).unwrap(), parsed);
    }

    #[test]
    fn without_level_and_fields_it_is_an_entry_for_quarantine() {
        let mut form = form();
        form.level.clear();
        form.unit_type.clear();
        for most in [
            &mut form.max_units,
            &mut form.max_rows,
            &mut form.max_rows_per_unit,
        ] {
            most.clear();
        }
        form.fields = vec![FieldRow::default(); 3];
        let parsed = form.parse(&shell()).unwrap();
        assert_eq!((parsed.level, parsed.declared), (None, None));
    }

    #[test]
    fn each_fault_is_told_at_its_control() {
        type Spoil = fn(&mut EntryForm);
        let cases: [(&str, Spoil); 17] = [
            ("slug", |f| f.slug = "../x".into()),
            ("title_zh", |f| f.title_zh = " ".into()),
            ("summary_zh", |f| f.summary_zh = String::new()),
            ("theme", |f| f.theme = "nonsense".into()),
            ("license", |f| f.license = String::new()),
            ("region", |f| f.region = "33".into()),
            ("level", |f| f.level = "L9".into()),
            ("max_units", |f| f.max_units = "many".into()),
            ("max_units", |f| f.max_units = "120000".into()),
            ("max_units", |f| f.max_units = String::new()),
            ("max_rows_per_unit", |f| f.max_rows_per_unit = " ".into()),
            ("unit_type", |f| f.unit_type.clear()),
            ("unit_type", |f| {
                f.level = "L1".into();
                f.unit_type.clear();
            }),
            ("field.0.name", |f| f.fields = vec![FieldRow::default(); 2]),
            ("field.1.lo", |f| f.fields[1].lo = "30000".into()),
            ("field.2.type", |f| f.fields[2].field_type = "blob".into()),
            ("unit_type", |f| f.fields[0].role = "attribute".into()),
        ];
        for (control, spoil) in cases {
            let mut form = form();
            spoil(&mut form);
            let errors = form.parse(&shell()).unwrap_err();
            assert!(errors.has(control), "{control}: {errors:?}");
        }
    }

    #[test]
    fn a_dictionary_fills_the_rows() {
        let mut form = form();
        form.dictionary =
            "name,label_zh,type,level,domain\nstation,站点,text,L1,甲|乙\npm25,细颗粒物,number,L1,\n".into();
        form.read_dictionary().unwrap();
        assert_eq!(form.fields.len(), 2);
        assert_eq!(form.fields[0].domain, "甲|乙");
        form.dictionary = r#"[{"name":"a","type":"integer","level":"L1","bounds":{"lo":0,"hi":9}}]"#.into();
        form.read_dictionary().unwrap();
        assert_eq!(form.fields[0].hi, "9");
        for bad in ["", "[", "a,b\n1,2", "name,type\nx", r#"[{"name":"a"}]"#] {
            form.dictionary = bad.into();
            assert!(form.read_dictionary().is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_have_a_limit() {
        let mut form = form();
        form.fields = vec![FieldRow::default(); model::metadata::MAX_FIELDS];
        form.add_rows();
        assert_eq!(form.fields.len(), model::metadata::MAX_FIELDS);
    }
}
