//! Identifiers: UUIDv7 newtypes, one type per thing, so that mixing them does not compile.
//!
//! ```compile_fail
//! let dataset: model::DatasetId = model::JobId::at(model::Timestamp::from_micros(0));
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be a UUID such as 0190a1b2-…; got {given:?}")]
pub struct IdError {
    kind: &'static str,
    given: String,
}

impl IdError {
    /// What it would identify.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// What was given, shortened.
    pub fn given(&self) -> &str {
        &self.given
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id whose time part is `now` (RFC 9562 §5.7).
            pub fn at(now: Timestamp) -> Self {
                let micros = u64::try_from(now.as_micros()).unwrap_or(0);
                let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
                let nanos = u32::try_from(rest * 1_000).unwrap_or(0);
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
            }

            /// The id with these bits, as the database keeps it.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bits.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError {
                    kind: stringify!($name),
                    given: text.chars().take(64).collect(),
                })
            }
        }
    };
}

id!(
    /// A department, the bureau, an enterprise or an assessor.
    OrganizationId
);
id!(
    /// A person's account.
    UserId
);
id!(
    /// An API token.
    TokenId
);
id!(
    /// A catalogue entry with its versions.
    DatasetId
);
id!(
    /// One version of a dataset: an immutable manifest of parts.
    VersionId
);
id!(
    /// A leased background task.
    TaskId
);
id!(
    /// A request that is reviewed: to release a dataset, or to use one.
    RequestId
);
id!(
    /// An approved use of datasets with its budget.
    ProjectId
);
id!(
    /// A private computation.
    JobId
);
id!(
    /// The review of a special dataset's noised answer. It tells nothing of the job that it belongs to.
    CheckId
);
id!(
    /// A dataset with all its versions, derivatives and re-imports: what a privacy budget is counted on.
    LineageId
);
id!(
    /// What one project may spend on one lineage.
    AllocationId
);
id!(
    /// A dated, immutable rule that jobs and decisions point at.
    PolicyId
);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ids_sort_by_time_and_round_trip() {
        let early = DatasetId::at(Timestamp::from_micros(1_700_000_000_000_000));
        let late = DatasetId::at(Timestamp::from_micros(1_700_000_001_000_000));
        assert!(early < late);
        assert_eq!(early.to_string().parse::<DatasetId>().unwrap(), early);
        assert_eq!(early.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn what_is_not_a_uuid_is_named() {
        let error = "../etc/passwd".parse::<JobId>().unwrap_err();
        assert!(error.to_string().contains("JobId must be a UUID"), "{error}");
    }
}
