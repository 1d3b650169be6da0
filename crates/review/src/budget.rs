//! From the ε and days that people agree on to allocations in (ρ, δ) (privacy.md "Accounting").

use std::collections::BTreeMap;

use db::Tx;
use db::allocation::{Allocation, Cost};
use db::dataset::Dataset;
use identity::{Action, Actor};
use model::metadata::MAX_DECLARED;
use model::{
    AllocationId, BudgetPolicy, DatasetId, Level, LineageId, ProjectId, RequestId, RequestState,
    ReviewPolicy, Timestamp,
};
use privacy::{Delta, Epsilon, Rho};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DatasetName, Review, ReviewError};

/// What a reviewer grants with an approved access request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetGrant {
    /// ε of the project on each personal (L3) lineage, within the policy's sliding window.
    pub epsilon: f64,
    /// Days until the project ends.
    pub days: u32,
}

impl BudgetGrant {
    /// The grant for want of another: the policy's ε, for the days that were asked or else the policy's.
    pub(crate) fn default_of(budget: &BudgetPolicy, review: &ReviewPolicy, asked: Option<u32>) -> Self {
        Self {
            epsilon: budget.project_epsilon,
            days: asked.unwrap_or(budget.project_days).min(review.project_days),
        }
    }

    /// The grant, if it is within the policies.
    pub(crate) fn check(self, budget: &BudgetPolicy, review: &ReviewPolicy) -> Result<Self, ReviewError> {
        let most = budget.project_epsilon;
        if !self.epsilon.is_finite() || self.epsilon < LEAST_EPSILON || self.epsilon > most {
            return Err(ReviewError::BudgetRange {
                what: "epsilon",
                least: LEAST_EPSILON.to_string(),
                most: most.to_string(),
                got: self.epsilon.to_string(),
            });
        }
        if !(1..=review.project_days).contains(&self.days) {
            return Err(ReviewError::BudgetRange {
                what: "days",
                least: "1".to_owned(),
                most: review.project_days.to_string(),
                got: self.days.to_string(),
            });
        }
        Ok(self)
    }
}

/// The least ε that makes sense to grant: below it ρ is not even one unit of the accounts.
const LEAST_EPSILON: f64 = 0.001;

/// What is granted on one lineage, and through which datasets.
#[derive(Debug)]
pub(crate) struct Share {
    lineage: LineageId,
    datasets: Vec<(DatasetId, String)>,
    delta: Delta,
    cost: Cost,
    id: AllocationId,
}

impl Share {
    /// The share in a ledger leaf, such as `bike-share-trips rho_nano=56130000 delta_atto=1000000000`.
    pub(crate) fn describe(&self) -> String {
        let slugs: Vec<&str> = self.datasets.iter().map(|(_, slug)| slug.as_str()).collect();
        let Cost { rho_nano, delta_atto } = self.cost;
        format!("{} rho_nano={rho_nano} delta_atto={delta_atto}", slugs.join("+"))
    }

    /// The allocation of each dataset.
    pub(crate) fn datasets(&self) -> impl Iterator<Item = (DatasetId, Option<Uuid>)> {
        self.datasets.iter().map(|(id, _)| (*id, Some(self.id.as_uuid())))
    }

    fn slugs(&self) -> String {
        let slugs: Vec<&str> = self.datasets.iter().map(|(_, slug)| slug.as_str()).collect();
        slugs.join(", ")
    }
}

/// Splits a grant over the lineages of the L3 datasets: one share each, of the full ε. L2 datasets get none: their
/// cells are checked by disclosure rules, not paid for.
///
/// Shares come in the order of their lineages, so that two approvals over the same two cannot wait in a circle.
pub(crate) fn shares(
    datasets: &[Dataset],
    grant: BudgetGrant,
    now: Timestamp,
) -> Result<Vec<Share>, ReviewError> {
    let epsilon = Epsilon::new(grant.epsilon).ok_or(ReviewError::Internal("granted epsilon"))?;
    let mut lineages: BTreeMap<LineageId, (Delta, Vec<(DatasetId, String)>)> = BTreeMap::new();
    for dataset in datasets.iter().filter(|dataset| dataset.level == Some(Level::L3)) {
        let unit = dataset.declared.as_ref().and_then(model::DeclaredMetadata::unit);
        let promise = Delta::promise(unit.map_or(MAX_DECLARED, |unit| unit.max_units));
        let (delta, members) = lineages
            .entry(dataset.lineage_id)
            .or_insert((promise, Vec::new()));
        *delta = promise.min(*delta);
        members.push((dataset.id, dataset.slug.to_string()));
    }
    let share = |(lineage, (delta, datasets)): (LineageId, (Delta, Vec<(DatasetId, String)>))| {
        Ok(Share {
            lineage,
            datasets,
            delta,
            cost: cap_of(epsilon, delta)?,
            id: AllocationId::at(now),
        })
    };
    lineages.into_iter().map(share).collect()
}

/// The cap in the database's units: ρ in 10⁻⁹, δ in 10⁻¹⁸, both rounded down.
fn cap_of(epsilon: Epsilon, delta: Delta) -> Result<Cost, ReviewError> {
    let number = |units: u64| i64::try_from(units).map_err(|_| ReviewError::Internal("budget cap"));
    // The promised δ pays for the conversion and for the charges' own δ: `cap` splits it.
    let cap = privacy::conversion::cap(epsilon, delta);
    Ok(Cost {
        rho_nano: number(cap.rho.nano())?,
        delta_atto: number(cap.delta.units() / 1_000)?,
    })
}

/// Reserves a share within its lineage's caps.
///
/// # Errors
/// [`ReviewError::BudgetNotAvailable`] if open allocations would sum past the window's cap, or the share past what
/// is left of the lifetime's. A project longer than its own window counts once for each of them.
pub(crate) async fn reserve(
    tx: &Tx,
    project: ProjectId,
    share: &Share,
    grant: BudgetGrant,
    policy: &BudgetPolicy,
    now: Timestamp,
) -> Result<(), ReviewError> {
    let allocation = Allocation {
        id: share.id,
        project_id: project,
        lineage_id: share.lineage,
        cap: share.cost,
        remaining: share.cost,
        window_days: i64::from(policy.project_days),
        created_at: now,
        closed_at: None,
    };
    let inserted = db::allocation::insert(tx, &allocation).await;
    let lineage = db::allocation::load_lineage(tx, share.lineage, now).await?;
    let windows = windows(grant.days, policy, lineage.window_days);
    let lifetime_left = lineage.lifetime_cap.rho_nano - lineage.lifetime_spent.rho_nano;
    let reserved = match inserted {
        Ok(()) if share.cost.rho_nano <= lifetime_left => return Ok(()),
        Ok(()) => lineage.rho_reserved_nano - share.cost.rho_nano * windows,
        Err(db::Error::BudgetExhausted(_)) => lineage.rho_reserved_nano,
        Err(other) => return Err(other.into()),
    };
    let left = ((lineage.rho_window_cap_nano - reserved) / windows)
        .min(lifetime_left)
        .max(0);
    Err(ReviewError::BudgetNotAvailable {
        slug: share.slugs(),
        asked: grant.epsilon.to_string(),
        left: epsilon_down(left, share.delta),
    })
}

/// How often a project of so many days can spend its share within the lineage's window.
fn windows(days: u32, policy: &BudgetPolicy, lineage_window_days: i64) -> i64 {
    let period = Timestamp::from_micros(0).plus_days(i64::from(days)).as_micros();
    db::allocation::windows(period, i64::from(policy.project_days), lineage_window_days)
}

/// The ε of what is left, to two decimals, rounded down so that granting it fits.
fn epsilon_down(rho_nano: i64, delta: Delta) -> String {
    format!("{:.2}", epsilon_left(rho_nano, delta))
}

fn epsilon_left(rho_nano: i64, delta: Delta) -> f64 {
    let rho = Rho::from_nano(u64::try_from(rho_nano).unwrap_or(0));
    // The inverse of `cap`: half of δ serves the conversion.
    let half = Delta::from_units(delta.units() / 2);
    let epsilon = privacy::conversion::epsilon(rho, half).map_or(0.0, Epsilon::value);
    (epsilon * 100.0).floor() / 100.0
}

impl Review {
    /// The ε that could still be granted on each personal (L3) dataset of an access request, for the days that were
    /// asked for: what its lineage has neither promised to other projects nor spent for good, rounded down. For those
    /// who decide on it.
    ///
    /// # Errors
    /// [`ReviewError::NotFound`] for a request that the actor may not know of, [`ReviewError::Denied`] for others
    /// than its reviewers.
    pub async fn grantable(
        &self,
        actor: &Actor,
        id: RequestId,
    ) -> Result<Vec<(DatasetName, f64)>, ReviewError> {
        let seen = self.find_visible(actor, id).await?;
        let open = seen.in_state(RequestState::AwaitingDecision);
        self.allow(actor, Action::DecideRequest, &open)?;
        let connection = self.parts.db.read();
        let now = self.parts.clock.now();
        let (budget, review) = (
            self.budget_policy(now).await?.rules,
            self.review_policy(now).await?.rules,
        );
        let payload = crate::payload::Payload::read(&seen.request)?;
        let days = BudgetGrant::default_of(&budget, &review, payload.days).days;
        let mut grantable = Vec::new();
        for dataset in seen
            .datasets
            .iter()
            .filter(|dataset| dataset.level == Some(Level::L3))
        {
            let lineage = db::allocation::load_lineage(connection, dataset.lineage_id, now).await?;
            let lifetime = lineage.lifetime_cap.rho_nano - lineage.lifetime_spent.rho_nano;
            let windows = windows(days, &budget, lineage.window_days);
            let left = ((lineage.rho_window_cap_nano - lineage.rho_reserved_nano) / windows)
                .min(lifetime)
                .max(0);
            let unit = dataset.declared.as_ref().and_then(model::DeclaredMetadata::unit);
            let delta = Delta::promise(unit.map_or(MAX_DECLARED, |unit| unit.max_units));
            let name = DatasetName {
                slug: dataset.slug.clone(),
                title: dataset.metadata.title.clone(),
            };
            grantable.push((name, epsilon_left(left, delta)));
        }
        Ok(grantable)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_grant_stays_within_the_policies() {
        let (budget, review) = (BudgetPolicy::default(), ReviewPolicy::default());
        let cases = [
            (2.0, 365, true),
            (0.001, 1, true),
            (2.000_001, 90, false),
            (0.0, 90, false),
            (-1.0, 90, false),
            (f64::NAN, 90, false),
            (f64::INFINITY, 90, false),
            (1.0, 0, false),
            (1.0, 366, false),
        ];
        for (epsilon, days, fits) in cases {
            let checked = BudgetGrant { epsilon, days }.check(&budget, &review);
            assert_eq!(checked.is_ok(), fits, "{epsilon} {days}");
        }
        let default = BudgetGrant::default_of(&budget, &review, None);
        assert_eq!(
            default,
            BudgetGrant {
                epsilon: 2.0,
                days: 90
            }
        );
        assert_eq!(BudgetGrant::default_of(&budget, &review, Some(400)).days, 365);
    }

    #[test]
    fn caps_are_rounded_down() {
        let cap = cap_of(Epsilon::new(2.0).unwrap(), Delta::promise(200_000)).unwrap();
        // ρ(2, 5·10⁻¹⁰) = 0.05413, computed apart by a scan of 10,000 orders; the other half of δ is for charges.
        assert!((54104586..54158718).contains(&cap.rho_nano), "{cap:?}");
        assert_eq!(cap.delta_atto, 500_000_000);
        // Half of 1 / (10 · 2·10⁹) = 5·10⁻¹¹.
        assert_eq!(
            cap_of(Epsilon::new(2.0).unwrap(), Delta::promise(2_000_000_000))
                .unwrap()
                .delta_atto,
            25_000_000
        );
    }

    #[test]
    fn what_is_said_to_be_left_fits() {
        let delta = Delta::promise(200_000);
        for nano in [0, 1, 5_000_000, 56_000_000, 700_000_000] {
            let said: f64 = epsilon_down(nano, delta).parse().unwrap();
            let cap = cap_of(Epsilon::new(said).unwrap(), delta).unwrap();
            assert!(cap.rho_nano <= nano, "{nano}: {said}");
        }
    }
}
