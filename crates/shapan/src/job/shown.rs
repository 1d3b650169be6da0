//! What `shapan job try` tells at a terminal.

use std::fmt::Write as _;

use model::Language;
use sandbox_job::{Answer, JobError, Rehearsal};
use sandbox_plan::{Refusal, Span};
use serde_json::Value;

use super::rows::Size;
use crate::failure::Failure;

/// The last line.
pub(super) const MARK: &str = "模拟数据 DUMMY DATA: these figures are of made-up rows and say nothing about the dataset. Nothing was charged.";
/// Rows of an answer that are printed.
const ROWS: usize = 200;
/// Cores that a portal is taken to have for one job.
const CORES: u32 = 2;

/// A refusal with its place in the query; any other failure in its own words.
pub(super) fn refused(error: JobError, sql: &str, language: Language) -> Failure {
    let JobError::Refused(refusal) = error else {
        return error.into();
    };
    let Refusal { rule, span, detail } = *refusal;
    let mut text = format!("the query is refused: {rule}\n");
    if let Some(span) = span {
        text.push_str(&excerpt(sql, span));
    }
    text.push_str(rule.message(language));
    if let Some(detail) = detail {
        let _ = write!(text, " {detail}");
    }
    let _ = write!(text, "\n{}", rule.hint(language));
    Failure::new(text)
}

/// The line on which a place begins, with carets below it.
fn excerpt(sql: &str, span: Span) -> String {
    let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let Some(line) = sql.split('\n').nth(place(span.line).saturating_sub(1)) else {
        return String::new();
    };
    let line = line.trim_end_matches('\r');
    let before = place(span.column).saturating_sub(1);
    let length = line.chars().count();
    let end = if span.end_line > span.line {
        length
    } else {
        place(span.end_column).min(length)
    };
    let wide: usize = line
        .chars()
        .skip(before)
        .take(end.saturating_sub(before))
        .map(width)
        .sum();
    let indent: usize = line.chars().take(before).map(width).sum();
    let number = span.line;
    let margin = " ".repeat(number.to_string().len());
    let line = line.replace('\t', " ");
    format!(
        "{number} | {line}\n{margin} | {}{}\n",
        " ".repeat(indent),
        "^".repeat(wide.max(1))
    )
}

/// Columns of a terminal that a character takes: two for those that East Asian fonts draw wide (UAX 11, by blocks).
const fn width(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// That it is accepted, what it costs and how exact it would be.
pub(super) fn verdict(rehearsal: &Rehearsal, size: Size) -> String {
    let cost = rehearsal.cost();
    let mut text = format!(
        "accepted: ε = {} (ρ = {:.6}, δ = {:e})\n",
        cost.epsilon,
        cost.rho(),
        delta(cost.delta_atto),
    );
    for part in &rehearsal.private_plan().parts {
        let (cells, groups) = (part.core.cells, part.core.groups_per_unit);
        let _ = writeln!(text, "{cells} cells at most, a unit counts in at most {groups}");
    }
    let due = rehearsal.due_in(CORES);
    let _ = writeln!(
        text,
        "released {} s after the charge, on {CORES} cores",
        due.as_secs().max(1)
    );
    for error in rehearsal.expected_error() {
        let _ = write!(
            text,
            "{}: ± {}{} in 95 of 100 cases (noise {})",
            error.column,
            number(error.half_width95),
            if error.in_ranks { " rows in rank" } else { "" },
            number(error.standard_deviation)
        );
        let _ = match error.at_rows {
            Some(rows) if error.even_values => writeln!(
                text,
                ", for a cell of {rows} rows with values spread evenly over their bounds"
            ),
            Some(rows) => writeln!(text, ", for a cell of {rows} rows"),
            None => writeln!(text, " in every cell"),
        };
    }
    let _ = write!(
        text,
        "\n{} dummy rows a table at most, seed {}: value [95 % interval]",
        size.rows, size.seed
    );
    text
}

fn delta(atto: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let atto = atto as f64;
    atto * 1e-18
}

/// The answer as a table.
pub(super) fn table(answer: &Answer) -> String {
    let mut lines = vec![
        answer
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect::<Vec<_>>(),
    ];
    for row in answer.rows.iter().take(ROWS) {
        let cells = row.values.iter().zip(&row.interval95).map(|(value, interval)| {
            let value = cell(value);
            match interval {
                Some([low, high]) => format!("{value} [{}, {}]", number(*low), number(*high)),
                None => value,
            }
        });
        lines.push(cells.collect());
    }
    let wide = |text: &str| text.chars().map(width).sum::<usize>();
    let mut widths = vec![0; answer.columns.len()];
    for line in &lines {
        for (most, cell) in widths.iter_mut().zip(line) {
            *most = wide(cell).max(*most);
        }
    }
    let mut text = String::new();
    for line in &lines {
        for (at, (cell, most)) in line.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            let _ = write!(text, "{gap}{cell}{}", " ".repeat(most - wide(cell)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    match answer.rows.len().saturating_sub(ROWS) {
        0 => {}
        more => {
            let _ = writeln!(text, "… and {more} more rows");
        }
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        // Control characters would steer the terminal.
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
        Value::Number(n) if n.is_f64() => number(n.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    }
}

/// A number with about four digits behind what matters.
fn number(x: f64) -> String {
    match x.abs() {
        size if size >= 1_000.0 || x.fract() == 0.0 => format!("{x:.0}"),
        size if size >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_the_place() {
        let sql = "SELECT 区, MIN(x)\nFROM t";
        let span = Span {
            line: 1,
            column: 11,
            end_line: 1,
            end_column: 16,
        };
        // 区 takes two columns.
        assert_eq!(
            excerpt(sql, span),
            "1 | SELECT 区, MIN(x)\n  |            ^^^^^^\n"
        );
        let over = Span {
            line: 1,
            column: 8,
            end_line: 2,
            end_column: 3,
        };
        assert_eq!(
            excerpt(sql, over),
            "1 | SELECT 区, MIN(x)\n  |        ^^^^^^^^^^\n"
        );
        assert_eq!(excerpt(sql, Span::at(9, 1)), "");
    }
}
