//! Resident identity numbers (GB 11643-1999) and unified social credit codes (GB 32100-2015), with valid check
//! characters and regions assigned to nobody.

use crate::random::Draw;
use crate::text_buffer::TextBuffer;

/// A resident identity number of 18 characters: region (6), birth date (8), sequence (3, odd for men), check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdNumber([u8; 18]);

impl IdNumber {
    /// The number of a region (six digits), birth date and sequence below 1000.
    pub(crate) fn new(region: u32, (year, month, day): (u32, u32, u32), sequence: u32) -> Self {
        let mut digits = [0; 18];
        let date = year * 10_000 + month * 100 + day;
        write_digits(&mut digits[0..6], region);
        write_digits(&mut digits[6..14], date);
        write_digits(&mut digits[14..17], sequence);
        digits[17] = id_check(&digits);
        Self(digits)
    }

    /// The 18 characters; the last one may be `X`.
    pub fn as_str(&self) -> &str {
        // Digits and X only, so this is always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn write_digits(space: &mut [u8], mut number: u32) {
    for digit in space.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The check character of the first 17 digits: ISO 7064 MOD 11-2, as GB 11643 prescribes.
fn id_check(digits: &[u8; 18]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = WEIGHTS
        .iter()
        .zip(digits)
        .map(|(w, d)| w * u32::from(d - b'0'))
        .sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// Appends an ID number the way a registration desk may have typed it: `x` for `X`, full-width digits, the old form
/// of 15 digits (births before 2000), spaces around.
pub(crate) fn push_spelling(text: &mut TextBuffer, number: &IdNumber, draw: &mut Draw) {
    let digits = &number.0;
    match draw.below(100) {
        0..=69 => text.push(number.as_str()),
        70..=77 => {
            for digit in digits {
                text.push_ascii(digit.to_ascii_lowercase());
            }
        }
        78..=83 => {
            for digit in digits {
                push_full_width(text, *digit);
            }
        }
        84..=91 if digits[6..8] == *b"19" => {
            for digit in digits[0..6].iter().chain(&digits[8..17]) {
                text.push_ascii(*digit);
            }
        }
        84..=94 => {
            text.push(number.as_str());
            text.push(" ");
        }
        95..=97 => {
            text.push("  ");
            text.push(number.as_str());
        }
        _ => {
            text.push("\u{3000}");
            text.push(number.as_str());
            text.push(" ");
        }
    }
}

fn push_full_width(text: &mut TextBuffer, digit: u8) {
    const DIGITS: [&str; 10] = ["０", "１", "２", "３", "４", "５", "６", "７", "８", "９"];
    text.push(if digit == b'X' {
        "Ｘ"
    } else {
        DIGITS[usize::from(digit - b'0') % 10]
    });
}

/// Appends something that stands in an ID column and is no ID number.
pub(crate) fn push_bad_id(text: &mut TextBuffer, number: &IdNumber, draw: &mut Draw) {
    match draw.below(5) {
        0 => text.push("不详"),
        1 => text.push("000000000000000000"),
        2 => text.push(&number.as_str()[..17]),
        3 => {
            // February has no 30th day.
            text.push(&number.as_str()[..10]);
            text.push("0230");
            text.push(&number.as_str()[14..]);
        }
        _ => push_wrong_check(text, number.as_str()),
    }
}

/// Appends a code with another last digit than the right one.
fn push_wrong_check(text: &mut TextBuffer, code: &str) {
    let (body, check) = code.split_at(code.len() - 1);
    text.push(body);
    text.push(if check == "7" { "3" } else { "7" });
}

/// A unified social credit code of 18 characters: registrar (1), kind (1), region (6), organisation code (9, with a
/// check character of its own, GB 11714), check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CreditCode([u8; 18]);

/// The characters of a credit code with their values: no I, O, S, V, Z (GB 32100, table 2).
const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

impl CreditCode {
    /// How many numbers there are.
    pub(crate) const NUMBERS: u64 = 31_u64.pow(6);

    /// The code of an enterprise (registrar 9, kind 1) by region (six digits) and number below [`Self::NUMBERS`].
    pub(crate) fn new(region: u32, number: u64) -> Self {
        let mut code = *b"91000000MA00000000";
        write_digits(&mut code[2..8], region);
        let mut rest = number;
        for place in code[10..16].iter_mut().rev() {
            *place = CREDIT_ALPHABET[(rest % 31) as usize];
            rest /= 31;
        }
        code[16] = organization_check(&code[8..16]);
        code[17] = credit_check(&code);
        Self(code)
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        // ASCII only, so this is always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The check character of an organisation code's first eight characters (GB 11714-1997).
fn organization_check(body: &[u8]) -> u8 {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |c: u8| {
        u32::from(if c.is_ascii_digit() {
            c - b'0'
        } else {
            c - b'A' + 10
        })
    };
    let sum: u32 = WEIGHTS.iter().zip(body).map(|(w, c)| w * value(*c)).sum();
    b"0X987654321"[(sum % 11) as usize]
}

/// The check character of a credit code's first 17 (GB 32100-2015: weights 3^i mod 31).
fn credit_check(code: &[u8; 18]) -> u8 {
    let mut sum = 0;
    let mut weight = 1;
    for character in &code[..17] {
        let value = CREDIT_ALPHABET.iter().position(|c| c == character).unwrap_or(0);
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    CREDIT_ALPHABET[(31 - sum % 31) % 31]
}

/// Appends something that stands in a credit code column and is no credit code.
pub(crate) fn push_bad_credit_code(text: &mut TextBuffer, code: &CreditCode, draw: &mut Draw) {
    match draw.below(4) {
        0 => text.push("待补"),
        1 => text.push(&code.as_str()[..15]),
        2 => text.push("无"),
        _ => push_wrong_check(text, code.as_str()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::random::Stream;

    /// An independent check: MOD 11-2 by its recurrence instead of weights, the date by jiff.
    pub(crate) fn is_id_number(text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
            return false;
        }
        let mut p = 0_u32;
        for digit in &bytes[..17] {
            p = (p + u32::from(digit - b'0')) * 2 % 11;
        }
        let last = if bytes[17] == b'X' {
            10
        } else {
            u32::from(bytes[17].wrapping_sub(b'0'))
        };
        let date = format!("{}-{}-{}", &text[6..10], &text[10..12], &text[12..14]);
        last <= 10 && (p + last) % 11 == 1 && date.parse::<jiff::civil::Date>().is_ok()
    }

    /// An independent check: the weighted sum with the check character is 0 mod 31, weights by powers from the table
    /// of GB 32100.
    pub(crate) fn is_credit_code(text: &str) -> bool {
        const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
        let values: Option<Vec<usize>> = text
            .chars()
            .map(|c| "0123456789ABCDEFGHJKLMNPQRTUWXY".find(c))
            .collect();
        values.is_some_and(|v| {
            v.len() == 18 && (WEIGHTS.iter().zip(&v).map(|(w, x)| w * x).sum::<usize>() + v[17]) % 31 == 0
        })
    }

    /// Canonicalises as the ingest step will: trim, full width to ASCII, upper case, 15 digits to 18.
    pub(crate) fn canonical(text: &str) -> Option<String> {
        let ascii = |c: char| match c {
            '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
            'Ｘ' | 'x' => 'X',
            other => other,
        };
        let mut id: String = text.trim().chars().map(ascii).collect();
        if id.len() == 15 && id.bytes().all(|b| b.is_ascii_digit()) {
            id.insert_str(6, "19");
            id.extend(
                (0..=9)
                    .map(|d| char::from(b'0' + d))
                    .chain(['X'])
                    .find(|c| is_id_number(&format!("{id}{c}"))),
            );
        }
        is_id_number(&id).then_some(id)
    }

    #[test]
    fn the_standards_own_examples_pass() {
        // GB 11643-1999, appendix: 11010519491231002X and 440524188001010014.
        for (region, date, sequence, whole) in [
            (110_105, (1949, 12, 31), 2, "11010519491231002X"),
            (440_524, (1880, 1, 1), 1, "440524188001010014"),
        ] {
            assert_eq!(IdNumber::new(region, date, sequence).as_str(), whole);
            assert!(is_id_number(whole));
        }
        assert!(!is_id_number("110105194912310021") && !is_id_number("11010519490230002X"));
    }

    #[test]
    fn credit_codes_verify() {
        for number in (0..CreditCode::NUMBERS).step_by(9_999_991) {
            let code = CreditCode::new(990_102, number);
            assert!(is_credit_code(code.as_str()), "{}", code.as_str());
        }
        // A published organisation code of GB 11714's appendix: D2143569-X.
        assert_eq!(organization_check(b"D2143569"), b'X');
        assert!(!is_credit_code("91990102MA00000000"));
    }

    #[test]
    fn every_spelling_is_the_same_number_and_every_bad_one_is_none() {
        let mut forms = std::collections::HashSet::new();
        for i in 0..3_000 {
            let mut draw = Draw::new(5, Stream::Person, i);
            let year = 1940 + (i % 80) as u32;
            let number = IdNumber::new(990_105, (year, 5, 9), (i % 996) as u32);
            let mut text = TextBuffer::new();
            push_spelling(&mut text, &number, &mut draw);
            forms.insert(text.as_str().chars().count());
            assert_eq!(
                canonical(text.as_str()).unwrap(),
                number.as_str(),
                "{:?}",
                text.as_str()
            );
            let mut bad = TextBuffer::new();
            push_bad_id(&mut bad, &number, &mut draw);
            assert_eq!(canonical(bad.as_str()), None, "{:?}", bad.as_str());
            let code = CreditCode::new(990_102, i);
            let mut bad = TextBuffer::new();
            push_bad_credit_code(&mut bad, &code, &mut draw);
            assert!(!is_credit_code(bad.as_str()), "{:?}", bad.as_str());
        }
        assert!(forms.len() >= 4, "15, 18, 19 and 20 characters: {forms:?}");
    }
}
