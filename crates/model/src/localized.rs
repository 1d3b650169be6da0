//! Text for people: Chinese required, English where there is one.

use serde::{Deserialize, Serialize};

/// A language the portal speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 简体中文.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    /// The BCP 47 tag for `lang` attributes and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language of a tag such as `zh`, `zh-CN` or `en-GB`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::Zh)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::En)
        } else {
            None
        }
    }
}

/// A text in Chinese and perhaps in English. The Chinese one is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "LocalizedParts")]
pub struct Localized {
    zh: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    en: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalizedParts {
    zh: String,
    #[serde(default)]
    en: Option<String>,
}

/// The longest text for people, in characters of one language.
pub const MAX_CHARS: usize = 20_000;

/// Why a text cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalizedError {
    /// The Chinese text is missing.
    #[error("the Chinese text (zh) must not be empty")]
    Empty,
    /// A text is over [`MAX_CHARS`].
    #[error("a text has at most {MAX_CHARS} characters; got {0}")]
    TooLong(usize),
    /// A text has control characters other than line breaks and tabs.
    #[error("a text must not contain control characters (U+{0:04X})")]
    Control(u32),
}

impl TryFrom<LocalizedParts> for Localized {
    type Error = LocalizedError;

    fn try_from(parts: LocalizedParts) -> Result<Self, LocalizedError> {
        Self::parse(&parts.zh, parts.en.as_deref())
    }
}

impl Localized {
    /// Trims and checks both texts; an empty English one counts as absent.
    ///
    /// # Errors
    /// If the Chinese text is empty, or one is too long or has control characters.
    pub fn parse(zh: &str, en: Option<&str>) -> Result<Self, LocalizedError> {
        let zh = checked(zh)?;
        if zh.is_empty() {
            return Err(LocalizedError::Empty);
        }
        let en = en.map(checked).transpose()?.filter(|text| !text.is_empty());
        Ok(Self { zh, en })
    }

    /// The text in this language, Chinese where it has none.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => self.en.as_deref().unwrap_or(&self.zh),
        }
    }

    /// The language that [`Self::get`] answers in.
    pub fn language_for(&self, wanted: Language) -> Language {
        if wanted == Language::En && self.en.is_none() {
            Language::Zh
        } else {
            wanted
        }
    }

    /// The Chinese text.
    pub fn zh(&self) -> &str {
        &self.zh
    }

    /// The English text, if there is one.
    pub fn en(&self) -> Option<&str> {
        self.en.as_deref()
    }
}

fn checked(text: &str) -> Result<String, LocalizedError> {
    let text = text.trim();
    let count = text.chars().count();
    if count > MAX_CHARS {
        return Err(LocalizedError::TooLong(count));
    }
    match text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        Some(c) => Err(LocalizedError::Control(c as u32)),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn chinese_is_required_and_stands_in() {
        assert_eq!(Localized::parse(" ", Some("x")), Err(LocalizedError::Empty));
        let text = Localized::parse(" 公交线路 ", None).unwrap();
        assert_eq!(text.get(Language::En), "公交线路");
        assert_eq!(text.language_for(Language::En), Language::Zh);
        assert_eq!(Localized::parse("路", Some("  ")).unwrap().en(), None);
        assert_eq!(Localized::parse("a\0b", None), Err(LocalizedError::Control(0)));
    }

    #[test]
    fn json_is_checked_at_the_door() {
        assert!(serde_json::from_str::<Localized>(r#"{"zh":""}"#).is_err());
        assert!(serde_json::from_str::<Localized>(r#"{"zh":"甲","fr":"a"}"#).is_err());
        let text: Localized = serde_json::from_str(r#"{"zh":"甲","en":"A"}"#).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), r#"{"zh":"甲","en":"A"}"#);
    }

    #[test]
    fn tags_choose_a_language() {
        assert_eq!(Language::from_tag("zh-Hans-CN"), Some(Language::Zh));
        assert_eq!(Language::from_tag("EN-gb"), Some(Language::En));
        assert_eq!(Language::from_tag("fr"), None);
    }
}
