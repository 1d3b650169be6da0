//! Privacy budgets: what a lineage may still give away, and what a project may spend on it (privacy.md
//! "Accounting").
//!
//! ρ is counted in nano (10⁻⁹) and δ in atto (10⁻¹⁸), both as integers, so that sums are exact. A cap over a
//! sliding window is kept as "remaining": [`charge`] takes from it by one conditional update, after giving back
//! what has slid out of the window. Rows of `charge` are never changed. Charges about disjoint units count once
//! ([`super::subset`]).

use model::{AllocationId, JobId, LineageId, ProjectId, Timestamp, UnitType};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::{allocation, charge, lineage, project};
use crate::error::{Error, Purse};
use crate::repository::subset::{self, Subset, Subsets};
use crate::statement::one_row;

const DAY_MICROS: i64 = 86_400_000_000;

/// An amount of privacy loss; neither part is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// ρ of zero-concentrated differential privacy, in 10⁻⁹.
    pub rho_nano: i64,
    /// δ, in 10⁻¹⁸.
    pub delta_atto: i64,
}

/// What everyone together may learn of a dataset in all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Its id.
    pub id: LineageId,
    /// Whom the guarantee protects; none for data that is about nobody.
    pub unit_type: Option<UnitType>,
    /// The most that is ever spent.
    pub lifetime_cap: Cost,
    /// What was spent so far.
    pub lifetime_spent: Cost,
    /// The most ρ within a window, in nano.
    pub rho_window_cap_nano: i64,
    /// What is left of it, in nano.
    pub rho_remaining_nano: i64,
    /// What of the window's cap cannot be reserved any more, in nano: what open allocations have reserved, and what
    /// those that have ended spent within the window.
    pub rho_reserved_nano: i64,
    /// The length of the sliding window.
    pub window_days: i64,
    /// When counting began.
    pub created_at: Timestamp,
}

/// What a project may spend on a lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Its id.
    pub id: AllocationId,
    /// Who may spend.
    pub project_id: ProjectId,
    /// On what.
    pub lineage_id: LineageId,
    /// The most within a window (ρ) and in all (δ).
    pub cap: Cost,
    /// What is left of both.
    pub remaining: Cost,
    /// The length of the sliding window.
    pub window_days: i64,
    /// When it was approved.
    pub created_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

/// A charge for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: Uuid,
    /// The job, which is stored before its charge.
    pub job_id: JobId,
    /// Who pays.
    pub project_id: ProjectId,
    /// From which allocation.
    pub allocation_id: AllocationId,
    /// On which lineage.
    pub lineage_id: LineageId,
    /// How much; of a stored charge, what it took from the counters ([`super::subset`]).
    pub cost: Cost,
    /// The units that it is about, if it is not about all.
    pub subset: Option<Subset>,
    /// Whether the lineage pays too; not for an answer that outsiders have already.
    pub lineage_charged: bool,
    /// When.
    pub created_at: Timestamp,
}

impl Charge {
    /// The units that it is about, as far as it shares their budget: what the lineage does not pay for carries nothing that it
    /// pays for.
    pub(super) fn carried(&self) -> Option<&Subset> {
        self.subset.as_ref().filter(|_| self.lineage_charged)
    }
}

/// Adds a lineage with nothing spent.
///
/// # Errors
/// [`Error::CheckViolation`] for caps below zero.
pub async fn insert_lineage(tx: &Tx, lineage: &Lineage) -> Result<(), Error> {
    let row = lineage::ActiveModel {
        id: Set(lineage.id.as_uuid()),
        unit_type: Set(lineage.unit_type.map(|unit| unit.as_str().to_owned())),
        rho_lifetime_cap_nano: Set(lineage.lifetime_cap.rho_nano),
        rho_lifetime_spent_nano: Set(0),
        delta_lifetime_cap_atto: Set(lineage.lifetime_cap.delta_atto),
        delta_lifetime_spent_atto: Set(0),
        rho_window_cap_nano: Set(lineage.rho_window_cap_nano),
        rho_remaining_nano: Set(lineage.rho_window_cap_nano),
        rho_reserved_nano: Set(0),
        window_days: Set(lineage.window_days),
        window_start: Set(lineage.created_at.as_micros() - 1),
        created_at: Set(lineage.created_at.as_micros()),
    };
    lineage::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// Replaces unit type, caps and window of a lineage of which nothing was spent or reserved.
///
/// # Errors
/// [`Error::Stale`] if something was: terms that people rely on do not change.
pub async fn set_lineage_terms(tx: &Tx, lineage: &Lineage) -> Result<(), Error> {
    let changed = tx
        .execute(
            "UPDATE lineage SET unit_type = $2, rho_lifetime_cap_nano = $3, delta_lifetime_cap_atto = $4, \
             rho_window_cap_nano = $5, rho_remaining_nano = $5, window_days = $6 \
             WHERE id = $1 AND rho_lifetime_spent_nano = 0 AND delta_lifetime_spent_atto = 0 \
             AND rho_reserved_nano = 0",
            [
                lineage.id.as_uuid().into(),
                lineage.unit_type.map(|unit| unit.as_str().to_owned()).into(),
                lineage.lifetime_cap.rho_nano.into(),
                lineage.lifetime_cap.delta_atto.into(),
                lineage.rho_window_cap_nano.into(),
                lineage.window_days.into(),
            ],
        )
        .await?;
    one_row(changed, Error::Stale("lineage"))
}

/// Adds an allocation with everything left, and reserves what it can spend within the lineage's window: its cap, once
/// for each of its own windows that begins while its project lasts.
///
/// What ended allocations spent stays reserved until it has left the lineage's window: the window holds that much less
/// for everyone, and nobody may be promised what is not there.
///
/// # Errors
/// [`Error::BudgetExhausted`] if what is reserved would sum past the lineage's cap; the caller then rolls back.
/// [`Error::NotFound`] if there is no such lineage or project.
pub async fn insert(tx: &Tx, allocation: &Allocation) -> Result<(), Error> {
    // A statement of its own: on PostgreSQL the next one then sees what those have committed that held the row before,
    // in all tables.
    let lineage = lineage::Entity::find_by_id(allocation.lineage_id.as_uuid())
        .lock_exclusive()
        .one(&tx.executor())
        .await?
        .ok_or(Error::NotFound("lineage"))?;
    let project = project::Entity::find_by_id(allocation.project_id.as_uuid())
        .one(&tx.executor())
        .await?
        .ok_or(Error::NotFound("project"))?;
    let period = project.expires_at - allocation.created_at.as_micros();
    let windows = windows(period, allocation.window_days, lineage.window_days);
    let owed = owed_by_ended(tx, &lineage, allocation.created_at).await?;
    let reserve = format!(
        "UPDATE lineage SET rho_reserved_nano = rho_reserved_nano + $4 WHERE id = $1 \
         AND rho_reserved_nano + $4 + $5 + ({SPENT_BY_ENDED}) <= rho_window_cap_nano"
    );
    let reserved = tx
        .execute(
            reserve,
            [
                allocation.lineage_id.as_uuid().into(),
                allocation.created_at.as_micros().into(),
                DAY_MICROS.into(),
                allocation.cap.rho_nano.saturating_mul(windows).into(),
                owed.into(),
            ],
        )
        .await?;
    if reserved != 1 {
        return Err(Error::BudgetExhausted(Purse::Reserved));
    }
    let row = allocation::ActiveModel {
        id: Set(allocation.id.as_uuid()),
        project_id: Set(allocation.project_id.as_uuid()),
        lineage_id: Set(allocation.lineage_id.as_uuid()),
        rho_cap_nano: Set(allocation.cap.rho_nano),
        rho_remaining_nano: Set(allocation.cap.rho_nano),
        delta_cap_atto: Set(allocation.cap.delta_atto),
        delta_remaining_atto: Set(allocation.cap.delta_atto),
        window_days: Set(allocation.window_days),
        window_start: Set(allocation.created_at.as_micros() - 1),
        created_at: Set(allocation.created_at.as_micros()),
        closed_at: Set(None),
    };
    allocation::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// How often an allocation can spend its cap within a window of its lineage while its project lasts: at the start, and
/// anew whenever what it spent has slid out of its own window.
pub fn windows(period_micros: i64, window_days: i64, lineage_window_days: i64) -> i64 {
    let span = period_micros.min(lineage_window_days.saturating_mul(DAY_MICROS));
    let window = window_days.saturating_mul(DAY_MICROS).max(1);
    span.div_euclid(window)
        .saturating_add(i64::from(span.rem_euclid(window) > 0))
        .max(1)
}

/// What ended allocations spent within the window of `lineage`, at the moment `$2`, with the length of a day for `$3`.
const SPENT_BY_ENDED: &str = "SELECT COALESCE(CAST(SUM(c.rho_nano) AS BIGINT), 0) FROM charge c \
     JOIN allocation a ON a.id = c.allocation_id \
     WHERE c.lineage_id = lineage.id AND c.lineage_charged AND a.closed_at IS NOT NULL \
     AND c.created_at > $2 - lineage.window_days * $3";

/// Ends an allocation and gives back what it has reserved and not spent. What was spent stays spent, and reserved until
/// it leaves the lineage's window ([`insert`]). `false` if it had ended.
///
/// # Errors
/// If the database fails.
pub async fn close(tx: &Tx, id: AllocationId, now: Timestamp) -> Result<bool, Error> {
    let closed = tx
        .execute(
            "UPDATE allocation SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL",
            [id.as_uuid().into(), now.as_micros().into()],
        )
        .await?;
    if closed == 1 {
        let row = allocation::Entity::find_by_id(id.as_uuid())
            .one(&tx.executor())
            .await?
            .ok_or(Error::NotFound("allocation"))?;
        let lineage = lineage::Entity::find_by_id(row.lineage_id)
            .lock_exclusive()
            .one(&tx.executor())
            .await?
            .ok_or(Error::NotFound("lineage"))?;
        let reserved = reserved_by_open(tx, &lineage).await?;
        tx.execute(
            "UPDATE lineage SET rho_reserved_nano = $2 WHERE id = $1",
            [
                lineage.id.into(),
                reserved.min(lineage.rho_window_cap_nano).into(),
            ],
        )
        .await?;
    }
    Ok(closed == 1)
}

/// What the allocations of a lineage that have not ended have reserved.
async fn reserved_by_open(tx: &Tx, lineage: &lineage::Model) -> Result<i64, Error> {
    let open = allocation::Entity::find()
        .filter(allocation::Column::LineageId.eq(lineage.id))
        .filter(allocation::Column::ClosedAt.is_null())
        .find_also_related(project::Entity)
        .all(&tx.executor())
        .await?;
    let mut reserved = 0i64;
    for (allocation, project) in open {
        let period = project.ok_or(Error::NotFound("project"))?.expires_at - allocation.created_at;
        let windows = windows(period, allocation.window_days, lineage.window_days);
        reserved = reserved.saturating_add(allocation.rho_cap_nano.saturating_mul(windows));
    }
    Ok(reserved)
}

/// Charges a job: all of `charges` or, after the error, none, as the caller rolls back.
///
/// Lineages are taken in the order of their ids, so that two jobs over the same two cannot wait in a circle.
///
/// # Errors
/// [`Error::BudgetExhausted`] if an allocation or a lineage has too little left, or the allocation has ended.
pub async fn charge(tx: &Tx, charges: &[Charge]) -> Result<(), Error> {
    let mut charges = charges.to_vec();
    charges.sort_by_key(|charge| charge.lineage_id);
    for one in &charges {
        if one.cost.rho_nano < 0 || one.cost.delta_atto < 0 {
            return Err(Error::CheckViolation("a charge below zero".to_owned()));
        }
        let one = &in_order(tx, one).await?;
        let counted = charge_allocation(tx, one).await?;
        if one.lineage_charged {
            charge_lineage(tx, one, counted).await?;
        }
        let subset = one.carried();
        let values = subset.map(Subset::stored);
        let row = charge::ActiveModel {
            id: Set(one.id),
            job_id: Set(one.job_id.as_uuid()),
            project_id: Set(one.project_id.as_uuid()),
            allocation_id: Set(one.allocation_id.as_uuid()),
            lineage_id: Set(one.lineage_id.as_uuid()),
            rho_nano: Set(counted),
            delta_atto: Set(one.cost.delta_atto),
            lineage_charged: Set(one.lineage_charged),
            created_at: Set(one.created_at.as_micros()),
            subset_version_id: Set(subset.map(|subset| subset.version.as_uuid())),
            subset_field: Set(subset.map(|subset| subset.field.clone())),
            subset_values: Set(values),
            subset_rho_nano: Set(subset.map(|_| one.cost.rho_nano)),
        };
        charge::Entity::insert(row)
            .exec_without_returning(&tx.executor())
            .await?;
    }
    Ok(())
}

/// The ρ that a charge would take of what its allocation has left, in nano: less than it costs where others of its partition carry
/// it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such allocation.
pub async fn taken(connection: &Connection, charge: &Charge) -> Result<i64, Error> {
    if charge.subset.is_none() {
        return Ok(charge.cost.rho_nano);
    }
    let row = allocation::Entity::find_by_id(charge.allocation_id.as_uuid())
        .one(&connection.executor())
        .await?
        .ok_or(Error::NotFound("allocation"))?;
    let since = window_start(row.window_start, row.window_days, charge.created_at);
    let mut subsets = Subsets::load(connection, of_allocation(row.id), since).await?;
    let before = subsets.owed();
    let counted = subsets.charge(charge);
    Ok(counted.saturating_add(subsets.owed()).saturating_sub(before))
}

/// The moment after which charges are within a window that ends at `now`, and did so at its latest charge.
fn window_start(stored: i64, days: i64, now: Timestamp) -> i64 {
    stored.max(now.as_micros() - days * DAY_MICROS)
}

fn of_allocation(id: Uuid) -> Condition {
    Condition::all().add(charge::Column::AllocationId.eq(id))
}

fn of_lineage(id: Uuid) -> Condition {
    Condition::all()
        .add(charge::Column::LineageId.eq(id))
        .add(charge::Column::LineageCharged.eq(true))
}

/// A charge at its own time, or at that of the latest before it: what waited for the lock longer has come later. Holds the allocation
/// and, if it pays, the lineage from here on.
async fn in_order(tx: &Tx, charge: &Charge) -> Result<Charge, Error> {
    allocation::Entity::find_by_id(charge.allocation_id.as_uuid())
        .lock_exclusive()
        .one(&tx.executor())
        .await?
        .ok_or(Error::BudgetExhausted(Purse::Project))?;
    let mut before = Condition::any().add(of_allocation(charge.allocation_id.as_uuid()));
    if charge.lineage_charged {
        lineage::Entity::find_by_id(charge.lineage_id.as_uuid())
            .lock_exclusive()
            .one(&tx.executor())
            .await?
            .ok_or(Error::BudgetExhausted(Purse::Everyone))?;
        before = before.add(of_lineage(charge.lineage_id.as_uuid()));
    }
    let latest = charge::Entity::find()
        .filter(before)
        .order_by_desc(charge::Column::CreatedAt)
        .one(&tx.executor())
        .await?;
    let latest = latest.map_or(i64::MIN, |latest| latest.created_at);
    Ok(Charge {
        created_at: Timestamp::from_micros(charge.created_at.as_micros().max(latest)),
        ..charge.clone()
    })
}

/// Takes a charge from its allocation; returns the ρ that it took.
async fn charge_allocation(tx: &Tx, charge: &Charge) -> Result<i64, Error> {
    let now = charge.created_at.as_micros();
    let exhausted = || Error::BudgetExhausted(Purse::Project);
    tx.execute(
        "UPDATE allocation SET window_start = $2 - window_days * $3, \
         rho_remaining_nano = rho_remaining_nano + COALESCE((SELECT CAST(SUM(c.rho_nano) AS BIGINT) \
         FROM charge c WHERE c.allocation_id = allocation.id AND c.created_at > allocation.window_start \
         AND c.created_at <= $2 - allocation.window_days * $3), 0) \
         WHERE id = $1 AND window_start < $2 - window_days * $3",
        [
            charge.allocation_id.as_uuid().into(),
            now.into(),
            DAY_MICROS.into(),
        ],
    )
    .await?;
    let row = allocation::Entity::find_by_id(charge.allocation_id.as_uuid())
        .one(&tx.executor())
        .await?
        .ok_or_else(exhausted)?;
    let mut subsets = Subsets::load(tx, of_allocation(row.id), row.window_start).await?;
    // By a clock that went back beyond the window nothing is carried, and nothing comes back.
    let counted = if now > row.window_start {
        subsets.charge(charge)
    } else {
        charge.cost.rho_nano
    };
    let charged = tx
        .execute(
            "UPDATE allocation SET rho_remaining_nano = rho_remaining_nano - $4, \
             delta_remaining_atto = delta_remaining_atto - $5 \
             WHERE id = $1 AND project_id = $2 AND lineage_id = $3 AND closed_at IS NULL \
             AND rho_remaining_nano >= $4 + $6 AND delta_remaining_atto >= $5",
            [
                charge.allocation_id.as_uuid().into(),
                charge.project_id.as_uuid().into(),
                charge.lineage_id.as_uuid().into(),
                counted.into(),
                charge.cost.delta_atto.into(),
                subsets.owed().into(),
            ],
        )
        .await?;
    one_row(charged, exhausted())?;
    Ok(counted)
}

/// Takes a charge from its lineage, as much as from its allocation.
async fn charge_lineage(tx: &Tx, charge: &Charge, counted: i64) -> Result<(), Error> {
    let now = charge.created_at.as_micros();
    let exhausted = || Error::BudgetExhausted(Purse::Everyone);
    tx.execute(
        "UPDATE lineage SET window_start = $2 - window_days * $3, \
         rho_remaining_nano = rho_remaining_nano + COALESCE((SELECT CAST(SUM(c.rho_nano) AS BIGINT) \
         FROM charge c WHERE c.lineage_id = lineage.id AND c.lineage_charged \
         AND c.created_at > lineage.window_start \
         AND c.created_at <= $2 - lineage.window_days * $3), 0) \
         WHERE id = $1 AND window_start < $2 - window_days * $3",
        [charge.lineage_id.as_uuid().into(), now.into(), DAY_MICROS.into()],
    )
    .await?;
    let row = lineage::Entity::find_by_id(charge.lineage_id.as_uuid())
        .one(&tx.executor())
        .await?
        .ok_or_else(exhausted)?;
    let mut subsets = Subsets::load(tx, of_lineage(row.id), row.window_start).await?;
    let counted = if now > row.window_start {
        subsets.add(charge, counted);
        counted
    } else {
        charge.cost.rho_nano
    };
    let charged = tx
        .execute(
            "UPDATE lineage SET rho_remaining_nano = rho_remaining_nano - $2, \
             rho_lifetime_spent_nano = rho_lifetime_spent_nano + $2, \
             delta_lifetime_spent_atto = delta_lifetime_spent_atto + $3 \
             WHERE id = $1 AND rho_remaining_nano >= $2 + $4 \
             AND rho_lifetime_spent_nano + $2 <= rho_lifetime_cap_nano \
             AND delta_lifetime_spent_atto + $3 <= delta_lifetime_cap_atto",
            [
                charge.lineage_id.as_uuid().into(),
                counted.into(),
                charge.cost.delta_atto.into(),
                subsets.owed().into(),
            ],
        )
        .await?;
    one_row(charged, exhausted())
}

/// The lineage with this id, which must exist, with what is left at `now`.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load_lineage(connection: &Connection, id: LineageId, now: Timestamp) -> Result<Lineage, Error> {
    let row = lineage::Entity::find_by_id(id.as_uuid())
        .one(&connection.executor())
        .await?
        .ok_or(Error::NotFound("lineage"))?;
    let slid_out = charge::Entity::find()
        .filter(charge::Column::LineageId.eq(row.id))
        .filter(charge::Column::LineageCharged.eq(true))
        .filter(charge::Column::CreatedAt.gt(row.window_start))
        .filter(charge::Column::CreatedAt.lte(now.as_micros() - row.window_days * DAY_MICROS))
        .all(&connection.executor())
        .await?;
    let since = window_start(row.window_start, row.window_days, now);
    let owed = Subsets::load(connection, of_lineage(row.id), since).await?.owed();
    let unit_type = match row.unit_type.as_deref() {
        None => None,
        Some(name) => Some(
            UnitType::from_name(name).ok_or_else(|| Error::corrupt("lineage.unit_type", "unknown word"))?,
        ),
    };
    Ok(Lineage {
        id,
        unit_type,
        lifetime_cap: Cost {
            rho_nano: row.rho_lifetime_cap_nano,
            delta_atto: row.delta_lifetime_cap_atto,
        },
        lifetime_spent: Cost {
            rho_nano: row.rho_lifetime_spent_nano,
            delta_atto: row.delta_lifetime_spent_atto,
        },
        rho_window_cap_nano: row.rho_window_cap_nano,
        rho_remaining_nano: row.rho_remaining_nano + slid_out.iter().map(|c| c.rho_nano).sum::<i64>() - owed,
        rho_reserved_nano: row.rho_reserved_nano
            + spent_by_ended(connection, id, now).await?
            + owed_by_ended(connection, &row, now).await?,
        window_days: row.window_days,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

/// What ended allocations owe within the window of their lineage, beside what they took.
async fn owed_by_ended(
    connection: &Connection,
    lineage: &lineage::Model,
    now: Timestamp,
) -> Result<i64, Error> {
    let ended = allocation::Entity::find()
        .filter(allocation::Column::LineageId.eq(lineage.id))
        .filter(allocation::Column::ClosedAt.is_not_null())
        .all(&connection.executor())
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    let ended = ended.iter().map(|allocation| allocation.id);
    let charges = of_lineage(lineage.id).add(charge::Column::AllocationId.is_in(ended));
    let since = now.as_micros() - lineage.window_days * DAY_MICROS;
    Ok(Subsets::load(connection, charges, since).await?.owed())
}

async fn spent_by_ended(connection: &Connection, id: LineageId, now: Timestamp) -> Result<i64, Error> {
    let rows = connection
        .query(
            format!("SELECT ({SPENT_BY_ENDED}) AS spent FROM lineage WHERE id = $1"),
            [id.as_uuid().into(), now.as_micros().into(), DAY_MICROS.into()],
        )
        .await?;
    let row = rows.first().ok_or(Error::NotFound("lineage"))?;
    Ok(row.try_get("", "spent")?)
}

/// What all lineages about one type of unit come to together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitTypeTotal {
    /// How many they are.
    pub lineages: i64,
    /// The sum of what was spent on them.
    pub spent: Cost,
    /// The sum of the most that is ever spent on them.
    pub cap: Cost,
    /// The smallest δ of a cap among them, in 10⁻¹⁸.
    pub least_delta_cap_atto: i64,
}

/// Sums over the lineages about units of this type that can be queried (those of released or retired datasets of level
/// L3), those of which something was spent, and `also`.
///
/// # Errors
/// If the database fails.
pub async fn total_of_unit_type(
    connection: &Connection,
    unit_type: UnitType,
    also: LineageId,
) -> Result<UnitTypeTotal, Error> {
    let rows = connection
        .query(
            "SELECT COUNT(*) AS lineages, \
             COALESCE(CAST(SUM(rho_lifetime_spent_nano) AS BIGINT), 0) AS rho_spent, \
             COALESCE(CAST(SUM(delta_lifetime_spent_atto) AS BIGINT), 0) AS delta_spent, \
             COALESCE(CAST(SUM(rho_lifetime_cap_nano) AS BIGINT), 0) AS rho_cap, \
             COALESCE(CAST(SUM(delta_lifetime_cap_atto) AS BIGINT), 0) AS delta_cap, \
             COALESCE(MIN(delta_lifetime_cap_atto), 0) AS least_delta_cap \
             FROM lineage WHERE unit_type = $1 AND (id = $2 OR rho_lifetime_spent_nano > 0 \
             OR EXISTS (SELECT 1 FROM dataset WHERE dataset.lineage_id = lineage.id AND dataset.level = 3 \
             AND dataset.state <> 'draft'))",
            [unit_type.as_str().into(), also.as_uuid().into()],
        )
        .await?;
    let row = rows.first().ok_or(Error::NotFound("lineage"))?;
    let number = |name: &str| row.try_get::<i64>("", name);
    Ok(UnitTypeTotal {
        lineages: number("lineages")?,
        spent: Cost {
            rho_nano: number("rho_spent")?,
            delta_atto: number("delta_spent")?,
        },
        cap: Cost {
            rho_nano: number("rho_cap")?,
            delta_atto: number("delta_cap")?,
        },
        least_delta_cap_atto: number("least_delta_cap")?,
    })
}

/// The allocations of a project, with what is left at `now`.
///
/// # Errors
/// If the database fails.
pub async fn list_of_project(
    connection: &Connection,
    project: ProjectId,
    now: Timestamp,
) -> Result<Vec<Allocation>, Error> {
    let rows = allocation::Entity::find()
        .filter(allocation::Column::ProjectId.eq(project.as_uuid()))
        .order_by_asc(allocation::Column::Id)
        .all(&connection.executor())
        .await?;
    let mut allocations = Vec::with_capacity(rows.len());
    for row in rows {
        let slid_out = charge::Entity::find()
            .filter(charge::Column::AllocationId.eq(row.id))
            .filter(charge::Column::CreatedAt.gt(row.window_start))
            .filter(charge::Column::CreatedAt.lte(now.as_micros() - row.window_days * DAY_MICROS))
            .all(&connection.executor())
            .await?;
        let since = window_start(row.window_start, row.window_days, now);
        let owed = Subsets::load(connection, of_allocation(row.id), since)
            .await?
            .owed();
        allocations.push(Allocation {
            id: AllocationId::from_uuid(row.id),
            project_id: ProjectId::from_uuid(row.project_id),
            lineage_id: LineageId::from_uuid(row.lineage_id),
            cap: Cost {
                rho_nano: row.rho_cap_nano,
                delta_atto: row.delta_cap_atto,
            },
            remaining: Cost {
                rho_nano: row.rho_remaining_nano + slid_out.iter().map(|c| c.rho_nano).sum::<i64>() - owed,
                delta_atto: row.delta_remaining_atto,
            },
            window_days: row.window_days,
            created_at: Timestamp::from_micros(row.created_at),
            closed_at: row.closed_at.map(Timestamp::from_micros),
        });
    }
    Ok(allocations)
}

/// The charges of a project, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list_charges(connection: &Connection, project: ProjectId) -> Result<Vec<Charge>, Error> {
    let rows = charge::Entity::find()
        .filter(charge::Column::ProjectId.eq(project.as_uuid()))
        .order_by_asc(charge::Column::CreatedAt)
        .order_by_asc(charge::Column::Id)
        .all(&connection.executor())
        .await?;
    let read = |row: charge::Model| -> Result<Charge, Error> {
        Ok(Charge {
            subset: subset::read(&row)?,
            id: row.id,
            job_id: JobId::from_uuid(row.job_id),
            project_id: ProjectId::from_uuid(row.project_id),
            allocation_id: AllocationId::from_uuid(row.allocation_id),
            lineage_id: LineageId::from_uuid(row.lineage_id),
            cost: Cost {
                rho_nano: row.rho_nano,
                delta_atto: row.delta_atto,
            },
            lineage_charged: row.lineage_charged,
            created_at: Timestamp::from_micros(row.created_at),
        })
    };
    rows.into_iter().map(read).collect()
}
