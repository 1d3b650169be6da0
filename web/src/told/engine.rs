//! What the query engine says of a text, which it says in English only, as people read it: in their own language, with the
//! place and with what to do. What is not understood here is passed on in the engine's own words.

use i18n::Message;
use query::{QueryError, Refused};

use super::say;
use crate::problem::Span;

/// What the engine has against a text or a value.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    /// Something else should stand here; nothing is found at the text's end.
    Expected { wanted: &'a str, found: Option<&'a str> },
    /// Something begins that does not end.
    Unclosed(Unclosed),
    /// There is no such function.
    NoFunction(&'a str),
    /// A function has no form for these arguments.
    Arguments(&'a str),
    /// A column is neither grouped by nor aggregated.
    NotGrouped(&'a str),
    /// A column's name stands in several tables.
    Ambiguous(&'a str),
    /// Values whose types do not go together.
    Types,
    /// An aggregate in WHERE.
    Filter,
    /// A UNION of unlike queries.
    Union,
    /// There is no statement, or more than one.
    Statements(usize),
    /// It is nested too deeply.
    Deep,
    /// A division by zero.
    Zero,
    /// A text that is no value of a type.
    Cast { text: &'a str, kind: &'a str },
    /// A number that its type does not hold.
    Overflow,
    /// Anything else.
    Other,
}

/// What can be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unclosed {
    Text,
    Name,
    Comment,
}

/// What stands before the engine's own sentence.
const LEADS: [&str; 8] = [
    "SQL error: ",
    "Error during planning: ",
    "Schema error: ",
    "This feature is not implemented: ",
    "Arrow error: ",
    "Execution error: ",
    "sql parser error: ",
    "type_coercion: ",
];

/// The engine's sentence without what leads it, and the place that it names.
fn sentence(reason: &str) -> (String, Option<(usize, usize)>) {
    let mut text = reason;
    while let Some(rest) = LEADS.iter().find_map(|lead| text.strip_prefix(lead)) {
        text = rest;
    }
    // The parser's errors are shown as Rust writes them.
    let quoted = ["ParserError(\"", "TokenizerError(\""]
        .iter()
        .find_map(|lead| text.strip_prefix(lead)?.strip_suffix("\")"));
    let text = match quoted {
        Some(quoted) => quoted
            .replace("\\\"", "\"")
            .replace("\\'", "'")
            .replace("\\\\", "\\"),
        None => text.to_owned(),
    };
    let Some((said, place)) = text.rsplit_once(" at Line: ") else {
        return (text, None);
    };
    let numbers = place.split_once(", Column: ").and_then(|(line, column)| {
        let digits = column.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((line.parse().ok()?, digits.parse().ok()?))
    });
    (said.to_owned(), numbers)
}

fn understood(said: &str) -> Said<'_> {
    let after = |lead: &str| said.split_once(lead).map(|(_, rest)| rest);
    if let Some((wanted, found)) = after("Expected: ")
        .or_else(|| after("Expected "))
        .and_then(|rest| rest.split_once(", found: "))
    {
        let found = Some(found.trim()).filter(|found| *found != "EOF");
        return Said::Expected { wanted, found };
    }
    if said.starts_with("Unterminated") {
        return Said::Unclosed(Unclosed::Text);
    }
    if said.starts_with("Expected close delimiter") {
        return Said::Unclosed(Unclosed::Name);
    }
    if said.starts_with("Unexpected EOF while in a multi-line comment") {
        return Said::Unclosed(Unclosed::Comment);
    }
    if let Some(rest) = after("Invalid function '") {
        return Said::NoFunction(until(rest, '\''));
    }
    for lead in [
        "No function matches the given name and argument types '",
        "Failed to coerce arguments to satisfy a call to '",
        "The function '",
        "Function '",
    ] {
        if let Some(rest) = after(lead) {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            return Said::Arguments(&rest[..end]);
        }
    }
    let grouping = ["must appear in the GROUP BY clause", "must be in GROUP BY"];
    if grouping.iter().any(|words| said.contains(words))
        && let Some(rest) = after("column \"").or_else(|| after("Column \""))
    {
        let name = until(rest, '"');
        return Said::NotGrouped(name.rsplit('.').next().unwrap_or(name));
    }
    if let Some(rest) = after("Ambiguous reference to unqualified field ") {
        return Said::Ambiguous(rest.trim_matches('"'));
    }
    match said {
        "there is more than one statement" => return Said::Statements(2),
        "there is no statement" => return Said::Statements(0),
        _ => {}
    }
    if said.contains("RecursionLimitExceeded") || said.contains("recursion limit") {
        return Said::Deep;
    }
    if [
        "Cannot coerce arithmetic",
        "Cannot infer common argument type",
        "Cannot get result type",
    ]
    .iter()
    .any(|words| said.contains(words))
    {
        return Said::Types;
    }
    if said.contains("Aggregate functions are not allowed in the WHERE") {
        return Said::Filter;
    }
    if said.contains("queries have different number of columns") {
        return Said::Union;
    }
    if said.contains("Divide by zero") {
        return Said::Zero;
    }
    if let Some((text, kind)) =
        after("Cannot cast string '").and_then(|rest| rest.split_once("' to value of "))
    {
        let kind = kind.split(' ').next().unwrap_or(kind);
        return Said::Cast { text, kind };
    }
    if said.contains("Overflow") || said.contains("overflow") {
        return Said::Overflow;
    }
    Said::Other
}

/// What stands before a mark.
fn until(text: &str, mark: char) -> &str {
    text.split(mark).next().unwrap_or(text)
}

/// What is said of a text that cannot be read, planned or computed.
pub(super) fn told(reason: &str, otherwise: &'static str) -> Message {
    let (said, _) = sentence(reason);
    match understood(&said) {
        Said::Expected {
            wanted: "end of statement",
            found: Some(found),
        } => say("why-sql-surplus").with("found", found),
        Said::Expected {
            wanted,
            found: Some(found),
        } => say("why-sql-expected")
            .with("wanted", wish(wanted))
            .with("found", found),
        Said::Expected { wanted, found: None } => say("why-sql-breaks-off").with("wanted", wish(wanted)),
        Said::Unclosed(Unclosed::Text) => say("why-sql-open-text"),
        Said::Unclosed(Unclosed::Name) => say("why-sql-open-name"),
        Said::Unclosed(Unclosed::Comment) => say("why-sql-open-comment"),
        Said::NoFunction(name) => say("why-sql-function").with("name", name),
        Said::Arguments(name) => say("why-sql-arguments").with("name", name),
        Said::NotGrouped(name) => say("why-sql-not-grouped").with("name", name),
        Said::Ambiguous(name) => say("why-sql-ambiguous").with("name", name),
        Said::Types => say("why-sql-types"),
        Said::Filter => say("why-sql-filter"),
        Said::Union => say("why-sql-union"),
        Said::Statements(0) => say("why-sql-empty"),
        Said::Statements(_) => say("why-sql-one"),
        Said::Deep => say("why-sql-deep"),
        Said::Zero => say("why-sql-zero"),
        Said::Cast { text, kind } => say(match kind {
            kind if kind.starts_with("Int") || kind.starts_with("UInt") => "why-sql-cast-integer",
            kind if kind.starts_with("Date") => "why-sql-cast-date",
            kind if kind.starts_with("Time") => "why-sql-cast-time",
            _ => "why-sql-cast-number",
        })
        .with("text", text),
        Said::Overflow => say("why-sql-overflow"),
        Said::Other => Message::new(otherwise).with("reason", reason),
    }
}

/// What the parser waits for. It has many words for what is wanted; most are symbols and key words, which are shown as
/// they are.
fn wish(wanted: &str) -> Message {
    say(match wanted {
        "an expression" => "why-wish-expression",
        "an SQL statement" | "SELECT, VALUES, or a subquery in the query body" | "a QUERY statement" => {
            "why-wish-query"
        }
        "identifier"
        | "an identifier after AS"
        | "wildcard or identifier"
        | "an identifier or a '*' after '.'" => "why-wish-name",
        "a data type name" => "why-wish-type",
        "string literal" | "literal string" | "a string" => "why-wish-text",
        "literal number" | "literal int" | "number" | "a value" => "why-wish-number",
        "end of statement" => "why-wish-end",
        other => return say("why-wish-symbol").with("symbol", other),
    })
}

/// What to do, where more can be said than “look at the place”.
pub(crate) fn hint(error: &QueryError) -> Option<Message> {
    let reason = match error {
        QueryError::UnknownTable(_) => return Some(say("why-sql-table-hint")),
        QueryError::UnknownColumn { .. } => return Some(say("why-sql-column-hint")),
        QueryError::Refused(Refused::Statement(_) | Refused::NoQuery) => {
            return Some(say("why-sql-one-hint"));
        }
        QueryError::Invalid(reason) | QueryError::Value(reason) => reason,
        _ => return None,
    };
    let (said, _) = sentence(reason);
    Some(say(match understood(&said) {
        Said::Expected {
            wanted: "end of statement",
            ..
        } => "why-sql-surplus-hint",
        Said::Expected { found: None, .. } => "why-sql-breaks-off-hint",
        Said::Expected { .. } => "why-sql-expected-hint",
        Said::Unclosed(_) => "why-sql-open-hint",
        Said::NoFunction(_) => "why-sql-function-hint",
        Said::Arguments(_) => "why-sql-arguments-hint",
        Said::NotGrouped(_) => "why-sql-not-grouped-hint",
        Said::Ambiguous(_) => "why-sql-ambiguous-hint",
        Said::Types => "why-sql-types-hint",
        Said::Filter => "why-sql-filter-hint",
        Said::Union => "why-sql-union-hint",
        Said::Statements(_) => "why-sql-one-hint",
        Said::Deep => "why-sql-deep-hint",
        Said::Zero => "why-sql-zero-hint",
        Said::Cast { .. } => "why-sql-cast-hint",
        Said::Overflow => "why-sql-overflow-hint",
        Said::Other => "why-sql-other-hint",
    }))
}

/// Where in a text its fault is: where the parser says, or where the name stands that is wrong.
pub(crate) fn place(error: &QueryError, text: &str) -> Option<Span> {
    let name = match error {
        QueryError::UnknownTable(name) | QueryError::UnknownColumn { name, .. } => return find(text, name),
        QueryError::Invalid(reason) => reason,
        _ => return None,
    };
    let (said, numbers) = sentence(name);
    let (width, line, column) = match (understood(&said), numbers) {
        (Said::Expected { found: None, .. }, _) => {
            let end = text.trim_end();
            let last = end.rsplit('\n').next().unwrap_or_default();
            (1, end.lines().count().max(1), last.chars().count() + 1)
        }
        (
            Said::Expected {
                found: Some(found), ..
            },
            Some((line, column)),
        ) => {
            // The parser has sometimes looked one word further than it says.
            let before: Vec<char> = text
                .lines()
                .nth(line.checked_sub(1)?)?
                .chars()
                .take((column + found.chars().count()).saturating_sub(1))
                .collect();
            let wanted: Vec<char> = found.chars().collect();
            let at = before
                .windows(wanted.len())
                .rposition(|piece| *piece == wanted[..]);
            (wanted.len(), line, at.map_or(column, |at| at + 1))
        }
        (
            Said::NoFunction(name) | Said::Arguments(name) | Said::NotGrouped(name) | Said::Ambiguous(name),
            _,
        ) => {
            return find(text, name);
        }
        (_, Some((line, column))) => (1, line, column),
        _ => return None,
    };
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(Span {
        line: number(line),
        column: number(column),
        end_line: number(line),
        end_column: number(column.saturating_add(width)),
    })
}

/// The first place where a name stands in SQL: not in a text or a comment.
fn find(sql: &str, name: &str) -> Option<Span> {
    let wanted = name.to_lowercase();
    let (mut line, mut column) = (1, 1);
    let mut rest = sql.chars().peekable();
    let step = |c: char, line: &mut u32, column: &mut u32| {
        if c == '\n' {
            (*line, *column) = (line.saturating_add(1), 1);
        } else {
            *column = column.saturating_add(1);
        }
    };
    while let Some(first) = rest.next() {
        let begin = (line, column);
        step(first, &mut line, &mut column);
        let mut word = String::new();
        match first {
            '\'' | '"' => {
                for c in rest.by_ref() {
                    step(c, &mut line, &mut column);
                    if c == first {
                        break;
                    }
                    word.push(c);
                }
                if first == '\'' {
                    continue;
                }
            }
            '-' if rest.peek() == Some(&'-') => {
                for c in rest.by_ref() {
                    step(c, &mut line, &mut column);
                    if c == '\n' {
                        break;
                    }
                }
                continue;
            }
            '/' if rest.peek() == Some(&'*') => {
                let mut before = ' ';
                for c in rest.by_ref() {
                    step(c, &mut line, &mut column);
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
                continue;
            }
            c if c.is_alphanumeric() || c == '_' => {
                word.push(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    step(c, &mut line, &mut column);
                    word.push(c);
                }
            }
            _ => continue,
        }
        if word.to_lowercase() == wanted && begin.0 == line {
            return Some(Span {
                line: begin.0,
                column: begin.1,
                end_line: line,
                end_column: column,
            });
        }
    }
    None
}
