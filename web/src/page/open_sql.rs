//! SQL over open data.

use askama::Template;

use super::shell::Shell;
use super::table::DataTable;
use crate::problem::Span;

/// A table that can be asked.
#[derive(Debug, Clone)]
pub struct SqlTable {
    /// Its SQL name.
    pub name: String,
    /// The dataset's slug.
    pub slug: String,
    /// The dataset's title in the page's language.
    pub title: String,
    /// Columns with their types, such as `station text`.
    pub columns: Vec<String>,
}

/// The limits that are enforced, as configured.
#[derive(Debug, Clone, Copy)]
pub struct SqlLimits {
    /// Seconds a query may take.
    pub seconds: u64,
    /// Rows a result may have.
    pub rows: u64,
    /// Memory a query may use.
    pub memory_bytes: u64,
}

/// What became of the query.
#[derive(Debug, Clone)]
pub enum SqlOutcome {
    /// Nothing was asked yet.
    None,
    /// A result.
    Rows {
        /// Its rows.
        table: DataTable,
        /// How long it took.
        milliseconds: u64,
        /// Whether the row limit cut it off.
        truncated: bool,
    },
    /// An error.
    Failed(SqlFailure),
}

/// Why a query was not answered.
#[derive(Debug, Clone)]
pub struct SqlFailure {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to do, in the page's language.
    pub hint: String,
    /// The rule that was broken (sandbox refusals only).
    pub rule: Option<String>,
}

impl SqlFailure {
    /// The line of `sql` that the failure points at, and the marker to stand under it.
    pub fn excerpt(&self, sql: &str) -> Option<(String, String)> {
        let span = self.span?;
        let line = sql
            .lines()
            .nth(usize::try_from(span.line.checked_sub(1)?).ok()?)?;
        let column = usize::try_from(span.column.max(1) - 1).ok()?;
        let end = if span.end_line == span.line {
            span.end_column
        } else {
            span.column + 1
        };
        let width = usize::try_from(end.saturating_sub(span.column).max(1)).ok()?;
        let wide = |c: char| if is_wide(c) { "\u{3000}" } else { " " };
        // The fault comes into view on a small screen too.
        let cut = if column > MAX_LEAD {
            column - MAX_LEAD / 2
        } else {
            0
        };
        let mut shown = String::new();
        if cut > 0 {
            shown.push('…');
        }
        shown.extend(line.chars().skip(cut).take(MAX_EXCERPT));
        let column = if cut > 0 { column - cut + 1 } else { column };
        let mut marker: String = shown.chars().take(column).map(wide).collect();
        marker.extend(
            shown
                .chars()
                .skip(column)
                .take(width)
                .map(|c| if is_wide(c) { "＾" } else { "^" }),
        );
        if !marker.contains(['^', '＾']) {
            marker.push('^');
        }
        Some((shown, marker))
    }
}

/// The most characters of a line that are shown with an error.
const MAX_EXCERPT: usize = 240;
/// The most characters before the fault.
const MAX_LEAD: usize = 40;

/// Whether a character takes two cells in a fixed-width font (the CJK blocks of Unicode).
const fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{20000}'..='\u{3FFFD}')
}

/// `GET /sql?sql=` (fills the editor, runs nothing) and `POST /sql` with `sql`.
#[derive(Debug, Clone, Template)]
#[template(path = "open_sql.html")]
pub struct OpenSqlPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The text of the query.
    pub sql: String,
    /// What became of it.
    pub outcome: SqlOutcome,
    /// The tables there are.
    pub tables: Vec<SqlTable>,
    /// The limits that are enforced.
    pub limits: SqlLimits,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn failure(line: u32, column: u32, end_column: u32) -> SqlFailure {
        SqlFailure {
            message: String::new(),
            span: Some(Span {
                line,
                column,
                end_line: line,
                end_column,
            }),
            hint: String::new(),
            rule: None,
        }
    }

    #[test]
    fn the_marker_stands_under_the_fault() {
        let (line, marker) = failure(2, 7, 11).excerpt("SELECT 1\nFROM \tabcd").unwrap();
        assert_eq!(line, "FROM \tabcd");
        assert_eq!(marker, "      ^^^^");
        let (_, marker) = failure(1, 3, 4).excerpt("区a b").unwrap();
        assert_eq!(marker, "\u{3000} ^");
    }

    #[test]
    fn a_long_line_is_shown_from_shortly_before_its_fault() {
        let sql = format!("SELECT {} nope FROM t", "a, ".repeat(50));
        let (line, marker) = failure(1, 159, 163).excerpt(&sql).unwrap();
        assert!(line.starts_with('…') && line.chars().count() < 40, "{line}");
        let at = marker.chars().count() - 4;
        assert_eq!(
            line.chars().skip(at).take(4).collect::<String>(),
            "nope",
            "{line}\n{marker}"
        );
    }

    #[test]
    fn a_place_outside_the_text_shows_nothing() {
        assert!(failure(9, 1, 2).excerpt("SELECT").is_none());
        assert!(failure(0, 1, 2).excerpt("SELECT").is_none());
        assert!(failure(1, 0, 0).excerpt("SELECT").is_some());
        assert!(
            failure(1, u32::MAX, u32::MAX)
                .excerpt("SELECT")
                .unwrap()
                .1
                .ends_with('^')
        );
    }
}
