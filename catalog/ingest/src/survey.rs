//! The first pass: what a file looks like, and the types and ranges of its columns over all rows.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;
use model::{DeclaredMetadata, FieldDeclaration, FieldName, FieldType};
use rayon::prelude::*;

use crate::error::{Foreign, IngestError};
use crate::input::Source;
use crate::options::{
    DetectLimits, DetectedColumn, Detection, Encoding, Glance, IngestOptions, SourceFormat,
};
use crate::progress::{Phase, Watch};
use crate::record::{self, Dialect};
use crate::scan::{ColumnScan, Range, Reading};
use crate::source::{self, TextReader, Windows, read_full};
use crate::{parquet_input, value};

/// A column of the output.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: FieldName,
    pub(crate) field_type: FieldType,
    pub(crate) missing: Vec<String>,
    pub(crate) range: Option<Range>,
    pub(crate) declaration: Option<FieldDeclaration>,
    /// Position in the file.
    pub(crate) source: usize,
}

/// What the first pass found: enough for the second one.
pub(crate) struct Survey {
    pub(crate) source: Source,
    pub(crate) detection: Detection,
    pub(crate) dialect: Dialect,
    /// The columns in declared order, else in file order.
    pub(crate) columns: Vec<Column>,
    pub(crate) zone: TimeZone,
    pub(crate) bytes: u64,
}

impl Survey {
    /// The second pass's reader of a CSV file.
    pub(crate) fn windows(&self, limits: &DetectLimits) -> Result<Windows, IngestError> {
        Windows::open(
            &self.source,
            self.detection.encoding,
            self.dialect,
            self.detection.header,
            limits,
        )
    }
}

/// How much is looked at to guess the dialect.
const SAMPLE: usize = 1 << 20;
/// How many chunks are looked at to show what a file holds: about as much.
const GLANCE_CHUNKS: usize = 2;
/// How much of one value is shown, in characters.
pub(crate) const GLANCE_TEXT: usize = 200;
/// How many records are looked at to guess the dialect.
const SAMPLE_RECORDS: usize = 1_000;
/// The share of frequent characters from which text is taken for Chinese in GB 18030. Chinese prose has over 0.9;
/// UTF-8 with a damaged byte, read as GB 18030, stays under 0.3 (its first bytes are mostly E4 to E9).
const CHINESE_SHARE: f64 = 0.5;

pub(crate) fn zone_of(declared: Option<&DeclaredMetadata>) -> TimeZone {
    let name = declared.map_or("Asia/Shanghai", DeclaredMetadata::zone);
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// Takes the first pass.
pub(crate) fn survey(
    source: &Source,
    options: &IngestOptions,
    declared: Option<&DeclaredMetadata>,
    limits: &DetectLimits,
    watch: &Watch<'_>,
) -> Result<Survey, IngestError> {
    let input = source.open()?;
    let bytes = input.length();
    let mut head = vec![0; 8_192];
    let got = read_full(&mut input.reader_at(0), &mut head)?;
    head.truncate(got);
    if head.is_empty() {
        return Err(IngestError::Empty);
    }
    if head.starts_with(b"PAR1") {
        return parquet_input::survey(source, bytes, options, declared, limits, watch);
    }
    if let Some(found) = foreign(&head) {
        return Err(IngestError::NotTabular(found));
    }
    let encoding = match options.encoding {
        Some(encoding) => encoding,
        None => guess_encoding(source, &head, u64::MAX)?,
    };
    let text = CsvText {
        source,
        bytes,
        options,
        declared,
        limits,
        watch,
    };
    match text.survey(encoding) {
        // A file may be valid UTF-8 for its first megabyte and GB 18030 after all.
        Err(IngestError::Encoding {
            line,
            byte,
            encoding: name,
        }) if options.encoding.is_none() && encoding == Encoding::Utf8 => {
            match source::gb18030_share(source)? {
                Some(share) if share >= CHINESE_SHARE => text.survey(Encoding::Gb18030),
                _ => Err(IngestError::Encoding {
                    line,
                    byte,
                    encoding: name,
                }),
            }
        }
        other => other,
    }
}

/// Looks at a file's beginning.
pub(crate) fn glance(
    source: &Source,
    options: &IngestOptions,
    declared: Option<&DeclaredMetadata>,
    limits: &DetectLimits,
    shown: usize,
) -> Result<Glance, IngestError> {
    let input = source.open()?;
    let bytes = input.length();
    let mut head = vec![0; 8_192];
    let got = read_full(&mut input.reader_at(0), &mut head)?;
    head.truncate(got);
    if head.is_empty() {
        return Err(IngestError::Empty);
    }
    if head.starts_with(b"PAR1") {
        return parquet_input::glance(source, options, limits, shown);
    }
    if let Some(found) = foreign(&head) {
        return Err(IngestError::NotTabular(found));
    }
    let encoding = match options.encoding {
        Some(encoding) => encoding,
        None => guess_encoding(source, &head, SAMPLE as u64)?,
    };
    let (progress, cancel) = (|_| {}, AtomicBool::new(false));
    let watch = Watch::new(&progress, &cancel);
    let text = CsvText {
        source,
        bytes,
        options,
        declared,
        limits,
        watch: &watch,
    };
    match text.glance(encoding, shown) {
        // As in the pass over the whole file.
        Err(IngestError::Encoding { .. }) if options.encoding.is_none() && encoding == Encoding::Utf8 => {
            match source::gb18030_share_of(source, source::WINDOW as u64)? {
                Some(share) if share >= CHINESE_SHARE => text.glance(Encoding::Gb18030, shown),
                _ => text.glance(encoding, shown),
            }
        }
        other => other,
    }
}

/// What a file is by its first bytes, if it is no text.
fn foreign(head: &[u8]) -> Option<Foreign> {
    let contains = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
    Some(match head {
        [b'P', b'K', 3 | 5, ..] if contains(b"[Content_Types].xml") || contains(b"xl/") => Foreign::Workbook,
        [b'P', b'K', 3 | 5, ..] => Foreign::Zip,
        [0x1F, 0x8B, ..] => Foreign::Gzip,
        [b'7', b'z', 0xBC, 0xAF, ..] => Foreign::SevenZip,
        [b'R', b'a', b'r', b'!', ..] => Foreign::Rar,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Foreign::Zstd,
        [0xD0, 0xCF, 0x11, 0xE0, ..] => Foreign::OldOffice,
        [b'%', b'P', b'D', b'F', ..] => Foreign::Pdf,
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Foreign::Arrow,
        _ => return None,
    })
}

/// The encoding, from a file's beginning and, where that is no UTF-8, at most so many bytes more.
fn guess_encoding(source: &Source, head: &[u8], most: u64) -> Result<Encoding, IngestError> {
    if head.starts_with(&[0xFF, 0xFE]) {
        return Ok(Encoding::Utf16Le);
    }
    if head.starts_with(&[0xFE, 0xFF]) {
        return Ok(Encoding::Utf16Be);
    }
    let mut sample = Vec::new();
    TextReader::open(source, Encoding::Utf8)?.append(&mut sample, SAMPLE, 1)?;
    let utf8 = match std::str::from_utf8(&sample) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && sample.len() == SAMPLE,
    };
    if utf8 || source::gb18030_share_of(source, most)?.is_none_or(|share| share < CHINESE_SHARE) {
        return Ok(Encoding::Utf8);
    }
    Ok(Encoding::Gb18030)
}

struct CsvText<'a> {
    source: &'a Source,
    bytes: u64,
    options: &'a IngestOptions,
    declared: Option<&'a DeclaredMetadata>,
    limits: &'a DetectLimits,
    watch: &'a Watch<'a>,
}

/// How a text splits into columns.
struct Shape {
    dialect: Dialect,
    header: bool,
    names: Vec<FieldName>,
}

impl CsvText<'_> {
    /// What the beginning shows of dialect and columns.
    fn shape(&self, encoding: Encoding) -> Result<Shape, IngestError> {
        let mut sample = Vec::new();
        let mut reader = TextReader::open(self.source, encoding)?;
        reader.append(&mut sample, SAMPLE, 1)?;
        let valid = match std::str::from_utf8(&sample) {
            Ok(text) => text,
            // Cut within a character, or broken: the pass below says where.
            Err(error) => std::str::from_utf8(&sample[..error.valid_up_to()]).unwrap_or_default(),
        };
        let whole = reader.has_ended();
        let (dialect, records) = self.dialect(valid, whole)?;
        let Some(first) = records.first() else {
            return Err(self.no_record(encoding, dialect)?);
        };
        if first.len() > self.limits.columns {
            return Err(IngestError::TooManyColumns {
                limit: self.limits.columns,
            });
        }
        let header = self
            .options
            .header
            .unwrap_or_else(|| has_header(&records, self.declared));
        let names = column_names(first, header, self.declared)?;
        Ok(Shape {
            dialect,
            header,
            names,
        })
    }

    /// Types and first rows, from the file's beginning alone. What is declared does not decide on types here: whoever
    /// looks wants to see where the two differ.
    fn glance(&self, encoding: Encoding, shown: usize) -> Result<Glance, IngestError> {
        let Shape {
            dialect,
            header,
            names,
        } = self.shape(encoding)?;
        let zone = zone_of(self.declared);
        let reading = Reading {
            declared: None,
            missing: self.options.missing.as_deref(),
            zone: &zone,
        };
        let mut windows = Windows::open(self.source, encoding, dialect, header, self.limits)?;
        let mut scans = vec![ColumnScan::new(); names.len()];
        let (mut rows, mut first, mut whole) = (0, Vec::new(), true);
        if let Some(window) = windows.next()? {
            let chunks = window.chunks();
            for chunk in chunks.iter().take(GLANCE_CHUNKS) {
                let fields = record::split(*chunk, dialect, names.len(), self.limits)?;
                for (at, scan) in scans.iter_mut().enumerate() {
                    scan.scan(&fields, at, names[at].as_str(), reading)?;
                }
                rows += fields.rows() as u64;
                let wanted = shown - first.len();
                first.extend((0..fields.rows()).take(wanted).map(|row| {
                    let text = |at| fields.cell(row, at).chars().take(GLANCE_TEXT).collect();
                    (0..names.len()).map(text).collect::<Vec<String>>()
                }));
            }
            whole = chunks.len() <= GLANCE_CHUNKS && windows.next()?.is_none();
        }
        let types: Vec<FieldType> = scans
            .iter()
            .zip(&names)
            .map(|(scan, name)| scan.field_type(name.as_str()))
            .collect();
        let missing = self.missing(&scans, &types);
        let rows_shown = first
            .into_iter()
            .map(|row| {
                let value = |(at, text): (usize, String)| {
                    let absent = text.is_empty() || missing[at].contains(&text);
                    (!absent).then_some(text)
                };
                row.into_iter().enumerate().map(value).collect()
            })
            .collect();
        let columns = names.into_iter().zip(types).zip(missing);
        let columns = columns.map(|((name, field_type), missing)| DetectedColumn {
            field_type: self
                .options
                .types
                .get(name.as_str())
                .copied()
                .unwrap_or(field_type),
            name,
            missing,
        });
        let detection = Detection {
            format: SourceFormat::Csv,
            encoding,
            delimiter: char::from(dialect.delimiter),
            header,
            quoted: dialect.quoted,
            trim: dialect.trim,
            columns: columns.collect(),
            rows,
        };
        Ok(Glance {
            detection,
            rows: rows_shown,
            whole,
        })
    }

    fn survey(&self, encoding: Encoding) -> Result<Survey, IngestError> {
        let Shape {
            dialect,
            header,
            names,
        } = self.shape(encoding)?;
        let layout = layout(&names, self.declared)?;
        let zone = zone_of(self.declared);
        let readings: Vec<Reading<'_>> = (0..names.len())
            .map(|source| {
                let declared = layout
                    .iter()
                    .find(|(_, at)| *at == source)
                    .and_then(|(field, _)| *field);
                let corrected = self.options.types.get(names[source].as_str()).copied();
                Reading {
                    declared: declared.map(|field| field.field_type).or(corrected),
                    missing: self.options.missing.as_deref(),
                    zone: &zone,
                }
            })
            .collect();
        let (scans, rows) = self.scan(encoding, dialect, header, &names, &readings)?;
        let types: Vec<FieldType> = (0..names.len())
            .map(|at| {
                readings[at]
                    .declared
                    .unwrap_or_else(|| scans[at].field_type(names[at].as_str()))
            })
            .collect();
        let missing = self.missing(&scans, &types);
        let columns = layout
            .into_iter()
            .map(|(declaration, source)| Column {
                name: declaration.map_or_else(|| names[source].clone(), |field| field.name.clone()),
                field_type: types[source],
                missing: outside_domain(&missing[source], declaration),
                range: scans[source].range(types[source]),
                declaration: declaration.cloned(),
                source,
            })
            .collect();
        let detected = names.into_iter().zip(&types).zip(missing);
        let detected = detected.map(|((name, &field_type), missing)| DetectedColumn {
            name,
            field_type,
            missing,
        });
        let detection = Detection {
            format: SourceFormat::Csv,
            encoding,
            delimiter: char::from(dialect.delimiter),
            header,
            quoted: dialect.quoted,
            trim: dialect.trim,
            columns: detected.collect(),
            rows,
        };
        Ok(Survey {
            source: self.source.clone(),
            detection,
            dialect,
            columns,
            zone,
            bytes: self.bytes,
        })
    }

    /// Says what is wrong with a file in whose beginning no record is found.
    fn no_record(&self, encoding: Encoding, dialect: Dialect) -> Result<IngestError, IngestError> {
        let mut windows = Windows::open(self.source, encoding, dialect, false, self.limits)?;
        if let Some(window) = windows.next()? {
            for chunk in window.chunks() {
                let fields = record::split(chunk, dialect, usize::MAX, self.limits);
                match fields {
                    Err(IngestError::RaggedRow { .. }) | Ok(_) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(IngestError::Empty)
    }

    fn dialect(&self, text: &str, whole: bool) -> Result<(Dialect, Vec<Vec<String>>), IngestError> {
        let quoted = self.options.quoted.unwrap_or(true);
        let given = match self.options.delimiter {
            None => None,
            Some(delimiter) if delimiter.is_ascii() && !"\"\r\n\0".contains(delimiter) => {
                Some(delimiter as u8)
            }
            Some(_) => {
                return Err(IngestError::Delimiter);
            }
        };
        let candidates: Vec<u8> = given.map_or_else(|| b",\t;|".to_vec(), |delimiter| vec![delimiter]);
        let mut best: Option<(usize, Dialect, Vec<Vec<String>>)> = None;
        for delimiter in candidates {
            for trim in [false, true] {
                if self.options.trim.is_some_and(|wanted| wanted != trim) {
                    continue;
                }
                let dialect = Dialect {
                    delimiter,
                    quoted,
                    trim,
                };
                let records = record::peek(text, dialect, SAMPLE_RECORDS, whole);
                let width = records.first().map_or(0, Vec::len);
                let even = records.iter().filter(|record| record.len() == width).count();
                // Trimming must earn its place: blanks after most delimiters.
                let wins = if trim && self.options.trim.is_none() {
                    blanks_lead(&records, text, dialect)
                } else {
                    true
                };
                let score = if width > 1 {
                    1 + even * 1_000 / records.len().max(1) * 1_000 + width
                } else {
                    0
                };
                let beats = best
                    .as_ref()
                    .is_none_or(|(other, ..)| score > *other || (trim && score == *other));
                if wins && beats && !records.is_empty() {
                    best = Some((score, dialect, records));
                }
            }
        }
        let fallback = Dialect {
            delimiter: given.unwrap_or(b','),
            quoted,
            trim: self.options.trim.unwrap_or(false),
        };
        Ok(best.map_or((fallback, Vec::new()), |(_, dialect, records)| (dialect, records)))
    }

    fn scan(
        &self,
        encoding: Encoding,
        dialect: Dialect,
        header: bool,
        names: &[FieldName],
        readings: &[Reading<'_>],
    ) -> Result<(Vec<ColumnScan>, u64), IngestError> {
        let mut windows = Windows::open(self.source, encoding, dialect, header, self.limits)?;
        let mut scans = vec![ColumnScan::new(); names.len()];
        let mut rows = 0;
        let mut current = windows.next()?;
        while let Some(window) = current {
            self.watch.check()?;
            let work = || {
                let chunks = window.chunks();
                let parts: Vec<Result<(Vec<ColumnScan>, u64), IngestError>> = chunks
                    .into_par_iter()
                    .map(|chunk| {
                        let fields = record::split(chunk, dialect, names.len(), self.limits)?;
                        let mut scans = vec![ColumnScan::new(); names.len()];
                        for (at, scan) in scans.iter_mut().enumerate() {
                            scan.scan(&fields, at, names[at].as_str(), readings[at])?;
                        }
                        Ok((scans, fields.rows() as u64))
                    })
                    .collect();
                parts
            };
            let (parts, following) = rayon::join(work, || windows.next());
            // Chunks are in file order, so the first fault is the one told.
            for part in parts {
                let (part, count) = part?;
                rows += count;
                scans.iter_mut().zip(&part).for_each(|(all, one)| all.merge(one));
            }
            self.watch.tell(Phase::Detect, window.read, self.bytes, rows);
            current = following?;
        }
        Ok((scans, rows))
    }

    fn missing(&self, scans: &[ColumnScan], types: &[FieldType]) -> Vec<Vec<String>> {
        if let Some(given) = &self.options.missing {
            return vec![given.clone(); scans.len()];
        }
        let mut elsewhere: Vec<String> = Vec::new();
        for (scan, &field_type) in scans.iter().zip(types) {
            if field_type != FieldType::Text {
                elsewhere.extend(scan.missing(field_type, &[]));
            }
        }
        scans
            .iter()
            .zip(types)
            .map(|(scan, &field_type)| scan.missing(field_type, &elsewhere))
            .collect()
    }
}

/// Whether most delimiters of a sample are followed by a blank.
fn blanks_lead(records: &[Vec<String>], text: &str, dialect: Dialect) -> bool {
    let fields: usize = records.iter().map(|record| record.len().saturating_sub(1)).sum();
    let lines: usize = text
        .lines()
        .take(records.len())
        .map(|line| {
            line.as_bytes()
                .windows(2)
                .filter(|pair| pair[0] == dialect.delimiter && pair[1] == b' ')
                .count()
        })
        .sum();
    fields > 0 && lines * 2 > fields
}

/// Whether the first record of a sample names the columns.
fn has_header(records: &[Vec<String>], declared: Option<&DeclaredMetadata>) -> bool {
    let Some(first) = records.first() else {
        return false;
    };
    let names: Vec<Option<FieldName>> = first.iter().map(|text| FieldName::parse(text).ok()).collect();
    if let Some(declared) = declared {
        let named = names
            .iter()
            .flatten()
            .any(|name| find_declared(declared, name).is_some());
        return named || first.len() != declared.fields().len();
    }
    let mut seen = HashMap::new();
    let distinct = names
        .iter()
        .flatten()
        .all(|name| seen.insert(name.folded(), ()).is_none());
    let zone = TimeZone::UTC;
    let is_value = |text: &String| {
        let text = text.trim();
        let year =
            text.len() == 4 && value::strict_integer(text).is_some_and(|year| (1900..2100).contains(&year));
        let typed = value::strict_number(text).is_some()
            || value::timestamp(text, &zone).is_some()
            || value::boolean(text).is_some()
            || crate::scan::MARKS.contains(&text)
            || (text.len() > 1 && text.bytes().all(|b| b.is_ascii_digit()));
        typed && !year
    };
    // A name that stands twice is more likely a fault of a header where values of other kinds follow below.
    let typed_below = || records.iter().skip(1).flatten().any(is_value);
    let named = !first.iter().any(is_value) && first.iter().any(|text| !text.trim().is_empty());
    named && (distinct || typed_below())
}

fn find_declared<'a>(declared: &'a DeclaredMetadata, name: &FieldName) -> Option<&'a FieldDeclaration> {
    declared
        .fields()
        .iter()
        .find(|field| field.name.folded() == name.folded())
}

/// The names of a file's columns: from its header, else as declared by position, else by position.
fn column_names(
    first: &[String],
    header: bool,
    declared: Option<&DeclaredMetadata>,
) -> Result<Vec<FieldName>, IngestError> {
    let by_position = |at: usize| FieldName::parse(&format!("column_{}", at + 1));
    let mut names = Vec::with_capacity(first.len());
    for (at, text) in first.iter().enumerate() {
        let name = match declared.filter(|declared| declared.fields().len() == first.len()) {
            Some(declared) if !header => Ok(declared.fields()[at].name.clone()),
            _ if !header || text.trim().is_empty() => by_position(at),
            _ => FieldName::parse(text),
        };
        names.push(name.map_err(|_| IngestError::ColumnName { column: at + 1 })?);
    }
    check_names(&names)?;
    Ok(names)
}

/// The marks that are no declared values themselves.
fn outside_domain(missing: &[String], declaration: Option<&FieldDeclaration>) -> Vec<String> {
    let domain = declaration
        .and_then(|field| field.domain.as_ref())
        .map_or(&[][..], |domain| domain.values());
    missing
        .iter()
        .filter(|mark| !domain.contains(mark))
        .cloned()
        .collect()
}

/// Checks names for doubles and for the portal's own.
pub(crate) fn check_names(names: &[FieldName]) -> Result<(), IngestError> {
    let mut seen = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if name.as_str().starts_with("__") {
            return Err(IngestError::ReservedColumn { column: at + 1 });
        }
        if let Some(first) = seen.insert(name.folded(), at + 1) {
            return Err(IngestError::DuplicateColumn {
                first,
                second: at + 1,
            });
        }
    }
    Ok(())
}

/// The output columns: the declared ones in declared order, else the file's; each with its position in the file.
pub(crate) fn layout<'a>(
    names: &[FieldName],
    declared: Option<&'a DeclaredMetadata>,
) -> Result<Vec<(Option<&'a FieldDeclaration>, usize)>, IngestError> {
    let Some(declared) = declared else {
        return Ok((0..names.len()).map(|at| (None, at)).collect());
    };
    if let Some(column) = names
        .iter()
        .position(|name| find_declared(declared, name).is_none())
    {
        return Err(IngestError::UndeclaredColumn { column: column + 1 });
    }
    declared
        .fields()
        .iter()
        .map(|field| {
            let at = names.iter().position(|name| name.folded() == field.name.folded());
            let missing = || IngestError::MissingColumn {
                name: field.name.as_str().to_owned(),
            };
            Ok((Some(field), at.ok_or_else(missing)?))
        })
        .collect()
}
