//! Does a charge fit the caps?
//!
//! Assumed: every release of a lineage is charged here, before data is touched, and never refunded; the
//! caller holds a lock or a transaction so that two charges do not decide on the same past. Guaranteed: at
//! every moment the costs within each sliding window and over the lifetime sum to at most their caps, so the
//! windows' promises (ε, δ) hold against everyone together. Why: zCDP composes adaptively by addition (Bun
//! and Steinke 2016, lemma 2.3 and 8.2) and every sum is an exact integer; a sum that would overflow counts
//! as over the cap.
//!
//! Windows slide and are half-open: a charge at `t` counts at every moment of `[t, t + length)`.

use serde::{Deserialize, Serialize};

use crate::conversion::cap;
use crate::cost::{Cost, Delta, Epsilon};

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

/// A project, by the 128 bits of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectKey(pub u128);

/// A charge to a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// When, in microseconds since 1970 UTC.
    pub at: i64,
    /// Whose job it was.
    pub project: ProjectKey,
    /// What it cost.
    pub cost: Cost,
}

/// A budget that was approved for a project on a lineage, reserved from `from` (inclusive) to `until`
/// (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// For whom.
    pub project: ProjectKey,
    /// First moment, in microseconds since 1970 UTC.
    pub from: i64,
    /// First moment after it.
    pub until: i64,
    /// How much the project may spend within it.
    pub cost: Cost,
}

/// The caps of a lineage. All are policy; [`Caps::standard`] has the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// The most that one job may cost.
    pub job: Cost,
    /// The most that one project may spend within [`Caps::project_window`].
    pub project: Cost,
    /// Length of the project's window in microseconds.
    pub project_window: i64,
    /// The most that everyone together may spend within [`Caps::lineage_window`].
    pub lineage: Cost,
    /// Length of the lineage's window in microseconds.
    pub lineage_window: i64,
    /// The most that may ever be spent.
    pub lifetime: Cost,
}

/// What could still be spent under each cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Of the project's allocation.
    pub allocation: Cost,
    /// Of the project's sliding window.
    pub project: Cost,
    /// Of the lineage's sliding window.
    pub lineage: Cost,
    /// Of the lineage's lifetime.
    pub lifetime: Cost,
}

/// The cap that a charge or an allocation would break, with what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One job may not cost that much.
    #[error("a job may cost at most {}", show(.0))]
    Job(Cost),
    /// A job that costs nothing would be released without noise.
    #[error("a job must cost more than nothing")]
    Free,
    /// The project has no running allocation on the lineage.
    #[error("the project has no running budget for this dataset")]
    NoAllocation,
    /// The project's allocation is spent.
    #[error("the project's budget has {} left", show(.0))]
    Allocation(Cost),
    /// The project's sliding window is full.
    #[error("the project's window has {} left", show(.0))]
    Project(Cost),
    /// The lineage's sliding window is full or promised to others.
    #[error("the dataset's yearly window has {} left", show(.0))]
    Lineage(Cost),
    /// The lineage's lifetime budget is spent or promised to others.
    #[error("the dataset's lifetime budget has {} left", show(.0))]
    Lifetime(Cost),
}

fn show(cost: &Cost) -> String {
    format!("ρ = {}·10⁻⁹, δ = {}·10⁻²¹", cost.rho.nano(), cost.delta.units())
}

impl Caps {
    /// The defaults at the lineage's `delta`: ε ≤ 0.5 a job, 2 per project and 90 days, 10 per 365 days, 25
    /// ever.
    ///
    /// The part of δ that charges may carry is graded too, or one project could use up everyone's: at δ =
    /// 10⁻⁹ it is 10⁻¹² a job, 20 times that per project, 250 times per 365 days, 500 times ever.
    #[must_use]
    pub fn standard(delta: Delta) -> Self {
        let at = |epsilon: f64, share: u64| {
            let whole = Epsilon::new(epsilon).map_or(Cost::ZERO, |epsilon| cap(epsilon, delta));
            Cost {
                delta: Delta::from_units(whole.delta.units() / share),
                ..whole
            }
        };
        Self {
            job: at(0.5, 500),
            project: at(2.0, 25),
            project_window: 90 * DAY,
            lineage: at(10.0, 2),
            lineage_window: 365 * DAY,
            lifetime: at(25.0, 1),
        }
    }
}

/// The sum of the charges that `counts` selects; `None` beyond the integer range.
fn sum(charges: &[Charge], counts: impl Fn(&Charge) -> bool) -> Option<Cost> {
    charges
        .iter()
        .filter(|c| counts(c))
        .try_fold(Cost::ZERO, |total, charge| total.checked_add(charge.cost))
}

/// Whether a charge at `at` still counts at `now`. Charges that seem to lie in the future count: a clock that
/// went back must not free budget.
const fn in_window(at: i64, now: i64, length: i64) -> bool {
    match now.checked_sub(length) {
        Some(start) => at > start,
        None => true,
    }
}

fn left(cap: Cost, spent: Option<Cost>) -> Cost {
    spent.map_or(Cost::ZERO, |spent| cap.saturating_sub(spent))
}

/// The allocation that a project works under at `at`: of those that run, the one that began last.
fn governing(allocations: &[Allocation], project: ProjectKey, at: i64) -> Option<&Allocation> {
    allocations
        .iter()
        .filter(|a| a.project == project && (a.from..a.until).contains(&at))
        .max_by_key(|a| a.from)
}

/// What was spent under `allocation`. A charge that no allocation governs counts against all of its
/// project's.
fn spent_under(charges: &[Charge], allocations: &[Allocation], allocation: &Allocation) -> Option<Cost> {
    sum(charges, |charge| {
        charge.project == allocation.project
            && governing(allocations, charge.project, charge.at).is_none_or(|governs| governs == allocation)
    })
}

/// What `project` could still spend at `now`, given every charge ever made to the lineage and all its
/// allocations; `None` when the project has no running allocation.
#[must_use]
pub fn remaining(
    charges: &[Charge],
    allocations: &[Allocation],
    caps: &Caps,
    project: ProjectKey,
    now: i64,
) -> Option<Remaining> {
    let allocation = governing(allocations, project, now)?;
    let window = |c: &Charge| c.project == project && in_window(c.at, now, caps.project_window);
    Some(Remaining {
        allocation: left(allocation.cost, spent_under(charges, allocations, allocation)),
        project: left(caps.project, sum(charges, window)),
        lineage: left(
            caps.lineage,
            sum(charges, |c| in_window(c.at, now, caps.lineage_window)),
        ),
        lifetime: left(caps.lifetime, sum(charges, |_| true)),
    })
}

impl Remaining {
    /// What all caps leave together.
    #[must_use]
    pub fn least(&self) -> Cost {
        self.allocation
            .min(self.project)
            .min(self.lineage)
            .min(self.lifetime)
    }
}

/// Decides on `request`, given every charge ever made to the lineage and all its allocations. Returns what
/// remains after the charge.
///
/// # Errors
/// [`Refusal`] names the first cap that the charge breaks and what it leaves.
pub fn decide_charge(
    charges: &[Charge],
    allocations: &[Allocation],
    caps: &Caps,
    request: &Charge,
) -> Result<Remaining, Refusal> {
    if request.cost.rho.nano() == 0 {
        return Err(Refusal::Free);
    }
    if !request.cost.fits(caps.job) {
        return Err(Refusal::Job(caps.job));
    }
    let before = remaining(charges, allocations, caps, request.project, request.at);
    let before = before.ok_or(Refusal::NoAllocation)?;
    let after = |left: Cost, refusal: fn(Cost) -> Refusal| {
        left.checked_sub(request.cost).ok_or_else(|| refusal(left))
    };
    Ok(Remaining {
        allocation: after(before.allocation, Refusal::Allocation)?,
        project: after(before.project, Refusal::Project)?,
        lineage: after(before.lineage, Refusal::Lineage)?,
        lifetime: after(before.lifetime, Refusal::Lifetime)?,
    })
}

/// Decides whether a new allocation can be reserved at `now`: what was spent and what is promised to others
/// must leave room for all of it, so that no one can drain a lineage that others were promised.
///
/// # Errors
/// [`Refusal::Project`] when it exceeds what one project may have; [`Refusal::Lineage`] or
/// [`Refusal::Lifetime`] with what could still be promised.
pub fn decide_allocation(
    charges: &[Charge],
    allocations: &[Allocation],
    caps: &Caps,
    request: &Allocation,
    now: i64,
) -> Result<(), Refusal> {
    if !request.cost.fits(caps.project) {
        return Err(Refusal::Project(caps.project));
    }
    // Promised and not yet spent, by everyone whose allocation still runs or is yet to begin.
    let promised = allocations
        .iter()
        .filter(|a| a.until > now)
        .try_fold(Cost::ZERO, |total, a| {
            total.checked_add(a.cost.saturating_sub(spent_under(charges, allocations, a)?))
        });
    let spent = sum(charges, |c| in_window(c.at, now, caps.lineage_window));
    let with = |spent: Option<Cost>| promised.and_then(|promised| promised.checked_add(spent?));
    let lineage = left(caps.lineage, with(spent));
    if !request.cost.fits(lineage) {
        return Err(Refusal::Lineage(lineage));
    }
    let lifetime = left(caps.lifetime, with(sum(charges, |_| true)));
    if request.cost.fits(lifetime) {
        Ok(())
    } else {
        Err(Refusal::Lifetime(lifetime))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::cost::Rho;

    const A: ProjectKey = ProjectKey(1);
    const B: ProjectKey = ProjectKey(2);

    const fn rho(nano: u64) -> Cost {
        Cost::new(Rho::from_nano(nano), Delta::from_units(nano))
    }

    const fn charge(at: i64, project: ProjectKey, nano: u64) -> Charge {
        Charge {
            at,
            project,
            cost: rho(nano),
        }
    }

    const CAPS: Caps = Caps {
        job: rho(50),
        project: rho(100),
        project_window: 90 * DAY,
        lineage: rho(250),
        lineage_window: 365 * DAY,
        lifetime: rho(300),
    };

    fn forever(project: ProjectKey, nano: u64) -> Allocation {
        Allocation {
            project,
            from: i64::MIN,
            until: i64::MAX,
            cost: rho(nano),
        }
    }

    fn decide(charges: &[Charge], request: Charge) -> Result<Remaining, Refusal> {
        decide_charge(
            charges,
            &[forever(A, 10_000), forever(B, 10_000)],
            &CAPS,
            &request,
        )
    }

    #[test]
    fn project_window_is_half_open_and_slides() {
        let past = [charge(1000, A, 50), charge(2000, A, 50)];
        let window = 90 * DAY;
        for (at, fits) in [
            (2000, false),
            (1000 + window - 1, false),
            (1000 + window, true), // The first charge has just left.
            (2000 + window, true),
        ] {
            assert_eq!(decide(&past, charge(at, A, 1)).is_ok(), fits, "{at}");
        }
        let after = decide(&past, charge(1000 + window, A, 50)).unwrap();
        assert_eq!(after.project, Cost::ZERO);
        let both = decide(&past, charge(1000 + window, A, 50));
        assert!(both.is_ok());
        assert_eq!(
            decide(&past, charge(2000, A, 1)),
            Err(Refusal::Project(Cost::ZERO))
        );
        // Another project has its own window.
        assert!(decide(&past, charge(2000, B, 50)).is_ok());
    }

    #[test]
    fn lineage_window_and_lifetime_bind_everyone() {
        let many: Vec<Charge> = (0..5)
            .map(|i| charge(i, ProjectKey(10 + i as u128), 50))
            .collect();
        assert_eq!(decide(&many, charge(10, A, 1)), Err(Refusal::Lineage(Cost::ZERO)));
        let year = 365 * DAY;
        assert!(
            decide(&many, charge(4 + year - 1, A, 50)).is_ok(),
            "four charges have left"
        );
        assert_eq!(
            decide(&many, charge(year - 1, A, 1)),
            Err(Refusal::Lineage(Cost::ZERO))
        );
        let later = charge(10 * year, A, 50);
        let after = decide(&many, later).unwrap();
        assert_eq!(after.lifetime, Cost::ZERO);
        let all = [many, vec![later]].concat();
        assert_eq!(
            decide(&all, charge(100 * year, B, 1)),
            Err(Refusal::Lifetime(Cost::ZERO))
        );
    }

    #[test]
    fn every_part_of_a_cost_counts() {
        let mut request = charge(0, A, 10);
        request.cost.delta = Delta::from_units(51);
        assert_eq!(decide(&[], request), Err(Refusal::Job(CAPS.job)));
        request.cost = Cost::new(Rho::from_nano(51), Delta::ZERO);
        assert_eq!(decide(&[], request), Err(Refusal::Job(CAPS.job)));
        request.cost = Cost::new(Rho::ZERO, Delta::from_units(1));
        assert_eq!(decide(&[], request), Err(Refusal::Free));
        // δ alone can exhaust a window.
        let drained = Charge {
            cost: Cost::new(Rho::from_nano(1), Delta::from_units(100)),
            ..charge(0, A, 0)
        };
        request.cost = rho(1);
        assert!(matches!(decide(&[drained], request), Err(Refusal::Project(_))));
    }

    #[test]
    fn clocks_that_go_back_and_sums_that_overflow_free_nothing() {
        let future = [charge(1_000_000, A, 50), charge(1_000_000, A, 50)];
        assert!(decide(&future, charge(0, A, 1)).is_err());
        let huge = [charge(0, B, u64::MAX), charge(0, B, u64::MAX)];
        assert!(decide(&huge, charge(0, A, 1)).is_err());
        assert!(decide(&[charge(i64::MIN, A, 100)], charge(i64::MIN, A, 1)).is_err());
        assert!(decide_allocation(&huge, &[], &CAPS, &forever(A, 1), 0).is_err());
    }

    #[test]
    fn allocations_bound_their_project_in_time_and_amount() {
        let allocation = Allocation {
            project: A,
            from: 100,
            until: 200,
            cost: rho(60),
        };
        let decide = |charges: &[Charge], request| decide_charge(charges, &[allocation], &CAPS, &request);
        assert_eq!(decide(&[], charge(99, A, 1)), Err(Refusal::NoAllocation));
        assert!(decide(&[], charge(100, A, 50)).is_ok());
        assert!(decide(&[], charge(199, A, 50)).is_ok());
        assert_eq!(decide(&[], charge(200, A, 1)), Err(Refusal::NoAllocation));
        assert_eq!(decide(&[], charge(150, B, 1)), Err(Refusal::NoAllocation));
        let spent = [charge(110, A, 50)];
        assert_eq!(
            decide(&spent, charge(150, A, 11)),
            Err(Refusal::Allocation(rho(10)))
        );
        assert_eq!(decide(&spent, charge(150, A, 10)).unwrap().least(), Cost::ZERO);
    }

    #[test]
    fn promises_to_all_never_pass_the_cap() {
        let year_long = |project, nano| Allocation {
            project,
            from: 0,
            until: 365 * DAY,
            cost: rho(nano),
        };
        let mut made = vec![year_long(ProjectKey(7), 100), year_long(ProjectKey(8), 100)];
        let ask = |made: &[Allocation], charges: &[Charge], nano| {
            decide_allocation(charges, made, &CAPS, &year_long(A, nano), 10)
        };
        assert_eq!(ask(&made, &[], 101), Err(Refusal::Project(CAPS.project)));
        assert_eq!(ask(&made, &[], 51), Err(Refusal::Lineage(rho(50))));
        assert!(ask(&made, &[], 50).is_ok());
        // Spending within an allocation moves it from promised to spent and frees nothing.
        assert_eq!(
            ask(&made, &[charge(5, ProjectKey(7), 40)], 51),
            Err(Refusal::Lineage(rho(50)))
        );
        made.push(year_long(A, 50));
        assert_eq!(ask(&made, &[], 1), Err(Refusal::Lineage(Cost::ZERO)));
        // What ran out unspent is free again.
        assert!(decide_allocation(&[], &made, &CAPS, &forever(B, 100), 365 * DAY).is_ok());
        let old = [charge(-400 * DAY, B, 260)];
        assert_eq!(
            decide_allocation(&old, &[], &CAPS, &forever(B, 41), 0),
            Err(Refusal::Lifetime(rho(40)))
        );
    }

    #[test]
    fn standard_caps_allow_fourteen_jobs_per_project() {
        let caps = Caps::standard(Delta::BILLIONTH);
        assert_eq!(caps.job.delta.as_f64(), 1e-12);
        let job = caps.job;
        let mut charges = Vec::new();
        let allocations = [Allocation {
            cost: caps.project,
            ..forever(A, 0)
        }];
        loop {
            let request = Charge {
                at: charges.len() as i64,
                project: A,
                cost: job,
            };
            match decide_charge(&charges, &allocations, &caps, &request) {
                Ok(_) => charges.push(request),
                Err(refusal) => {
                    assert!(matches!(refusal, Refusal::Allocation(_)), "{refusal}");
                    break;
                }
            }
        }
        assert_eq!(charges.len(), 14);
    }

    proptest! {
        #[test]
        fn accepted_charges_never_break_a_window(
            requests in prop::collection::vec((0..800i64, 0..3u128, 1..60u64), 0..80),
        ) {
            let mut requests = requests;
            requests.sort_unstable();
            let allocations: Vec<Allocation> = (0..3).map(|p| forever(ProjectKey(p), 10_000)).collect();
            let mut accepted: Vec<Charge> = Vec::new();
            for (day, project, nano) in requests {
                let request = charge(day * DAY, ProjectKey(project), nano);
                if decide_charge(&accepted, &allocations, &CAPS, &request).is_ok() {
                    accepted.push(request);
                }
            }
            for last in &accepted {
                let within = |length: i64, project: Option<ProjectKey>| accepted.iter()
                    .filter(|c| c.at <= last.at && last.at - c.at < length)
                    .filter(|c| project.is_none_or(|p| c.project == p))
                    .map(|c| c.cost.rho.nano()).sum::<u64>();
                prop_assert!(within(90 * DAY, Some(last.project)) <= 100);
                prop_assert!(within(365 * DAY, None) <= 250);
                prop_assert!(within(i64::MAX, None) <= 300);
            }
        }
    }
}
