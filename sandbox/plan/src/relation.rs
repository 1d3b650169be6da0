//! The tables a query may name, as far as they are declared or public.

use model::{DatasetId, DeclaredMetadata, FieldDeclaration, FieldRole, Level, Slug, VersionId};
use serde::{Deserialize, Serialize};

use crate::plan::ScanColumn;
use crate::public::PublicTable;
use crate::scalar::Real;
use crate::source::ScanTable;

/// A protected dataset as the planner sees it: its declaration, never its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// Its slug; the SQL name is the slug with `_` for `-`.
    pub slug: Slug,
    /// The dataset, whose lineage the budget is kept for.
    pub dataset: DatasetId,
    /// The version that is read.
    pub version: VersionId,
    /// Its level; only L3 is queried here.
    pub level: Level,
    /// What is declared of it.
    pub metadata: DeclaredMetadata,
}

/// Everything that a query may name.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// Protected datasets.
    pub protected: &'a [Relation],
    /// Public relations, those that [`crate::public_queries`] has asked for.
    pub public: &'a [PublicTable],
}

impl<'a> Tables<'a> {
    pub(crate) fn find_protected(self, name: &str) -> Option<&'a Relation> {
        self.protected.iter().find(|relation| relation.sql_name() == name)
    }

    /// The place of a public relation.
    pub(crate) fn find_public(self, name: &str) -> Option<usize> {
        self.public.iter().position(|table| table.name == name)
    }

    pub(crate) fn knows(self, name: &str) -> bool {
        self.find_protected(name).is_some() || self.find_public(name).is_some()
    }
}

/// One protected dataset, and nothing else.
impl<'a> From<&'a Relation> for Tables<'a> {
    fn from(relation: &'a Relation) -> Self {
        Self {
            protected: std::slice::from_ref(relation),
            public: &[],
        }
    }
}

impl Relation {
    /// The name in SQL.
    pub fn sql_name(&self) -> String {
        self.slug.sql_name()
    }

    /// Whether a plan reads this version as it is declared. What a plan says of its tables decides how much noise there
    /// is, so a plan that comes from elsewhere is compared.
    pub fn declares(&self, table: &ScanTable) -> bool {
        let declares = |column: &ScanColumn| {
            let mut fields = self.metadata.fields().iter();
            fields.any(|field| field.role.in_sandbox_copy() && ScanColumn::of(field) == *column)
        };
        self.level == Level::L3
            && (self.dataset, self.version) == (table.dataset, table.version)
            && self.metadata.unit() == Some(table.unit)
            && self.metadata.zone() == table.zone
            && table.columns.iter().all(declares)
    }

    /// The columns that a query can name: the sandbox copy's, and the unit key.
    pub(crate) fn visible_fields(&self) -> impl Iterator<Item = &FieldDeclaration> {
        self.metadata
            .fields()
            .iter()
            .filter(|field| field.role.in_sandbox_copy() || field.role == FieldRole::UnitKey)
    }
}

impl ScanColumn {
    /// A column as it is declared.
    pub(crate) fn of(field: &FieldDeclaration) -> Self {
        Self {
            name: field.name.clone(),
            field_type: field.field_type,
            bounds: field
                .bounds
                .and_then(|b| Some((Real::new(b.lo())?, Real::new(b.hi())?))),
            domain: field.domain.as_ref().map(|domain| domain.values().to_vec()),
            unit_static: field.unit_static,
        }
    }
}
