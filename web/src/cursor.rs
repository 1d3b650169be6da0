//! Cursors: where a list goes on. Opaque to clients, and signed, so that a forged one is an error and not a guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::failure::Failure;
use crate::problem::Code;

/// Bytes of the signature that a cursor carries.
const TAG: usize = 16;

/// Writes a cursor for a list; `list` names the list with everything that changes its order or content.
///
/// # Errors
/// If the position cannot be written.
pub(crate) fn write<T: Serialize>(key: &[u8; 32], list: &str, position: &T) -> Result<String, Failure> {
    let body = serde_json::to_vec(position).map_err(|_| Failure::internal())?;
    let tag = sign(key, list, &body);
    let mut bytes = tag[..TAG].to_vec();
    bytes.extend_from_slice(&body);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a cursor of the same list.
///
/// # Errors
/// [`Code::InvalidCursor`] for any text that [`write`] did not make for this list.
pub(crate) fn read<T: DeserializeOwned>(key: &[u8; 32], list: &str, cursor: &str) -> Result<T, Failure> {
    let bad = || Failure::say(Code::InvalidCursor, "why-cursor");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    if bytes.len() < TAG || bytes.len() > 4_096 {
        return Err(bad());
    }
    let (tag, body) = bytes.split_at(TAG);
    let mut mac = begin(key, list);
    mac.update(body);
    mac.verify_truncated_left(tag).map_err(|_| bad())?;
    serde_json::from_slice(body).map_err(|_| bad())
}

fn sign(key: &[u8; 32], list: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = begin(key, list);
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn begin(key: &[u8; 32], list: &str) -> Hmac<Sha256> {
    // HMAC pads a key to its block with zeros (RFC 2104 section 2): a block never has the wrong length.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(&(list.len() as u64).to_be_bytes());
    mac.update(list.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_list_only() {
        let key = [7; 32];
        let cursor = write(&key, "versions/a", &42_i64).unwrap();
        assert_eq!(read::<i64>(&key, "versions/a", &cursor).unwrap(), 42);
        assert!(read::<i64>(&key, "versions/b", &cursor).is_err());
        assert!(read::<i64>(&[8; 32], "versions/a", &cursor).is_err());
    }

    #[test]
    fn forged_cursors_are_told() {
        let key = [7; 32];
        let cursor = write(&key, "x", &1_000_i64).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let long = "A".repeat(100_000);
        for forged in ["", "1", "💣", "AAAA", &URL_SAFE_NO_PAD.encode(bytes), &long] {
            let failure = read::<i64>(&key, "x", forged).unwrap_err();
            assert_eq!(failure.0.code, Code::InvalidCursor, "{forged:.20}");
        }
    }
}
