//! Parts that several expressions of a plan have in common, so that each is computed once a batch: a variance sums x − c and
//! its square, a correlation five products of the same two differences.

use std::collections::HashMap;

use model::FieldType;

use crate::plan::PlanCore;
use crate::scalar::ScalarExpr;

/// The core with every common part replaced by a column, and the parts: the first is the first column behind those of the
/// source, and a part may read those before it.
pub(super) fn split(core: &PlanCore) -> (PlanCore, Vec<ScalarExpr>) {
    let types = core.column_types();
    let mut core = core.clone();
    let parts = share(core.row_exprs_mut(), &types);
    (core, parts)
}

fn share(mut exprs: Vec<&mut ScalarExpr>, types: &[FieldType]) -> Vec<ScalarExpr> {
    let mut uses = HashMap::new();
    for expr in &exprs {
        count(expr, types, &mut uses);
    }
    let common = uses.into_iter().filter(|(_, times)| *times > 1);
    let mut common: Vec<ScalarExpr> = common.map(|(expr, _)| expr.clone()).collect();
    // A part of another part is smaller.
    common.sort_by_cached_key(|expr| (nodes(expr), format!("{expr:?}")));
    let column_of: HashMap<ScalarExpr, usize> = common.iter().cloned().zip(types.len()..).collect();
    for expr in &mut exprs {
        replace(expr, &column_of);
    }
    for part in &mut common {
        for child in part.children_mut() {
            replace(child, &column_of);
        }
    }
    common
}

/// Counts the parts of an expression; those of a part that was met before are not counted again.
fn count<'e>(expr: &'e ScalarExpr, types: &[FieldType], uses: &mut HashMap<&'e ScalarExpr, u32>) {
    if expr.children().is_empty() {
        return;
    }
    if worthwhile(expr, types) {
        let times = uses.entry(expr).or_insert(0);
        *times += 1;
        if *times > 1 {
            return;
        }
    }
    for child in expr.children() {
        count(child, types, uses);
    }
}

/// Expressions over texts are computed once for each of a column's few values, which is cheaper still and would be lost.
fn worthwhile(expr: &ScalarExpr, types: &[FieldType]) -> bool {
    let mut columns = std::collections::BTreeSet::new();
    expr.collect_columns(&mut columns);
    let text = |column: &usize| types.get(*column).is_none_or(|kind| *kind == FieldType::Text);
    !columns.is_empty() && !columns.iter().any(text)
}

fn nodes(expr: &ScalarExpr) -> usize {
    1 + expr.children().into_iter().map(nodes).sum::<usize>()
}

fn replace(expr: &mut ScalarExpr, column_of: &HashMap<ScalarExpr, usize>) {
    if let Some(column) = column_of.get(expr) {
        *expr = ScalarExpr::Column(*column);
        return;
    }
    for child in expr.children_mut() {
        replace(child, column_of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Arithmetic;

    const NUMBER: FieldType = FieldType::Number;

    fn of(op: Arithmetic, left: &ScalarExpr, right: &ScalarExpr) -> ScalarExpr {
        ScalarExpr::Arithmetic(op, Box::new(left.clone()), Box::new(right.clone()))
    }

    #[test]
    fn what_several_sums_have_in_common_becomes_a_column() {
        let (x, y) = (ScalarExpr::Column(0), ScalarExpr::Column(1));
        let difference = of(Arithmetic::Subtract, &x, &y);
        let square = of(Arithmetic::Multiply, &difference, &difference);
        let mut sums = [
            difference.clone(),
            square.clone(),
            of(Arithmetic::Add, &square, &y),
            x.clone(),
        ];
        let parts = share(sums.iter_mut().collect(), &[NUMBER, NUMBER]);
        let (first, second) = (ScalarExpr::Column(2), ScalarExpr::Column(3));
        assert_eq!(parts, [difference, of(Arithmetic::Multiply, &first, &first)]);
        assert_eq!(sums, [first, second.clone(), of(Arithmetic::Add, &second, &y), x]);
    }

    #[test]
    fn what_reads_a_text_or_occurs_once_stays() {
        let (text, number) = (ScalarExpr::Column(0), ScalarExpr::Column(1));
        let of_text = ScalarExpr::IsNull(Box::new(text));
        let once = ScalarExpr::IsNull(Box::new(number));
        let mut exprs = [of_text.clone(), of_text.clone(), once.clone()];
        assert!(share(exprs.iter_mut().collect(), &[FieldType::Text, NUMBER]).is_empty());
        assert_eq!(exprs, [of_text.clone(), of_text, once]);
    }
}
