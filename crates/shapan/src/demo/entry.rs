//! The city's tables as entries of this portal's catalogue.

use catalog_entry::NewEntry;
use demo::Text;
use demo::spec::TableSpec;
use model::Localized;

use crate::failure::Failure;

/// The catalogue entry of a table.
pub(super) fn of(spec: &TableSpec) -> Result<NewEntry, Failure> {
    let entry = demo::entry(spec).map_err(Failure::cannot("describe the demo"))?;
    Ok(NewEntry {
        slug: entry.slug,
        level: Some(entry.level),
        metadata: entry.metadata,
        declared: Some(entry.declared),
    })
}

/// Both languages of a text.
pub(super) fn localized(text: Text) -> Result<Localized, Failure> {
    Ok(Localized::parse(text.zh, Some(text.en))?)
}
