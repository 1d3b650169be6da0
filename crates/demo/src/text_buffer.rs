//! Short texts built on the stack, so that no row allocates.

/// Up to 64 bytes of UTF-8; what does not fit is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextBuffer {
    bytes: [u8; 64],
    length: usize,
}

impl TextBuffer {
    /// An empty text.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; 64],
            length: 0,
        }
    }

    /// Appends a text.
    pub(crate) fn push(&mut self, text: &str) {
        if let Some(space) = self.bytes.get_mut(self.length..self.length + text.len()) {
            space.copy_from_slice(text.as_bytes());
            self.length += text.len();
        }
    }

    /// Appends an ASCII character.
    pub(crate) fn push_ascii(&mut self, byte: u8) {
        if let Some(space) = self.bytes.get_mut(self.length).filter(|_| byte.is_ascii()) {
            *space = byte;
            self.length += 1;
        }
    }

    /// Appends the last `width` decimal digits of a number, with leading zeros.
    pub(crate) fn push_digits(&mut self, mut number: u64, width: usize) {
        if let Some(space) = self.bytes.get_mut(self.length..self.length + width) {
            for digit in space.iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
            self.length += width;
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        // Only whole texts are appended, so this is always UTF-8.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_put_together_and_cut_whole() {
        let mut text = TextBuffer::new();
        text.push("车");
        text.push_digits(42, 5);
        text.push_ascii(b'X');
        assert_eq!(text.as_str(), "车00042X");
        text.push(&"长".repeat(30));
        assert_eq!(text.as_str(), "车00042X");
    }
}
