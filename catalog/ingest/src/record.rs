//! Records and fields of delimited text (RFC 4180, and what is seen in the wild: other delimiters, LF, blanks around
//! fields). Fields are spans of the text: nothing is copied but fields that hold doubled quotes.
//!
//! Ours rather than a CSV library's, for errors that name line and column, text after closing quotes and blanks
//! before opening ones told apart, and no copy; `csv` is the judge in the tests.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};

use crate::error::IngestError;
use crate::options::DetectLimits;

/// How text splits into records and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quoted: bool,
    pub(crate) trim: bool,
}

/// Where a field lies in its chunk, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    /// Length, and in the top bit whether doubled quotes stand for one.
    length: u32,
}

const DOUBLED: u32 = 1 << 31;

impl Span {
    fn new(start: usize, end: usize, doubled: bool) -> Self {
        Self {
            start: start as u32,
            length: (end - start) as u32 | if doubled { DOUBLED } else { 0 },
        }
    }

    /// The field's text.
    pub(crate) fn text(self, chunk: &str) -> Cow<'_, str> {
        let start = self.start as usize;
        let raw = &chunk[start..start + (self.length & !DOUBLED) as usize];
        if self.length & DOUBLED == 0 {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(raw.replace("\"\"", "\""))
        }
    }
}

/// What ends a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Field,
    Record,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Unterminated,
    Stray,
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Reads the field at `*at` and moves past its delimiter or line end.
#[inline]
pub(crate) fn field(text: &[u8], at: &mut usize, dialect: Dialect) -> Result<(Span, End), Fault> {
    let mut start = *at;
    if dialect.trim {
        while start < text.len() && is_blank(text[start]) && text[start] != dialect.delimiter {
            start += 1;
        }
    }
    if dialect.quoted && text.get(start) == Some(&b'"') {
        return quoted_field(text, start + 1, at, dialect);
    }
    let (mut end, ended) = match memchr2(dialect.delimiter, b'\n', &text[start..]) {
        None => {
            *at = text.len();
            (text.len(), End::Record)
        }
        Some(offset) => {
            *at = start + offset + 1;
            (
                start + offset,
                if text[start + offset] == b'\n' {
                    End::Record
                } else {
                    End::Field
                },
            )
        }
    };
    if ended == End::Record && end > start && text[end - 1] == b'\r' {
        end -= 1;
    }
    if dialect.trim {
        while end > start && is_blank(text[end - 1]) {
            end -= 1;
        }
    }
    Ok((Span::new(start, end, false), ended))
}

fn quoted_field(text: &[u8], start: usize, at: &mut usize, dialect: Dialect) -> Result<(Span, End), Fault> {
    let mut end = start;
    let mut doubled = false;
    loop {
        end += memchr(b'"', &text[end..]).ok_or(Fault::Unterminated)?;
        if text.get(end + 1) != Some(&b'"') {
            break;
        }
        doubled = true;
        end += 2;
    }
    let span = Span::new(start, end, doubled);
    let mut next = end + 1;
    if dialect.trim {
        while next < text.len() && is_blank(text[next]) && text[next] != dialect.delimiter {
            next += 1;
        }
    }
    let rest = &text[next..];
    let (skipped, ended) = match rest {
        [] => (0, End::Record),
        [b'\n', ..] | [b'\r'] => (1, End::Record),
        [b'\r', b'\n', ..] => (2, End::Record),
        [b, ..] if *b == dialect.delimiter => (1, End::Field),
        _ => return Err(Fault::Stray),
    };
    *at = next + skipped;
    Ok((span, ended))
}

/// Whole records of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) bytes: &'a [u8],
    /// Line of the file at which it begins, from 1.
    pub(crate) line: u64,
    /// Byte of the file at which it begins.
    pub(crate) offset: u64,
}

/// The fields of a chunk, row by row.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) text: &'a str,
    spans: Vec<Span>,
    columns: usize,
    line: u64,
}

impl<'a> Fields<'a> {
    pub(crate) fn rows(&self) -> usize {
        self.spans.len() / self.columns
    }

    /// The spans of a column.
    pub(crate) fn column(&self, column: usize) -> impl Iterator<Item = Span> + '_ {
        self.spans.iter().skip(column).step_by(self.columns).copied()
    }

    /// The text of one cell.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Cow<'_, str> {
        self.spans[row * self.columns + column].text(self.text)
    }

    /// The line of the file at which a row begins.
    pub(crate) fn line_of(&self, row: usize) -> u64 {
        let start = self.spans[row * self.columns].start as usize;
        self.line + memchr_iter(b'\n', &self.text.as_bytes()[..start]).count() as u64
    }
}

/// Splits a chunk into rows of `columns` fields. Blank lines are passed over.
pub(crate) fn split<'a>(
    chunk: Chunk<'a>,
    dialect: Dialect,
    columns: usize,
    limits: &DetectLimits,
) -> Result<Fields<'a>, IngestError> {
    let bytes = chunk.bytes;
    let line_at = |at: usize| chunk.line + memchr_iter(b'\n', &bytes[..at]).count() as u64;
    let text = std::str::from_utf8(bytes).map_err(|error| IngestError::Encoding {
        line: line_at(error.valid_up_to()),
        byte: chunk.offset + error.valid_up_to() as u64,
        encoding: "UTF-8",
    })?;
    if let Some(at) = memchr(0, bytes) {
        return Err(IngestError::Nul { line: line_at(at) });
    }
    let mut spans: Vec<Span> = Vec::with_capacity(bytes.len() / 6);
    let mut at = 0;
    while at < bytes.len() {
        let (record, first) = (at, spans.len());
        loop {
            let column = spans.len() - first + 1;
            let (span, end) = field(bytes, &mut at, dialect).map_err(|fault| match fault {
                Fault::Unterminated => IngestError::UnterminatedQuote {
                    line: line_at(record),
                },
                Fault::Stray => IngestError::StrayQuote {
                    line: line_at(record),
                    column,
                },
            })?;
            if (span.length & !DOUBLED) as usize > limits.field_bytes {
                return Err(IngestError::FieldTooLong {
                    line: line_at(record),
                    column,
                    limit: limits.field_bytes,
                });
            }
            spans.push(span);
            if end == End::Record {
                break;
            }
        }
        let got = spans.len() - first;
        if at - record > limits.record_bytes {
            return Err(IngestError::RecordTooLong {
                line: line_at(record),
                limit: limits.record_bytes,
            });
        }
        if got == 1 && is_blank_line(&bytes[record..at]) {
            spans.pop();
        } else if got != columns {
            return Err(IngestError::RaggedRow {
                line: line_at(record),
                wanted: columns,
                got,
            });
        }
    }
    Ok(Fields {
        text,
        spans,
        columns,
        line: chunk.line,
    })
}

fn is_blank_line(record: &[u8]) -> bool {
    matches!(record, b"\n" | b"\r\n" | b"\r" | b"")
}

/// The first records of a text, at most `most`, for looking at. Stops at the first fault or at a record that the text
/// may have cut off.
pub(crate) fn peek(text: &str, dialect: Dialect, most: usize, whole: bool) -> Vec<Vec<String>> {
    let bytes = text.as_bytes();
    let mut records = Vec::new();
    let mut at = 0;
    while at < bytes.len() && records.len() < most {
        let start = at;
        let mut record = Vec::new();
        loop {
            let Ok((span, end)) = field(bytes, &mut at, dialect) else {
                return records;
            };
            record.push(span.text(text).into_owned());
            if end == End::Record {
                break;
            }
        }
        if at == bytes.len() && bytes.last() != Some(&b'\n') && !whole {
            break;
        }
        if !(record.len() == 1 && is_blank_line(&bytes[start..at])) {
            records.push(record);
        }
    }
    records
}

/// Where the records of a buffer end: every end at or after a multiple of `step`, and the last one. The buffer begins at
/// a record. Quotes count where a field begins with one, as in [`field`].
pub(crate) fn record_ends(buffer: &[u8], dialect: Dialect, step: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut last = 0;
    // Takes the line ends of an unquoted stretch.
    let mut stretch = |from: usize, to: usize| {
        let mut from = from;
        loop {
            let wanted = ends.last().map_or(step, |end| end + step).max(from);
            match buffer.get(wanted..to).and_then(|rest| memchr(b'\n', rest)) {
                Some(offset) => {
                    from = wanted + offset + 1;
                    ends.push(from);
                    last = from;
                }
                None => break,
            }
        }
        if let Some(offset) = memchr::memrchr(b'\n', &buffer[from..to]) {
            last = from + offset + 1;
        }
    };
    let mut at = 0;
    let mut open = 0;
    loop {
        let found = if dialect.quoted {
            memchr(b'"', &buffer[at..])
        } else {
            None
        };
        let Some(offset) = found else { break };
        let quote = at + offset;
        let mut before = quote;
        while dialect.trim
            && before > 0
            && is_blank(buffer[before - 1])
            && buffer[before - 1] != dialect.delimiter
        {
            before -= 1;
        }
        let begins = before == 0 || buffer[before - 1] == dialect.delimiter || buffer[before - 1] == b'\n';
        if !begins {
            at = quote + 1;
            continue;
        }
        stretch(open, quote);
        let mut end = quote + 1;
        let closed = loop {
            match memchr(b'"', &buffer[end..]) {
                None => break None,
                Some(offset) if buffer.get(end + offset + 1) == Some(&b'"') => end += offset + 2,
                Some(offset) => break Some(end + offset + 1),
            }
        };
        let Some(after) = closed else {
            return finish(ends, last);
        };
        at = after;
        open = after;
    }
    stretch(open, buffer.len());
    finish(ends, last)
}

fn finish(mut ends: Vec<usize>, last: usize) -> Vec<usize> {
    if last > ends.last().copied().unwrap_or(0) {
        ends.push(last);
    }
    ends
}
