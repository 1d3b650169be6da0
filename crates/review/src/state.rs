//! The life of a request as a pure function: every state, every step, one answer.

use model::{Decision, Level, Opinion, RequestKind, RequestState, ReviewPolicy};

use crate::ReviewError;

/// What somebody does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Those who asked take it back.
    Withdraw,
    /// An assessor gives an opinion.
    Opine(Opinion),
    /// A reviewer decides.
    Decide(Decision),
}

/// Where a new request begins: releases of the assessed levels wait for an opinion first.
pub fn first(kind: RequestKind, level: Level, policy: &ReviewPolicy) -> RequestState {
    if kind == RequestKind::Release && policy.assessed_levels.contains(&level) {
        RequestState::AwaitingOpinion
    } else {
        RequestState::AwaitingDecision
    }
}

/// Where a request goes from `state` by `step`; `found_unsafe` says whether an opinion on it was `unsafe`.
///
/// # Errors
/// [`ReviewError::OpinionMissing`] for a decision before the opinion, [`ReviewError::FoundUnsafe`] for an approval
/// against it, [`ReviewError::WrongState`] for any step that the state does not know.
pub fn next(state: RequestState, step: Step, found_unsafe: bool) -> Result<RequestState, ReviewError> {
    use RequestState as S;
    match (state, step) {
        (S::AwaitingOpinion | S::AwaitingDecision, Step::Withdraw) => Ok(S::Withdrawn),
        (S::AwaitingOpinion, Step::Opine(_)) => Ok(S::AwaitingDecision),
        (S::AwaitingOpinion, Step::Decide(_)) => Err(ReviewError::OpinionMissing),
        (S::AwaitingDecision, Step::Decide(Decision::Approve)) if found_unsafe => {
            Err(ReviewError::FoundUnsafe)
        }
        (S::AwaitingDecision, Step::Decide(Decision::Approve)) => Ok(S::Approved),
        (S::AwaitingDecision, Step::Decide(Decision::Return)) => Ok(S::Returned),
        (S::AwaitingDecision, Step::Decide(Decision::Reject)) => Ok(S::Rejected),
        (S::AwaitingDecision, Step::Opine(_))
        | (S::Approved | S::Returned | S::Rejected | S::Withdrawn, _) => {
            Err(ReviewError::WrongState { state })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] = [
        Step::Withdraw,
        Step::Opine(Opinion::Safe),
        Step::Opine(Opinion::Unsafe),
        Step::Decide(Decision::Approve),
        Step::Decide(Decision::Return),
        Step::Decide(Decision::Reject),
    ];

    fn outcome(state: RequestState, step: Step, found_unsafe: bool) -> &'static str {
        match next(state, step, found_unsafe) {
            Ok(state) => state.as_str(),
            Err(error) => error.code(),
        }
    }

    #[test]
    fn every_state_and_step_has_its_outcome() {
        let wrong = ["wrong-state"; 6];
        let to_decision = "awaiting_decision";
        let missing = "opinion-missing";
        // withdraw, safe, unsafe, approve, return, reject
        let table = [
            (
                "awaiting_opinion",
                ["withdrawn", to_decision, to_decision, missing, missing, missing],
            ),
            (
                "awaiting_decision",
                [
                    "withdrawn",
                    "wrong-state",
                    "wrong-state",
                    "approved",
                    "returned",
                    "rejected",
                ],
            ),
            ("approved", wrong),
            ("returned", wrong),
            ("rejected", wrong),
            ("withdrawn", wrong),
        ];
        assert_eq!(table.len(), RequestState::ALL.len());
        for (state, outcomes) in table {
            let from = RequestState::from_word(state);
            assert!(from.is_some(), "{state}");
            for (step, expected) in STEPS.into_iter().zip(outcomes) {
                let found = from.map(|from| outcome(from, step, false));
                assert_eq!(found, Some(expected), "{state} {step:?}");
            }
        }
    }

    #[test]
    fn an_unsafe_opinion_forbids_approval_and_nothing_else() {
        for state in RequestState::ALL {
            for step in STEPS {
                let (without, with) = (outcome(*state, step, false), outcome(*state, step, true));
                if without == "approved" {
                    assert_eq!(with, "opinion-unsafe");
                } else {
                    assert_eq!(with, without, "{state:?} {step:?}");
                }
            }
        }
    }

    #[test]
    fn routing_follows_the_policy_not_the_code() {
        let mut policy = ReviewPolicy::default();
        let route = |policy: &ReviewPolicy| {
            Level::ALL
                .map(|level| first(RequestKind::Release, level, policy) == RequestState::AwaitingOpinion)
        };
        assert_eq!(route(&policy), [false, true, true, false]);
        policy.assessed_levels = vec![Level::L1];
        assert_eq!(route(&policy), [true, false, false, false]);
        assert_eq!(
            first(RequestKind::Access, Level::L1, &policy),
            RequestState::AwaitingDecision
        );
    }
}
