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
    /// The days on which checked answers of special datasets are released or withheld (privacy.md "Time, errors,
    /// isolation": a fixed day); none means every day.
    #[serde(default = "check_weekdays")]
    pub check_weekdays: Vec<Weekday>,
    /// At which time of such a day, in `zone`.
    #[serde(default = "check_time")]
    pub check_time: jiff::civil::Time,
    /// Working days that checkers have at least.
    #[serde(default = "check_days")]
    pub check_days: u32,
}

fn check_weekdays() -> Vec<Weekday> {
    vec![Weekday::Thursday]
}

const fn check_time() -> jiff::civil::Time {
    jiff::civil::time(16, 0, 0, 0)
}

const fn check_days() -> u32 {
    2
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days speak for themselves")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    const fn of(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

impl ReviewPolicy {
    /// The kind of these rows.
    pub const KIND: &'static str = "review";

    /// The end of the last working day of the period that begins at `from`.
    ///
    /// Days are civil days of `zone`; the day of submission does not count.
    pub fn deadline(&self, from: crate::Timestamp) -> crate::Timestamp {
        self.end_of_working_day(from, self.working_days)
    }

    /// The fixed day of an answer that is there at `from`: the first moment of `check_weekdays` and `check_time` that
    /// leaves checkers `check_days` whole working days. It depends on the calendar alone.
    pub fn fixed_day(&self, from: crate::Timestamp) -> crate::Timestamp {
        let earliest = match self.check_days {
            0 => from,
            days => self.end_of_working_day(from, days),
        };
        let mut day = self.day(earliest);
        // A week has every weekday, and the moment of today may be past.
        for _ in 0..=7 {
            let fixed =
                self.check_weekdays.is_empty() || self.check_weekdays.contains(&Weekday::of(day.weekday()));
            let at = day
                .to_datetime(self.check_time)
                .to_zoned_datetime(self.time_zone());
            let at = at.map(|at| crate::Timestamp::from_micros(at.timestamp().as_microsecond()));
            match at {
                Ok(at) if fixed && at >= earliest => return at,
                _ => day = day.tomorrow().unwrap_or(day),
            }
        }
        earliest
    }

    fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    fn day(&self, moment: crate::Timestamp) -> jiff::civil::Date {
        let moment =
            jiff::Timestamp::from_microsecond(moment.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        moment.to_zoned_datetime(self.time_zone()).date()
    }

    fn end_of_working_day(&self, from: crate::Timestamp, days: u32) -> crate::Timestamp {
        let mut day = self.day(from);
        let mut left = days;
        // A calendar of holidays only would never end: no period is looked at for longer than ten years.
        for _ in 0..3_660 {
            if left == 0 {
                break;
            }
            day = day.tomorrow().unwrap_or(day);
            left -= u32::from(self.is_working_day(day));
        }
        let end = day.tomorrow().unwrap_or(day).to_zoned_datetime(self.time_zone());
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
            check_weekdays: check_weekdays(),
            check_time: check_time(),
            check_days: check_days(),
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

    #[test]
    fn the_fixed_day_leaves_checkers_their_working_days() {
        let mut policy = ReviewPolicy::default();
        let at = |text| Timestamp::parse(text).unwrap();
        let cases = [
            // A Monday morning in China: Tuesday and Wednesday are whole, and 16:00 on Thursday is 8:00 UTC.
            ("2026-11-23T01:00:00Z", "2026-11-26T08:00:00Z"),
            // A Tuesday has Wednesday and Thursday: the Thursday after.
            ("2026-11-24T01:00:00Z", "2026-12-03T08:00:00Z"),
            // A Friday has Monday and Tuesday.
            ("2026-11-27T01:00:00Z", "2026-12-03T08:00:00Z"),
        ];
        for (from, due) in cases {
            assert_eq!(policy.fixed_day(at(from)), at(due), "{from}");
        }
        policy.holidays = vec!["2026-11-25".into()];
        assert_eq!(
            policy.fixed_day(at("2026-11-23T01:00:00Z")),
            at("2026-12-03T08:00:00Z")
        );
        // Every day, without a pause: today if the moment is still to come, else tomorrow.
        (policy.check_days, policy.check_weekdays) = (0, Vec::new());
        assert_eq!(
            policy.fixed_day(at("2026-11-23T07:59:00Z")),
            at("2026-11-23T08:00:00Z")
        );
        assert_eq!(
            policy.fixed_day(at("2026-11-23T08:00:00.000001Z")),
            at("2026-11-24T08:00:00Z")
        );
    }

    #[test]
    fn a_policy_of_before_has_the_default_fixed_day() {
        let mut row = serde_json::to_value(ReviewPolicy::default()).unwrap();
        let old = row.as_object_mut().unwrap();
        for name in ["check_weekdays", "check_time", "check_days"] {
            assert!(old.remove(name).is_some(), "{name}");
        }
        assert_eq!(
            serde_json::from_value::<ReviewPolicy>(row).unwrap(),
            ReviewPolicy::default()
        );
    }
}
