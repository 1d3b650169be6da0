//! Errors of answers at the same (ε, δ), side by side.

use std::collections::BTreeMap;
use std::time::Instant;

use datafusion::arrow::array::{Array as _, AsArray as _};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use model::BudgetPolicy;
use privacy::{Delta, Epsilon, OpenDpNoise, conversion};
use sandbox_job::{Answer, NoOpenData, Rehearsal};
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::{Granted, PlanCore, Totals};

use super::data::{Case, Data};
use super::peer::{self, Answered, System};
use super::statistics::root_mean_square;
use super::{EPSILON, Report};
use crate::summary::{Summary, median};
use crate::{Failure, Settings, say};

/// Keys with values; no key where nothing is grouped.
pub(super) type Values = Vec<(Option<String>, f64)>;

/// Computes the totals of a job in this process.
pub(super) fn execute(data: &Data, rehearsal: &Rehearsal) -> Result<Vec<Totals>, Failure> {
    let of_part = |core: &PlanCore| {
        let mut granted = Vec::new();
        for table in &core.tables {
            let grant = data.protected.grant(table)?;
            granted.push(Granted {
                parts: grant.parts,
                key: grant.key,
            });
        }
        let secret = GroupKeySecret([5; 16]);
        Ok(sandbox_plan::execute(core, &granted, &secret, 2)?)
    };
    let parts = rehearsal.private_plan().parts.iter();
    parts.map(|part| of_part(&part.core)).collect()
}

/// What the plain engine answers over all rows as they are.
pub(super) async fn truth(data: &Data, sql: &str) -> Result<Values, Failure> {
    // The plain engine has no name of ours for quantiles.
    let sql = sql.replace("QUANTILE(", "approx_percentile_cont(");
    let batches = data.plain.sql(&sql).await?.collect().await?;
    let mut values = Values::new();
    for batch in batches {
        let last = batch.num_columns().checked_sub(1).ok_or("no columns")?;
        let numbers = cast(batch.column(last), &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let keys = cast(batch.column(0), &DataType::Utf8)?;
        let keys = keys.as_string::<i32>();
        for row in 0..batch.num_rows() {
            let key = (last > 0).then(|| keys.is_valid(row).then(|| keys.value(row).to_owned()));
            match key {
                None => values.push((None, numbers.value(row))),
                Some(Some(key)) => values.push((Some(key), numbers.value(row))),
                // Missing keys are not compared: peers have no cell for them.
                Some(None) => {}
            }
        }
    }
    Ok(values)
}

pub(super) async fn measure(
    data: &Data,
    settings: &Settings,
    runs: u64,
    summary: &mut Summary,
    report: &mut Report,
) -> Result<(), Failure> {
    let ours = ours(data, runs).await?;
    let delta = Delta::promise(data.relation()?.metadata.unit().map_or(1, |unit| unit.max_units));
    let mut truths = BTreeMap::new();
    for case in &data.cases {
        truths.insert(case.name, truth(data, &case.text(data.table)).await?);
    }
    let mut peers = Vec::new();
    let mut ask = |system: System, slug: String, name: String, epsilon: f64| match peer::ask(
        system,
        data,
        settings,
        (epsilon, delta.as_f64()),
        runs,
    ) {
        Ok(answered) => peers.push((slug, name, answered)),
        Err(error) => say(&format!("accuracy: {name} does not run: {error}")),
    };
    for system in peer::SYSTEMS {
        ask(system, system.slug.to_owned(), system.name.to_owned(), EPSILON);
    }
    let policy = BudgetPolicy::default();
    for (budget, total) in [
        ("project", policy.project_epsilon),
        ("dataset", policy.lineage_epsilon),
    ] {
        let (questions, epsilon) = peers_share(total, delta)?;
        let system = peer::OF_BUDGETS;
        let name = format!("{}, {questions} questions for ε = {total}", system.name);
        ask(system, format!("{}-{budget}", system.slug), name, epsilon);
    }
    for case in &data.cases {
        let truth = truths.get(case.name).ok_or("a case without its truth")?;
        let mut row = |system: &str, answered: &Answered| {
            let errors = errors(truth, &answered.answers);
            let (rms, [low, high]) = root_mean_square(&errors);
            report.line(&format!(
                "| {} | {} | {system} | {rms:.4} | {low:.4} to {high:.4} | {:.4} |",
                data.name, case.name, answered.seconds
            ));
            rms
        };
        let own = ours.get(case.name).ok_or("a case that was not asked")?;
        let own = row("Shapan", own);
        for (slug, system, answered) in &peers {
            let Some(answered) = answered.get(case.name) else {
                continue;
            };
            let theirs = row(system, answered);
            let name = format!("accuracy/{slug}-{}-{}", data.name, case.name);
            if theirs > 0.0 {
                summary.add(&name, own, theirs, system, "rms");
            } else {
                say(&format!(
                    "{name}: the peer is never wrong, which has no ratio; ours is off by {own:.4}"
                ));
            }
        }
    }
    Ok(())
}

/// How many of our questions of [`EPSILON`] a budget of `total` pays for, and the ε of each of as many questions of pure
/// ε-differential privacy that cost the same together: by the sum of their ε, or as zCDP with ρ = ε²/2 each (Bun and Steinke
/// 2016, proposition 1.4), whichever leaves a question more.
fn peers_share(total: f64, delta: Delta) -> Result<(u64, f64), Failure> {
    let rho = |epsilon: f64| -> Result<f64, Failure> {
        let epsilon = Epsilon::new(epsilon).ok_or("a budget that is no number")?;
        Ok(conversion::cap(epsilon, delta).rho.as_f64())
    };
    let (all, one) = (rho(total)?, rho(EPSILON)?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number, rounded down"
    )]
    let questions = (all / one).floor() as u64;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let count = questions.max(1) as f64;
    Ok((questions, (total / count).max((2.0 * all / count).sqrt())))
}

/// Differences of all values of all answers from the truth. A group that an answer leaves out counts as 0.
fn errors(truth: &Values, answers: &[Values]) -> Vec<f64> {
    let mut errors = Vec::new();
    for answer in answers {
        let of: BTreeMap<&Option<String>, f64> = answer.iter().map(|(key, value)| (key, *value)).collect();
        errors.extend(
            truth
                .iter()
                .map(|(key, value)| of.get(key).copied().unwrap_or(0.0) - value),
        );
    }
    errors
}

/// Our own answers.
async fn ours(data: &Data, runs: u64) -> Result<BTreeMap<&'static str, Answered>, Failure> {
    let mut all = BTreeMap::new();
    for case in &data.cases {
        let sql = case.text(data.table);
        let policy = BudgetPolicy::default();
        let (mut answers, mut times) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let started = Instant::now();
            let rehearsal =
                Rehearsal::plan(&NoOpenData, vec![data.relation()?], &sql, EPSILON, &policy).await?;
            let totals = execute(data, &rehearsal)?;
            let answer = rehearsal.answer(&totals, &mut OpenDpNoise)?;
            times.push(started.elapsed().as_secs_f64());
            answers.push(values(case, &answer));
        }
        all.insert(
            case.name,
            Answered {
                answers,
                seconds: median(times),
            },
        );
    }
    Ok(all)
}

fn values(case: &Case, answer: &Answer) -> Values {
    let row = |values: &[serde_json::Value]| {
        let value = values.last()?.as_f64()?;
        match case.key {
            None => Some((None, value)),
            Some(_) => Some((Some(values.first()?.as_str()?.to_owned()), value)),
        }
    };
    answer
        .rows
        .iter()
        .filter_map(|answered| row(&answered.values))
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "tests"
    )]
    use super::*;

    /// Of few questions the peer can ask more precisely for the same budget, of many we can.
    #[test]
    fn a_budget_is_shared_in_the_way_that_is_best_for_the_peer() {
        let share = |total: f64| peers_share(total, Delta::promise(1_000_000)).unwrap();
        let (one, all) = share(EPSILON);
        assert_eq!((one, all), (1, EPSILON));
        let (few, each) = share(2.0);
        assert!(
            (10..20).contains(&few) && each == 2.0 / few as f64,
            "{few} {each}"
        );
        let (many, each) = share(10.0);
        // As zCDP: σ² of ours is 1/(2ρ), a Laplace variance of 2/ε² is 1/ρ.
        let rho = conversion::cap(Epsilon::new(EPSILON).unwrap(), Delta::promise(1_000_000))
            .rho
            .as_f64();
        assert!(
            many > 100 && (each * each / 2.0 / rho - 1.0).abs() < 0.02,
            "{many} {each}"
        );
    }

    #[test]
    fn a_group_that_is_left_out_is_an_error_of_its_size() {
        let key = |key: &str| Some(key.to_owned());
        let truth = vec![(key("a"), 10.0), (key("b"), 4.0)];
        let answers = [
            vec![(key("a"), 11.0)],
            vec![(key("b"), 4.0), (key("other"), 9.0), (key("a"), 8.0)],
        ];
        assert_eq!(errors(&truth, &answers), [1.0, -4.0, -2.0, 0.0]);
    }
}
