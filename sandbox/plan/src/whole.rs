//! The whole of what noised totals hold, whatever a query shows of it.

use std::collections::BTreeSet;

use crate::plan::{AggregateFunction, OutputColumn, PlanCore, PrivatePlan};
use crate::release::{Measure, ReleasedColumn};
use crate::scalar::ScalarExpr;
use crate::source::Source;

impl PrivatePlan {
    /// A plan of the same core that shows all its cells and figures, under names that are made of declared ones. Whoever
    /// decides on releasing noised totals looks at these: what a query leaves out, sorts, computes or calls in some way is
    /// its author's choice, and the next query of the same core is free to choose otherwise.
    #[must_use]
    pub fn whole(&self) -> Self {
        let core = &self.core;
        let mut names = Vec::new();
        let mut released = Vec::new();
        for (at, key) in core.keys.iter().enumerate() {
            names.push(named(core, "", &key.expr));
            released.push(ReleasedColumn::Key(at));
        }
        for (at, aggregate) in core.aggregates.iter().enumerate() {
            names.push(match &aggregate.function {
                AggregateFunction::CountRows => "rows".to_owned(),
                AggregateFunction::CountUnits => "units".to_owned(),
                AggregateFunction::CountValues(x) => named(core, "count", x),
                AggregateFunction::Sum(x) => named(core, "sum", x),
                AggregateFunction::CountDistinct { of, .. } => named(core, "distinct", of),
            });
            released.push(ReleasedColumn::Measure(Measure::Total(at)));
        }
        for (place, quantile) in core.quantiles.iter().enumerate() {
            let counted = |function: &AggregateFunction| matches!(function, AggregateFunction::CountValues(x) if *x == quantile.expr);
            let count = core.aggregates.iter().position(|a| counted(&a.function));
            names.push(named(core, "quantile", &quantile.expr));
            released.push(ReleasedColumn::Measure(Measure::Quantile {
                place,
                count: count.unwrap_or(0),
            }));
        }
        let output = names.into_iter().enumerate().map(|(at, name)| OutputColumn {
            name: format!("{} {name}", at + 1),
            expr: ScalarExpr::Column(at),
        });
        Self {
            core: core.clone(),
            sets: None,
            released,
            steps: Vec::new(),
            output: output.collect(),
        }
    }
}

/// What is computed, by the declared columns that it is computed from.
fn named(core: &PlanCore, of: &str, expr: &ScalarExpr) -> String {
    let mut columns = BTreeSet::new();
    expr.collect_columns(&mut columns);
    let column = |at: &usize| match &core.source {
        Source::Scan(table) => {
            let column = core.tables.get(*table)?.columns.get(*at)?;
            Some(column.name.to_string())
        }
        _ => None,
    };
    let names: Vec<String> = columns
        .iter()
        .map(|at| column(at).unwrap_or_else(|| format!("column {}", at + 1)))
        .collect();
    let plain = matches!(expr, ScalarExpr::Column(_));
    let names = names.join(", ");
    match (of, plain) {
        ("", true) => names,
        ("", false) => format!("f({names})"),
        (of, true) => format!("{of}({names})"),
        (of, false) => format!("{of}(f({names}))"),
    }
}
