//! Texts: measured, cut, compared and joined. Every result has at most [`MAX_TEXT`] bytes, else it is NULL; work is
//! linear in the row.

use super::vector::{Rows, Texts, integers, texts};
use super::{EvalError, Evaluated, Vector, rewrite};
use crate::scalar::{Function, MAX_TEXT};

pub(super) fn count(n: usize) -> Option<i64> {
    i64::try_from(n).ok()
}

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let out = Rows::of(args, rows);
    let arg = |at: usize| args.get(at).ok_or(EvalError);
    match function {
        Function::Concat => {
            let parts = args.iter().map(texts).collect::<Evaluated<Vec<_>>>()?;
            return Ok(out.texts(|row| concat(&parts, row)));
        }
        Function::ConcatWith => {
            let between = texts(arg(0)?)?;
            let parts = args[1..].iter().map(texts).collect::<Evaluated<Vec<_>>>()?;
            return Ok(out.texts(|row| concat_with(between.get(row)?, &parts, row)));
        }
        Function::Character => {
            let code = integers(arg(0)?)?;
            return Ok(out.texts(|row| character(code.get(row)?)));
        }
        Function::ToHex => {
            let x = integers(arg(0)?)?;
            return Ok(out.texts(|row| Some(format!("{:x}", x.get(row)?))));
        }
        _ => {}
    }
    let x = texts(arg(0)?)?;
    Ok(match function {
        Function::Length => out.integers(|row| count(x.get(row)?.chars().count())),
        Function::OctetLength => out.integers(|row| count(x.get(row)?.len())),
        Function::BitLength => out.integers(|row| count(x.get(row)?.len())?.checked_mul(8)),
        Function::CodePoint => {
            out.integers(|row| Some(x.get(row)?.chars().next().map_or(0, |c| i64::from(u32::from(c)))))
        }
        Function::Substring => {
            let start = integers(arg(1)?)?;
            let length = args.get(2).map(integers).transpose()?;
            out.texts(|row| {
                let length = match &length {
                    Some(length) => Some(length.get(row)?),
                    None => None,
                };
                substring(x.get(row)?, start.get(row)?, length)
            })
        }
        Function::Left | Function::Right => {
            let n = integers(arg(1)?)?;
            let left = function == Function::Left;
            out.texts(|row| Some(split(x.get(row)?, n.get(row)?, left)))
        }
        Function::SplitPart => {
            let (between, n) = (texts(arg(1)?)?, integers(arg(2)?)?);
            out.texts(|row| split_part(x.get(row)?, between.get(row)?, n.get(row)?))
        }
        Function::SplitUntil => {
            let (between, n) = (texts(arg(1)?)?, integers(arg(2)?)?);
            out.texts(|row| Some(split_until(x.get(row)?, between.get(row)?, n.get(row)?)))
        }
        Function::StartsWith => {
            let y = texts(arg(1)?)?;
            out.booleans(|row| Some(x.get(row)?.starts_with(y.get(row)?)))
        }
        Function::EndsWith => {
            let y = texts(arg(1)?)?;
            out.booleans(|row| Some(x.get(row)?.ends_with(y.get(row)?)))
        }
        Function::Contains => {
            let y = texts(arg(1)?)?;
            out.booleans(|row| Some(x.get(row)?.contains(y.get(row)?)))
        }
        Function::Position => {
            let y = texts(arg(1)?)?;
            out.integers(|row| {
                let text = x.get(row)?;
                match text.find(y.get(row)?) {
                    Some(at) => place(text, at),
                    None => Some(0),
                }
            })
        }
        Function::Levenshtein => {
            let y = texts(arg(1)?)?;
            out.integers(|row| levenshtein(x.get(row)?, y.get(row)?))
        }
        Function::IsChinese => out.booleans(|row| {
            let text = x.get(row)?;
            Some(!text.is_empty() && text.chars().all(is_chinese))
        }),
        Function::ContainsChinese => out.booleans(|row| Some(x.get(row)?.chars().any(is_chinese))),
        _ => return rewrite::call(function, args, out),
    })
}

/// Only texts that are short enough already are rewritten.
pub(super) fn short(text: &str) -> Option<&str> {
    (text.len() <= MAX_TEXT).then_some(text)
}

fn concat(parts: &[Texts<'_>], row: usize) -> Option<String> {
    let all = || parts.iter().filter_map(|part| part.get(row));
    (all().map(str::len).sum::<usize>() <= MAX_TEXT).then(|| all().collect())
}

/// SQL's SUBSTRING: positions count from 1 and may lie before the text; a negative length is NULL.
pub(super) fn substring(text: &str, start: i64, length: Option<i64>) -> Option<&str> {
    let end = match length {
        Some(length) if length < 0 => return None,
        Some(length) => start.saturating_add(length),
        None => i64::MAX,
    };
    let from = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    let to = usize::try_from(end.max(1) - 1).unwrap_or(usize::MAX);
    let begin = at_char(text, from);
    let finish = at_char(text, to.max(from));
    Some(&text[begin..finish])
}

/// The byte at which the n-th character begins, or the end.
pub(super) fn at_char(text: &str, n: usize) -> usize {
    if n >= text.len() {
        return text.len();
    }
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// LEFT and RIGHT.
fn split(text: &str, n: i64, left: bool) -> &str {
    let chars = text.chars().count();
    let magnitude = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = if n >= 0 {
        magnitude.min(chars)
    } else {
        chars.saturating_sub(magnitude)
    };
    if left {
        &text[..at_char(text, kept)]
    } else {
        &text[at_char(text, chars - kept)..]
    }
}

fn concat_with(between: &str, parts: &[Texts<'_>], row: usize) -> Option<String> {
    let all = || parts.iter().filter_map(|part| part.get(row));
    let bytes: usize = all().map(|part| part.len() + between.len()).sum();
    if bytes > MAX_TEXT + between.len() {
        return None;
    }
    let mut text = String::with_capacity(bytes);
    for (at, part) in all().enumerate() {
        if at > 0 {
            text.push_str(between);
        }
        text.push_str(part);
    }
    Some(text)
}

/// SPLIT_PART: the n-th field, from 1, or from the end if negative; empty if there is none.
fn split_part<'a>(text: &'a str, between: &str, n: i64) -> Option<&'a str> {
    if n == 0 {
        return None;
    }
    if between.is_empty() {
        return Some(if n.unsigned_abs() == 1 { text } else { "" });
    }
    let nth = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX) - 1;
    let mut fields = text.split(between);
    let at = if n > 0 {
        Some(nth)
    } else {
        text.split(between).count().checked_sub(nth + 1)
    };
    Some(at.and_then(|at| fields.nth(at)).unwrap_or(""))
}

/// SUBSTRING_INDEX: before the n-th delimiter, or behind the n-th from the end; everything if there are fewer.
fn split_until<'a>(text: &'a str, between: &str, n: i64) -> &'a str {
    if n == 0 || between.is_empty() {
        return "";
    }
    let nth = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX) - 1;
    if n > 0 {
        text.match_indices(between)
            .nth(nth)
            .map_or(text, |(at, _)| &text[..at])
    } else {
        text.rmatch_indices(between)
            .nth(nth)
            .map_or(text, |(at, _)| &text[at + between.len()..])
    }
}

/// The place, from 1, of the character that begins at a byte.
pub(super) fn place(text: &str, at: usize) -> Option<i64> {
    count(text[..at].chars().count() + 1)
}

fn character(code: i64) -> Option<String> {
    let code = u32::try_from(code).ok().filter(|code| *code > 0)?;
    char::from_u32(code).map(String::from)
}

/// The most characters of a text whose edits are counted: the work grows with the product of two lengths.
const MAX_EDITED: usize = 64;

fn levenshtein(a: &str, b: &str) -> Option<i64> {
    let few = |text: &str| text.chars().take(MAX_EDITED + 1).count() <= MAX_EDITED;
    if !few(a) || !few(b) {
        return None;
    }
    count(strsim::levenshtein(a, b))
}

/// The blocks of Unicode's Han script: radicals, 々 and 〇, ideographs of the basic and all further planes.
pub(crate) fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{20000}'..='\u{3ffff}'
        | '\u{2e80}'..='\u{2fd5}'
        | '\u{3005}'
        | '\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3038}'..='\u{303b}'
        | '\u{f900}'..='\u{faff}'
        | '\u{16fe2}'..='\u{16fff}')
}
