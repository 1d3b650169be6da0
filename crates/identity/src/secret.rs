//! Secrets of sessions and tokens: random, shown once, stored as a hash.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;

/// What API tokens begin with, so that scanners of leaked secrets know them.
pub(crate) const TOKEN_PREFIX: &str = "shp_";
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

/// A secret as its owner holds it; wiped from memory when dropped, and nothing in debug output.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The text, to hand to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A new secret of a session: 64 hexadecimal digits.
    pub(crate) fn session() -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(hex::encode(*random()?))))
    }

    /// A new secret of a token: prefix, 64 hexadecimal digits, and 8 that let a mistyped one be told apart
    /// without asking the database.
    pub(crate) fn token() -> Result<Self, Error> {
        let body = Zeroizing::new(format!("{TOKEN_PREFIX}{}", hex::encode(*random()?)));
        let checksum = checksum(&body);
        Ok(Self(Zeroizing::new(format!("{}{checksum}", *body))))
    }
}

/// 32 bytes of the operating system's generator.
pub(crate) fn random() -> Result<Zeroizing<[u8; SECRET_BYTES]>, Error> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::Internal("no random bytes"))?;
    Ok(bytes)
}

/// Under what a session is stored; `None` if the text is no session's secret.
pub(crate) fn session_hash(text: &str) -> Option<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    hex::decode_to_slice(text, bytes.as_mut_slice()).ok()?;
    Some(hash("session", text))
}

/// Under what a token is stored; `None` if the text is no token's secret.
pub(crate) fn token_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(TOKEN_PREFIX)?;
    let wanted = 2 * (SECRET_BYTES + CHECKSUM_BYTES);
    if digits.len() != wanted
        || !digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    {
        return None;
    }
    let (body, given) = text.split_at(text.len() - 2 * CHECKSUM_BYTES);
    (checksum(body) == given).then(|| hash("token", text))
}

/// SHA-256 in a domain of its own: secrets have 256 random bits, so no slow hash is needed.
pub(crate) fn hash(domain: &str, text: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(domain)
        .chain_update([0])
        .chain_update(text)
        .finalize()
        .into()
}

fn checksum(body: &str) -> String {
    hex::encode(&hash("checksum", body)[..CHECKSUM_BYTES])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tokens_are_recognised_and_mistyped_ones_are_not() {
        let token = Secret::token().unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 4 + 64 + 8);
        assert!(token_hash(text).is_some());
        let mistyped =
            format!("{}{}", &text[..10], if &text[10..11] == "0" { "1" } else { "0" }) + &text[11..];
        for bad in [
            "",
            "shp_",
            &text[4..],
            &text.to_uppercase(),
            &mistyped,
            &format!("{text}0"),
        ] {
            assert!(token_hash(bad).is_none(), "{bad}");
        }
        assert!(!format!("{token:?}").contains(&text[4..20]));
        assert_ne!(Secret::token().unwrap().expose(), text);
    }

    #[test]
    fn session_secrets_are_hexadecimal() {
        let secret = Secret::session().unwrap();
        assert!(session_hash(secret.expose()).is_some());
        assert!(session_hash("x").is_none());
        assert!(session_hash(&"é".repeat(32)).is_none());
    }
}
