//! From text to what the planner takes, as a session does it, but in bounded time ([`dialect`] says what takes long).

use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::sql::parser::{DFParser, DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::ExprWithAlias;

use crate::error::QueryError;

/// One statement.
///
/// # Errors
/// [`QueryError::Invalid`] if it cannot be parsed, or there is another or none.
pub(crate) fn statement(state: &SessionState, sql: &str) -> Result<Statement, QueryError> {
    let dialect = dialect::Bounded::new();
    let mut statements = parser(state, sql, &dialect)?.parse_statements()?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(Statement::Statement(statement)), true)
            if dialect::tables_read(&statement) > dialect::MAX_TABLES =>
        {
            let most = dialect::MAX_TABLES;
            Err(QueryError::Invalid(format!(
                "it reads more than {most} tables, once the names of WITH are written out; use each name less often"
            )))
        }
        (Some(statement), true) => Ok(statement),
        (Some(_), false) => Err(QueryError::Invalid("there is more than one statement".to_owned())),
        (None, _) => Err(QueryError::Invalid("there is no statement".to_owned())),
    }
}

/// One expression.
///
/// # Errors
/// [`QueryError::Invalid`] if it cannot be parsed.
pub(crate) fn expression(state: &SessionState, sql: &str) -> Result<ExprWithAlias, QueryError> {
    let dialect = dialect::Bounded::new();
    Ok(parser(state, sql, &dialect)?.parse_into_expr()?)
}

fn parser<'a>(
    state: &SessionState,
    sql: &'a str,
    dialect: &'a dialect::Bounded,
) -> Result<DFParser<'a>, DataFusionError> {
    DFParserBuilder::new(sql)
        .with_dialect(dialect)
        .with_recursion_limit(state.config_options().sql_parser.recursion_limit.get())
        .build()
}
