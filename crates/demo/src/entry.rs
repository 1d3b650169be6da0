//! The city's tables as catalogue entries, in the portal's own types.

use model::{
    Bounds, DeclaredMetadata, Domain, EntryMetadata, FieldDeclaration, FieldName, FieldRole, FieldType,
    Level, License, Localized, Slug, Theme, UnitDeclaration, UnitType, UpdateCycle,
};

use crate::spec::{self, ColumnRole, ColumnSpec, TableSpec, Text};

/// How identifiers leave protected data on its way into the sandbox: the same for all tables, as ingest does it.
const RECIPE: Text = Text {
    zh: "入库时按密钥散列替换隐私单元标识，标识列不进入沙箱副本；超出每单元申报行数的记录按密钥伪随机顺序剔除；\
         数值按申报范围截断，类别按公开值域归并；仅输出差分隐私结果。",
    en: "On ingest the unit's identifier is replaced by a keyed hash, and no identifier enters the sandbox copy; rows \
         beyond the declared number per unit are dropped in keyed pseudo-random order; numbers are clipped to declared \
         bounds, categories mapped to public domains; only differentially private results leave.",
};

/// What a department says of a table when it makes its entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its address.
    pub slug: Slug,
    /// The level that is proposed.
    pub level: Level,
    /// What the catalogue says.
    pub metadata: EntryMetadata,
    /// What is declared of its data.
    pub declared: DeclaredMetadata,
}

/// A table that breaks a rule of the portal's types.
#[derive(Debug, thiserror::Error)]
#[error("the demo's table {table}: {why}")]
pub struct EntryError {
    table: &'static str,
    why: String,
}

/// The catalogue entry of a table.
///
/// # Errors
/// [`EntryError`] if the table breaks a rule of the portal's types, which a test holds none to do.
pub fn entry(spec: &TableSpec) -> Result<Entry, EntryError> {
    build(spec).map_err(|why| EntryError {
        table: spec.slug,
        why: why.to_string(),
    })
}

type Why = Box<dyn std::error::Error + Send + Sync>;

fn build(spec: &TableSpec) -> Result<Entry, Why> {
    let unknown = |what: &str, code: &str| Why::from(format!("unknown {what} {code:?}"));
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
            spec::UnitType::Person => UnitType::Person,
            spec::UnitType::Enterprise => UnitType::Enterprise,
        },
        max_units: unit.max_units,
        max_rows: unit.max_rows,
        max_rows_per_unit: unit.max_rows_per_unit,
    });
    let fields = spec.columns.iter().map(field).collect::<Result<_, _>>()?;
    let declared = DeclaredMetadata::new(unit, crate::city::ZONE.to_owned(), fields)?;
    Ok(Entry {
        slug: Slug::parse(spec.slug)?,
        level: level(spec.level),
        metadata,
        declared,
    })
}

fn field(column: &ColumnSpec) -> Result<FieldDeclaration, Why> {
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
fn field_type(column: &ColumnSpec) -> Result<FieldType, Why> {
    let name = column.data_type.to_string();
    match name.split('(').next().unwrap_or_default() {
        "Utf8" => Ok(FieldType::Text),
        "Int64" => Ok(FieldType::Integer),
        "Float64" => Ok(FieldType::Number),
        "Boolean" => Ok(FieldType::Boolean),
        "Date32" => Ok(FieldType::Date),
        "Timestamp" => Ok(FieldType::Timestamp),
        _ => Err(format!("column {} has the type {name}", column.name).into()),
    }
}

const fn level(level: spec::Level) -> Level {
    match level {
        spec::Level::L1 => Level::L1,
        spec::Level::L2 => Level::L2,
        spec::Level::L3 => Level::L3,
    }
}

/// Both languages of a text.
fn localized(text: Text) -> Result<Localized, Why> {
    Ok(Localized::parse(text.zh, Some(text.en))?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{Scale, Table};

    #[test]
    fn every_table_is_an_entry_that_can_be_released() {
        for table in Table::ALL {
            for scale in [Scale::DEMO, Scale::TEST, Scale::new(Scale::LEAST).unwrap()] {
                let entry = entry(&table.spec(scale)).unwrap();
                entry.metadata.check().unwrap();
                let declared = entry.declared;
                assert_eq!(declared.unit().is_some(), table.is_protected());
                assert!(declared.least_level() <= entry.level);
                assert_eq!(entry.metadata.recipe.is_some(), table.is_protected());
            }
        }
    }
}
