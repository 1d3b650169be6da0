//! Rules that bureaus change: they live in dated policy rows, never in code. Here are their shapes and the values
//! that a new portal starts with.

use serde::{Deserialize, Serialize};

/// How much privacy loss is allowed (privacy.md "Accounting", defaults).
///
/// ε is what people agree on; it is turned into (ρ, δ) once, when a lineage or an allocation is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetPolicy {
    /// Most groups that one unit can count in: C.
    pub groups: u32,
    /// Most ε of one job.
    pub job_epsilon: f64,
    /// Most ε of one project on one lineage within `project_days`.
    pub project_epsilon: f64,
    /// Sliding window of a project, in days.
    pub project_days: u32,
    /// Most ε of everyone on one lineage within `lineage_days`.
    pub lineage_epsilon: f64,
    /// Sliding window of a lineage, in days.
    pub lineage_days: u32,
    /// Most ε of everyone on one lineage for ever.
    pub lifetime_epsilon: f64,
}

impl BudgetPolicy {
    /// The kind of these rows.
    pub const KIND: &'static str = "budget";
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self {
            groups: 5,
            job_epsilon: 0.5,
            project_epsilon: 2.0,
            project_days: 90,
            lineage_epsilon: 10.0,
            lineage_days: 365,
            lifetime_epsilon: 25.0,
        }
    }
}

/// How requests are handled (standards.md "Requests").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPolicy {
    /// Working days until a request should be decided.
    pub working_days: u32,
    /// The zone whose days count.
    pub zone: String,
    /// Public holidays that are no working days, as YYYY-MM-DD.
    pub holidays: Vec<String>,
    /// Weekend days that are worked instead, as YYYY-MM-DD.
    pub worked_weekends: Vec<String>,
    /// Levels whose requests need an assessor's opinion.
    pub assessed_levels: Vec<crate::Level>,
    /// Most days that a project can run.
    pub project_days: u32,
}

impl ReviewPolicy {
    /// The kind of these rows.
    pub const KIND: &'static str = "review";

    /// The end of the last working day of the period that begins at `from`.
    ///
    /// Days are civil days of `zone`; the day of submission does not count.
    pub fn deadline(&self, from: crate::Timestamp) -> crate::Timestamp {
        let zone = jiff::tz::TimeZone::get(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let start =
            jiff::Timestamp::from_microsecond(from.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let mut day = start.to_zoned_datetime(zone.clone()).date();
        let mut left = self.working_days;
        // A calendar of holidays only would never end: no period is looked at for longer than ten years.
        for _ in 0..3_660 {
            if left == 0 {
                break;
            }
            day = day.tomorrow().unwrap_or(day);
            left -= u32::from(self.is_working_day(day));
        }
        let end = day.tomorrow().unwrap_or(day).to_zoned_datetime(zone);
        end.map_or(from, |end| {
            crate::Timestamp::from_micros(end.timestamp().as_microsecond())
        })
    }

    fn is_working_day(&self, day: jiff::civil::Date) -> bool {
        let name = day.to_string();
        if self.worked_weekends.contains(&name) {
            return true;
        }
        let weekend = matches!(
            day.weekday(),
            jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday
        );
        !weekend && !self.holidays.contains(&name)
    }
}

impl Default for ReviewPolicy {
    /// Five working days; no holidays, because each year's are announced: the operator adds them as a new row.
    fn default() -> Self {
        Self {
            working_days: 5,
            zone: "Asia/Shanghai".to_owned(),
            holidays: Vec::new(),
            worked_weekends: Vec::new(),
            assessed_levels: vec![crate::Level::L2, crate::Level::L3],
            project_days: 365,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Timestamp;

    #[test]
    fn deadlines_pass_over_weekends_and_holidays() {
        let mut policy = ReviewPolicy::default();
        let at = |text| Timestamp::parse(text).unwrap();
        // A Friday morning in China: five working days end with the next Friday.
        assert_eq!(
            policy.deadline(at("2026-11-20T01:00:00Z")),
            at("2026-11-27T16:00:00Z")
        );
        // 23:30 in China is still that day, though UTC is not.
        assert_eq!(
            policy.deadline(at("2026-11-20T15:30:00Z")),
            at("2026-11-27T16:00:00Z")
        );
        policy.holidays = vec!["2026-11-25".into()];
        assert_eq!(
            policy.deadline(at("2026-11-20T01:00:00Z")),
            at("2026-11-30T16:00:00Z")
        );
        policy.worked_weekends = vec!["2026-11-28".into()];
        assert_eq!(
            policy.deadline(at("2026-11-20T01:00:00Z")),
            at("2026-11-28T16:00:00Z")
        );
    }
}
