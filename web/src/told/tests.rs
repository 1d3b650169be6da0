//! Every error has words in both languages.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use ::model::entry::EntryError as DescriptionError;
use ::model::field::{BoundsError, DomainError, FieldNameError};
use ::model::id::IdError;
use ::model::level::LevelError;
use ::model::localized::LocalizedError;
use ::model::metadata::MetadataError;
use ::model::slug::SlugError;
use ::model::{
    Bounds, DatasetId, FieldName, FieldType, Language, Level, OrganizationKind, RequestState, Role, Slug,
    Timestamp, VersionState,
};
use ::query::{Construct, QueryError, Refused};
use ::review::ReviewError;
use catalog_entry::EntryError;
use catalog_ingest::{Foreign, IngestError};
use i18n::is_untranslated;
use identity::Action;
use sandbox_job::{CheckObstacle, EpsilonRule, JobError, Shortage};
use sandbox_plan::{Refusal, Rule as SandboxRule};
use storage::StorageError;

use super::{Told, stored_failure};

type Sample = (String, Box<dyn Told>);

/// One sample for each variant. A variant without one does not compile; nor does a sample of another variant pass.
macro_rules! every {
    ($into:ident, $type:ty: $($pattern:pat => $sample:expr,)+) => {
        // Exhaustive, hence a list of all variants.
        let _ = |error: &$type| match error { $($pattern => {})+ };
        $({
            let sample: $type = $sample;
            assert!(matches!(&sample, $pattern), "{}", stringify!($pattern));
            $into.push((format!("{}: {}", stringify!($type), stringify!($pattern)), Box::new(sample) as Box<dyn Told>));
        })+
    };
}

fn of_the_model() -> Vec<Sample> {
    let mut all = Vec::new();
    every!(all, SlugError: _ => Slug::parse("Ä").unwrap_err(),);
    every!(all, IdError: _ => "x".parse::<DatasetId>().unwrap_err(),);
    every!(all, LevelError: _ => "L9".parse::<Level>().unwrap_err(),);
    every!(all, FieldNameError: _ => FieldName::parse("").unwrap_err(),);
    every!(all, BoundsError: _ => Bounds::new(2.0, 1.0).unwrap_err(),);
    every!(all, LocalizedError:
        LocalizedError::Empty => LocalizedError::Empty,
        LocalizedError::TooLong(_) => LocalizedError::TooLong(30_000),
        LocalizedError::Control(_) => LocalizedError::Control(7),
    );
    every!(all, DomainError:
        DomainError::Size(_) => DomainError::Size(0),
        DomainError::Twice(_) => DomainError::Twice("x".into()),
        DomainError::Value(_) => DomainError::Value(String::new()),
    );
    every!(all, DescriptionError:
        DescriptionError::KeywordCount(_) => DescriptionError::KeywordCount(31),
        DescriptionError::Keyword(_) => DescriptionError::Keyword("x".into()),
        DescriptionError::Region(_) => DescriptionError::Region("33".into()),
        DescriptionError::TooLong { .. } => DescriptionError::TooLong { field: "title", max: 200, got: 201 },
    );
    let name = || "x".to_owned();
    every!(all, MetadataError:
        MetadataError::FieldCount(_) => MetadataError::FieldCount(0),
        MetadataError::DuplicateField(_) => MetadataError::DuplicateField(name()),
        MetadataError::BoundsOnText(_) => MetadataError::BoundsOnText(name()),
        MetadataError::DomainOnNumber(_) => MetadataError::DomainOnNumber(name()),
        MetadataError::UnitKeys { .. } => MetadataError::UnitKeys { unit: "person", found: 2 },
        MetadataError::KeyDeclared(_) => MetadataError::KeyDeclared(name()),
        MetadataError::StaticWithoutUnit(_) => MetadataError::StaticWithoutUnit(name()),
        MetadataError::OffLadder { .. } => MetadataError::OffLadder { what: "max_units", got: 3 },
        MetadataError::RowsPerUnit(_) => MetadataError::RowsPerUnit(0),
        MetadataError::Zone(_) => MetadataError::Zone("Mars".into()),
    );
    all
}

fn of_the_catalogue() -> Vec<Sample> {
    use catalog_entry::{Obstacle, Rule, SearchRule};
    let mut all = Vec::new();
    let search = SearchRule::Page { number: 0, size: 1 };
    every!(all, EntryError:
        EntryError::Invalid(_) => EntryError::Invalid(Rule::UnitOfOpenData),
        EntryError::SlugTaken(_) => EntryError::SlugTaken("x".into()),
        EntryError::Denied(_) => EntryError::Denied(denied()),
        EntryError::NotFound(_) => EntryError::NotFound("open version"),
        EntryError::State(_) => EntryError::State(Obstacle::Retired),
        EntryError::Ingest(_) => EntryError::Ingest(IngestError::Empty),
        EntryError::Storage(_) => EntryError::Storage(StorageError::Full { wanted: 1 }),
        EntryError::Database(_) => EntryError::Database(db::Error::Contention),
        EntryError::Internal(_) => EntryError::Internal("x"),
    );
    every!(all, Rule:
        Rule::Description(_) => Rule::Description(DescriptionError::KeywordCount(31)),
        Rule::LevelBelowField { .. } => Rule::LevelBelowField { level: Level::L1, least: Level::L3 },
        Rule::UnitOfOpenData => Rule::UnitOfOpenData,
        Rule::FileName(_) => Rule::FileName("a/b".into()),
        Rule::Search(_) => Rule::Search(search),
    );
    every!(all, SearchRule:
        SearchRule::Page { .. } => search,
        SearchRule::Filter { .. } => SearchRule::Filter { facet: "theme", count: 101 },
    );
    every!(all, Obstacle:
        Obstacle::Retired => Obstacle::Retired,
        Obstacle::NotOpened => Obstacle::NotOpened,
        Obstacle::NoUnit => Obstacle::NoUnit,
        Obstacle::TooManyUploads => Obstacle::TooManyUploads,
        Obstacle::UploadGone => Obstacle::UploadGone,
        Obstacle::UploadConfirmed => Obstacle::UploadConfirmed,
        Obstacle::Released => Obstacle::Released,
        Obstacle::ReleaseRequested => Obstacle::ReleaseRequested,
    );
    let name = || "x".to_owned();
    every!(all, IngestError:
        IngestError::Empty => IngestError::Empty,
        IngestError::HeaderOnly => IngestError::HeaderOnly,
        IngestError::NotTabular(_) => IngestError::NotTabular(Foreign::Workbook),
        IngestError::Encoding { .. } => IngestError::Encoding { line: 2, byte: 7, encoding: "UTF-8" },
        IngestError::Nul { .. } => IngestError::Nul { line: 2 },
        IngestError::RaggedRow { .. } => IngestError::RaggedRow { line: 2, wanted: 3, got: 4 },
        IngestError::RecordTooLong { .. } => IngestError::RecordTooLong { line: 2, limit: 9 },
        IngestError::FieldTooLong { .. } => IngestError::FieldTooLong { line: 2, column: 3, limit: 9 },
        IngestError::UnterminatedQuote { .. } => IngestError::UnterminatedQuote { line: 2 },
        IngestError::StrayQuote { .. } => IngestError::StrayQuote { line: 2, column: 3 },
        IngestError::ColumnName { .. } => IngestError::ColumnName { column: 3 },
        IngestError::DuplicateColumn { .. } => IngestError::DuplicateColumn { first: 1, second: 3 },
        IngestError::ReservedColumn { .. } => IngestError::ReservedColumn { column: 3 },
        IngestError::TooManyColumns { .. } => IngestError::TooManyColumns { limit: 9 },
        IngestError::MissingColumn { .. } => IngestError::MissingColumn { name: name() },
        IngestError::UndeclaredColumn { .. } => IngestError::UndeclaredColumn { column: 3 },
        IngestError::Value { .. } => IngestError::Value { line: 2, column: name(), expected: FieldType::Date },
        IngestError::UnsupportedColumn { .. } => IngestError::UnsupportedColumn { column: name() },
        IngestError::Truncated => IngestError::Truncated,
        IngestError::BrokenParquet => IngestError::BrokenParquet,
        IngestError::RowGroupTooLarge { .. } => IngestError::RowGroupTooLarge { limit: 9 },
        IngestError::NeedsDeclaration => IngestError::NeedsDeclaration,
        IngestError::WrongLevel => IngestError::WrongLevel,
        IngestError::TooManyRows { .. } => IngestError::TooManyRows { limit: 9 },
        IngestError::TooManyUnits { .. } => IngestError::TooManyUnits { limit: 9 },
        IngestError::NoValidUnit => IngestError::NoValidUnit,
        IngestError::UnitNotStatic { .. } => IngestError::UnitNotStatic { field: name(), units: 9 },
        IngestError::Delimiter => IngestError::Delimiter,
        IngestError::Cancelled => IngestError::Cancelled,
        IngestError::Storage(_) => IngestError::Storage(StorageError::Full { wanted: 1 }),
        IngestError::Read(_) => IngestError::Read(std::io::ErrorKind::Other.into()),
        IngestError::Internal(_) => IngestError::Internal("x"),
    );
    for found in Foreign::ALL {
        all.push((format!("{found:?}"), Box::new(IngestError::NotTabular(found))));
    }
    for expected in FieldType::ALL {
        let error = IngestError::Value {
            line: 2,
            column: name(),
            expected,
        };
        all.push((format!("{expected:?}"), Box::new(error)));
    }
    all
}

fn of_reviews() -> Vec<Sample> {
    use ::review::{Change, Inapplicable, Rule, Unreleasable};
    let mut all = Vec::new();
    let text = |field| ReviewError::Text {
        field,
        min: 1,
        max: 2,
        got: 3,
    };
    for field in ["note", "purpose", "safeguards", "reason"] {
        all.push((field.to_owned(), Box::new(text(field)) as Box<dyn Told>));
    }
    let slug = || "trips".to_owned();
    every!(all, ReviewError:
        ReviewError::Denied(_) => ReviewError::Denied(denied()),
        ReviewError::NotFound(_) => ReviewError::NotFound("request"),
        ReviewError::Text { .. } => text("note"),
        ReviewError::Invalid(_) => ReviewError::Invalid(Rule::BudgetWithoutAccess),
        ReviewError::NotReleasable(_) => ReviewError::NotReleasable(Unreleasable::Retired),
        ReviewError::NotApplicable { .. } => ReviewError::NotApplicable { slug: slug(), why: Inapplicable::Open },
        ReviewError::ReleaseOpen => ReviewError::ReleaseOpen,
        ReviewError::OpinionMissing => ReviewError::OpinionMissing,
        ReviewError::FoundUnsafe => ReviewError::FoundUnsafe,
        ReviewError::WrongState { .. } => ReviewError::WrongState { state: RequestState::Approved },
        ReviewError::Stale => ReviewError::Stale,
        ReviewError::Changed(_) => ReviewError::Changed(Change::Edited),
        ReviewError::BudgetRange { .. } => ReviewError::BudgetRange {
            what: "epsilon", least: "0.001".into(), most: "2".into(), got: "3".into(),
        },
        ReviewError::BudgetNotAvailable { .. } => ReviewError::BudgetNotAvailable {
            slug: slug(), asked: "2".into(), left: "1".into(),
        },
        ReviewError::Catalog(_) => ReviewError::Catalog(EntryError::NotFound("dataset")),
        ReviewError::Database(_) => ReviewError::Database(db::Error::Stale("request")),
        ReviewError::Internal(_) => ReviewError::Internal("x"),
    );
    every!(all, Rule:
        Rule::Days { .. } => Rule::Days { most: 90, got: 0 },
        Rule::DatasetCount { .. } => Rule::DatasetCount { most: 20, got: 0 },
        Rule::DatasetTwice(_) => Rule::DatasetTwice(slug()),
        Rule::BudgetWithoutAccess => Rule::BudgetWithoutAccess,
    );
    every!(all, Unreleasable:
        Unreleasable::EntryChanging => Unreleasable::EntryChanging,
        Unreleasable::Retired => Unreleasable::Retired,
        Unreleasable::Unclassified => Unreleasable::Unclassified,
        Unreleasable::NoUnit => Unreleasable::NoUnit,
        Unreleasable::NoRecipe => Unreleasable::NoRecipe,
        Unreleasable::ListedAlready => Unreleasable::ListedAlready,
        Unreleasable::NoReason => Unreleasable::NoReason,
        Unreleasable::NoVersion => Unreleasable::NoVersion,
        Unreleasable::OldDeclaration(_) => Unreleasable::OldDeclaration(2),
        Unreleasable::StillReading(_) => Unreleasable::StillReading(2),
        Unreleasable::NothingNew(_) => Unreleasable::NothingNew(2),
    );
    every!(all, Inapplicable:
        Inapplicable::Open => Inapplicable::Open,
        Inapplicable::Closed => Inapplicable::Closed,
        Inapplicable::Draft => Inapplicable::Draft,
        Inapplicable::Retired => Inapplicable::Retired,
    );
    every!(all, Change:
        Change::Edited => Change::Edited,
        Change::NotReleasable(_) => Change::NotReleasable(Unreleasable::NoUnit),
        Change::Level => Change::Level,
        Change::Version { .. } => Change::Version { number: 2, state: VersionState::Retired },
        Change::NotReady => Change::NotReady,
        Change::NotApplicable { .. } => Change::NotApplicable { slug: slug(), why: Inapplicable::Retired },
    );
    all
}

fn denied() -> identity::Denied {
    let authority = identity::Authority::new().unwrap();
    let portal = identity::Resource::Portal;
    authority
        .decide(&identity::Actor::anonymous(), Action::ListRequests, &portal)
        .unwrap_err()
}

fn of_accounts_and_stores() -> Vec<Sample> {
    use db::Purse;
    use identity::{Denied, Error, Rule};
    let mut all = Vec::new();
    every!(all, Denied: _ => denied(),);
    every!(all, Error:
        Error::Invalid(_) => Error::Invalid(Rule::NoScope),
        Error::WrongCredentials => Error::WrongCredentials,
        Error::Throttled { .. } => Error::Throttled { seconds: 9 },
        Error::Taken { .. } => Error::Taken { what: "the slug", name: "x".into() },
        Error::NotFound(_) => Error::NotFound("token"),
        Error::Denied(_) => Error::Denied(denied()),
        Error::Database(_) => Error::Database(db::Error::Contention),
        Error::Internal(_) => Error::Internal("x"),
    );
    every!(all, Rule:
        Rule::Region => Rule::Region,
        Rule::DisplayName => Rule::DisplayName,
        Rule::Username => Rule::Username,
        Rule::RoleOfOtherHouse { .. } => Rule::RoleOfOtherHouse {
            role: Role::Officer, kind: OrganizationKind::Enterprise,
        },
        Rule::SeparateRoles => Rule::SeparateRoles,
        Rule::Password { .. } => Rule::Password { least: 12, most: 1_024 },
        Rule::TokenName => Rule::TokenName,
        Rule::NoScope => Rule::NoScope,
        Rule::TokenDays { .. } => Rule::TokenDays { most: 365, got: 0 },
        Rule::TooManyTokens(_) => Rule::TooManyTokens(50),
    );
    let text = || "x".to_owned();
    every!(all, db::Error:
        db::Error::UniqueViolation(_) => db::Error::UniqueViolation(text()),
        db::Error::ForeignKeyViolation => db::Error::ForeignKeyViolation,
        db::Error::CheckViolation(_) => db::Error::CheckViolation(text()),
        db::Error::NotFound(_) => db::Error::NotFound("lineage"),
        db::Error::Stale(_) => db::Error::Stale("dataset"),
        db::Error::BudgetExhausted(_) => db::Error::BudgetExhausted(Purse::Project),
        db::Error::Unavailable(_) => db::Error::Unavailable(text()),
        db::Error::Contention => db::Error::Contention,
        db::Error::Corrupt { .. } => db::Error::Corrupt { what: "x", reason: text() },
        db::Error::Configuration(_) => db::Error::Configuration(text()),
        db::Error::Statement(_) => db::Error::Statement(text()),
    );
    for purse in [Purse::Project, Purse::Everyone, Purse::Reserved] {
        all.push((format!("{purse:?}"), Box::new(db::Error::BudgetExhausted(purse))));
    }
    every!(all, StorageError:
        StorageError::Full { .. } => StorageError::Full { wanted: 1 },
        StorageError::TooLarge { .. } => StorageError::TooLarge { limit: 1 << 30 },
        StorageError::NotFound(_) => StorageError::NotFound(text()),
        StorageError::Name(_) => StorageError::Name(text()),
        StorageError::Manifest(_) | StorageError::Io { .. } | StorageError::Read { .. } => {
            StorageError::Manifest(text())
        },
    );
    all
}

fn of_queries_and_jobs() -> Vec<Sample> {
    use sandbox_job::Obstacle;
    let mut all = Vec::new();
    let text = || "x".to_owned();
    every!(all, QueryError:
        QueryError::TooLong { .. } => QueryError::TooLong { got: 2, limit: 1 },
        QueryError::Invalid(_) => QueryError::Invalid(text()),
        QueryError::UnknownColumn { .. } => QueryError::UnknownColumn { name: text(), known: text() },
        QueryError::Refused(_) => QueryError::Refused(Refused::NoQuery),
        QueryError::UnknownTable(_) => QueryError::UnknownTable(text()),
        QueryError::Value(_) => QueryError::Value(text()),
        QueryError::Timeout(_) => QueryError::Timeout(30),
        QueryError::Memory => QueryError::Memory,
        QueryError::Busy => QueryError::Busy,
        QueryError::Internal => QueryError::Internal,
    );
    every!(all, Refused:
        Refused::Statement(_) => Refused::Statement("COPY"),
        Refused::NoQuery => Refused::NoQuery,
        Refused::Placeholder => Refused::Placeholder,
        Refused::Concatenation => Refused::Concatenation,
        Refused::InFilter(_) => Refused::InFilter(Construct::Subquery),
    );
    for construct in Construct::ALL {
        all.push((format!("{construct:?}"), Box::new(Refused::InFilter(construct))));
    }
    let refusal = Refusal {
        rule: SandboxRule::Rows,
        span: None,
        detail: None,
    };
    every!(all, JobError:
        JobError::Refused(_) => JobError::Refused(Box::new(refusal)),
        JobError::Invalid(_) => JobError::Invalid(EpsilonRule::TooSmall(1e-20)),
        JobError::BudgetExhausted(_) => JobError::BudgetExhausted(Shortage::NoBudget),
        JobError::State(_) => JobError::State(Obstacle::Ended),
        JobError::Denied(_) => JobError::Denied(denied()),
        JobError::NotFound(_) => JobError::NotFound("project"),
        JobError::NotDue(_) => JobError::NotDue(Timestamp::from_micros(0)),
        JobError::Withheld => JobError::Withheld,
        JobError::Check(_) => JobError::Check(CheckObstacle::Voted),
        JobError::Reason(_) => JobError::Reason(model::Length::VOTE.check("").unwrap_err()),
        JobError::OpenDataBusy => JobError::OpenDataBusy,
        JobError::PlannerBusy => JobError::PlannerBusy,
        JobError::Database(_) => JobError::Database(db::Error::Contention),
        JobError::Internal(_) => JobError::Internal("x"),
    );
    every!(all, EpsilonRule:
        EpsilonRule::Range { .. } => EpsilonRule::Range { most: 0.5, got: f64::NAN },
        EpsilonRule::TooSmall(_) => EpsilonRule::TooSmall(1e-20),
        EpsilonRule::HalfWidth(_) => EpsilonRule::HalfWidth(0.0),
        EpsilonRule::Column { .. } => EpsilonRule::Column { figures: vec!["n".to_owned()] },
        EpsilonRule::Precision { .. } => EpsilonRule::Precision { half_width: 1.0, in_ranks: true, most: 0.5, best: 7.0 },
        EpsilonRule::Ranks { .. } => EpsilonRule::Ranks { column: "m".to_owned() },
    );
    every!(all, Shortage:
        Shortage::NoBudget => Shortage::NoBudget,
        Shortage::Spent { .. } => Shortage::Spent { purse: db::Purse::Everyone, left: 0 },
    );
    every!(all, Obstacle:
        Obstacle::Ended => Obstacle::Ended,
        Obstacle::NothingToQuery => Obstacle::NothingToQuery,
    );
    all
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c))
}

#[test]
fn every_error_has_words_in_both_languages() {
    let mut seen = BTreeSet::new();
    let all = [
        of_the_model(),
        of_the_catalogue(),
        of_reviews(),
        of_accounts_and_stores(),
        of_queries_and_jobs(),
    ];
    for (name, sample) in all.into_iter().flatten() {
        let message = sample.told();
        let (zh, en) = (message.text(Language::Zh), message.text(Language::En));
        assert!(!is_untranslated(&zh), "{name}: {zh}");
        assert!(!is_untranslated(&en), "{name}: {en}");
        assert!(is_chinese(&zh), "{name}: {zh}");
        assert!(!is_chinese(&en), "{name}: {en}");
        seen.insert(message.key().to_owned());
    }
    assert!(seen.len() > 120, "{}", seen.len());
}

#[test]
fn what_was_stored_of_a_file_is_said_later_in_any_language() {
    let error = IngestError::Value {
        line: 1_234,
        column: "日期".to_owned(),
        expected: FieldType::Date,
    };
    let stored = serde_json::json!({
        "code": error.code(), "message": error.to_string(), "line": error.line(), "arguments": error.arguments(),
    });
    let message = stored_failure(&stored).unwrap();
    assert_eq!(message, error.told());
    assert_eq!(
        message.text(Language::Zh),
        "第 1,234 行，列“日期”：值不是日期。请写成 YYYY-MM-DD。"
    );
    // Stored before there were arguments: its text is all there is.
    let old = serde_json::json!({"code": "ingest-value", "message": "line 3: x", "line": 3});
    assert_eq!(stored_failure(&old), None);
    let gone = serde_json::json!({"code": "ingest-unavailable", "message": "x"});
    assert!(is_chinese(&stored_failure(&gone).unwrap().text(Language::Zh)));
}
