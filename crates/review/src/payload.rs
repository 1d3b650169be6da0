//! The texts of a request as the database keeps them, with the nonces that open their commitments in the ledger.

use std::collections::BTreeMap;

use db::request::Request;
use ledger::{Commitment, Nonce, Opening};
use model::RequestKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ReviewError;

/// What those who ask say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestText {
    /// With a release request.
    Release {
        /// What the officer tells the reviewers; perhaps nothing.
        note: String,
    },
    /// With an access request.
    Access {
        /// What the data will be used for.
        purpose: String,
        /// How it will be kept safe.
        safeguards: String,
        /// For how many days, if they say so.
        days: Option<u32>,
    },
}

/// The stored form: texts by name, each with its nonce.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payload {
    /// Texts by name.
    pub(crate) texts: BTreeMap<String, Opening>,
    /// Days that an applicant asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) days: Option<u32>,
}

impl Payload {
    /// Seals these texts; empty ones are left out.
    pub(crate) fn seal<'t>(
        texts: impl IntoIterator<Item = (&'static str, &'t str)>,
        days: Option<u32>,
    ) -> Result<Self, ReviewError> {
        let sealed = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| {
                Ok((
                    name.to_owned(),
                    Opening {
                        nonce: nonce()?,
                        value: Value::from(text),
                    },
                ))
            });
        Ok(Self {
            texts: sealed.collect::<Result<_, ReviewError>>()?,
            days,
        })
    }

    /// The payload of a stored request.
    pub(crate) fn read(request: &Request) -> Result<Self, ReviewError> {
        serde_json::from_value(request.payload.clone()).map_err(|_| ReviewError::Internal("request payload"))
    }

    /// The stored form.
    pub(crate) fn to_value(&self) -> Result<Value, ReviewError> {
        serde_json::to_value(self).map_err(|_| ReviewError::Internal("request payload"))
    }

    /// A text by its name; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        let text = self.texts.get(name).and_then(|opening| opening.value.as_str());
        text.unwrap_or_default().to_owned()
    }

    /// What stands in the ledger for each text.
    pub(crate) fn commitments(&self) -> Result<Vec<(&str, Commitment)>, ReviewError> {
        self.texts
            .iter()
            .map(|(name, opening)| {
                let commitment = opening
                    .commitment()
                    .map_err(|_| ReviewError::Internal("commitment"))?;
                Ok((name.as_str(), commitment))
            })
            .collect()
    }

    /// The texts of a request of this kind.
    pub(crate) fn texts_of(&self, kind: RequestKind) -> RequestText {
        match kind {
            RequestKind::Release => RequestText::Release {
                note: self.text("note"),
            },
            RequestKind::Access => RequestText::Access {
                purpose: self.text("purpose"),
                safeguards: self.text("safeguards"),
                days: self.days,
            },
        }
    }
}

fn nonce() -> Result<Nonce, ReviewError> {
    Nonce::generate().map_err(|_| ReviewError::Internal("no random bytes"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn stored_texts_open_their_commitments() {
        let payload = Payload::seal([("purpose", "研究通勤"), ("note", "")], Some(30)).unwrap();
        let stored: Payload = serde_json::from_value(payload.to_value().unwrap()).unwrap();
        let commitments = payload.commitments().unwrap();
        assert_eq!(commitments.len(), 1, "an empty text is not committed to");
        let (name, commitment) = commitments[0];
        assert_eq!(commitment.open(&stored.texts[name]).unwrap(), "研究通勤");
        assert_eq!(stored.days, Some(30));
    }
}
