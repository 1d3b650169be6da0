//! Frames: four bytes that name protocol and version, the length as 32-bit little-endian, then the payload.

use std::io::{Error, ErrorKind, Read, Result, Write};

/// Protocol and version. Another version is refused.
pub const MAGIC: [u8; 4] = *b"SHW1";

/// Bytes before the payload.
pub const HEADER: usize = 8;

/// The largest request to a worker: domains of 8 keys and the parts of a version fit.
pub const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The header of a payload.
///
/// # Errors
/// If the payload is longer than `most`.
pub fn header(length: usize, most: usize) -> Result<[u8; HEADER]> {
    let short = u32::try_from(length).ok().filter(|_| length <= most);
    let length = short.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..].copy_from_slice(&length.to_le_bytes());
    Ok(header)
}

/// The payload's length that a header announces.
///
/// # Errors
/// If it is of another protocol or version, or announces more than `most`.
pub fn payload_length(header: [u8; HEADER], most: usize) -> Result<usize> {
    let [a, b, c, d, length @ ..] = header;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if [a, b, c, d] != MAGIC || length > most {
        return Err(Error::from(ErrorKind::InvalidData));
    }
    Ok(length)
}

/// Reads one frame. Memory grows with what arrives, not with what is announced.
///
/// # Errors
/// If the header is refused, or the payload is cut off.
pub fn read(from: &mut impl Read, most: usize) -> Result<Vec<u8>> {
    let mut head = [0; HEADER];
    from.read_exact(&mut head)?;
    let length = payload_length(head, most)?;
    let mut payload = Vec::new();
    from.take(length as u64).read_to_end(&mut payload)?;
    if payload.len() == length {
        Ok(payload)
    } else {
        Err(Error::from(ErrorKind::UnexpectedEof))
    }
}

/// Writes one frame.
///
/// # Errors
/// If the payload is longer than `most`, or writing fails.
pub fn write(to: &mut impl Write, payload: &[u8], most: usize) -> Result<()> {
    to.write_all(&header(payload.len(), most)?)?;
    to.write_all(payload)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut good = vec![];
        write(&mut good, b"abc", 3).unwrap();
        assert_eq!(read(&mut good.as_slice(), 3).unwrap(), b"abc");
        assert!(read(&mut good.as_slice(), 2).is_err(), "longer than allowed");
        assert!(read(&mut &good[..10], 3).is_err(), "cut off");
        assert!(read(&mut &good[..5], 3).is_err(), "cut off in the header");
        let mut other = good.clone();
        other[3] = b'2';
        assert!(read(&mut other.as_slice(), 3).is_err(), "another version");
        assert!(write(&mut vec![], b"abcd", 3).is_err());
    }
}
