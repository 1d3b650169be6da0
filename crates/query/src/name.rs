//! Names of an answer's columns. DataFusion refuses a list that says the same thing twice, and lets two columns of a
//! join have one name; both are a nuisance to whoever reads the answer, so a name that is taken gets a number, as in
//! `a, a_1`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut,
};

/// Gives every item of every `SELECT` list a name of its own. Beside a `*`, `others` count as taken: the columns that
/// it may stand for.
pub(crate) fn tell_apart(statement: &mut Statement, others: &[String]) {
    if let Statement::Statement(statement) = statement {
        let ControlFlow::Continue(()) = statement.visit(&mut Lists(others));
    }
}

/// Whether a `SELECT` list has a `*` and something else beside it.
pub(crate) fn has_mixed_list(statement: &mut Statement) -> bool {
    struct Mixed;
    impl VisitorMut for Mixed {
        type Break = ();

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            let mut found = false;
            for_each_list(query, |items| {
                found |= items.len() > 1 && items.iter().any(is_wildcard);
            });
            if found {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    match statement {
        Statement::Statement(statement) => statement.visit(&mut Mixed).is_break(),
        _ => false,
    }
}

struct Lists<'a>(&'a [String]);

impl VisitorMut for Lists<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        for_each_list(query, |items| name_items(items, self.0));
        ControlFlow::Continue(())
    }
}

/// The lists of a query's own `SELECT`s; nested queries are visited on their own.
fn for_each_list(query: &mut Query, mut act: impl FnMut(&mut Vec<SelectItem>)) {
    let mut bodies = vec![query.body.as_mut()];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Select(select) => {
                let Select { projection, .. } = select.as_mut();
                act(projection);
            }
            SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_mut(), right.as_mut()]),
            _ => {}
        }
    }
}

const fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

fn name_items(items: &mut [SelectItem], others: &[String]) {
    let mut spoken: HashSet<String> = items.iter().filter_map(label).collect();
    let mut taken = HashSet::new();
    if items.iter().any(is_wildcard) {
        spoken.extend(others.iter().cloned());
        taken.extend(others.iter().cloned());
    }
    for item in items {
        let Some(label) = label(item) else { continue };
        if taken.insert(label.clone()) {
            continue;
        }
        let name = numbered(&label, |name| spoken.contains(name) || taken.contains(name));
        taken.insert(name.clone());
        let name = Ident::with_quote('"', name);
        match item {
            SelectItem::ExprWithAlias { alias, .. } => *alias = name,
            SelectItem::UnnamedExpr(expr) => {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: name,
                };
            }
            _ => {}
        }
    }
}

fn numbered(label: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut number = 1u64;
    loop {
        let name = format!("{label}_{number}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// The name that an item has if nothing else has it.
fn label(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
        SelectItem::UnnamedExpr(Expr::Function(call)) => {
            let text = call.to_string();
            let name = call.name.to_string();
            Some(match text.strip_prefix(&name) {
                Some(rest) => name.to_lowercase() + rest,
                None => text,
            })
        }
        SelectItem::UnnamedExpr(expr) => Some(expr.to_string()),
        _ => None,
    }
}

/// As the engine reads it: what is not quoted is in lower case.
fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The same rows under names of which none stands twice.
pub(crate) fn with_unique_names(
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> (SchemaRef, Vec<RecordBatch>) {
    let spoken: HashSet<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    if spoken.len() == schema.fields().len() {
        return (schema, batches);
    }
    let mut taken: HashSet<String> = HashSet::new();
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        if taken.contains(&name) {
            name = numbered(&name, |name| spoken.contains(name) || taken.contains(name));
        }
        taken.insert(name.clone());
        fields.push(field.as_ref().clone().with_name(name));
    }
    let renamed = SchemaRef::new(Schema::new(fields));
    let columns = batches
        .iter()
        .map(|batch| RecordBatch::try_new(renamed.clone(), batch.columns().to_vec()));
    match columns.collect() {
        Ok(batches) => (renamed, batches),
        // The types are the same, so this does not happen; two columns of one name are better than none.
        Err(_) => (schema, batches),
    }
}
