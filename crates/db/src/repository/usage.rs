//! How much the portal is used: counts per day, and nothing about who.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::usage_count::{Column, Entity};
use crate::error::Error;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKind {
    /// A dataset's page was looked at.
    View,
    /// A file was downloaded.
    Download,
    /// Rows or query results were read by a program.
    ApiCall,
    /// A private job was run.
    Job,
}

impl UsageKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::View, Self::Download, Self::ApiCall, Self::Job];

    /// The stable word, as in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Download => "download",
            Self::ApiCall => "api_call",
            Self::Job => "job",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The count of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// `YYYY-MM-DD` in the portal's zone.
    pub day: String,
    /// What was done.
    pub kind: UsageKind,
    /// To what, such as a dataset's id.
    pub subject: String,
    /// How often.
    pub count: i64,
}

/// Adds to the count of one day (`YYYY-MM-DD`).
///
/// # Errors
/// [`Error::CheckViolation`] for a count below 1 or a day of another form.
pub async fn count(tx: &Tx, kind: UsageKind, subject: &str, day: &str, n: i64) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO usage_count (day, kind, subject, count) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (day, kind, subject) DO UPDATE SET count = usage_count.count + excluded.count",
        [day.into(), kind.as_str().into(), subject.into(), n.into()],
    )
    .await?;
    Ok(())
}

/// Adds many counts of one day. They are written in the map's order, so that two writers cannot wait for each
/// other in a circle.
///
/// # Errors
/// As [`count`].
pub async fn count_all(tx: &Tx, day: &str, counts: &BTreeMap<(UsageKind, String), i64>) -> Result<(), Error> {
    for ((kind, subject), n) in counts {
        count(tx, *kind, subject, day, *n).await?;
    }
    Ok(())
}

/// The counts of a subject from one day to another, both included, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    subject: &str,
    first_day: &str,
    last_day: &str,
) -> Result<Vec<DayCount>, Error> {
    let rows = Entity::find()
        .filter(Column::Subject.eq(subject))
        .filter(Column::Day.between(first_day, last_day))
        .order_by_asc(Column::Day)
        .order_by_asc(Column::Kind)
        .all(&connection.executor())
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(DayCount {
                day: row.day,
                kind: UsageKind::from_word(&row.kind)
                    .ok_or_else(|| Error::corrupt("usage_count.kind", "unknown word"))?,
                subject: row.subject,
                count: row.count,
            })
        })
        .collect()
}

/// The sum over all days.
///
/// # Errors
/// If the database fails.
pub async fn total(connection: &Connection, kind: UsageKind, subject: &str) -> Result<i64, Error> {
    let counts: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Count)
        .filter(Column::Subject.eq(subject))
        .filter(Column::Kind.eq(kind.as_str()))
        .into_tuple()
        .all(&connection.executor())
        .await?;
    Ok(counts.into_iter().sum())
}

/// The sum of one kind over all days and subjects.
///
/// # Errors
/// If the database fails.
pub async fn total_of_kind(connection: &Connection, kind: UsageKind) -> Result<i64, Error> {
    // PostgreSQL sums integers as NUMERIC.
    let sql = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) AS total FROM usage_count WHERE kind = $1";
    let rows = connection.query(sql, [kind.as_str().into()]).await?;
    match rows.first() {
        Some(row) => Ok(row.try_get("", "total")?),
        None => Ok(0),
    }
}
