//! How often intervals hold what they say.

use model::BudgetPolicy;
use privacy::{NoiseError, NoiseSource, OpenDpNoise, Scale};
use sandbox_job::{Answer, NoOpenData, Rehearsal};

use super::data::Data;
use super::statistics::share_interval;
use super::{EPSILON, Report, error};
use crate::Failure;
use crate::summary::Summary;

/// Each aggregate, by name.
const AGGREGATES: [(&str, &str); 13] = [
    ("count", "COUNT(*)"),
    ("count-values", "COUNT(residence_district)"),
    ("count-units", "COUNT(DISTINCT person_id)"),
    ("sum", "SUM(duration_s)"),
    ("mean", "AVG(distance_m)"),
    ("var-samp", "VAR_SAMP(duration_s)"),
    ("stddev-pop", "STDDEV_POP(duration_s)"),
    ("corr", "CORR(distance_m, duration_s)"),
    ("covar-samp", "COVAR_SAMP(distance_m, duration_s)"),
    ("ratio", "SUM(distance_m) / CAST(SUM(duration_s) AS DOUBLE)"),
    ("computed", "SQRT(SUM(distance_m)) * 2.0"),
    ("median", "MEDIAN(duration_s)"),
    ("quantile", "QUANTILE(distance_m, 0.9)"),
];

/// No noise, and always the best choice: the bounded statistic itself.
#[derive(Debug)]
struct Silence;

impl NoiseSource for Silence {
    fn gaussian(&mut self, _: Scale) -> Result<i128, NoiseError> {
        Ok(0)
    }

    fn laplace(&mut self, _: Scale) -> Result<i128, NoiseError> {
        Ok(0)
    }

    fn choose(&mut self, scores: &[i64], _: Scale) -> Result<usize, NoiseError> {
        let best = scores.iter().enumerate().max_by_key(|(_, score)| **score);
        Ok(best.map_or(0, |(at, _)| at))
    }
}

pub(super) async fn measure(
    data: &Data,
    draws: u64,
    summary: &mut Summary,
    report: &mut Report,
) -> Result<(), Failure> {
    report.line(
        "| aggregate | intervals that hold the bounded statistic | 95 % bounds | answers without one | bounding bias |",
    );
    report.line("|---|---|---|---|---|");
    for (name, aggregate) in AGGREGATES {
        let sql = format!("SELECT {aggregate} AS value FROM {}", data.table);
        let policy = BudgetPolicy::default();
        let rehearsal = Rehearsal::plan(&NoOpenData, vec![data.relation()?], &sql, EPSILON, &policy).await?;
        let totals = error::execute(data, &rehearsal)?;
        let bounded = value(&rehearsal.answer(&totals, &mut Silence)?).ok_or("no bounded statistic")?;
        let (mut covered, mut told) = (0.0, 0.0);
        for _ in 0..draws {
            let answer = rehearsal.answer(&totals, &mut OpenDpNoise)?;
            // Where noise leaves too little to say, no interval is told, which promises nothing.
            if let Some([low, high]) = interval(&answer) {
                told += 1.0;
                covered += f64::from(u8::from(low <= bounded && bounded <= high));
            }
        }
        let share = covered / told;
        let [low, high] = share_interval(share, told);
        #[expect(clippy::cast_precision_loss, reason = "a number of draws")]
        let untold = 1.0 - told / draws as f64;
        let plain = error::truth(data, &sql).await?;
        let bias = plain.first().map_or(f64::NAN, |(_, truth)| bounded - truth);
        report.line(&format!(
            "| {name} | {:.2} % | {:.2} to {:.2} % | {:.2} % | {bias:.4} of {bounded:.4} |",
            100.0 * share,
            100.0 * low,
            100.0 * high,
            100.0 * untold
        ));
        summary.add(
            &format!("accuracy/coverage-{name}"),
            100.0 * share,
            95.0,
            "nominal",
            "%",
        );
    }
    Ok(())
}

fn value(answer: &Answer) -> Option<f64> {
    answer.rows.first()?.values.first()?.as_f64()
}

fn interval(answer: &Answer) -> Option<[f64; 2]> {
    answer.rows.first()?.interval95.first().copied().flatten()
}
