//! The states of versions, requests and jobs, and the words of those who decide.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word, as in JSON and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Where a dataset stands.
    DatasetState {
        /// Known to its department and the bureau only.
        Draft = "draft",
        /// In the catalogue: open (L1), to be applied for (L2, L3), or listed with the reason it is not (L4).
        Released = "released",
        /// Taken out of use; its page says so.
        Retired = "retired",
    }
}

words! {
    /// What a request asks for.
    RequestKind {
        /// That a dataset be released.
        Release = "release",
        /// That conditional data may be used.
        Access = "access",
    }
}

words! {
    /// How a private job is written.
    JobKind {
        /// A query.
        Sql = "sql",
        /// A WebAssembly module.
        Wasm = "wasm",
    }
}

words! {
    /// Where a version stands.
    VersionState {
        /// Its bytes are arriving or being read.
        Ingesting = "ingesting",
        /// It could not be read; the reason is kept.
        Failed = "failed",
        /// Complete and immutable, seen by its department and the bureau only.
        Ready = "ready",
        /// Its release was approved.
        Released = "released",
        /// Taken out of use.
        Retired = "retired",
    }
}

words! {
    /// Where a release or access request stands.
    RequestState {
        /// Waits for the assessor's opinion.
        AwaitingOpinion = "awaiting_opinion",
        /// Waits for the bureau's decision.
        AwaitingDecision = "awaiting_decision",
        /// Approved.
        Approved = "approved",
        /// Sent back with reasons; a new request can follow.
        Returned = "returned",
        /// Refused with reasons.
        Rejected = "rejected",
        /// Taken back by those who asked.
        Withdrawn = "withdrawn",
    }
}

impl RequestState {
    /// Whether somebody still has to act.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::AwaitingOpinion | Self::AwaitingDecision)
    }
}

words! {
    /// What a reviewer decides.
    Decision {
        /// Yes.
        Approve = "approve",
        /// Mend it and ask again.
        Return = "return",
        /// No.
        Reject = "reject",
    }
}

words! {
    /// What an assessor finds. It binds: what was found unsafe cannot be approved.
    Opinion {
        /// Safe to release as declared.
        Safe = "safe",
        /// Not safe to release as declared.
        Unsafe = "unsafe",
    }
}

words! {
    /// What a checker finds of the noised answer of a special dataset. All or nothing: one that is withheld is not
    /// released in part.
    Verdict {
        /// It may be released.
        Release = "release",
        /// It must not.
        Withhold = "withhold",
    }
}

words! {
    /// Where a private job stands. Once charged, it moves by the clock alone.
    JobState {
        /// Charged and waiting.
        Queued = "queued",
        /// At work.
        Running = "running",
        /// Infrastructure failed past the deadline; it is being rerun.
        Delayed = "delayed",
        /// Special data: two checkers look at the noised output until the fixed day.
        AwaitingReview = "awaiting_review",
        /// Special data: the checkers withheld it.
        Withheld = "withheld",
        /// The answer can be read.
        Released = "released",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for state in RequestState::ALL {
            assert_eq!(RequestState::from_word(state.as_str()), Some(*state));
        }
        for state in JobState::ALL {
            assert_eq!(JobState::from_word(state.as_str()), Some(*state));
        }
        assert_eq!(
            JobState::from_word("failed"),
            None,
            "a charged job never shows failure"
        );
    }
}
