//! The one table a query may name, as far as it is declared.

use model::{DatasetId, DeclaredMetadata, FieldDeclaration, FieldRole, Level, Slug, VersionId};

/// A protected dataset as the planner sees it: its declaration, never its data.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its slug; the SQL name is the slug with `_` for `-`.
    pub slug: Slug,
    /// The dataset, whose lineage the budget is kept for.
    pub dataset: DatasetId,
    /// The version that is read.
    pub version: VersionId,
    /// Its level; only L3 is queried here.
    pub level: Level,
    /// Whether people review its results first.
    pub special: bool,
    /// What is declared of it.
    pub metadata: DeclaredMetadata,
}

impl Relation {
    /// The name in SQL.
    pub fn sql_name(&self) -> String {
        self.slug.sql_name()
    }

    /// The columns that a query can name: the sandbox copy's, and the unit key.
    pub(crate) fn visible_fields(&self) -> impl Iterator<Item = &FieldDeclaration> {
        self.metadata
            .fields()
            .iter()
            .filter(|field| field.role.in_sandbox_copy() || field.role == FieldRole::UnitKey)
    }
}
