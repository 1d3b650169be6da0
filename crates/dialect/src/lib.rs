//! The SQL dialect of both surfaces, PostgreSQL's, parsed in bounded time.
//!
//! The parser tries one reading, goes back and tries the next. An argument of a function is read as the name of a named
//! argument first; a word such as CAST that does not work out is read again as the name of a function. What stands inside is
//! then read twice, and what stands inside of that four times: thirty calls within each other took longer than anybody
//! waits, although they are neither long nor deep.
//!
//! [`Bounded`] does not take names of arguments that are expressions, so that what is right is read once, and it counts the
//! expressions that are begun. Past [`MAX_EXPRESSIONS`] each attempt ends at once, and the text is refused like one that is
//! nested too deeply.

mod expansion;

use std::any::TypeId;
use std::cell::Cell;

use datafusion_sql::sqlparser::ast::Expr;
use datafusion_sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};

pub use expansion::{MAX_TABLES, tables_read};

/// The most expressions that the parser may begin for one text, those included that it takes back. One of 64 KB that is
/// right begins fewer than it has bytes.
pub const MAX_EXPRESSIONS: u32 = 200_000;

/// PostgreSQL's dialect for parsing one text.
#[derive(Debug, Default)]
pub struct Bounded {
    like: PostgreSqlDialect,
    begun: Cell<u32>,
}

impl Bounded {
    /// A dialect that has begun no expression.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Dialect for Bounded {
    fn dialect(&self) -> TypeId {
        self.like.dialect()
    }

    fn parse_prefix(&self, _parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let begun = self.begun.get().saturating_add(1);
        self.begun.set(begun);
        (begun > MAX_EXPRESSIONS).then_some(Err(ParserError::RecursionLimitExceeded))
    }

    // What follows is PostgreSQL's, but for names of arguments that are expressions.

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.like.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.like.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.like.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.like.is_identifier_part(ch)
    }

    fn supports_unicode_string_literal(&self) -> bool {
        self.like.supports_unicode_string_literal()
    }

    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        self.like.is_reserved_for_identifier(kw)
    }

    // There are no operators but those that the parser knows; with names for others, `>-1` would be one.
    fn is_custom_operator_part(&self, _: char) -> bool {
        false
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        self.like.get_next_precedence(parser)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        self.like.supports_filter_during_aggregation()
    }

    fn supports_group_by_expr(&self) -> bool {
        self.like.supports_group_by_expr()
    }

    fn prec_value(&self, prec: Precedence) -> u8 {
        self.like.prec_value(prec)
    }

    fn allow_extract_custom(&self) -> bool {
        self.like.allow_extract_custom()
    }

    fn allow_extract_single_quotes(&self) -> bool {
        self.like.allow_extract_single_quotes()
    }

    fn supports_create_index_with_clause(&self) -> bool {
        self.like.supports_create_index_with_clause()
    }

    fn supports_explain_with_utility_options(&self) -> bool {
        self.like.supports_explain_with_utility_options()
    }

    fn supports_listen_notify(&self) -> bool {
        self.like.supports_listen_notify()
    }

    fn supports_factorial_operator(&self) -> bool {
        self.like.supports_factorial_operator()
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        self.like.supports_bitwise_shift_operators()
    }

    fn supports_comment_on(&self) -> bool {
        self.like.supports_comment_on()
    }

    fn supports_load_extension(&self) -> bool {
        self.like.supports_load_extension()
    }

    fn supports_named_fn_args_with_colon_operator(&self) -> bool {
        self.like.supports_named_fn_args_with_colon_operator()
    }

    fn supports_empty_projections(&self) -> bool {
        self.like.supports_empty_projections()
    }

    fn supports_nested_comments(&self) -> bool {
        self.like.supports_nested_comments()
    }

    fn supports_string_escape_constant(&self) -> bool {
        self.like.supports_string_escape_constant()
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        self.like.supports_numeric_literal_underscores()
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        self.like.supports_array_typedef_with_brackets()
    }

    fn supports_geometric_types(&self) -> bool {
        self.like.supports_geometric_types()
    }

    fn supports_set_names(&self) -> bool {
        self.like.supports_set_names()
    }

    fn supports_alter_column_type_using(&self) -> bool {
        self.like.supports_alter_column_type_using()
    }

    fn supports_notnull_operator(&self) -> bool {
        self.like.supports_notnull_operator()
    }

    fn supports_interval_options(&self) -> bool {
        self.like.supports_interval_options()
    }

    fn supports_insert_table_alias(&self) -> bool {
        self.like.supports_insert_table_alias()
    }

    fn supports_create_table_like_parenthesized(&self) -> bool {
        self.like.supports_create_table_like_parenthesized()
    }

    fn supports_select_wildcard_with_alias(&self) -> bool {
        self.like.supports_select_wildcard_with_alias()
    }

    fn supports_comma_separated_trim(&self) -> bool {
        self.like.supports_comma_separated_trim()
    }

    fn supports_xml_expressions(&self) -> bool {
        self.like.supports_xml_expressions()
    }

    fn supports_comment_optimizer_hint(&self) -> bool {
        self.like.supports_comment_optimizer_hint()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::time::{Duration, Instant};

    use super::*;

    fn parse(sql: &str, dialect: &dyn Dialect) -> Result<String, ParserError> {
        let parser = Parser::new(dialect).with_recursion_limit(200);
        let statements = parser.try_with_sql(sql)?.parse_statements()?;
        Ok(format!("{statements:?}"))
    }

    #[test]
    fn what_is_right_is_read_as_before() {
        for sql in [
            "SELECT a, COUNT(*) FILTER (WHERE b) FROM t GROUP BY ROLLUP (a) HAVING COUNT(*) > 1 ORDER BY 2 DESC LIMIT 3",
            "SELECT EXTRACT(hour FROM t), SUBSTRING(x FROM 1 FOR 2), TRIM(BOTH ' ' FROM x), POSITION('a' IN x) FROM t",
            "SELECT CAST(a AS DOUBLE PRECISION), a::text, DATE '2026-01-31', INTERVAL '1 month' FROM t",
            "SELECT ceil(x), floor(x), position, interval FROM t",
            "SELECT OVERLAY(x PLACING 'a' FROM 2), CASE WHEN a THEN 1 ELSE 2 END, ARRAY[1, 2] FROM t",
            "SELECT x FROM t WHERE a !~* 'b' AND c IS NOT DISTINCT FROM d AND e ~ 'f' OR U&'\\0041' = g",
            "WITH x AS (SELECT 1) SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM x JOIN y USING (z)",
            "SELECT 2 ^ 3, a || b, \"Quoted\", 字段 FROM s.t AS u, LATERAL (SELECT 1) v",
            "SELECT E'a\\n', 1_000, a['x'], @ -1, 5 !, 1 << 2 FROM t",
        ] {
            assert_eq!(
                parse(sql, &Bounded::new()).ok(),
                parse(sql, &PostgreSqlDialect {}).ok(),
                "{sql}"
            );
        }
        // Thirty calls within each other are one expression each.
        let calls = format!("SELECT {}x{} FROM t", "abs(".repeat(30), ")".repeat(30));
        let dialect = Bounded::new();
        parse(&calls, &dialect).unwrap();
        assert!(dialect.begun.get() < 100, "{}", dialect.begun.get());
    }

    #[test]
    fn what_is_wrong_is_read_in_bounded_time() {
        let nested = |before: &str, middle: &str, after: &str| {
            format!("SELECT {}{middle}{} FROM t", before.repeat(40), after.repeat(40))
        };
        for sql in [
            nested("CAST(", "* WHEN", " AS BIGINT)"),
            nested("CASE WHEN ", "1 +", " THEN 1 END"),
            nested("a.f(", "1 +", ")"),
            nested("position(", "1, +", ")"),
            nested("extract(", "+", ")"),
            nested("coalesce(1, CAST(", ")", " AS INT))"),
            nested("floor(", "/", ")"),
            nested("overlay(", ",", ")"),
            nested("trim(", "+", ")"),
            nested("NOT ", "NOT", ""),
            nested("x IN (", "", ")"),
            nested("x IN (SELECT ", "", ")"),
            nested("ARRAY[", "+", "]"),
            nested("INTERVAL (", "+", ")"),
            nested("convert(", "+", ")"),
            nested("(", "1 +", ")"),
            format!("SELECT 1 FROM {}t{}", "(".repeat(40), " JOIN".repeat(40)),
        ] {
            let (begun, dialect) = (Instant::now(), Bounded::new());
            let read = parse(&sql, &dialect);
            assert!(read.is_err() || dialect.begun.get() < 1_000, "{sql}");
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?}: {sql}",
                begun.elapsed()
            );
        }
    }
}
