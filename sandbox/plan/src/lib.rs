//! SQL over protected datasets becomes a private plan, or a refusal (privacy.md "SQL").
//!
//! - [`plan()`] decides: parse under limits, resolve and coerce with DataFusion, then a pass of ours over the analysed
//!   logical plan that knows a closed list of shapes and expressions and refuses everything else.
//! - [`PrivatePlan`] holds what is computed, its exact sensitivity, its cells and its deadline, all from
//!   [`model::DeclaredMetadata`].
//! - [`execute()`] computes exact integer totals per cell over the parts of one version: [`scan`] reads them in unit order,
//!   [`bounding`] bounds every unit's contribution. It adds no noise: that happens once, in the server.

mod analyse;
pub mod bounding;
mod civil;
mod context;
pub mod eval;
pub mod execute;
pub mod function;
pub mod interval;
mod lower;
mod moments;
mod operator;
mod parse;
pub mod plan;
pub mod public;
pub mod refusal;
pub mod relation;
pub mod release;
pub mod scalar;
pub mod scan;
pub mod source;

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;
mod travel;
mod whole;
pub mod wire;

pub use analyse::plan;
pub use execute::{ExecutionError, Granted, Totals, execute};
pub use parse::{MAX_NESTING, MAX_OPERATORS, MAX_SQL, PublicBody, PublicQuery, public_queries, table_names};
pub use plan::{
    Aggregate, AggregateFunction, BoundingCase, GroupKey, KeyCells, KeyValue, Leaf, OutputColumn, PlanCore,
    PlanHash, PlanPart, PrivatePlan, ScanColumn, UnitSubset,
};
pub use public::{PublicError, PublicTable};
pub use refusal::{Refusal, Rule, Span};
pub use relation::{Relation, Tables};
pub use release::{
    Arrangement, Figure, Measure, Noised, PartRows, Picks, Released, ReleasedColumn, Row, Step,
};
pub use scan::Part;
pub use travel::MAX_PLAN;
