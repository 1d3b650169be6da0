//! Two questions whose difference is one person; one question asked often; many random ones at once.

use super::super::fixture::{Trip, plan, relation_with, run, trip, write_city};
use super::{differences, neighbours};
use crate::AggregateFunction;

/// The ρ that a job of ε = 0.5 costs at δ = 10⁻⁹, and how many a project can ask: docs/analyst.md.
const RHO: f64 = 0.003_8;
const JOBS: usize = 14;

/// "All" minus "all but those like the target". Learns: the two exact figures differ by the target, but each is noised by
/// a multiple of what one unit can be.
#[test]
fn a_difference_of_two_answers_drowns_in_noise() {
    let trips: Vec<Trip> = (0..40)
        .map(|unit| Trip {
            fare: Some(100 + i64::try_from(unit).unwrap()),
            ..trip(unit, "东城")
        })
        .collect();
    for (all, but) in [
        (
            "SELECT COUNT(*) FROM bike_trips",
            "SELECT COUNT(*) FROM bike_trips WHERE NOT fare = 107",
        ),
        (
            "SELECT SUM(fare) FROM bike_trips",
            "SELECT SUM(fare) FROM bike_trips WHERE fare <> 107",
        ),
        (
            "SELECT COUNT(DISTINCT person_id) FROM bike_trips",
            "SELECT COUNT(DISTINCT person_id) FROM bike_trips WHERE fare <> 107",
        ),
    ] {
        let (first, second) = (plan(all), plan(but));
        assert_ne!(first.hash(), second.hash(), "they are two charges");
        // The target's own contribution to the first is what the attacker is after.
        let (with, without) = neighbours(&first, &trips, 7);
        let told = differences(&with, &without).into_values().next().unwrap();
        let (with, without) = neighbours(&second, &trips, 7);
        assert!(
            differences(&with, &without).is_empty(),
            "the target is not in the second"
        );
        // σ of the difference of the two answers, in the same grid steps as the contribution.
        let sigma =
            2f64.sqrt() * first.expected_error(0, 0, RHO).unwrap() / first.parts[0].core.aggregates[0].step();
        assert!(sigma > 10.0 * told as f64, "{all}: {told} against σ = {sigma}");
    }
}

/// The same question again, in other words, to average the noise away. Learns: nothing new, for it is the same question: the
/// stored answer is shown.
#[test]
fn reworded_repeats_are_one_question() {
    let first =
        plan("SELECT district, COUNT(*) FROM bike_trips WHERE fare > 10 AND electric GROUP BY district");
    for sql in [
        "select DISTRICT, count(*) from BIKE_TRIPS where FARE > 10 and ELECTRIC group by DISTRICT",
        "SELECT t.district AS d, COUNT(1) AS c FROM bike_trips AS t WHERE (t.electric) AND (10 < t.fare) GROUP BY 1",
        "SELECT district, COUNT(*) + 0 FROM bike_trips WHERE electric AND fare > 5 + 5 GROUP BY district",
        "SELECT district, COUNT(*) * 2 AS twice FROM bike_trips WHERE electric AND fare > 10 GROUP BY district",
        "SELECT district, COUNT(*) FROM bike_trips WHERE electric AND electric AND fare > 10 GROUP BY district",
        "SELECT district, COUNT(*) FROM bike_trips WHERE electric AND fare > 10 GROUP BY district ORDER BY 2 LIMIT 1",
        "SELECT district, COUNT(*) FROM bike_trips WHERE electric AND fare > 10 GROUP BY district HAVING COUNT(*) > 3",
        "SELECT district, COUNT(*) FROM (SELECT fare, electric, district FROM bike_trips) x WHERE electric AND fare > 10 GROUP BY district",
        "WITH x AS (SELECT district, fare, electric FROM bike_trips) SELECT district, COUNT(*) FROM x \
         WHERE electric AND fare > 10 GROUP BY district",
    ] {
        assert_eq!(plan(sql).hash(), first.hash(), "asked again: {sql}");
    }
}

/// Questions that differ in nothing that any row shows: the planner cannot know, so each is charged, and what averaging them
/// would tell is what their charges sum to.
#[test]
fn averaging_costs_what_it_tells() {
    let sigma = |rho: f64| {
        plan("SELECT COUNT(*) FROM bike_trips")
            .expected_error(0, 0, rho)
            .unwrap()
    };
    let questions: Vec<_> = (0..JOBS)
        .map(|n| plan(&format!("SELECT COUNT(*) FROM bike_trips WHERE fare > -{n}")).hash())
        .collect();
    for (at, hash) in questions.iter().enumerate().skip(2) {
        assert!(!questions[..at].contains(hash), "another question is charged");
    }
    // The mean of n answers is as exact as one answer for n times the price.
    let mean = sigma(RHO) / (JOBS as f64).sqrt();
    assert!((mean / sigma(RHO * JOBS as f64) - 1.0).abs() < 1e-9);
    // And all that a project can buy does not tell one unit of ten rows from none: 10 rows against σ of the mean.
    assert!(10.0 / mean < 0.35, "{mean}");
}

/// The attacker's choices, always the same ones (SplitMix64: Steele, Lea and Flood 2014, "Fast splittable pseudorandom
/// number generators").
struct Coins(u64);

impl Coins {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn toss(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// The sum of twelve uniform numbers: near enough to a Gaussian for an attack.
    fn gaussian(&mut self) -> f64 {
        (0..12)
            .map(|_| (self.next() >> 11) as f64 / 2f64.powi(53))
            .sum::<f64>()
            - 6.0
    }
}

/// Dinur and Nissim's reconstruction: random subsets of persons whom the attacker can all name, each subset's count of those
/// with the secret. Without noise they get nearly every secret; with the noise of all jobs that a project can buy, they do
/// hardly better than by guessing.
#[test]
fn random_subsets_reconstruct_nobody() {
    let relation = relation_with(1);
    let mut coins = Coins(9);
    let (people, rounds) = (40usize, 5);
    let (mut exact, mut noised) = (0, 0);
    for _ in 0..rounds {
        let secrets: Vec<bool> = (0..people).map(|_| coins.toss()).collect();
        let trips: Vec<Trip> = secrets
            .iter()
            .zip(0..)
            .map(|(secret, unit)| Trip {
                fare: Some(i64::try_from(unit).unwrap()),
                electric: Some(*secret),
                ..trip(unit, "东城")
            })
            .collect();
        let folder = tempfile::TempDir::new().unwrap();
        let parts = write_city(&folder, &trips, 10);
        // What each person's membership adds up to: with and without noise.
        let mut scores = vec![(0.0, 0.0); people];
        for job in 0..JOBS {
            let subsets: Vec<Vec<bool>> = (0..16)
                .map(|_| (0..people).map(|_| coins.toss()).collect())
                .collect();
            let columns: Vec<String> = subsets
                .iter()
                .map(|subset| {
                    let list: Vec<String> = subset
                        .iter()
                        .enumerate()
                        .filter(|(_, is)| **is)
                        .map(|(n, _)| n.to_string())
                        .collect();
                    format!(
                        "SUM(CASE WHEN electric AND fare IN ({}) THEN 1 ELSE 0 END)",
                        list.join(",")
                    )
                })
                .collect();
            let sql = format!("SELECT {} FROM bike_trips", columns.join(", "));
            let plan = crate::plan(&sql, &relation).unwrap();
            assert_eq!(plan.parts[0].core.aggregates.len(), 16, "job {job}");
            let totals = run(&plan, &parts, 1).unwrap();
            for (subset, column) in subsets.iter().zip(&plan.output) {
                let crate::scalar::ScalarExpr::Column(at) = column.expr else {
                    panic!("{column:?}")
                };
                let crate::ReleasedColumn::Measure {
                    measure: crate::Measure::Total(at),
                    ..
                } = plan.released[at]
                else {
                    panic!("{:?}", plan.released[at])
                };
                assert!(matches!(
                    plan.parts[0].core.aggregates[at].function,
                    AggregateFunction::Sum(_)
                ));
                let count = plan.parts[0].core.aggregates[at].value(totals.get(0, at).unwrap());
                let noise = plan.expected_error(0, at, RHO).unwrap() * coins.gaussian();
                let middle = people as f64 / 4.0;
                for (score, is_in) in scores.iter_mut().zip(subset) {
                    let sign = if *is_in { 1.0 } else { -1.0 };
                    score.0 += sign * (count - middle);
                    score.1 += sign * (count + noise - middle);
                }
            }
        }
        // A person without the secret adds nothing to a subset they are in, one with it adds one each time.
        let guess = |score: f64| score > (JOBS * 16) as f64 / 4.0;
        exact += scores
            .iter()
            .zip(&secrets)
            .filter(|(score, secret)| guess(score.0) == **secret)
            .count();
        noised += scores
            .iter()
            .zip(&secrets)
            .filter(|(score, secret)| guess(score.1) == **secret)
            .count();
    }
    let all = people * rounds;
    assert!(
        exact * 100 > all * 85,
        "the attack works where there is no noise: {exact} of {all}"
    );
    // ρ of 14 jobs bounds any guess at Φ(√(2ρ)/2) = 57 %; 70 % would be more than three standard errors above it.
    assert!(noised * 100 < all * 70, "{noised} of {all}");
}
