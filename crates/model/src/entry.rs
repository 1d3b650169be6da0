//! What a catalogue entry says of a dataset (政务信息资源目录编制指南; standards.md "Catalogue entry").

use serde::{Deserialize, Serialize};

use crate::localized::Localized;

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $zh:literal, $en:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $code)] $variant,)+
        }

        impl $name {
            /// Every term, in the order in which pages list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code, as in JSON and addresses.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The term of a code.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The name for people.
            pub const fn name(self, language: crate::Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, crate::Language::Zh) => $zh,
                      (Self::$variant, crate::Language::En) => $en,)+
                }
            }
        }
    };
}

vocabulary! {
    /// The theme of a dataset: the 主题 that Chinese open-data portals share.
    Theme {
        /// Traffic and transport.
        Transport = "transport", "交通运输", "Transport";
        /// Ecology and environment.
        Environment = "environment", "生态环境", "Environment";
        /// Health.
        Health = "health", "医疗卫生", "Health";
        /// Education, science and technology.
        Education = "education", "教育科技", "Education and science";
        /// Culture, sport, leisure.
        Culture = "culture", "文化体育", "Culture and sport";
        /// Social security and employment.
        Welfare = "welfare", "社保就业", "Welfare and employment";
        /// Towns, housing, construction.
        Urban = "urban", "城建住房", "Urban development and housing";
        /// Land, resources and energy.
        Resources = "resources", "资源能源", "Land and energy";
        /// Agriculture and the countryside.
        Agriculture = "agriculture", "农业农村", "Agriculture";
        /// Business, industry, services.
        Business = "business", "工业商贸", "Industry and commerce";
        /// Finance and taxes.
        Finance = "finance", "财税金融", "Finance and taxation";
        /// Public safety.
        Safety = "safety", "安全生产", "Public safety";
        /// Meteorology and water.
        Weather = "weather", "气象水文", "Weather and water";
        /// Institutions, administrative divisions, government.
        Government = "government", "机构团体", "Government";
        /// Credit services.
        Credit = "credit", "信用服务", "Credit";
        /// Everyday life.
        Life = "life", "生活服务", "Everyday life";
    }
}

vocabulary! {
    /// How often a dataset is brought up to date (更新周期).
    UpdateCycle {
        /// As it happens.
        Realtime = "realtime", "实时", "Real time";
        /// Every day.
        Daily = "daily", "每日", "Daily";
        /// Every week.
        Weekly = "weekly", "每周", "Weekly";
        /// Every month.
        Monthly = "monthly", "每月", "Monthly";
        /// Every quarter.
        Quarterly = "quarterly", "每季度", "Quarterly";
        /// Every half year.
        HalfYearly = "half-yearly", "每半年", "Half-yearly";
        /// Every year.
        Yearly = "yearly", "每年", "Yearly";
        /// When something changes.
        Irregular = "irregular", "不定期", "Irregular";
        /// Once.
        Once = "once", "一次性", "Once";
    }
}

vocabulary! {
    /// The terms of use.
    License {
        /// Creative Commons Attribution 4.0.
        CcBy4 = "cc-by-4.0", "知识共享 署名 4.0", "Creative Commons Attribution 4.0";
        /// Creative Commons Zero.
        Cc0 = "cc0-1.0", "知识共享 公共领域贡献 1.0", "Creative Commons Zero 1.0";
        /// The portal's own open licence for public data.
        PublicData = "public-data", "公共数据开放许可", "Public data licence";
        /// Under an agreement only.
        Agreement = "agreement", "数据利用协议", "Data use agreement";
    }
}

/// The catalogue's description of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryMetadata {
    /// 名称.
    pub title: Localized,
    /// 摘要.
    pub summary: Localized,
    /// Words that people look for.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// 主题.
    pub theme: Theme,
    /// 更新周期.
    pub update_cycle: UpdateCycle,
    /// Terms of use.
    pub license: License,
    /// GB/T 2260 code of the area it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// 信息资源代码, if the catalogue office gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_code: Option<String>,
    /// Whom to ask: a mail address or telephone number of the department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// 开放条件: the terms on which conditional data can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Localized>,
    /// The rules by which the data was de-identified (脱敏规则).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Localized>,
    /// Health, finance or minors: results are reviewed by people too.
    #[serde(default)]
    pub special: bool,
}

/// Why a description cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Over 30 keywords.
    #[error("keywords: at most 30; got {0}")]
    KeywordCount(usize),
    /// A keyword that is empty, over 40 characters or has control characters.
    #[error("keywords: each of 1 to 40 characters; got {0:?}")]
    Keyword(String),
    /// Not 6, 9 or 12 digits.
    #[error("region is a GB/T 2260 code of 6, 9 or 12 digits; got {0:?}")]
    Region(String),
    /// A text over its length.
    #[error("{field} has at most {max} characters; got {got}")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// Its limit.
        max: usize,
        /// Its length.
        got: usize,
    },
}

impl EntryMetadata {
    /// Checks what the types of the parts do not.
    ///
    /// # Errors
    /// If a keyword, the region or the length of a text breaks its rule.
    pub fn check(&self) -> Result<(), EntryError> {
        if self.keywords.len() > 30 {
            return Err(EntryError::KeywordCount(self.keywords.len()));
        }
        if let Some(word) = self
            .keywords
            .iter()
            .find(|w| !(1..=40).contains(&w.trim().chars().count()) || has_control(w))
        {
            return Err(EntryError::Keyword(word.chars().take(60).collect()));
        }
        if let Some(region) = &self.region {
            let digits = region.bytes().all(|b| b.is_ascii_digit());
            if !digits || !matches!(region.len(), 6 | 9 | 12) {
                return Err(EntryError::Region(region.chars().take(20).collect()));
            }
        }
        let texts = [
            ("title", Some(self.title.zh()), 200),
            ("title", self.title.en(), 200),
            ("summary", Some(self.summary.zh()), 5_000),
            ("summary", self.summary.en(), 5_000),
            ("contact", self.contact.as_deref(), 200),
            ("resource_code", self.resource_code.as_deref(), 60),
        ];
        for (field, text, max) in texts {
            let got = text.map_or(0, |t| t.chars().count());
            if got > max {
                return Err(EntryError::TooLong { field, max, got });
            }
        }
        Ok(())
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn entry() -> EntryMetadata {
        serde_json::from_value(json!({
            "title": {"zh": "空气质量"}, "summary": {"zh": "逐小时监测"}, "theme": "environment",
            "update_cycle": "daily", "license": "cc-by-4.0", "keywords": ["空气"], "region": "990100"
        }))
        .unwrap()
    }

    #[test]
    fn codes_round_trip() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_code(theme.code()), Some(*theme));
            assert_eq!(serde_json::to_value(theme).unwrap(), theme.code());
        }
        assert_eq!(UpdateCycle::from_code("hourly"), None);
    }

    #[test]
    fn each_rule_is_checked() {
        assert!(entry().check().is_ok());
        let mut bad = entry();
        bad.keywords = vec![String::new()];
        assert!(matches!(
            bad.check(),
            Err(EntryError::KeywordCount(_) | EntryError::Keyword(_))
        ));
        let mut bad = entry();
        bad.region = Some("33010".into());
        assert!(matches!(bad.check(), Err(EntryError::Region(_))));
        let mut bad = entry();
        bad.title = Localized::parse(&"长".repeat(201), None).unwrap();
        assert!(matches!(
            bad.check(),
            Err(EntryError::TooLong { field: "title", .. })
        ));
    }
}
