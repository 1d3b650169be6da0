//! The four levels of classification (分级).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How sensitive a dataset or field is; ordered, L4 the most.
///
/// Source: Zhejiang's grading of public data for opening (product.md, standards.md "Grading and opening").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// 不敏感: opened unconditionally.
    L1,
    /// 低敏感: opened on conditions, through a protected cube.
    L2,
    /// 较敏感: personal; sandbox only, differentially private results.
    L3,
    /// 敏感: not opened.
    L4,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::L1, Self::L2, Self::L3, Self::L4];

    /// 1 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::L1 => 1,
            Self::L2 => 2,
            Self::L3 => 3,
            Self::L4 => 4,
        }
    }

    /// The level with this number, if there is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::L1),
            2 => Some(Self::L2),
            3 => Some(Self::L3),
            4 => Some(Self::L4),
            _ => None,
        }
    }

    /// Whether rows of this level may leave the portal as they are.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::L1)
    }

    /// Whether its use needs an approved access request.
    pub const fn is_conditional(self) -> bool {
        matches!(self, Self::L2 | Self::L3)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.number())
    }
}

/// The text is not one of L1 to L4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a level is one of L1, L2, L3, L4; got {0:?}")]
pub struct LevelError(String);

impl LevelError {
    /// What was given, shortened.
    pub fn given(&self) -> &str {
        &self.0
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Self::ALL
            .into_iter()
            .find(|level| level.to_string() == text)
            .ok_or_else(|| LevelError(text.chars().take(16).collect()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn levels_round_trip_and_are_ordered() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse::<Level>().unwrap(), level);
            assert_eq!(Level::from_number(level.number()), Some(level));
        }
        assert!(Level::L1 < Level::L4);
        assert!("L5".parse::<Level>().is_err());
        assert!(Level::from_number(0).is_none());
    }
}
