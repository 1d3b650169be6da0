//! Unit keys: the spellings of one key become one canonical form, invalid keys none, and a keyed hash hides them.

use std::borrow::Cow;

use model::UnitType;
use siphasher::sip::SipHasher24;
use zeroize::Zeroize;

use crate::value::is_date;

/// The secret of a unit type: one for all datasets of the portal, so that they join, and known to no department.
#[derive(Clone)]
pub struct UnitSecret([u8; 32]);

impl Drop for UnitSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for UnitSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnitSecret(…)")
    }
}

impl UnitSecret {
    /// A secret of 32 random bytes: half of them key the unit hash, half the order of rows.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn half(&self, second: bool) -> SipHasher24 {
        let mut key = [0; 16];
        key.copy_from_slice(if second { &self.0[16..] } else { &self.0[..16] });
        let hasher = SipHasher24::new_with_key(&key);
        key.zeroize();
        hasher
    }

    pub(crate) fn hasher(&self, unit_type: UnitType) -> UnitHasher {
        UnitHasher {
            unit_type,
            units: self.half(false),
            ranks: self.half(true),
        }
    }
}

/// Hashes keys of one unit type.
///
/// SipHash-2-4 is a pseudo-random function of 64 bits under its 128-bit key (Aumasson and Bernstein 2012): without the
/// secret, hashes tell nothing of keys; two of n units collide with odds of about n²/2⁶⁵.
pub(crate) struct UnitHasher {
    unit_type: UnitType,
    units: SipHasher24,
    ranks: SipHasher24,
}

impl UnitHasher {
    /// The hash of a key, or nothing if it is not valid.
    pub(crate) fn unit(&self, key: &str) -> Option<u64> {
        let mut buffer = [0u8; 18];
        match self.unit_type {
            UnitType::Person => person(key, &mut buffer).map(|key| self.units.hash(key)),
            UnitType::Enterprise => enterprise(key, &mut buffer).map(|key| self.units.hash(key)),
            UnitType::Household | UnitType::Vehicle => {
                let half = half_width(key);
                let key = half.trim();
                (!key.is_empty()).then(|| self.units.hash(key.to_uppercase().as_bytes()))
            }
            UnitType::Row => None,
        }
    }

    /// The synthetic unit of a row of a version, where each row is one.
    pub(crate) fn row(&self, version: u128, row: u64) -> u64 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&version.to_le_bytes());
        bytes[16..].copy_from_slice(&row.to_le_bytes());
        self.units.hash(&bytes)
    }

    /// Where the `nth` row of a unit stands in the pseudo-random order of its rows. It depends on nothing but the unit
    /// and the row's place among the unit's own rows: another unit's rows, added or removed, change nothing.
    pub(crate) fn rank(&self, unit: u64, nth: u32) -> u64 {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&unit.to_le_bytes());
        bytes[8..].copy_from_slice(&nth.to_le_bytes());
        self.ranks.hash(&bytes)
    }
}

/// Full-width forms (U+FF01 to U+FF5E and the ideographic blank) as ASCII.
fn half_width(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        _ => c,
    };
    Cow::Owned(text.chars().map(narrow).collect())
}

/// Weights and check characters of GB 11643-1999 (ISO 7064 MOD 11-2).
const ID_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const ID_CHECKS: &[u8; 11] = b"10X98765432";

fn id_check(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .zip(ID_WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    ID_CHECKS[(sum % 11) as usize]
}

/// An ID number in its 18-character form, if date and check digit are valid. One of 15 digits is of the 20th century.
fn person<'a>(key: &str, buffer: &'a mut [u8; 18]) -> Option<&'a [u8]> {
    let half = half_width(key);
    let key = half.trim().as_bytes();
    match key.len() {
        18 => buffer.copy_from_slice(key),
        15 => {
            buffer[..6].copy_from_slice(&key[..6]);
            buffer[6..8].copy_from_slice(b"19");
            buffer[8..17].copy_from_slice(&key[6..]);
        }
        _ => return None,
    }
    if !buffer[..17].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let check = id_check(&buffer[..17]);
    if key.len() == 15 {
        buffer[17] = check;
    }
    let number = |from: usize, to: usize| {
        buffer[from..to]
            .iter()
            .fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    };
    let year = number(6, 10);
    let dated = (1800..2200).contains(&year) && is_date(year, number(10, 12), number(12, 14));
    buffer[17].make_ascii_uppercase();
    (dated && buffer[17] == check).then_some(buffer.as_slice())
}

/// Characters and weights of GB 32100-2015 (MOD 31).
const CREDIT_CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const CREDIT_WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// A unified social credit code in upper case, if its check character is valid.
fn enterprise<'a>(key: &str, buffer: &'a mut [u8; 18]) -> Option<&'a [u8]> {
    let half = half_width(key);
    let key = half.trim().as_bytes();
    if key.len() != 18 {
        return None;
    }
    buffer.copy_from_slice(key);
    buffer.make_ascii_uppercase();
    let value = |byte: u8| CREDIT_CHARACTERS.iter().position(|&c| c == byte);
    let mut sum = 0;
    for (&byte, weight) in buffer.iter().zip(CREDIT_WEIGHTS) {
        sum += value(byte)? * weight;
    }
    (value(buffer[17])? == (31 - sum % 31) % 31).then_some(buffer.as_slice())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn hasher(unit_type: UnitType) -> UnitHasher {
        UnitSecret::new([7; 32]).hasher(unit_type)
    }

    #[test]
    fn the_spellings_of_an_id_number_are_one_unit() {
        let hasher = hasher(UnitType::Person);
        // The example of GB 11643-1999 with its check digit X, and the same person's old number.
        let same = [
            "11010519491231002X",
            "11010519491231002x",
            " 11010519491231002X\t",
            "110105491231002",
        ];
        let wide: String = same[0]
            .chars()
            .map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap())
            .collect();
        let wanted = hasher.unit(same[0]).unwrap();
        for key in same
            .into_iter()
            .chain([wide.as_str(), &format!("\u{3000}{wide}")])
        {
            assert_eq!(hasher.unit(key), Some(wanted), "{key:?}");
        }
        for bad in [
            "",
            "110105194912310021",
            "11010519491331002X",
            "1101051949123100",
            "11010519490229002X",
            "ABCDEFGHIJKLMNOPQR",
            "110105491331002",
            "11010549123100X",
            "1101051949123100２X２",
        ] {
            assert_eq!(hasher.unit(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn credit_codes_are_checked() {
        let hasher = hasher(UnitType::Enterprise);
        // The example of GB 32100-2015, annex.
        let wanted = hasher.unit("91350100M000100Y43").unwrap();
        assert_eq!(hasher.unit(" 91350100m000100y43"), Some(wanted));
        for bad in [
            "91350100M000100Y44",
            "91350100M000100Y4",
            "91350100I000100Y43",
            "",
            "９",
        ] {
            assert_eq!(hasher.unit(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn secrets_and_types_separate() {
        let key = "11010519491231002X";
        let one = UnitSecret::new([1; 32]).hasher(UnitType::Person);
        let two = UnitSecret::new([2; 32]).hasher(UnitType::Person);
        assert_ne!(one.unit(key), two.unit(key));
        assert_ne!(one.rank(5, 0), one.rank(5, 1));
        assert_ne!(one.row(1, 0), one.row(2, 0));
        assert_eq!(format!("{:?}", UnitSecret::new([3; 32])), "UnitSecret(…)");
        let plate = hasher(UnitType::Vehicle);
        assert_eq!(plate.unit("京a12345"), plate.unit("京Ａ12345 "));
        assert_eq!(plate.unit("  "), None);
    }
}
