//! From text to one parsed SELECT, under limits, and the first check: the statement's shape, with places.
//!
//! This check gives good messages; it is not what the promise rests on. [`crate::analyse`] decides on the analysed
//! logical plan and refuses by itself whatever slips through here.

mod public;

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    Spanned, Statement, TableFactor, UnaryOperator, Visit, Visitor, visit_relations,
};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Span as SqlSpan, Token, TokenWithSpan, Tokenizer};

use crate::function;
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::relation::{Relation, Tables};

pub use public::{PublicBody, PublicQuery};

/// The longest SQL, in bytes.
pub const MAX_SQL: usize = 64 * 1024;

/// The deepest nesting of parentheses and brackets.
pub const MAX_NESTING: usize = 40;

/// The most words, operators and other tokens that are no constants, names, commas or parentheses.
pub const MAX_OPERATORS: usize = 600;

/// The most tokens in all.
const MAX_TOKENS: usize = 12_000;

/// The most SELECTs, one within another.
const MAX_QUERIES: usize = 16;

/// What sqlparser may recurse: each level of nesting costs it a few.
const RECURSION: usize = 200;

/// The public relations that a query needs, for whoever computes them.
///
/// # Errors
/// A [`Refusal`] if the query cannot be parsed.
pub fn public_queries(sql: &str, protected: &[Relation]) -> Planned<Vec<PublicQuery>> {
    crate::analyse::on_large_stack(|| {
        let extracted = parse_statement(sql)
            .and_then(|mut statement| public::extract(sql, &mut statement, &names(protected)));
        extracted.map_err(|refusal| refusal.within(sql))
    })
}

/// The names of all tables in a query, as the planner resolves them; those that WITH gives are among them.
///
/// # Errors
/// A [`Refusal`] if the query cannot be parsed.
pub fn table_names(sql: &str) -> Planned<BTreeSet<String>> {
    crate::analyse::on_large_stack(|| {
        let statement = parse_statement(sql)?;
        let mut names = BTreeSet::new();
        let _: ControlFlow<()> = visit_relations(&statement, |name| {
            names.extend(public::table_name(name));
            ControlFlow::Continue(())
        });
        Ok(names)
    })
}

fn names(protected: &[Relation]) -> HashSet<String> {
    protected.iter().map(Relation::sql_name).collect()
}

/// Parses one SELECT, puts the given public relations in for what is public in it, and checks its shape.
pub(crate) fn parse(sql: &str, tables: Tables<'_>) -> Planned<Statement> {
    let mut statement = parse_statement(sql)?;
    if let Statement::Query(query) = &mut statement {
        name_columns(query);
    }
    let needed = public::extract(sql, &mut statement, &names(tables.protected))?;
    for query in needed {
        if tables.find_public(&query.name).is_none() {
            return Err(Refusal::about(Rule::UnknownTable, query.name).with_span(query.span));
        }
    }
    let mut check = ShapeCheck {
        tables,
        allowed_keys: HashSet::new(),
        allowed_scalars: HashSet::new(),
        named: HashSet::new(),
        queries: 0,
        nested: false,
    };
    check.statement(&statement)?;
    Ok(statement)
}

/// Names the columns of an answer that have no name as they are written: the engine has words of its own for them.
fn name_columns(query: &mut Query) {
    match &mut *query.body {
        SetExpr::Query(inner) => name_columns(inner),
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                let SelectItem::UnnamedExpr(expr) = item else {
                    continue;
                };
                if column_of(expr).is_none() {
                    let name = expr.to_string();
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias: Ident::with_quote('"', name),
                    };
                }
            }
        }
        _ => {}
    }
}

/// Parses one statement of any kind, under the limits.
pub(crate) fn parse_statement(sql: &str) -> Planned<Statement> {
    if sql.len() > MAX_SQL {
        return Err(Refusal::about(Rule::TooLong, format!("{} bytes", sql.len())));
    }
    let dialect = dialect::Bounded::new();
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| Refusal {
            rule: Rule::Syntax,
            span: (e.location.line > 0).then(|| Span::at(e.location.line, e.location.column)),
            detail: Some(e.message.chars().take(200).collect()),
        })?;
    check_tokens(&tokens)?;
    let parsed = Parser::new(&dialect)
        .with_recursion_limit(RECURSION)
        .with_tokens_with_locations(tokens)
        .parse_statements();
    let mut statements = parsed.map_err(syntax)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => {
            let tables = dialect::tables_read(&statement);
            if tables > dialect::MAX_TABLES {
                let most = dialect::MAX_TABLES;
                let what = format!("more than {most} tables, once the names of WITH are written out");
                return Err(Refusal::about(Rule::TooComplex, what).with_span(to_span(statement.span())));
            }
            Ok(statement)
        }
        (None, _) => Err(Refusal::about(Rule::OneStatement, "0 statements")),
        (_, others) => Err(Refusal::about(
            Rule::OneStatement,
            format!("{} statements", others + 1),
        )),
    }
}

fn check_tokens(tokens: &[TokenWithSpan]) -> Planned<()> {
    let (mut depth, mut operators, mut all) = (0usize, 0usize, 0usize);
    for token in tokens {
        let place = || to_span(token.span);
        match &token.token {
            Token::Whitespace(_) | Token::EOF => continue,
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Comma | Token::Period | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Word(word) if word.keyword == Keyword::NoKeyword => {}
            _ => operators += 1,
        }
        all += 1;
        if depth > MAX_NESTING {
            return Err(Refusal::at(Rule::TooDeep, place()));
        }
        if operators > MAX_OPERATORS || all > MAX_TOKENS {
            return Err(Refusal::at(Rule::TooComplex, place()));
        }
    }
    Ok(())
}

fn syntax(error: ParserError) -> Refusal {
    let text = match error {
        ParserError::RecursionLimitExceeded => return Refusal::new(Rule::TooDeep),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
    };
    let number = |after: &str| {
        let digits = text.rsplit(after).next()?;
        digits
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<u64>()
            .ok()
    };
    let span = match (number("Line: "), number("Column: ")) {
        (Some(line), Some(column)) if text.contains(" at Line: ") => Some(Span::at(line, column)),
        _ => None,
    };
    let message = text.split(" at Line: ").next().unwrap_or_default().to_owned();
    Refusal::about(Rule::Syntax, message).with_span(span)
}

pub(crate) fn to_span(span: SqlSpan) -> Option<Span> {
    (span.start.line > 0).then_some(Span {
        line: span.start.line,
        column: span.start.column,
        end_line: span.end.line,
        end_column: span.end.column,
    })
}

/// A name as the planner resolves it: lower case unless quoted.
fn resolved(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

struct ShapeCheck<'a> {
    tables: Tables<'a>,
    /// Places where the unit key may stand: inside COUNT(DISTINCT …), and where an inner query passes it on.
    allowed_keys: HashSet<SqlSpan>,
    /// Queries that may stand for a value; whether they do is for the decision.
    allowed_scalars: HashSet<SqlSpan>,
    /// The names that WITH gives.
    named: HashSet<String>,
    queries: usize,
    /// Whether there are queries in FROM or WITH: names can then be new ones for columns.
    nested: bool,
}

fn refuse<T>(rule: Rule, span: SqlSpan) -> Planned<T> {
    Err(Refusal::at(rule, to_span(span)))
}

impl ShapeCheck<'_> {
    fn statement(&mut self, statement: &Statement) -> Planned<()> {
        let Statement::Query(query) = statement else {
            return refuse(Rule::SelectOnly, statement.span());
        };
        // The body's own check comes with the visit of its query.
        self.with(query)?;
        match statement.visit(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(refusal) => Err(refusal),
        }
    }

    fn with(&mut self, query: &Query) -> Planned<()> {
        let Some(with) = &query.with else {
            return Ok(());
        };
        if with.recursive {
            return refuse(Rule::Cte, with.span());
        }
        for table in &with.cte_tables {
            let name = resolved(&table.alias.name);
            if table.from.is_some() || self.tables.find_protected(&name).is_some() {
                return refuse(Rule::Cte, table.span());
            }
            self.named.insert(name);
        }
        Ok(())
    }

    /// The unit key may pass through a query in FROM or WITH as it is; what is done with it there is refused, and
    /// what is done with its new name is for the decision.
    fn look_inside(&mut self, query: &Query) {
        let SetExpr::Select(select) = &*query.body else {
            return;
        };
        if self.queries > 1 {
            for item in &select.projection {
                let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                    continue;
                };
                if let Some(ident) = column_of(expr).filter(|ident| self.is_unit_key(ident)) {
                    self.allowed_keys.insert(ident.span);
                }
            }
        }
        if self.queries > 1
            && let GroupByExpr::Expressions(keys, _) = &select.group_by
        {
            let keys = keys
                .iter()
                .filter_map(column_of)
                .filter(|ident| self.is_unit_key(ident));
            let keys: Vec<SqlSpan> = keys.map(|ident| ident.span).collect();
            self.allowed_keys.extend(keys);
        }
        for expr in public::with_scalars(select) {
            // Visited here in a copy: what is looked at is not changed.
            let allow = &mut |query: &mut Query| {
                self.allowed_scalars.insert(query.span());
                Ok(())
            };
            let _ = public::each_scalar(&mut expr.clone(), allow);
        }
        let joins = || select.from.iter().flat_map(|from| &from.joins);
        for join in joins() {
            if let Some(condition) = condition_of(&join.join_operator) {
                self.allow_equal_keys(condition);
            }
        }
        let derived = |table: &TableFactor| matches!(table, TableFactor::Derived { .. });
        self.nested |= query.with.is_some()
            || select.from.iter().any(|from| derived(&from.relation))
            || joins().any(|join| derived(&join.relation));
    }

    /// Unit keys may be compared for equality where protected tables are joined; whether they are is for the decision.
    fn allow_equal_keys(&mut self, condition: &Expr) {
        match condition {
            Expr::Nested(inner) => self.allow_equal_keys(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                self.allow_equal_keys(left);
                self.allow_equal_keys(right);
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => {
                if let (Some(left), Some(right)) = (column_of(left), column_of(right))
                    && self.is_unit_key(left)
                    && self.is_unit_key(right)
                {
                    self.allowed_keys.extend([left.span, right.span]);
                }
            }
            _ => {}
        }
    }

    fn query(&self, query: &Query) -> Planned<()> {
        let select = match &*query.body {
            SetExpr::Select(select) => select,
            // Visited as a query of its own.
            SetExpr::Query(_) => return Ok(()),
            SetExpr::SetOperation { .. } => return refuse(Rule::SetOperation, query.body.span()),
            SetExpr::Values(_) | SetExpr::Table(_) => return refuse(Rule::Values, query.body.span()),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return refuse(Rule::SelectOnly, query.body.span());
            }
        };
        if !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || query.fetch.is_some()
            || !query.pipe_operators.is_empty()
        {
            return refuse(Rule::Clause, query.span());
        }
        self.select(select)
    }

    fn select(&self, select: &Select) -> Planned<()> {
        if select.distinct.is_some() {
            return refuse(Rule::Distinct, select.select_token.0.span);
        }
        if select.top.is_some() {
            return refuse(Rule::Limit, select.select_token.0.span);
        }
        if !select.optimizer_hints.is_empty()
            || select.select_modifiers.is_some()
            || select.exclude.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.value_table_mode.is_some()
        {
            return refuse(Rule::Clause, select.span());
        }
        if !select.named_window.is_empty() || select.qualify.is_some() {
            return refuse(Rule::Window, select.span());
        }
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
                SelectItem::ExprWithAliases { .. } => return refuse(Rule::Clause, item.span()),
                SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                    return refuse(Rule::Wildcard, item.span());
                }
            }
        }
        match &select.group_by {
            GroupByExpr::All(_) => return refuse(Rule::GroupingSets, select.group_by.span()),
            GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty() => {
                return refuse(Rule::GroupingSets, select.group_by.span());
            }
            GroupByExpr::Expressions(..) => {}
        }
        let [from] = select.from.as_slice() else {
            return match select.from.get(1) {
                Some(second) => refuse(Rule::Join, second.span()),
                None => refuse(Rule::NoTable, select.select_token.0.span),
            };
        };
        for join in &from.joins {
            let rule = match &join.join_operator {
                JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::LeftAnti(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::RightAnti(_)
                | JoinOperator::CrossJoin(JoinConstraint::None)
                    if !join.global =>
                {
                    self.table(&join.relation)?;
                    continue;
                }
                // Of results; where rows of units are joined, the decision refuses it.
                JoinOperator::FullOuter(_)
                    if !join.global
                        && !from
                            .joins
                            .iter()
                            .map(|join| &join.relation)
                            .chain([&from.relation])
                            .any(|table| self.is_protected(table)) =>
                {
                    self.table(&join.relation)?;
                    continue;
                }
                JoinOperator::FullOuter(_) | JoinOperator::OuterApply => Rule::OuterJoin,
                _ => Rule::Join,
            };
            return refuse(rule, join.span());
        }
        self.table(&from.relation)
    }

    fn table(&self, table: &TableFactor) -> Planned<()> {
        match table {
            TableFactor::Table {
                name,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                if args.is_some() {
                    return refuse(Rule::TableFunction, table.span());
                }
                if !with_hints.is_empty()
                    || version.is_some()
                    || *with_ordinality
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || sample.is_some()
                    || !index_hints.is_empty()
                {
                    return refuse(Rule::Clause, table.span());
                }
                self.table_name(name)
            }
            TableFactor::Derived { lateral: false, .. } => Ok(()),
            TableFactor::Derived { .. } => refuse(Rule::Subquery, table.span()),
            TableFactor::NestedJoin { .. } => refuse(Rule::Join, table.span()),
            TableFactor::TableFunction { .. } | TableFactor::Function { .. } | TableFactor::UNNEST { .. } => {
                refuse(Rule::TableFunction, table.span())
            }
            _ => refuse(Rule::Clause, table.span()),
        }
    }

    /// Whether a table is one of rows that belong to units, by its name.
    fn is_protected(&self, table: &TableFactor) -> bool {
        let TableFactor::Table { name, .. } = table else {
            return false;
        };
        let named = public::table_name(name);
        named.is_some_and(|name| !self.named.contains(&name) && self.tables.find_protected(&name).is_some())
    }

    fn table_name(&self, name: &ObjectName) -> Planned<()> {
        let known = match name.0.as_slice() {
            [part] => part
                .as_ident()
                .map(resolved)
                .is_some_and(|name| self.tables.knows(&name) || self.named.contains(&name)),
            _ => false,
        };
        if known {
            Ok(())
        } else {
            Err(Refusal::about(Rule::UnknownTable, format!("{name}")).with_span(to_span(name.span())))
        }
    }

    fn function(&mut self, call: &Function) -> Planned<()> {
        let span = call.name.span();
        if call.over.is_some() {
            return refuse(Rule::Window, span);
        }
        let name = match call.name.0.as_slice() {
            [part] => part.as_ident().map(resolved).unwrap_or_default(),
            _ => call.name.to_string(),
        };
        let aggregate = function::is_aggregate(&name) || (self.nested && function::is_inner_aggregate(&name));
        if !aggregate && function::find(&name).is_none() {
            let rule = if function::is_unbounded_aggregate(&name) {
                Rule::UnboundedAggregate
            } else if function::is_window_only(&name) {
                Rule::Window
            } else if function::is_volatile(&name) {
                Rule::VolatileFunction
            } else if function::makes_tables(&name) {
                Rule::TableFunction
            } else {
                Rule::UnknownFunction
            };
            return Err(Refusal::about(rule, name).with_span(to_span(span)));
        }
        if call.uses_odbc_syntax || call.parameters != FunctionArguments::None {
            return refuse(Rule::UnsupportedExpression, span);
        }
        if call.filter.is_some() && !aggregate {
            return refuse(Rule::AggregateClause, span);
        }
        if call.null_treatment.is_some() || !call.within_group.is_empty() {
            return refuse(Rule::AggregateClause, span);
        }
        let FunctionArguments::List(list) = &call.args else {
            let rule = match &call.args {
                FunctionArguments::Subquery(_) => Rule::Subquery,
                _ => Rule::UnsupportedExpression,
            };
            return refuse(rule, span);
        };
        if !list.clauses.is_empty() {
            return refuse(Rule::AggregateClause, span);
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if distinct && !aggregate {
            return refuse(Rule::UnsupportedExpression, span);
        }
        for argument in &list.args {
            let FunctionArg::Unnamed(argument) = argument else {
                return refuse(Rule::UnsupportedExpression, span);
            };
            match argument {
                FunctionArgExpr::Wildcard if aggregate && !distinct => {}
                FunctionArgExpr::Expr(expr) => {
                    if distinct && name == "count" {
                        for column in branches(expr).into_iter().filter_map(column_of) {
                            if self.is_unit_key(column) {
                                self.allowed_keys.insert(column.span);
                            } else if !self.nested {
                                self.column(column)?;
                            }
                            // Else perhaps the unit key by another name, or values of one unit.
                        }
                    }
                }
                _ => return refuse(Rule::Wildcard, span),
            }
        }
        Ok(())
    }

    fn is_unit_key(&self, ident: &Ident) -> bool {
        let name = resolved(ident);
        self.tables
            .protected
            .iter()
            .filter_map(|relation| relation.metadata.unit_key())
            .any(|key| key.as_str() == name)
    }

    fn column(&self, ident: &Ident) -> Planned<()> {
        // Ours: what is written stands somewhere.
        if ident.value == public::MEMBER && ident.span == SqlSpan::empty() {
            return Ok(());
        }
        if resolved(ident).to_lowercase().starts_with("__") {
            return refuse(Rule::SystemColumn, ident.span);
        }
        if self.is_unit_key(ident) && !self.allowed_keys.contains(&ident.span) {
            return refuse(Rule::UnitKey, ident.span);
        }
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Planned<()> {
        let rule = match expr {
            Expr::Identifier(ident) => return self.column(ident),
            Expr::CompoundIdentifier(parts) => {
                return match parts.as_slice() {
                    [_, column] => self.column(column),
                    _ => refuse(Rule::UnsupportedExpression, expr.span()),
                };
            }
            Expr::Function(call) => return self.function(call),
            Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::BinaryOp { .. }
            | Expr::Like { any: false, .. }
            | Expr::ILike { any: false, .. }
            | Expr::Cast { .. }
            | Expr::Extract { .. }
            | Expr::Interval(_)
            | Expr::Overlay { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Case { .. } => return Ok(()),
            Expr::UnaryOp {
                op: UnaryOperator::Not | UnaryOperator::Minus | UnaryOperator::Plus,
                ..
            } => {
                return Ok(());
            }
            Expr::Subquery(query) if self.allowed_scalars.contains(&query.span()) => return Ok(()),
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => Rule::Subquery,
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => return Ok(()),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => Rule::Wildcard,
            _ => Rule::UnsupportedExpression,
        };
        refuse(rule, expr.span())
    }
}

/// What an expression can be: the branches of a CASE, or itself.
fn branches(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Nested(inner) => branches(inner),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter().map(|branch| &branch.result);
            results.chain(else_result.as_deref()).collect()
        }
        other => vec![other],
    }
}

/// The column that an expression is, parentheses aside.
fn column_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [_, column] => Some(column),
            _ => None,
        },
        Expr::Nested(inner) => column_of(inner),
        _ => None,
    }
}

/// What stands behind ON.
fn condition_of(join: &JoinOperator) -> Option<&Expr> {
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::LeftSemi(constraint)
    | JoinOperator::RightSemi(constraint)
    | JoinOperator::LeftAnti(constraint)
    | JoinOperator::RightAnti(constraint)) = join
    else {
        return None;
    };
    match constraint {
        JoinConstraint::On(condition) => Some(condition),
        _ => None,
    }
}

impl Visitor for ShapeCheck<'_> {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        self.queries += 1;
        if self.queries > MAX_QUERIES {
            return ControlFlow::Break(Refusal::at(Rule::TooComplex, to_span(query.span())));
        }
        self.look_inside(query);
        match self.with(query).and_then(|()| self.query(query)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refusal> {
        match self.expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }
}
