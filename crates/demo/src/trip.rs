//! Bike-share trips: 12 columns, about 17 trips a person and year, in order of their start.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::calendar::{self, MICROS, Timeline};
use crate::city::{City, DISTRICTS, Defects, Scale, district_names, district_weights};
use crate::distribution::{Activity, Curve, Overactive, Weighted};
use crate::identity_number::push_bad_id;
use crate::organization::TRANSPORT;
use crate::person::{AGE_BANDS, People, SEXES};
use crate::random::{Draw, Permutation, Stream};
use crate::spec::{ColumnRole, ColumnSpec, Level, TableSpec, UnitSpec, UnitType, text};
use crate::table::{Rows, Table};
use crate::text_buffer::TextBuffer;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = 2_000_000;

/// The most trips of one person that are declared.
pub const MAX_ROWS_PER_PERSON: u32 = 100;

/// Trips of a person beyond the cap, as a courier's shared account would have.
const OVERACTIVE_ROWS: u64 = 300;

/// Trips by month: few in the cold and the plum rains.
const SEASON: [f64; 12] = [0.55, 0.55, 0.95, 1.15, 1.2, 0.95, 0.9, 0.9, 1.15, 1.25, 1.05, 0.7];

/// Trips by hour of a working day: two rush hours.
const WORKDAY: [f64; 24] = [
    0.3, 0.2, 0.1, 0.1, 0.15, 0.5, 1.8, 5.5, 8.5, 4.2, 2.4, 2.5, 3.1, 2.7, 2.3, 2.4, 2.9, 5.4, 7.6, 4.6, 2.9,
    2.2, 1.4, 0.7,
];

/// Trips by hour of a day off: late and flat.
const DAY_OFF: [f64; 24] = [
    0.5, 0.3, 0.2, 0.1, 0.1, 0.3, 0.7, 1.2, 2.0, 2.9, 3.5, 3.6, 3.4, 3.5, 3.7, 3.9, 3.9, 3.7, 3.4, 3.0, 2.6,
    2.1, 1.5, 0.9,
];

/// Duration in seconds.
const DURATION: Curve = Curve(&[
    (0.0, 60.0),
    (0.1, 230.0),
    (0.3, 420.0),
    (0.5, 610.0),
    (0.7, 900.0),
    (0.85, 1_380.0),
    (0.95, 2_500.0),
    (0.99, 4_800.0),
    (0.999, 8_200.0),
    (1.0, 9_900.0),
]);

/// What is declared of bike-share trips.
pub(crate) fn spec(scale: Scale) -> TableSpec {
    use ColumnRole::{Attribute, QuasiIdentifier, UnitKey};
    use Level::{L2, L3};
    let districts = district_names();
    let columns = vec![
        ColumnSpec::utf8(
            "person_id",
            text("身份证号", "ID number"),
            text("骑行人的居民身份证号", "Resident identity number of the rider"),
        )
        .graded(UnitKey, L3),
        ColumnSpec::time(
            "start_time",
            text("开始时间", "Start"),
            text("开锁时间，北京时间", "When the bike was unlocked, China time"),
        )
        .graded(QuasiIdentifier, L3),
        ColumnSpec::time(
            "end_time",
            text("结束时间", "End"),
            text("还车时间，北京时间", "When the bike was returned, China time"),
        )
        .graded(QuasiIdentifier, L3),
        ColumnSpec::utf8(
            "start_district",
            text("出发区县", "Start district"),
            text("开锁地点所在区县", "District where the bike was unlocked"),
        )
        .graded(QuasiIdentifier, L3)
        .among(&districts),
        ColumnSpec::utf8(
            "end_district",
            text("到达区县", "End district"),
            text("还车地点所在区县", "District where the bike was returned"),
        )
        .graded(QuasiIdentifier, L3)
        .among(&districts),
        ColumnSpec::utf8(
            "residence_district",
            text("居住区县", "Residence district"),
            text(
                "骑行人登记的居住区县",
                "District where the rider is registered as living",
            ),
        )
        .graded(QuasiIdentifier, L3)
        .among(&districts)
        .unit_static(),
        ColumnSpec::utf8(
            "bike_id",
            text("车辆编号", "Bike number"),
            text("单车编号，B 加 7 位数字", "Number of the bike: B and 7 digits"),
        )
        .graded(Attribute, L2),
        ColumnSpec::integer(
            "distance_m",
            text("骑行距离", "Distance"),
            text("骑行距离，米", "Distance ridden, in metres"),
        )
        .graded(Attribute, L2)
        .within(0.0, 20_000.0),
        ColumnSpec::integer(
            "duration_s",
            text("骑行时长", "Duration"),
            text("骑行时长，秒", "Duration, in seconds"),
        )
        .graded(Attribute, L2)
        .within(0.0, 10_000.0),
        ColumnSpec::integer(
            "fare_cents",
            text("费用", "Fare"),
            text(
                "实付费用，分；月卡用户为 0",
                "Fare paid, in fen; 0 with a monthly pass",
            ),
        )
        .graded(Attribute, L2)
        .within(0.0, 2_000.0),
        ColumnSpec::utf8(
            "age_band",
            text("年龄段", "Age band"),
            text("2025 年末的年龄段", "Age band at the end of 2025"),
        )
        .graded(QuasiIdentifier, L3)
        .among(&AGE_BANDS)
        .unit_static(),
        ColumnSpec::utf8("sex", text("性别", "Sex"), text("骑行人性别", "Sex of the rider"))
            .graded(QuasiIdentifier, L3)
            .among(&SEXES)
            .unit_static(),
    ];
    TableSpec {
        slug: Table::BikeShareTrips.slug(),
        title: text("共享单车骑行记录", "Bike-share trips"),
        summary: text(
            "云州市互联网租赁自行车 2025 年逐次骑行记录，含起止时间与区县、距离、时长、费用和骑行人年龄段、性别。\
             仅可在数据沙箱中使用，输出为加噪聚合结果。",
            "Every trip on Yunzhou's shared bikes in 2025: start and end by time and district, distance, duration, \
             fare, and the rider's age band and sex. For use in the sandbox only; results are noised aggregates.",
        ),
        keywords: &[
            "共享单车",
            "骑行",
            "出行",
            "慢行交通",
            "bike sharing",
            "cycling",
            "mobility",
        ],
        theme: "transport",
        level: L3,
        special: false,
        department: TRANSPORT,
        update_cycle: "monthly",
        license: "agreement",
        conditions: Some(text(
            "经申请批准后在数据沙箱内使用，不得尝试识别个人。",
            "After an approved request, inside the sandbox only; no attempt to identify persons.",
        )),
        columns,
        unit: Some(UnitSpec::new(
            "person_id",
            UnitType::Person,
            scale.persons(),
            MAX_ROWS_PER_PERSON,
        )),
    }
}

/// Rows at a scale.
pub(crate) fn rows(scale: Scale) -> u64 {
    scale.of(BASE_ROWS)
}

pub(crate) struct TripRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    rows: u64,
    people: People,
    activity: Activity,
    order: Permutation,
    ranks: Permutation,
    hours: Timeline,
    districts: Weighted,
    bikes: u64,
}

impl TripRows {
    pub(crate) fn new(city: &City) -> Self {
        let people = People::new(city);
        let rows = rows(city.scale);
        let overactive = Overactive {
            units: city.overactive(people.count()),
            rows: OVERACTIVE_ROWS,
        };
        let activity = Activity::new(people.count(), rows, u64::from(MAX_ROWS_PER_PERSON), overactive);
        let hours = (0..calendar::YEAR_DAYS).flat_map(|day| {
            let (profile, day_weight) = if calendar::is_day_off(day) {
                (&DAY_OFF, 0.95)
            } else {
                (&WORKDAY, 1.0)
            };
            profile
                .iter()
                .map(move |hour| hour * day_weight * SEASON[calendar::month(day)])
        });
        Self {
            schema: Table::BikeShareTrips.schema(),
            seed: city.seed,
            defects: city.defects,
            rows: activity.rows(),
            order: Permutation::new(city.seed, Stream::TripOrder, 0, rows),
            ranks: Permutation::new(city.seed, Stream::TripRank, 0, people.count()),
            hours: Timeline::new(hours),
            districts: Weighted::new(&district_weights()),
            bikes: city.scale.of(45_000),
            people,
            activity,
        }
    }

    /// A district to ride from or to: mostly near home or work.
    fn district(&self, draw: &mut Draw, near: [usize; 2]) -> usize {
        match draw.below(100) {
            0..=49 => near[0],
            50..=79 => near[1],
            _ => self.districts.sample(draw),
        }
    }
}

/// Fare in fen: 1.50 yuan for half an hour, then 1 yuan a quarter; a third of the riders have a pass.
fn fare(duration: i64, has_pass: bool) -> i64 {
    if has_pass {
        0
    } else {
        150 + (duration - 1_800).max(0).unsigned_abs().div_ceil(900) as i64 * 100
    }
}

impl Rows for TripRows {
    fn row_count(&self) -> u64 {
        self.rows
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let mut person_id = text(18);
        let mut start_time = TimestampMicrosecondBuilder::with_capacity(n);
        let mut end_time = TimestampMicrosecondBuilder::with_capacity(n);
        let (mut start_district, mut end_district, mut residence) = (text(10), text(10), text(10));
        let mut bike_id = text(8);
        let integers = || Int64Builder::with_capacity(n);
        let (mut distance_m, mut duration_s, mut fare_cents) = (integers(), integers(), integers());
        let (mut age_band, mut sex) = (text(5), text(3));
        let misses = self.defects.missing_values;
        for row in rows {
            let mut draw = Draw::new(self.seed, Stream::Trip, row);
            let rank = self.activity.rank(self.order.apply(row));
            let person = self.people.get(self.ranks.apply(rank));

            if draw.one_of_million(self.defects.bad_keys) {
                let mut bad = TextBuffer::new();
                push_bad_id(&mut bad, &person.id_number, &mut draw);
                person_id.append_option(if draw.below(2) == 0 {
                    None
                } else {
                    Some(bad.as_str())
                });
            } else {
                person_id.append_value(person.id_number.as_str());
            }

            let (hour, part) = self.hours.locate((row as f64 + draw.unit()) / self.rows as f64);
            let start = calendar::midnight(hour / 24)
                + (i64::from(hour % 24) * 3_600 + (part * 3_600.0) as i64) * MICROS;
            let seconds = DURATION.sample(&mut draw);
            let pace = 1.7 + 1.3 * (draw.unit() + draw.unit());
            let metres = (seconds * pace / (1.0 + seconds / 9_000.0)).min(20_000.0);
            let mut duration = seconds as i64;
            let mut distance = metres as i64;
            let mut cents = fare(duration, draw.below(3) == 0);
            if draw.one_of_million(self.defects.absurd_rows) {
                match draw.below(4) {
                    0 => distance = -1,
                    1 => distance = 9_999_999,
                    2 => duration = 2_592_000 + draw.below(86_400) as i64,
                    _ => cents = 1_000_000,
                }
            }
            start_time.append_value(start);
            let lost = draw.one_of_million(misses);
            end_time.append_option((!lost).then_some(start + duration * MICROS));
            duration_s.append_option((!lost).then_some(duration));
            distance_m.append_option((!draw.one_of_million(3 * misses)).then_some(distance));
            fare_cents.append_option((!draw.one_of_million(misses / 2)).then_some(cents));

            let from = self.district(&mut draw, [person.residence, person.workplace]);
            let to = if draw.below(100) < 62 {
                from
            } else {
                self.district(&mut draw, [person.workplace, person.residence])
            };
            start_district.append_value(DISTRICTS[from].zh);
            end_district.append_option((!draw.one_of_million(misses)).then_some(DISTRICTS[to].zh));
            residence.append_value(DISTRICTS[person.residence].zh);
            // Bikes at busy places are taken more often: the product of two uniform numbers.
            let bike = (draw.unit() * draw.unit() * self.bikes as f64) as u64;
            let mut bike_name = TextBuffer::new();
            bike_name.push("B");
            bike_name.push_digits(bike + 1, 7);
            bike_id.append_value(bike_name.as_str());
            age_band.append_value(AGE_BANDS[person.age_band]);
            sex.append_value(SEXES[person.sex]);
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(person_id.finish()),
                Arc::new(start_time.finish()),
                Arc::new(end_time.finish()),
                Arc::new(start_district.finish()),
                Arc::new(end_district.finish()),
                Arc::new(residence.finish()),
                Arc::new(bike_id.finish()),
                Arc::new(distance_m.finish()),
                Arc::new(duration_s.finish()),
                Arc::new(fare_cents.finish()),
                Arc::new(age_band.finish()),
                Arc::new(sex.finish()),
            ],
        )
    }
}
