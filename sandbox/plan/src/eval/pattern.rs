//! Patterns: LIKE, and regular expressions as automata.
//!
//! A regular expression is compiled whole into a deterministic automaton, within limits of size, so that a search takes
//! the same short time for every byte whatever the expression and the text; what does not compile within them is
//! refused before the charge. There is no backtracking, and so no expression that is slow on some rows only. Matches
//! are leftmost-first, `.` matches line breaks too (as in PostgreSQL), classes such as `\d` are Unicode's.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use regex_automata::dfa::dense;
use regex_automata::dfa::regex::Regex;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;

use super::text::{count, place, short};
use super::vector::{Rows, texts};
use super::{EvalError, Evaluated, Vector};
use crate::scalar::{Function, MAX_TEXT};

/// The largest automaton, in bytes, each for the search forward and the one backward.
const MAX_AUTOMATON: usize = 2 << 20;

/// The largest intermediate automaton, in bytes.
const MAX_INTERMEDIATE: usize = 256 << 10;

/// The deepest nesting of an expression.
const MAX_NESTING: u32 = 32;

/// The most matches that are counted or replaced in one text; more give NULL. Each search may read the rest of the
/// text, so this bounds the work.
const MAX_MATCHES: usize = 256;

/// The most regular expressions of a query: each costs time and memory to compile. A thread keeps so many.
const MAX_EXPRESSIONS: usize = 8;

thread_local! {
    /// The expressions of the running job, the latest last. A thread serves one job or one planning.
    static COMPILED: RefCell<Vec<(String, Rc<Regex>)>> = const { RefCell::new(Vec::new()) };
}

/// Compiles an expression while planning (every query is planned on a thread of its own).
///
/// # Errors
/// If there are too many; if it is not well formed, needs what automata have not (groups referred to, looking around, Unicode word
/// boundaries), or becomes too large; the text says which.
pub(crate) fn compiles(pattern: &str) -> Result<(), String> {
    let more = COMPILED
        .with_borrow(|kept| kept.len() >= MAX_EXPRESSIONS && kept.iter().all(|(of, _)| of != pattern));
    if more {
        return Err(format!("more than {MAX_EXPRESSIONS} regular expressions"));
    }
    compiled(pattern).map(|_| ())
}

fn compiled(pattern: &str) -> Result<Rc<Regex>, String> {
    COMPILED.with_borrow_mut(|kept| {
        if let Some((_, found)) = kept.iter().find(|(of, _)| of == pattern) {
            return Ok(Rc::clone(found));
        }
        let built = Regex::builder()
            .syntax(
                syntax::Config::new()
                    .dot_matches_new_line(true)
                    .nest_limit(MAX_NESTING),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(MAX_INTERMEDIATE)))
            .dense(
                dense::Config::new()
                    .dfa_size_limit(Some(MAX_AUTOMATON))
                    .determinize_size_limit(Some(MAX_AUTOMATON)),
            )
            .build(pattern)
            .map_err(|e| reason(&e))?;
        let built = Rc::new(built);
        if kept.len() == MAX_EXPRESSIONS {
            kept.remove(0);
        }
        kept.push((pattern.to_owned(), Rc::clone(&built)));
        Ok(built)
    })
}

/// The innermost cause of a failure, cut to a line or two.
fn reason(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().take(300).collect()
}

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let out = Rows::of(args, rows);
    let [first, pattern, more @ ..] = args else {
        return Err(EvalError);
    };
    let x = texts(first)?;
    let regex = match texts(pattern)?.get(0) {
        Some(written) if pattern.scalar => compiled(written).map_err(|_| EvalError)?,
        _ => return Err(EvalError),
    };
    Ok(match function {
        Function::RegexpLike => out.booleans(|row| Some(regex.is_match(short(x.get(row)?)?))),
        Function::RegexpCount => out.integers(|row| {
            let matches = regex.find_iter(short(x.get(row)?)?).take(MAX_MATCHES + 1).count();
            count(matches).filter(|_| matches <= MAX_MATCHES)
        }),
        Function::RegexpPosition => out.integers(|row| {
            let text = short(x.get(row)?)?;
            match regex.find(text) {
                Some(found) => place(text, found.start()),
                None => Some(0),
            }
        }),
        Function::RegexpSubstring => out.texts(|row| {
            let text = short(x.get(row)?)?;
            regex.find(text).map(|found| &text[found.range()])
        }),
        Function::RegexpReplace | Function::RegexpReplaceAll => {
            let put = texts(more.first().ok_or(EvalError)?)?;
            let most = if function == Function::RegexpReplace {
                1
            } else {
                MAX_MATCHES
            };
            let all = function == Function::RegexpReplaceAll;
            out.texts(|row| replace(&regex, short(x.get(row)?)?, put.get(row)?, most, all))
        }
        _ => return Err(EvalError),
    })
}

/// Replaces the first matches; NULL if all were to be and there are more.
fn replace(regex: &Regex, text: &str, put: &str, most: usize, all: bool) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (n, found) in regex.find_iter(text).enumerate() {
        if n == most {
            if all {
                return None;
            }
            break;
        }
        result.push_str(&text[at..found.start()]);
        result.push_str(put);
        at = found.end();
        if result.len() > MAX_TEXT {
            return None;
        }
    }
    result.push_str(&text[at..]);
    Some(result)
}

enum Piece {
    Any,
    One,
    Char(char),
}

/// LIKE, by the greedy walk with one point of return: at most text × pattern steps, the pattern being capped.
pub(super) fn like(x: &Vector, pattern: &str, escape: Option<char>, any_case: bool) -> Evaluated<Vector> {
    let folded = if any_case {
        pattern.to_lowercase()
    } else {
        pattern.to_owned()
    };
    let mut pieces = Vec::new();
    let mut chars = folded.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            c if Some(c) == escape => Piece::Char(chars.next().unwrap_or(c)),
            '%' => Piece::Any,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    let values = texts(x)?;
    Ok(Rows::like(x).booleans(|row| {
        let text = values.get(row)?;
        if any_case {
            Some(matches(&short(text)?.to_lowercase(), &pieces))
        } else {
            Some(matches(text, &pieces))
        }
    }))
}

fn matches(text: &str, pieces: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        let Some(c) = text[at..].chars().next() else {
            return false;
        };
        let step = match pieces.get(piece) {
            Some(Piece::Any) => {
                back = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Char(wanted)) => *wanted == c,
            None => false,
        };
        if step {
            at += c.len_utf8();
            piece += 1;
        } else if let Some((from, any)) = back {
            let skipped = text[from..].chars().next().map_or(1, char::len_utf8);
            at = from + skipped;
            back = Some((at, any));
            piece = any + 1;
        } else {
            return false;
        }
    }
    pieces[piece..].iter().all(|p| matches!(p, Piece::Any))
}
