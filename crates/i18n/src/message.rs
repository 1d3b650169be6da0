//! What is to be said, before it is known in which language.

use std::borrow::Cow;

use fluent_bundle::FluentValue;
use model::{Language, Localized};

use crate::Translator;

/// A message in no language yet: a key of the portal's texts, and what stands in it. Made where something happens,
/// said where its reader is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    key: Cow<'static, str>,
    parts: Vec<(Cow<'static, str>, Part)>,
}

/// What can stand in a [`Message`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A word that is the same in every language, such as a name or a number with its own format.
    Text(String),
    /// A number, which chooses the plural form and is shown with separators.
    Number(f64),
    /// Something to be said in the same language.
    Message(Message),
    /// A text that people wrote in several languages.
    Localized(Localized),
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Message> for Part {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Localized> for Part {
    fn from(text: Localized) -> Self {
        Self::Localized(text)
    }
}

macro_rules! number_part {
    ($($type:ty),+) => {
        $(impl From<$type> for Part {
            fn from(number: $type) -> Self {
                // Counts and limits: far below 2⁵³, and shown to people.
                Self::Number(number as f64)
            }
        })+
    };
}

number_part!(u8, u16, u32, u64, usize, i32, i64);

impl From<f64> for Part {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Message {
    /// The message of a key with nothing in it yet.
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self {
            key: key.into(),
            parts: Vec::new(),
        }
    }

    /// Puts something into it.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, part: impl Into<Part>) -> Self {
        self.parts.push((name.into(), part.into()));
        self
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The message in a language; see [`Translator::text`] for what is missing.
    pub fn text(&self, language: Language) -> String {
        let value = |part: &Part| match part {
            Part::Text(text) => FluentValue::from(text.clone()),
            Part::Number(number) => FluentValue::from(*number),
            Part::Message(message) => FluentValue::from(message.text(language)),
            Part::Localized(text) => FluentValue::from(text.get(language).to_owned()),
        };
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(name, part)| (name.as_ref(), value(part)))
            .collect();
        Translator::text(language, &self.key, &parts)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::is_untranslated;

    #[test]
    fn a_message_is_said_in_the_language_of_its_reader() {
        let inner = Message::new("why-thing-dataset");
        let message = Message::new("why-not-found").with("what", inner);
        assert_eq!(message.text(Language::Zh), "没有这个数据集。");
        assert_eq!(message.text(Language::En), "There is no such dataset.");
        let count = Message::new("list-count").with("count", 1_234_u64);
        assert!(count.text(Language::En).starts_with("1,234 "));
        let name = Localized::parse("路", Some("road")).unwrap();
        let named = Message::new("why-not-found").with("what", name);
        assert_eq!(named.text(Language::Zh), "没有这个路。");
        assert!(is_untranslated(&Message::new("why-not-found").text(Language::Zh)));
    }
}
