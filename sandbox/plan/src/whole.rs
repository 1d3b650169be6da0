//! The whole of what noised totals hold, whatever a query shows of it.

use std::collections::BTreeSet;

use crate::plan::{AggregateFunction, Leaf, OutputColumn, PlanCore, PlanPart, PrivatePlan};
use crate::release::{Arrangement, Measure, ReleasedColumn};
use crate::scalar::ScalarExpr;
use crate::source::Source;

impl PrivatePlan {
    /// For each part a plan that shows all its cells and figures, of the same noised totals and under names that are made of
    /// declared ones. Whoever decides on releasing noised totals looks at these: what a query leaves out, sorts, joins, computes
    /// or calls in some way is its author's choice, and the next query of the same parts is free to choose otherwise.
    pub fn whole(&self) -> Vec<Self> {
        (0..self.parts.len())
            .filter_map(|part| self.whole_part(part))
            .collect()
    }

    fn whole_part(&self, part: usize) -> Option<Self> {
        let core = &self.parts.get(part)?.core;
        let (mut names, mut released) = (Vec::new(), Vec::new());
        let mut figure = |measure| released.push(ReleasedColumn::Measure { leaf: 0, measure });
        let keys = core.keys.iter().map(|key| named(core, "", &key.expr));
        let keys: Vec<String> = keys.collect();
        for (at, aggregate) in core.aggregates.iter().enumerate() {
            names.push(match &aggregate.function {
                AggregateFunction::CountRows => "rows".to_owned(),
                AggregateFunction::CountUnits => "units".to_owned(),
                AggregateFunction::CountUnitsWhere(x) => named(core, "units", x),
                AggregateFunction::CountValues(x) => named(core, "count", x),
                AggregateFunction::Sum(x) => named(core, "sum", x),
                AggregateFunction::CountDistinct { of, .. } => named(core, "distinct", of),
            });
            figure(Measure::Total(at));
        }
        for (place, quantile) in core.quantiles.iter().enumerate() {
            let counted = |function: &AggregateFunction| matches!(function, AggregateFunction::CountValues(x) if *x == quantile.expr);
            let count = core.aggregates.iter().position(|a| counted(&a.function));
            names.push(named(core, "quantile", &quantile.expr));
            figure(Measure::Quantile {
                place,
                count: count.unwrap_or(0),
            });
        }
        let shown = (0..keys.len()).map(|key| ReleasedColumn::Key { leaf: 0, key });
        let released: Vec<ReleasedColumn> = shown.chain(released).collect();
        let output = keys.into_iter().chain(names).enumerate();
        let output = output.map(|(at, name)| OutputColumn {
            name: format!("{} {name}", at + 1),
            expr: ScalarExpr::Column(at),
        });
        Some(Self {
            // All of them: they share the noise's scale. Without sets, which add up what is there, and can leave it out.
            parts: self
                .parts
                .iter()
                .map(|part| PlanPart {
                    core: part.core.clone(),
                    sets: None,
                })
                .collect(),
            public: Vec::new(),
            leaves: vec![Leaf::Part(part)],
            released,
            arrangement: Arrangement::Leaf(0),
            output: output.collect(),
        })
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
