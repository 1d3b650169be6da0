//! Signed notes (C2SP signed-note) with Ed25519 keys.
//!
//! A note is text, an empty line, and signature lines `— <key name> <base64(key id || signature)>`.
//! Signatures by keys that a reader does not know are ignored, which lets keys rotate and witnesses co-sign.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1 << 20;
/// The most signatures that are read; the standard asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

const ED25519: u8 = 0x01;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// A note or key that is malformed, or whose signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("this is not a signed note: {0}")]
    Malformed(&'static str),
    /// Not the text of a key.
    #[error("this is not an Ed25519 note key: {0}")]
    Key(&'static str),
    /// A key name that is empty or has a space, a plus sign or a control character.
    #[error("\"{0}\" is not a key name: no spaces, plus signs or control characters")]
    Name(String),
    /// A signature by a known key that is wrong: the text was changed or the signature forged.
    #[error("the signature of {0} does not fit the text")]
    BadSignature(String),
    /// No signature by any of the known keys.
    #[error("none of the known keys has signed this")]
    NoKnownSignature,
    /// The operating system gave no random bytes for a new key.
    #[error("no random bytes for a new key")]
    NoEntropy,
}

/// The public half of a note key. Its text is `<name>+<8 hex digits of the id>+<base64(0x01 || public key)>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

/// The secret half of a note key; it is wiped from memory when dropped and shows nothing in debug output.
#[derive(Clone)]
pub struct SigningKey {
    public: VerifierKey,
    key: ed25519_dalek::SigningKey,
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', ED25519])
        .chain_update(public)
        .finalize()
        .into();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(bad) {
        Err(NoteError::Name(name.to_owned()))
    } else {
        Ok(())
    }
}

/// Splits `<name>+<id>+<base64(0x01 || 32 bytes)>`; the base64 may itself contain a plus sign.
fn split_key(text: &str) -> Result<(&str, &str, [u8; 32]), NoteError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::Key("it has not three parts joined by +"));
    };
    check_name(name)?;
    let material = BASE64_STANDARD
        .decode(material)
        .map_err(|_| NoteError::Key("its material is not base64"))?;
    match material.split_first() {
        Some((&ED25519, key)) => {
            let key = key
                .try_into()
                .map_err(|_| NoteError::Key("its material is not 32 bytes"))?;
            Ok((name, id, key))
        }
        _ => Err(NoteError::Key("its algorithm is not Ed25519 (1)")),
    }
}

impl VerifierKey {
    /// A key from its name and its Ed25519 public key.
    ///
    /// # Errors
    /// [`NoteError::Name`], or [`NoteError::Key`] for bytes that are no point of the curve or one of small
    /// order.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(public)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or(NoteError::Key("its public key is not a usable point"))?;
        Ok(Self {
            name: name.to_owned(),
            id: key_id(name, public),
            key,
        })
    }

    /// The key's name, by convention a log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || 0x0A || 0x01 || public key).
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the Ed25519 public key.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            BASE64_STANDARD.encode(material)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id, public) = split_key(text)?;
        let key = Self::new(name, &public)?;
        if hex::encode(key.id) == id {
            Ok(key)
        } else {
            Err(NoteError::Key("its id belongs to another key"))
        }
    }
}

impl SigningKey {
    /// A key from its name and its 32 secret bytes (the Ed25519 seed).
    ///
    /// # Errors
    /// [`NoteError::Name`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, key.verifying_key().as_bytes())?;
        Ok(Self { public, key })
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`NoteError::Name`], or [`NoteError::NoEntropy`].
    pub fn generate(name: &str) -> Result<Self, NoteError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| NoteError::NoEntropy)?;
        Self::from_seed(name, &seed)
    }

    /// Parses what [`SigningKey::to_secret_text`] wrote.
    ///
    /// # Errors
    /// [`NoteError::Key`] or [`NoteError::Name`]; no error repeats any part of the secret.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let rest = text
            .strip_prefix(PRIVATE_PREFIX)
            .ok_or(NoteError::Key("it does not begin with PRIVATE+KEY+"))?;
        let (name, id, seed) = split_key(rest)?;
        let key = Self::from_seed(name, &seed)?;
        if hex::encode(key.public.id) == id {
            Ok(key)
        } else {
            Err(NoteError::Key("its id belongs to another key"))
        }
    }

    /// The key as text for a secret store: `PRIVATE+KEY+<name>+<id>+<base64(0x01 || seed)>`, the form that
    /// other note tools read.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        let material = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        let (name, id) = (&self.public.name, hex::encode(self.public.id));
        format!("{PRIVATE_PREFIX}{name}+{id}+{}", BASE64_STANDARD.encode(material))
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret)", self.public)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that is said to have signed.
    pub name: String,
    /// Id of that key.
    pub key_id: [u8; 4],
    /// The signature, 64 bytes for Ed25519.
    pub signature: Vec<u8>,
}

/// A text with its signatures. Its text means nothing before [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// An unsigned note of `text`, which must be non-empty and end in a newline.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn new(text: String) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end in a newline"));
        }
        if text.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed("it has a control character"));
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Adds a signature over the text.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.signatures.push(NoteSignature {
            name: key.public.name.clone(),
            key_id: key.public.id,
            signature: key.key.sign(self.text.as_bytes()).to_bytes().to_vec(),
        });
        self
    }

    /// The text, with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature by one of `keys` and returns the keys that signed, in the order of the lines.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] when a known key's signature is wrong, even if another one holds;
    /// [`NoteError::NoKnownSignature`] when no line is by a known key.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers = Vec::new();
        for line in &self.signatures {
            let Some(key) = keys
                .iter()
                .find(|key| key.name == line.name && key.id == line.key_id)
            else {
                continue;
            };
            ed25519_dalek::Signature::from_slice(&line.signature)
                .and_then(|signature| key.key.verify_strict(self.text.as_bytes(), &signature))
                .map_err(|_| NoteError::BadSignature(key.name.clone()))?;
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() {
            Err(NoteError::NoKnownSignature)
        } else {
            Ok(signers)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let material = [line.key_id.as_slice(), &line.signature].concat();
            writeln!(f, "— {} {}", line.name, BASE64_STANDARD.encode(material))?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, Self::Err> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("it is longer than 1 MiB"));
        }
        let border = note
            .rfind("\n\n")
            .ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, lines) = (&note[..=border], &note[border + 2..]);
        let mut parsed = Self::new(text.to_owned())?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the last line has no newline"))?;
        for line in lines.split('\n') {
            if parsed.signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::Malformed("more than 100 signatures"));
            }
            parsed.signatures.push(parse_signature(line)?);
        }
        Ok(parsed)
    }
}

fn parse_signature(line: &str) -> Result<NoteSignature, NoteError> {
    let malformed = NoteError::Malformed("a signature line is not \"— name base64\"");
    let Some((name, material)) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')) else {
        return Err(malformed);
    };
    check_name(name)?;
    let material = BASE64_STANDARD.decode(material).map_err(|_| malformed.clone())?;
    match material.split_first_chunk::<4>() {
        Some((key_id, signature)) if !signature.is_empty() => Ok(NoteSignature {
            name: name.to_owned(),
            key_id: *key_id,
            signature: signature.to_vec(),
        }),
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    // The published example of Go's sumdb/note package: another implementation's key and signature.
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const LINE: &str = "— PeterNeumann \
                        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signer(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(name, &[seed; 32]).unwrap()
    }

    #[test]
    fn published_example_is_read_and_reproduced() {
        let key: VerifierKey = VKEY.parse().unwrap();
        assert_eq!(key.to_string(), VKEY);
        let published = format!("{TEXT}\n{LINE}");
        let note: Note = published.parse().unwrap();
        assert_eq!(note.text(), TEXT);
        assert_eq!(note.verify(std::slice::from_ref(&key)).unwrap(), [&key]);
        let signing = SigningKey::parse(SKEY).unwrap();
        assert_eq!(signing.verifier(), &key);
        assert_eq!(signing.to_secret_text(), SKEY);
        assert_eq!(
            Note::new(TEXT.to_owned()).unwrap().sign(&signing).to_string(),
            published
        );
    }

    #[test]
    fn no_part_and_no_change_of_a_key_is_a_key() {
        for i in 0..=VKEY.len() {
            for j in i..=VKEY.len() {
                if (i, j) != (0, VKEY.len()) {
                    assert!(VKEY[i..j].parse::<VerifierKey>().is_err(), "{}", &VKEY[i..j]);
                }
            }
            if i < VKEY.len() {
                let mut changed = VKEY.as_bytes().to_vec();
                changed[i] ^= 1;
                assert!(
                    String::from_utf8(changed)
                        .unwrap()
                        .parse::<VerifierKey>()
                        .is_err(),
                    "{i}"
                );
            }
        }
        for name in ["", "two words", "a+b", "a\u{3000}b", "line\nbreak", "tab\t"] {
            assert!(SigningKey::from_seed(name, &[1; 32]).is_err(), "{name:?}");
        }
        // The identity element: a small-order point under which anything verifies.
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(matches!(
            VerifierKey::new("weak", &identity),
            Err(NoteError::Key(_))
        ));
    }

    #[test]
    fn unknown_signatures_are_ignored_and_known_ones_must_hold() {
        let (log, witness, stranger) = (
            signer("city.example/ledger", 1),
            signer("witness", 2),
            signer("who", 3),
        );
        let note = Note::new("hello\n".to_owned())
            .unwrap()
            .sign(&stranger)
            .sign(&log)
            .sign(&witness);
        let note: Note = note.to_string().parse().unwrap();
        let known = [log.verifier().clone(), witness.verifier().clone()];
        assert_eq!(note.verify(&known).unwrap(), [&known[0], &known[1]]);
        assert_eq!(
            note.verify(&[signer("nobody", 4).verifier().clone()]),
            Err(NoteError::NoKnownSignature)
        );
        // Same name, other key: unknown, not wrong.
        let namesake = signer("who", 9);
        assert_eq!(
            note.verify(&[namesake.verifier().clone()]),
            Err(NoteError::NoKnownSignature)
        );
        let mut forged = note.clone();
        forged.signatures[2].signature[5] ^= 1;
        assert_eq!(
            forged.verify(&known),
            Err(NoteError::BadSignature("witness".to_owned()))
        );
        assert!(forged.verify(&known[..1]).is_ok());
        let mut short = note.clone();
        short.signatures[1].signature.pop();
        assert!(matches!(short.verify(&known), Err(NoteError::BadSignature(_))));
        let mut changed = note;
        changed.text = "hullo\n".to_owned();
        assert!(matches!(changed.verify(&known), Err(NoteError::BadSignature(_))));
    }

    #[test]
    fn text_may_have_empty_lines() {
        let key = signer("k", 1);
        let note = Note::new("a\n\nb\n\n".to_owned()).unwrap().sign(&key);
        let read: Note = note.to_string().parse().unwrap();
        assert_eq!(read, note);
        assert!(read.verify(&[key.verifier().clone()]).is_ok());
    }

    #[test]
    fn malformed_notes_are_refused() {
        let good = format!("{TEXT}\n{LINE}");
        let many = format!("{TEXT}\n{}", LINE.repeat(MAX_SIGNATURES + 1));
        let long = format!("{}\n\n{LINE}", "x".repeat(MAX_NOTE_BYTES));
        for bad in [
            "",
            "\n",
            "\n\n",
            TEXT,
            good.trim_end(),
            &good.replace("— ", "- "),
            &good.replace("— ", "—"),
            &good.replace("\n\n", "\n"),
            &format!("{TEXT}\n"),
            &good.replace("you", "y\tu"),
            &many,
            &long,
            &good.replace("x08g", "x08*"),
            &format!("{TEXT}\n— k AAAAAA==\n"),
            &format!("{good}trailing\n"),
            &good.replace('\n', "\r\n"),
        ] {
            assert!(bad.parse::<Note>().is_err(), "{:?}", &bad[..bad.len().min(200)]);
        }
        assert!(Note::new("no newline".to_owned()).is_err());
    }

    #[test]
    fn a_secret_never_shows() {
        let key = SigningKey::parse(SKEY).unwrap();
        assert!(!format!("{key:?}").contains("AYEKFALVFGyN"));
        let error = SigningKey::parse(&SKEY.replace("c74f20a3", "c74f20a4")).unwrap_err();
        assert!(!error.to_string().contains("AYEKFALVFGyN"));
        assert_ne!(
            SigningKey::generate("a").unwrap().to_secret_text(),
            SigningKey::generate("a").unwrap().to_secret_text()
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = text.parse::<Note>();
            let _ = text.parse::<VerifierKey>();
        }

        #[test]
        fn any_signed_text_round_trips(lines in prop::collection::vec("[ -~城市]{0,20}", 1..6)) {
            let key = signer("k", 7);
            let note = Note::new(lines.join("\n") + "\n").unwrap().sign(&key);
            let read: Note = note.to_string().parse().unwrap();
            prop_assert_eq!(&read, &note);
            prop_assert!(read.verify(&[key.verifier().clone()]).is_ok());
        }
    }
}
