//! The city's tables as catalogue entries.

use catalog_entry::NewEntry;
use demo::spec::{ColumnSpec, TableSpec};
use demo::{ColumnRole, Text};
use model::{
    Bounds, DeclaredMetadata, Domain, EntryMetadata, FieldDeclaration, FieldName, FieldRole, FieldType,
    Level, License, Localized, Slug, Theme, UnitDeclaration, UnitType, UpdateCycle,
};

use crate::failure::Failure;

/// How identifiers leave protected data on its way into the sandbox: the same for all tables, as ingest does it.
const RECIPE: Text = Text {
    zh: "入库时按密钥散列替换隐私单元标识，标识列不进入沙箱副本；超出每单元申报行数的记录按密钥伪随机顺序剔除；\
         数值按申报范围截断，类别按公开值域归并；仅输出差分隐私结果。",
    en: "On ingest the unit's identifier is replaced by a keyed hash, and no identifier enters the sandbox copy; rows \
         beyond the declared number per unit are dropped in keyed pseudo-random order; numbers are clipped to declared \
         bounds, categories mapped to public domains; only differentially private results leave.",
};

/// The catalogue entry of a table.
pub(super) fn of(spec: &TableSpec) -> Result<NewEntry, Failure> {
    let unknown = |what: &str, code: &str| {
        Failure::new(format!(
            "the demo's table {} has an unknown {what} {code:?}",
            spec.slug
        ))
    };
    let protected = spec.unit.is_some();
    let metadata = EntryMetadata {
        title: localized(spec.title)?,
        summary: localized(spec.summary)?,
        keywords: spec.keywords.iter().map(|word| (*word).to_owned()).collect(),
        theme: Theme::from_code(spec.theme).ok_or_else(|| unknown("theme", spec.theme))?,
        update_cycle: UpdateCycle::from_code(spec.update_cycle)
            .ok_or_else(|| unknown("update cycle", spec.update_cycle))?,
        license: License::from_code(spec.license).ok_or_else(|| unknown("licence", spec.license))?,
        region: Some(spec.department.region.to_owned()),
        resource_code: None,
        contact: Some(format!("data@{}.yunzhou.example", spec.department.slug)),
        conditions: spec.conditions.map(localized).transpose()?,
        recipe: protected.then(|| localized(RECIPE)).transpose()?,
        special: spec.special,
    };
    let unit = spec.unit.map(|unit| UnitDeclaration {
        unit_type: match unit.unit_type {
            demo::UnitType::Person => UnitType::Person,
            demo::UnitType::Enterprise => UnitType::Enterprise,
        },
        max_units: unit.max_units,
        max_rows: unit.max_rows,
        max_rows_per_unit: unit.max_rows_per_unit,
    });
    let fields = spec.columns.iter().map(field).collect::<Result<_, _>>()?;
    let declared = DeclaredMetadata::new(unit, demo::city::ZONE.to_owned(), fields).map_err(
        Failure::cannot(format_args!("declare the demo's table {}", spec.slug)),
    )?;
    Ok(NewEntry {
        slug: Slug::parse(spec.slug)?,
        level: Some(level(spec.level)),
        metadata,
        declared: Some(declared),
    })
}

fn field(column: &ColumnSpec) -> Result<FieldDeclaration, Failure> {
    let bounds = column
        .bounds
        .map(|(low, high)| Bounds::new(low, high))
        .transpose()?;
    let domain = column
        .domain
        .as_ref()
        .map(|values| values.iter().map(|value| (*value).to_owned()).collect());
    Ok(FieldDeclaration {
        name: FieldName::parse(column.name)?,
        label: Some(localized(column.label)?),
        description: Some(localized(column.description)?),
        field_type: field_type(column)?,
        role: match column.role {
            ColumnRole::UnitKey => FieldRole::UnitKey,
            ColumnRole::QuasiIdentifier => FieldRole::QuasiIdentifier,
            ColumnRole::Sensitive => FieldRole::Sensitive,
            ColumnRole::Attribute => FieldRole::Attribute,
        },
        level: level(column.level),
        bounds,
        domain: domain.map(Domain::new).transpose()?,
        unit_static: column.unit_static,
        measure: None,
    })
}

/// The type of a column, by the name that Arrow gives it.
fn field_type(column: &ColumnSpec) -> Result<FieldType, Failure> {
    let name = column.data_type.to_string();
    match name.split('(').next().unwrap_or_default() {
        "Utf8" => Ok(FieldType::Text),
        "Int64" => Ok(FieldType::Integer),
        "Float64" => Ok(FieldType::Number),
        "Boolean" => Ok(FieldType::Boolean),
        "Date32" => Ok(FieldType::Date),
        "Timestamp" => Ok(FieldType::Timestamp),
        _ => Err(Failure::new(format!(
            "the demo's column {} has the type {name}",
            column.name
        ))),
    }
}

fn level(level: demo::Level) -> Level {
    match level {
        demo::Level::L1 => Level::L1,
        demo::Level::L2 => Level::L2,
        demo::Level::L3 => Level::L3,
    }
}

/// Both languages of a text.
pub(super) fn localized(text: Text) -> Result<Localized, Failure> {
    Ok(Localized::parse(text.zh, Some(text.en))?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use demo::{Scale, Table};

    use super::*;

    #[test]
    fn every_table_is_an_entry_that_can_be_released() {
        for table in Table::ALL {
            for scale in [Scale::DEMO, Scale::TEST, Scale::new(Scale::LEAST).unwrap()] {
                let entry = of(&table.spec(scale)).unwrap();
                entry.metadata.check().unwrap();
                let declared = entry.declared.unwrap();
                assert_eq!(declared.unit().is_some(), table.is_protected());
                assert!(declared.least_level() <= entry.level.unwrap());
                assert_eq!(entry.metadata.recipe.is_some(), table.is_protected());
            }
        }
    }
}
