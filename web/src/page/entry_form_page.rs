//! The page with the form for a catalogue entry.

use askama::Template;
use model::{FieldRole, FieldType, Level, License, Theme, UnitType, UpdateCycle};

use super::entry_form::EntryForm;
use super::shell::{FieldErrors, Shell};

struct Choice {
    value: String,
    label: String,
}

/// `GET, POST /publish/new` and `/publish/{slug}/edit`. After `action=rows` or `action=dictionary` the handler answers
/// with the form again ([`EntryForm::add_rows`], [`EntryForm::read_dictionary`]); after `save` it redirects.
#[derive(Debug, Clone, Template)]
#[template(path = "entry_form.html")]
pub struct EntryFormPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What was typed.
    pub form: EntryForm,
    /// Whether the entry exists already: its slug is fixed.
    pub exists: bool,
    /// What is wrong, by control.
    pub errors: FieldErrors,
}

impl EntryFormPage {
    fn address(&self) -> String {
        if self.exists {
            format!("/publish/{}/edit", self.form.slug)
        } else {
            "/publish/new".to_owned()
        }
    }

    /// The label of a control, for the list of errors.
    fn label(&self, control: &str) -> String {
        let shell = &self.shell;
        let row = control
            .strip_prefix("field.")
            .and_then(|rest| rest.split_once('.'));
        if let Some((number, part)) = row {
            let number = number.parse::<usize>().unwrap_or(0) + 1;
            let label = match part {
                "name" => "field-name",
                "label_zh" => "entry-label-zh",
                "type" => "field-type",
                "role" => "field-role",
                "level" => "field-level",
                "lo" => "entry-lo",
                "hi" => "entry-hi",
                _ => "entry-domain",
            };
            return format!(
                "{} · {}",
                shell.t1("entry-field-n", "number", number),
                shell.t(label)
            );
        }
        shell.t(match control {
            "slug" => "entry-slug",
            "title_zh" => "entry-title-zh",
            "summary_zh" => "entry-summary-zh",
            "keywords" => "dataset-keywords",
            "theme" => "dataset-theme",
            "update_cycle" => "dataset-update-cycle",
            "license" => "dataset-license",
            "region" => "dataset-region",
            "resource_code" => "dataset-resource-code",
            "contact" => "dataset-contact",
            "conditions_zh" => "entry-conditions-zh",
            "recipe_zh" => "entry-recipe-zh",
            "level" => "entry-level",
            "unit_type" => "unit-protects",
            "max_units" => "unit-max-units",
            "max_rows" => "unit-max-rows",
            "max_rows_per_unit" => "unit-max-rows-per-unit",
            "zone" => "entry-zone",
            _ => "dataset-fields",
        })
    }

    /// The control of a part of an information item.
    fn control(&self, number: impl std::fmt::Display, part: &str) -> String {
        format!("field.{number}.{part}")
    }

    fn choices(&self, of: &str) -> Vec<Choice> {
        let shell = &self.shell;
        let choice = |value: &str, label: String| Choice {
            value: value.to_owned(),
            label,
        };
        match of {
            "theme" => Theme::ALL
                .iter()
                .map(|t| choice(t.code(), shell.theme(t).to_owned()))
                .collect(),
            "update_cycle" => UpdateCycle::ALL
                .iter()
                .map(|c| choice(c.code(), shell.update_cycle(c).to_owned()))
                .collect(),
            "license" => License::ALL
                .iter()
                .map(|l| choice(l.code(), shell.license(l).to_owned()))
                .collect(),
            "type" => FieldType::ALL
                .iter()
                .map(|t| choice(t.as_str(), shell.field_type(t)))
                .collect(),
            "role" => FieldRole::ALL
                .iter()
                .map(|r| choice(r.as_str(), shell.field_role(r)))
                .collect(),
            "unit_type" => UnitType::ALL
                .iter()
                .map(|u| choice(u.as_str(), shell.unit_type(u)))
                .collect(),
            _ => Level::ALL
                .iter()
                .map(|l| choice(&l.to_string(), format!("{l} {}", shell.level_name(l))))
                .collect(),
        }
    }
}
