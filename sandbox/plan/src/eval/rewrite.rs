//! Texts rewritten character by character. What is longer than [`MAX_TEXT`], before or after, is NULL.

use unicode_normalization::UnicodeNormalization;

use super::text::{at_char, short, substring};
use super::vector::{Rows, integers, texts};
use super::{EvalError, Evaluated, Vector};
use crate::scalar::{Form, Function, MAX_TEXT};

/// The longest list of characters to trim, in bytes: every character of the text may be looked up in it.
const MAX_TRIMMED: usize = 64;

/// The longest list of characters to translate, in bytes.
const MAX_TRANSLATED: usize = 256;

pub(super) fn call(function: Function, args: &[Vector], out: Rows) -> Evaluated<Vector> {
    let arg = |at: usize| args.get(at).ok_or(EvalError);
    let x = texts(arg(0)?)?;
    let each = |f: fn(&str) -> String| out.texts(|row| Some(f(short(x.get(row)?)?)));
    Ok(match function {
        Function::Upper => each(str::to_uppercase),
        Function::Lower => each(str::to_lowercase),
        Function::InitialCapitals => each(initial_capitals),
        Function::Reverse => each(|text| text.chars().rev().collect()),
        Function::ToHalfWidth => each(|text| text.chars().map(half_width).collect()),
        Function::ToFullWidth => each(|text| text.chars().map(full_width).collect()),
        Function::Normalize(form) => each(match form {
            Form::Nfc => |text| text.nfc().collect(),
            Form::Nfd => |text| text.nfd().collect(),
            Form::Nfkc => |text| text.nfkc().collect(),
            Form::Nfkd => |text| text.nfkd().collect(),
        }),
        Function::Trim | Function::LeftTrim | Function::RightTrim => {
            let what = args.get(1).map(texts).transpose()?;
            out.texts(|row| {
                let text = x.get(row)?;
                let what = match &what {
                    Some(what) => what.get(row)?,
                    None => " ",
                };
                if what.len() > MAX_TRIMMED {
                    return None;
                }
                let cut = |c: char| what.contains(c);
                Some(match function {
                    Function::LeftTrim => text.trim_start_matches(cut),
                    Function::RightTrim => text.trim_end_matches(cut),
                    _ => text.trim_matches(cut),
                })
            })
        }
        Function::PadLeft | Function::PadRight => {
            let n = integers(arg(1)?)?;
            let fill = args.get(2).map(texts).transpose()?;
            out.texts(|row| {
                let fill = match &fill {
                    Some(fill) => fill.get(row)?,
                    None => " ",
                };
                pad(x.get(row)?, n.get(row)?, fill, function == Function::PadLeft)
            })
        }
        Function::Repeat => {
            let n = integers(arg(1)?)?;
            out.texts(|row| repeat(x.get(row)?, n.get(row)?))
        }
        Function::Overlay => {
            let (put, start) = (texts(arg(1)?)?, integers(arg(2)?)?);
            let count = args.get(3).map(integers).transpose()?;
            out.texts(|row| {
                let count = match &count {
                    Some(count) => Some(count.get(row)?),
                    None => None,
                };
                overlay(x.get(row)?, put.get(row)?, start.get(row)?, count)
            })
        }
        Function::Translate => {
            let (from, to) = (texts(arg(1)?)?, texts(arg(2)?)?);
            out.texts(|row| translate(x.get(row)?, from.get(row)?, to.get(row)?))
        }
        Function::Replace => {
            let (from, to) = (texts(arg(1)?)?, texts(arg(2)?)?);
            out.texts(|row| replace(x.get(row)?, from.get(row)?, to.get(row)?))
        }
        _ => return Err(EvalError),
    })
}

fn initial_capitals(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            result.extend(c.to_lowercase());
        } else {
            result.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric();
    }
    result
}

/// How far full-width ASCII (U+FF01 to U+FF5E) lies above ASCII.
const WIDER: u32 = 0xfee0;

/// Narrow for full-width ASCII and the ideographic blank.
pub(super) fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - WIDER).unwrap_or(c),
        other => other,
    }
}

fn full_width(c: char) -> char {
    match c {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(u32::from(c) + WIDER).unwrap_or(c),
        other => other,
    }
}

fn pad(text: &str, n: i64, fill: &str, left: bool) -> Option<String> {
    short(text)?;
    let wanted = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
    let missing = wanted.saturating_sub(text.chars().count());
    if missing == 0 || fill.is_empty() {
        return Some(text[..at_char(text, wanted)].to_owned());
    }
    // A character has a byte at least.
    if missing > MAX_TEXT {
        return None;
    }
    let padding = fill.chars().cycle().take(missing);
    Some(if left {
        padding.chain(text.chars()).collect()
    } else {
        text.chars().chain(padding).collect()
    })
}

fn repeat(text: &str, n: i64) -> Option<String> {
    let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
    if text.is_empty() {
        return Some(String::new());
    }
    (text.len().checked_mul(n)? <= MAX_TEXT).then(|| text.repeat(n))
}

/// OVERLAY(text PLACING put FROM start FOR count).
fn overlay(text: &str, put: &str, start: i64, count: Option<i64>) -> Option<String> {
    short(text)?;
    short(put)?;
    if start < 1 {
        return None;
    }
    let count = match count {
        Some(count) => count,
        None => i64::try_from(put.chars().count()).ok()?,
    };
    let head = substring(text, 1, Some(start - 1))?;
    let rest = substring(text, start.checked_add(count)?, None)?;
    Some([head, put, rest].concat())
}

fn translate(text: &str, from: &str, to: &str) -> Option<String> {
    short(text)?;
    if from.len() > MAX_TRANSLATED {
        return None;
    }
    let mut becomes: Vec<(char, Option<char>)> = Vec::with_capacity(from.len());
    let mut to = to.chars();
    for c in from.chars() {
        becomes.push((c, to.next()));
    }
    // A stable sort: of repeats the first counts, as it is the one that is found.
    becomes.sort_by_key(|(c, _)| *c);
    becomes.dedup_by_key(|(c, _)| *c);
    let translated = |c: char| match becomes.binary_search_by_key(&c, |(c, _)| *c) {
        Ok(at) => becomes[at].1,
        Err(_) => Some(c),
    };
    Some(text.chars().filter_map(translated).collect())
}

fn replace(text: &str, from: &str, to: &str) -> Option<String> {
    short(text)?;
    if from.is_empty() {
        return Some(text.to_owned());
    }
    let mut result = String::new();
    let mut parts = text.split(from);
    result.push_str(parts.next()?);
    for part in parts {
        if result.len() + to.len() + part.len() > MAX_TEXT {
            return None;
        }
        result.push_str(to);
        result.push_str(part);
    }
    Some(result)
}
