//! What functions give: PostgreSQL's documented results where it has the function, and hostile arguments.
//!
//! Each table is a list of expressions and what they show. Dates and times are shown through a cast to text.

use super::function::{compile, constant};

mod choice;
mod number;
mod pattern;
mod text;
mod time;

/// Numbers in the tables: the extremes of integers, and a text longer than any result may be.
pub(super) const MOST: &str = "9223372036854775807";
pub(super) const LEAST: &str = "(-9223372036854775807 - 1)";

/// A constant of so many Chinese characters of three bytes.
pub(super) fn long(characters: usize) -> String {
    format!("'{}'", "长".repeat(characters))
}

/// Holds a table to what the evaluator gives.
pub(super) fn hold<S: AsRef<str>>(table: &[(S, &str)]) {
    let mut wrong = vec![];
    for (sql, wanted) in table {
        let sql = sql.as_ref();
        let got = constant(sql);
        if got != *wanted {
            let short: String = sql.chars().take(90).collect();
            let got: String = got.chars().take(90).collect();
            wrong.push(format!("{short}\n  wanted {wanted}\n  got    {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Holds a list of expressions to being refused by one rule.
pub(super) fn refused(rule: &str, list: &[&str]) {
    for sql in list {
        match compile(sql) {
            Err(refusal) => assert!(refusal.contains(rule), "{sql}: wanted {rule}, got {refusal}"),
            Ok((expr, _)) => panic!("{sql} became {expr:?}"),
        }
    }
}
