//! What the ledger records: one leaf for each act of a closed list.
//!
//! A leaf is RFC 8785 canonical JSON: `{"act", "actor", "at", "commitments", "facts", "subjects", "v"}`. It
//! names organisations and roles, never persons; what derives from data or from a query's text is a
//! commitment.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::commitment::Commitment;
use crate::hash::{Hash, leaf_hash};
use crate::tile::MAX_ENTRY_BYTES;

/// The version of the leaf format that this crate writes and reads.
pub const LEAF_VERSION: u8 = 1;
/// The largest integer that canonical JSON carries exactly (RFC 8785 section 3.2.2.3, IEEE 754 doubles).
pub const MAX_INTEGER: i64 = (1 << 53) - 1;
/// The longest text in a leaf, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

macro_rules! acts {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The closed list of acts that are recorded: people's state changes, releases and charges.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Act {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Act {
            /// Every act, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The act's stable name in leaves, such as `job.charged`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

acts! {
    /// An account was opened for a person.
    AccountCreated = "account.created",
    /// An account was closed or blocked.
    AccountDisabled = "account.disabled",
    /// A department, bureau, enterprise or assessor was registered.
    OrganizationCreated = "organization.created",
    /// Someone was given a role in an organisation.
    RoleGranted = "role.granted",
    /// Someone lost a role.
    RoleRevoked = "role.revoked",
    /// An API token was made.
    TokenCreated = "token.created",
    /// An API token was withdrawn.
    TokenRevoked = "token.revoked",
    /// A catalogue entry was made, with its proposed level.
    DatasetCreated = "dataset.created",
    /// A dataset left the catalogue.
    DatasetRetired = "dataset.retired",
    /// A version became the current one.
    VersionPublished = "version.published",
    /// An officer asked for a dataset's release.
    ReleaseRequested = "release.requested",
    /// An assessor gave an opinion.
    OpinionGiven = "opinion.given",
    /// A reviewer decided on a release.
    ReleaseDecided = "release.decided",
    /// An enterprise asked for access.
    AccessRequested = "access.requested",
    /// A reviewer decided on access and budget.
    AccessDecided = "access.decided",
    /// Those who asked took a release or access request back.
    RequestWithdrawn = "request.withdrawn",
    /// A project was opened for an approved request.
    ProjectOpened = "project.opened",
    /// A project ended.
    ProjectClosed = "project.closed",
    /// A job's privacy cost was charged, before data was touched.
    JobCharged = "job.charged",
    /// A job's result became readable.
    JobReleased = "job.released",
    /// A checker voted on the noised answer of a special dataset; how is told on the fixed day.
    JobChecked = "job.checked",
    /// The checkers of a special dataset's answer did not both let it go.
    JobWithheld = "job.withheld",
    /// A dated policy row (bounds, levels, rules) came into force.
    PolicyChanged = "policy.changed",
    /// Two persons ended a lineage's published privacy promise.
    PromiseEnded = "promise.ended",
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Act {
    type Err = LeafError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|act| act.as_str() == text);
        found.ok_or_else(|| LeafError::Act(text.chars().take(80).collect()))
    }
}

/// Who acted: an organisation in a role, or the portal itself. Never a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Id of the organisation; absent for the portal itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// The role that gave the authority, such as `reviewer`; `system` for the portal.
    role: String,
}

impl Actor {
    /// A person of `organization` (its id) acting as `role`.
    #[must_use]
    pub fn member(organization: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            organization: Some(organization.into()),
            role: role.into(),
        }
    }

    /// The portal acting by its own schedule, such as a release at its due time.
    #[must_use]
    pub fn system() -> Self {
        Self {
            organization: None,
            role: "system".to_owned(),
        }
    }

    /// The organisation's id, none for the portal itself.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }
}

/// A value that stands in clear. No fractions: amounts are integers of a stated unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// An integer of at most 53 bits.
    Integer(i64),
    /// A text of at most [`MAX_TEXT_BYTES`].
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl From<bool> for Fact {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<i64> for Fact {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Fact {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u64> for Fact {
    /// Numbers beyond 63 bits become the largest integer, which [`LeafBuilder::build`] refuses.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Fact {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Fact {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<String>> for Fact {
    fn from(value: Vec<String>) -> Self {
        Self::List(value)
    }
}

/// A leaf that breaks the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not an act of the list.
    #[error("\"{0}\" is not an act of the ledger's list")]
    Act(String),
    /// Not JSON, or not of the leaf's shape.
    #[error("this is not a leaf: {0}")]
    Malformed(String),
    /// The same content in another spelling than RFC 8785's.
    #[error("the leaf is not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// A leaf of a version that this program does not know.
    #[error("the leaf has version {0}, this program reads version {LEAF_VERSION}")]
    Version(u8),
    /// A key that is not lower-case letters, digits and underscores.
    #[error("\"{0}\" is not a key: lower-case letters, digits and underscores, letter first, at most 60")]
    Key(String),
    /// A text that is empty where it may not be, too long, or with control characters.
    #[error("the text of {0} is empty, longer than {MAX_TEXT_BYTES} bytes or has control characters")]
    Text(String),
    /// An integer that JSON does not carry exactly.
    #[error("the integer of {0} has more than 53 bits")]
    Integer(String),
    /// More bytes than an entry bundle takes.
    #[error("the leaf has {0} bytes; the most is {MAX_ENTRY_BYTES}")]
    TooLong(usize),
}

/// One record of the ledger. Built by [`Leaf::builder`], read by [`Leaf::parse`]; both check every field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Leaf(Fields);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    v: u8,
    act: Act,
    at: i64,
    actor: Actor,
    subjects: BTreeMap<String, String>,
    facts: BTreeMap<String, Fact>,
    commitments: BTreeMap<String, Commitment>,
}

/// Collects a leaf's fields; nothing is checked before [`LeafBuilder::build`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LeafBuilder(Fields);

impl Leaf {
    /// Begins a leaf for an act at `at` (microseconds since 1970-01-01 UTC).
    pub fn builder(act: Act, at: i64, actor: Actor) -> LeafBuilder {
        LeafBuilder(Fields {
            v: LEAF_VERSION,
            act,
            at,
            actor,
            subjects: BTreeMap::new(),
            facts: BTreeMap::new(),
            commitments: BTreeMap::new(),
        })
    }

    /// Reads a leaf from its canonical bytes.
    ///
    /// # Errors
    /// [`LeafError`]; any other spelling of the same content is [`LeafError::NotCanonical`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let fields: Fields =
            serde_json::from_slice(bytes).map_err(|error| LeafError::Malformed(error.to_string()))?;
        let leaf = Self::try_from(fields)?;
        if leaf.to_bytes()? == bytes {
            Ok(leaf)
        } else {
            Err(LeafError::NotCanonical)
        }
    }

    /// The canonical bytes (RFC 8785), which are the log's entry.
    ///
    /// # Errors
    /// [`LeafError::TooLong`]; a leaf that was built or parsed fits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LeafError> {
        self.0.to_bytes()
    }

    /// The entry's hash in the tree.
    ///
    /// # Errors
    /// As [`Leaf::to_bytes`].
    pub fn hash(&self) -> Result<Hash, LeafError> {
        Ok(leaf_hash(&self.to_bytes()?))
    }

    /// What was done.
    #[must_use]
    pub const fn act(&self) -> Act {
        self.0.act
    }

    /// When, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn at(&self) -> i64 {
        self.0.at
    }

    /// Who did it.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.0.actor
    }

    /// Ids of what it was done to, by kind, such as `dataset`.
    #[must_use]
    pub const fn subjects(&self) -> &BTreeMap<String, String> {
        &self.0.subjects
    }

    /// What stands in clear.
    #[must_use]
    pub const fn facts(&self) -> &BTreeMap<String, Fact> {
        &self.0.facts
    }

    /// What stands sealed.
    #[must_use]
    pub const fn commitments(&self) -> &BTreeMap<String, Commitment> {
        &self.0.commitments
    }
}

impl LeafBuilder {
    /// Adds the id of something acted on: its kind, such as `dataset`, and its id.
    pub fn subject(mut self, kind: &str, id: impl Into<String>) -> Self {
        self.0.subjects.insert(kind.to_owned(), id.into());
        self
    }

    /// Adds a fact in clear.
    pub fn fact(mut self, key: &str, value: impl Into<Fact>) -> Self {
        self.0.facts.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a sealed value.
    pub fn commitment(mut self, key: &str, commitment: Commitment) -> Self {
        self.0.commitments.insert(key.to_owned(), commitment);
        self
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`LeafError`] naming the field.
    pub fn build(self) -> Result<Leaf, LeafError> {
        self.0.try_into()
    }
}

impl Fields {
    fn to_bytes(&self) -> Result<Vec<u8>, LeafError> {
        let bytes = serde_json_canonicalizer::to_vec(self)
            .map_err(|error| LeafError::Malformed(error.to_string()))?;
        if bytes.len() <= MAX_ENTRY_BYTES {
            Ok(bytes)
        } else {
            Err(LeafError::TooLong(bytes.len()))
        }
    }
}

impl From<Leaf> for Fields {
    fn from(leaf: Leaf) -> Self {
        leaf.0
    }
}

impl TryFrom<Fields> for Leaf {
    type Error = LeafError;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        if fields.v != LEAF_VERSION {
            return Err(LeafError::Version(fields.v));
        }
        check_integer("at", fields.at)?;
        check_text("actor.role", &fields.actor.role, 1)?;
        if let Some(organization) = &fields.actor.organization {
            check_text("actor.organization", organization, 1)?;
        }
        for (kind, id) in &fields.subjects {
            check_key(kind)?;
            check_text(kind, id, 1)?;
        }
        for (key, fact) in &fields.facts {
            check_key(key)?;
            match fact {
                Fact::Flag(_) => {}
                Fact::Integer(value) => check_integer(key, *value)?,
                Fact::Text(text) => check_text(key, text, 0)?,
                Fact::List(texts) => texts.iter().try_for_each(|text| check_text(key, text, 0))?,
            }
        }
        fields.commitments.keys().try_for_each(|key| check_key(key))?;
        fields.to_bytes()?;
        Ok(Self(fields))
    }
}

fn check_key(key: &str) -> Result<(), LeafError> {
    let valid = key.len() <= 60
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if valid {
        Ok(())
    } else {
        Err(LeafError::Key(key.chars().take(80).collect()))
    }
}

fn check_text(key: &str, text: &str, least: usize) -> Result<(), LeafError> {
    // Line breaks belong in a decision's reasons; other control characters do not.
    let control = |c: char| c.is_control() && c != '\n';
    if (least..=MAX_TEXT_BYTES).contains(&text.len()) && !text.contains(control) {
        Ok(())
    } else {
        Err(LeafError::Text(key.to_owned()))
    }
}

fn check_integer(key: &str, value: i64) -> Result<(), LeafError> {
    if (-MAX_INTEGER..=MAX_INTEGER).contains(&value) {
        Ok(())
    } else {
        Err(LeafError::Integer(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::commitment::{Nonce, Opening};

    fn leaf() -> Leaf {
        let opening = Opening {
            nonce: Nonce::from_bytes([0; 32]),
            value: json!("SELECT 1"),
        };
        Leaf::builder(
            Act::JobCharged,
            1_795_000_000_000_000,
            Actor::member("org-1", "analyst"),
        )
        .subject("job", "job-1")
        .subject("dataset", "bikes")
        .fact("rho_nano", 4_000_000_u64)
        .fact("purpose", "限额管理")
        .fact("special", false)
        .fact("levels", vec!["L3".to_owned()])
        .commitment("plan", opening.commitment().unwrap())
        .build()
        .unwrap()
    }

    #[test]
    fn bytes_are_canonical_and_stable() {
        let text = String::from_utf8(leaf().to_bytes().unwrap()).unwrap();
        let commitment = leaf().commitments()["plan"].to_string();
        assert_eq!(
            text,
            format!(
                "{{\"act\":\"job.charged\",\"actor\":{{\"organization\":\"org-1\",\"role\":\"analyst\"}},\
                 \"at\":1795000000000000,\"commitments\":{{\"plan\":\"{commitment}\"}},\
                 \"facts\":{{\"levels\":[\"L3\"],\"purpose\":\"限额管理\",\"rho_nano\":4000000,\"special\":false}},\
                 \"subjects\":{{\"dataset\":\"bikes\",\"job\":\"job-1\"}},\"v\":1}}"
            )
        );
        assert_eq!(Leaf::parse(text.as_bytes()).unwrap(), leaf());
        assert_eq!(leaf().hash().unwrap(), leaf_hash(text.as_bytes()));
    }

    #[test]
    fn act_names_are_stable_and_distinct() {
        let names: BTreeSet<&str> = Act::ALL.iter().map(|act| act.as_str()).collect();
        assert_eq!(names.len(), Act::ALL.len());
        for act in Act::ALL {
            assert_eq!(act.as_str().parse::<Act>().unwrap(), *act);
            assert_eq!(serde_json::to_value(act).unwrap(), act.as_str());
        }
        assert!("job.refunded".parse::<Act>().is_err());
        for name in [
            "account.created",
            "organization.created",
            "role.granted",
            "role.revoked",
            "token.created",
            "token.revoked",
            "dataset.created",
            "version.published",
            "release.requested",
            "opinion.given",
            "release.decided",
            "access.requested",
            "access.decided",
            "project.opened",
            "job.charged",
            "job.released",
            "policy.changed",
            "dataset.retired",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = String::from_utf8(leaf().to_bytes().unwrap()).unwrap();
        let edits: [(&str, &str); 10] = [
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\": 1"),
            ("\"v\":1", "\"v\":1,\"x\":0"),
            ("job.charged", "job.refunded"),
            ("4000000", "4e6"),
            ("4000000", "0.5"),
            ("4000000", "9007199254740993"),
            ("限额管理", "\\u9650额管理"),
            ("\"special\":false", "\"special\":null"),
            ("\"levels\":[\"L3\"]", "\"Levels\":[\"L3\"]"),
        ];
        for (from, to) in edits {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text);
            assert!(Leaf::parse(edited.as_bytes()).is_err(), "{edited}");
        }
        let twice = text.replacen(
            "\"dataset\":\"bikes\"",
            "\"dataset\":\"x\",\"dataset\":\"bikes\"",
            1,
        );
        assert_eq!(Leaf::parse(twice.as_bytes()), Err(LeafError::NotCanonical));
        assert!(Leaf::parse(&text.as_bytes()[..text.len() - 1]).is_err());
    }

    #[test]
    fn nonsense_cannot_be_built() {
        let start = || Leaf::builder(Act::JobReleased, 0, Actor::system());
        assert!(start().build().is_ok());
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        for (builder, what) in [
            (start().fact("big", u64::MAX), "integer"),
            (start().fact("big", MAX_INTEGER + 1), "integer"),
            (start().fact("Key", 1_u32), "key"),
            (start().fact("", 1_u32), "key"),
            (start().fact("note", long.as_str()), "text"),
            (start().fact("note", "bell\u{7}"), "text"),
            (start().subject("job", ""), "text"),
            (
                Leaf::builder(Act::JobReleased, i64::MAX, Actor::system()),
                "integer",
            ),
            (
                Leaf::builder(Act::JobReleased, 0, Actor::member("", "reviewer")),
                "text",
            ),
            (
                Leaf::builder(Act::JobReleased, 0, Actor::member("org", "")),
                "text",
            ),
        ] {
            let error = builder.build().unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        let many = (0..20).fold(start(), |b, i| {
            b.fact(&format!("f{i}"), "x".repeat(MAX_TEXT_BYTES))
        });
        assert!(matches!(many.build(), Err(LeafError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(
            text in "[^\\x00-\\x1f\\x7f-\\u{9f}]{0,60}",
            number in -MAX_INTEGER..MAX_INTEGER,
        ) {
            let leaf = Leaf::builder(Act::PolicyChanged, number, Actor::system())
                .fact("text", text)
                .fact("number", number)
                .build()
                .unwrap();
            prop_assert_eq!(Leaf::parse(&leaf.to_bytes().unwrap()).unwrap(), leaf);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(Leaf::parse(&bytes).is_err());
        }
    }
}
