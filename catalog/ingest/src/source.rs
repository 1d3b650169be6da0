//! Delimited text as windows of whole records, in UTF-8, with bounded memory.

use std::io::Read;

use encoding_rs::{Decoder, DecoderResult};
use memchr::memchr_iter;

use crate::error::IngestError;
use crate::input::{InputReader, Source};
use crate::options::{DetectLimits, Encoding};
use crate::record::{Chunk, Dialect, record_ends};

/// How much is read at a time.
pub(crate) const WINDOW: usize = 8 << 20;
/// About how much one task parses.
const CHUNK: usize = 512 << 10;

/// Turns the bytes of a file into UTF-8.
pub(crate) struct TextReader {
    file: InputReader,
    decoder: Option<Decoder>,
    encoding: Encoding,
    raw: Vec<u8>,
    /// Bytes of the file that were read.
    pub(crate) read: u64,
    ended: bool,
}

impl TextReader {
    pub(crate) fn open(source: &Source, encoding: Encoding) -> Result<Self, IngestError> {
        let input = source.open()?;
        let mut mark = [0; 3];
        let got = read_full(&mut input.reader_at(0), &mut mark)?;
        let skip = match encoding {
            Encoding::Utf8 if mark[..got] == [0xEF, 0xBB, 0xBF] => 3,
            Encoding::Utf16Le if mark[..got].starts_with(&[0xFF, 0xFE]) => 2,
            Encoding::Utf16Be if mark[..got].starts_with(&[0xFE, 0xFF]) => 2,
            Encoding::Gb18030 if mark[..got] == [0x84, 0x31, 0x95] => 4,
            _ => 0,
        };
        let decoder = match encoding {
            Encoding::Utf8 => None,
            Encoding::Gb18030 => Some(encoding_rs::GB18030.new_decoder_without_bom_handling()),
            Encoding::Utf16Le => Some(encoding_rs::UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(encoding_rs::UTF_16BE.new_decoder_without_bom_handling()),
        };
        Ok(Self {
            file: input.reader_at(skip),
            decoder,
            encoding,
            raw: Vec::new(),
            read: skip,
            ended: false,
        })
    }

    /// Appends about `wanted` bytes of text; nothing at the end of the file. `lines` is the number of the line that
    /// the text in `into` ends in, for errors.
    pub(crate) fn append(&mut self, into: &mut Vec<u8>, wanted: usize, line: u64) -> Result<(), IngestError> {
        if self.ended {
            return Ok(());
        }
        let Some(decoder) = &mut self.decoder else {
            let start = into.len();
            into.resize(start + wanted, 0);
            let got = read_full(&mut self.file, &mut into[start..])?;
            into.truncate(start + got);
            self.read += got as u64;
            self.ended = got < wanted;
            return Ok(());
        };
        self.raw.resize(wanted, 0);
        let got = read_full(&mut self.file, &mut self.raw)?;
        self.ended = got < wanted;
        let block = self.read;
        self.read += got as u64;
        let room = decoder
            .max_utf8_buffer_length_without_replacement(got)
            .unwrap_or(got * 4);
        let start = into.len();
        into.resize(start + room, 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(&self.raw[..got], &mut into[start..], self.ended);
        into.truncate(start + written);
        match result {
            DecoderResult::InputEmpty => Ok(()),
            DecoderResult::OutputFull => Err(IngestError::Internal("decoding text")),
            DecoderResult::Malformed(..) => Err(IngestError::Encoding {
                line: line + memchr_iter(b'\n', &into[start..]).count() as u64,
                byte: block + read as u64,
                encoding: self.encoding.as_str(),
            }),
        }
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Reads until the buffer is full or the file ends.
pub(crate) fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> Result<usize, IngestError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(IngestError::Read(error)),
        }
    }
    Ok(filled)
}

/// Whether a whole file is valid in an encoding, and of its two-byte characters, how many are among the 3,755 most
/// frequent Chinese ones (level 1 of GB 2312-80: rows 16 to 55, first byte B0 to D7, second from A1).
pub(crate) fn gb18030_share(source: &Source) -> Result<Option<f64>, IngestError> {
    gb18030_share_of(source, u64::MAX)
}

/// The same of at most so many bytes from the file's beginning.
pub(crate) fn gb18030_share_of(source: &Source, most: u64) -> Result<Option<f64>, IngestError> {
    let mut file = source.open()?.reader_at(0);
    let mut left = most;
    let mut decoder = encoding_rs::GB18030.new_decoder_without_bom_handling();
    let mut raw = vec![0; 1 << 20];
    let mut text = vec![0; 4 << 20];
    let (mut pairs, mut frequent) = (0u64, 0u64);
    let mut lead: Option<u8> = None;
    loop {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(raw.len());
        let got = read_full(&mut file, &mut raw[..wanted])?;
        left -= got as u64;
        // Where looking stops in the middle of the file, it may stop in the middle of a character.
        let last = got < wanted;
        let mut at = 0;
        loop {
            let (result, read, _) =
                decoder.decode_to_utf8_without_replacement(&raw[at..got], &mut text, last);
            at += read;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => return Ok(None),
            }
        }
        for &byte in &raw[..got] {
            match lead.take() {
                None if byte >= 0x81 => lead = Some(byte),
                Some(first) if byte >= 0x40 => {
                    pairs += 1;
                    frequent += u64::from((0xB0..=0xD7).contains(&first) && byte >= 0xA1);
                }
                _ => {}
            }
        }
        if last || left == 0 {
            return Ok(Some(if pairs == 0 {
                0.0
            } else {
                frequent as f64 / pairs as f64
            }));
        }
    }
}

/// Whole records of a file.
pub(crate) struct Window {
    buffer: Vec<u8>,
    ends: Vec<usize>,
    first_line: u64,
    offset: u64,
    /// Bytes of the file read so far.
    pub(crate) read: u64,
}

impl Window {
    /// The window in pieces for parallel parsing.
    pub(crate) fn chunks(&self) -> Vec<Chunk<'_>> {
        let mut start = 0;
        let mut line = self.first_line;
        let mut chunks = Vec::with_capacity(self.ends.len());
        for &end in &self.ends {
            let bytes = &self.buffer[start..end];
            chunks.push(Chunk {
                bytes,
                line,
                offset: self.offset + start as u64,
            });
            line += memchr_iter(b'\n', bytes).count() as u64;
            start = end;
        }
        chunks
    }
}

/// A file as windows of whole records.
pub(crate) struct Windows {
    text: TextReader,
    dialect: Dialect,
    record_limit: usize,
    carry: Vec<u8>,
    line: u64,
    offset: u64,
    skip_record: bool,
}

impl Windows {
    /// Opens a file; with `header`, its first record is passed over.
    pub(crate) fn open(
        source: &Source,
        encoding: Encoding,
        dialect: Dialect,
        header: bool,
        limits: &DetectLimits,
    ) -> Result<Self, IngestError> {
        let text = TextReader::open(source, encoding)?;
        let offset = text.read;
        Ok(Self {
            text,
            dialect,
            record_limit: limits.record_bytes,
            carry: Vec::new(),
            line: 1,
            offset,
            skip_record: header,
        })
    }

    /// The next window, or nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Window>, IngestError> {
        let mut buffer = std::mem::take(&mut self.carry);
        loop {
            let line = self.line + memchr_iter(b'\n', &buffer).count() as u64;
            self.text.append(&mut buffer, WINDOW, line)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let mut ends = record_ends(&buffer, self.dialect, CHUNK);
            let whole = ends.last().copied().unwrap_or(0);
            if self.text.has_ended() {
                if whole < buffer.len() {
                    ends.push(buffer.len());
                }
            } else if buffer.len() - whole > self.record_limit {
                let line = self.line + memchr_iter(b'\n', &buffer[..whole]).count() as u64;
                return Err(IngestError::RecordTooLong {
                    line,
                    limit: self.record_limit,
                });
            } else if ends.is_empty() {
                continue;
            }
            let end = ends.last().copied().unwrap_or(0);
            self.carry = buffer.split_off(end);
            let lines = memchr_iter(b'\n', &buffer).count() as u64;
            let mut window = Window {
                buffer,
                ends,
                first_line: self.line,
                offset: self.offset,
                read: self.text.read,
            };
            self.line += lines;
            self.offset += end as u64;
            if std::mem::take(&mut self.skip_record) {
                window = self.without_header(window)?;
            }
            return Ok(Some(window));
        }
    }

    fn without_header(&self, mut window: Window) -> Result<Window, IngestError> {
        let mut at = 0;
        loop {
            let from = at;
            let mut fields = 0;
            loop {
                fields += 1;
                let (_, end) = crate::record::field(&window.buffer, &mut at, self.dialect).map_err(|_| {
                    IngestError::UnterminatedQuote {
                        line: window.first_line,
                    }
                })?;
                if end == crate::record::End::Record {
                    break;
                }
            }
            // Blank lines before the header are passed over.
            if fields > 1
                || at >= window.buffer.len()
                || !window.buffer[from..at].iter().all(|b| b"\r\n".contains(b))
            {
                break;
            }
        }
        let removed = window.buffer.drain(..at).filter(|&b| b == b'\n').count() as u64;
        window.ends.retain(|&end| end > at);
        window.ends.iter_mut().for_each(|end| *end -= at);
        window.first_line += removed;
        window.offset += at as u64;
        Ok(window)
    }
}
