//! Outpatient visits of the same persons as the trips, with other spellings of their ID numbers, by date.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::calendar::{self, Timeline, YEAR_DAYS, YEAR_START};
use crate::city::{City, DISTRICTS, Defects, Scale, district_names, district_weights};
use crate::distribution::{Activity, Curve, Overactive, Weighted};
use crate::identity_number::{push_bad_id, push_spelling};
use crate::organization::HEALTH;
use crate::person::{People, Person, SEXES};
use crate::random::{Draw, Permutation, Stream};
use crate::spec::{ColumnRole, ColumnSpec, Level, TableSpec, UnitSpec, UnitType, text};
use crate::table::{Rows, Table};
use crate::text_buffer::TextBuffer;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = 1_000_000;

/// The most visits of one person that are declared.
pub const MAX_ROWS_PER_PERSON: u32 = 50;

/// Visits of a person beyond the cap, as a borrowed card would have.
const OVERACTIVE_ROWS: u64 = 200;

/// A clinical department.
struct Department {
    name: &'static str,
    /// How often it is visited, relative to the others, by people under 60 and from 60 on.
    weights: [f64; 2],
    /// How dear a visit is, relative to the ordinary one.
    cost: f64,
    /// What is mostly diagnosed there (ICD-10).
    codes: [&'static str; 4],
}

const fn department(
    name: &'static str,
    weights: [f64; 2],
    cost: f64,
    codes: [&'static str; 4],
) -> Department {
    Department {
        name,
        weights,
        cost,
        codes,
    }
}

/// Paediatrics takes only the young, gynaecology and obstetrics only women.
const PEDIATRICS: usize = 17;
const GYNECOLOGY: usize = 15;
const OBSTETRICS: usize = 16;
const UROLOGY: usize = 12;
const GENERAL: usize = 0;

#[rustfmt::skip] // one line of a table each
const DEPARTMENTS: [Department; 30] = [
    department("全科医学科", [90.0, 110.0], 0.5, ["J06.9", "I10", "R51", "Z76.0"]),
    department("呼吸内科", [75.0, 70.0], 0.8, ["J06.9", "J20.9", "J45.9", "J44.9"]),
    department("心血管内科", [35.0, 140.0], 1.1, ["I10", "I25.1", "I48", "I50.9"]),
    department("消化内科", [70.0, 60.0], 1.2, ["K29.5", "K21.0", "K30", "K59.0"]),
    department("内分泌科", [35.0, 80.0], 0.9, ["E11.9", "E04.1", "E78.5", "E05.9"]),
    department("神经内科", [30.0, 75.0], 1.1, ["G44.2", "I63.9", "G47.0", "G43.9"]),
    department("肾内科", [12.0, 25.0], 1.5, ["N18.9", "N03.9", "N04.9", "N39.0"]),
    department("血液内科", [6.0, 9.0], 1.9, ["D50.9", "D69.6", "D64.9", "C91.1"]),
    department("风湿免疫科", [10.0, 16.0], 1.4, ["M06.9", "M10.9", "M32.9", "M45"]),
    department("感染科", [16.0, 10.0], 1.0, ["B18.1", "A09", "B02.9", "K73.9"]),
    department("普外科", [35.0, 32.0], 1.3, ["K80.2", "E04.2", "I84.2", "K40.9"]),
    department("骨科", [60.0, 75.0], 1.2, ["M54.5", "M17.9", "S93.4", "M51.2"]),
    department("泌尿外科", [28.0, 45.0], 1.2, ["N20.0", "N40", "N39.0", "N41.1"]),
    department("神经外科", [5.0, 8.0], 1.8, ["S06.0", "I67.1", "D32.9", "G50.0"]),
    department("心胸外科", [4.0, 7.0], 1.8, ["R91", "J93.9", "I83.9", "S22.3"]),
    department("妇科", [62.0, 18.0], 1.0, ["N76.0", "N92.6", "D25.9", "N72"]),
    department("产科", [38.0, 0.0], 1.1, ["Z34.9", "O21.0", "Z35.9", "O24.9"]),
    department("儿科", [90.0, 0.0], 0.6, ["J06.9", "J20.9", "A09", "R50.9"]),
    department("眼科", [48.0, 62.0], 0.8, ["H52.1", "H10.9", "H25.9", "H04.1"]),
    department("耳鼻咽喉科", [50.0, 26.0], 0.8, ["J30.4", "H66.9", "J32.9", "H93.1"]),
    department("口腔科", [95.0, 58.0], 1.6, ["K02.9", "K04.0", "K05.3", "K08.1"]),
    department("皮肤科", [85.0, 34.0], 0.6, ["L30.9", "L70.0", "L50.9", "B35.3"]),
    department("中医科", [55.0, 70.0], 0.7, ["R53", "G47.0", "M54.2", "K30"]),
    department("康复医学科", [22.0, 36.0], 0.9, ["M54.2", "M75.0", "Z50.1", "I69.3"]),
    department("肿瘤科", [8.0, 26.0], 2.0, ["C34.9", "C50.9", "Z51.1", "C18.9"]),
    department("急诊科", [65.0, 52.0], 1.0, ["R10.4", "R50.9", "S01.9", "T14.1"]),
    department("精神心理科", [26.0, 14.0], 0.9, ["F32.9", "F41.1", "F51.0", "F20.9"]),
    department("老年医学科", [0.2, 38.0], 1.0, ["I10", "M81.9", "F03", "E11.9"]),
    department("疼痛科", [13.0, 22.0], 0.9, ["M54.5", "B02.2", "M79.6", "G50.0"]),
    department("体检中心", [40.0, 20.0], 1.5, ["Z00.0", "Z10.8", "Z01.8", "Z02.1"]),
];

/// The names of the departments: a domain of 30.
pub fn departments() -> Vec<&'static str> {
    DEPARTMENTS.iter().map(|department| department.name).collect()
}

/// The hospitals: 12 of the city, then three of each district in the order of the districts. A domain of 60.
pub const HOSPITALS: [&str; 60] = [
    "云州市第一人民医院",
    "云州市第二人民医院",
    "云州市第三人民医院",
    "云州市中医院",
    "云州市妇女儿童医院",
    "云州大学附属第一医院",
    "云州大学附属第二医院",
    "云州市肿瘤医院",
    "云州市眼科医院",
    "云州市口腔医院",
    "云州市精神卫生中心",
    "云州市康复医院",
    "望云区人民医院",
    "望云区中医院",
    "望云区妇幼保健院",
    "汀兰区人民医院",
    "汀兰区中医院",
    "汀兰区妇幼保健院",
    "锦麓区人民医院",
    "锦麓区中医院",
    "锦麓区妇幼保健院",
    "鹭汀区人民医院",
    "鹭汀区中医院",
    "鹭汀区妇幼保健院",
    "北渡区人民医院",
    "北渡区中医院",
    "北渡区妇幼保健院",
    "澄溪区人民医院",
    "澄溪区中医院",
    "澄溪区妇幼保健院",
    "朝霁区人民医院",
    "朝霁区中医院",
    "朝霁区妇幼保健院",
    "松月区人民医院",
    "松月区中医院",
    "松月区妇幼保健院",
    "青岚区人民医院",
    "青岚区中医院",
    "青岚区妇幼保健院",
    "东篱区人民医院",
    "东篱区中医院",
    "东篱区妇幼保健院",
    "沐川新区人民医院",
    "沐川新区中医院",
    "沐川新区妇幼保健院",
    "霁山县人民医院",
    "霁山县中医院",
    "霁山县妇幼保健院",
    "远岫县人民医院",
    "远岫县中医院",
    "远岫县妇幼保健院",
    "鹿鸣涧县人民医院",
    "鹿鸣涧县中医院",
    "鹿鸣涧县妇幼保健院",
    "白榆县人民医院",
    "白榆县中医院",
    "白榆县妇幼保健院",
    "枫渡市人民医院",
    "枫渡市中医院",
    "枫渡市妇幼保健院",
];

/// Hospitals of the city itself, listed first.
const CITY_HOSPITALS: usize = 12;

/// Chapters of ICD-10 with their last category, for the long tail of diagnoses.
#[rustfmt::skip] // six a line
const CHAPTERS: [(&str, u64); 17] = [
    ("A", 99), ("B", 99), ("C", 97), ("D", 89), ("E", 90), ("F", 99),
    ("G", 99), ("H", 95), ("I", 99), ("J", 99), ("K", 93), ("L", 99),
    ("M", 99), ("N", 99), ("R", 99), ("S", 99), ("T", 98),
];

/// How many codes the long tail has.
const TAIL: usize = 5_000;

/// Visits by month: most in the cold and when the flu goes round.
const SEASON: [f64; 12] = [1.15, 0.85, 1.1, 1.05, 1.0, 0.95, 0.95, 0.9, 0.95, 0.95, 1.1, 1.3];

/// Cost of an ordinary visit in yuan.
const COST: Curve = Curve(&[
    (0.0, 8.0),
    (0.2, 62.0),
    (0.5, 185.0),
    (0.75, 430.0),
    (0.9, 1_100.0),
    (0.97, 2_900.0),
    (0.995, 6_500.0),
    (1.0, 9_800.0),
]);

/// What is declared of outpatient visits.
pub(crate) fn spec(scale: Scale) -> TableSpec {
    use ColumnRole::{QuasiIdentifier, Sensitive, UnitKey};
    use Level::L3;
    let columns = vec![
        ColumnSpec::utf8(
            "person_id",
            text("身份证号", "ID number"),
            text(
                "就诊人的居民身份证号，录入写法不一",
                "Resident identity number of the patient, as it was typed",
            ),
        )
        .graded(UnitKey, L3),
        ColumnSpec::date(
            "visit_date",
            text("就诊日期", "Visit date"),
            text("就诊日期", "Date of the visit"),
        )
        .graded(QuasiIdentifier, L3),
        ColumnSpec::utf8(
            "hospital",
            text("医院", "Hospital"),
            text("就诊医院", "Hospital visited"),
        )
        .graded(QuasiIdentifier, L3)
        .among(&HOSPITALS),
        ColumnSpec::utf8(
            "department",
            text("科室", "Department"),
            text("就诊科室", "Clinical department visited"),
        )
        .graded(Sensitive, L3)
        .among(&departments()),
        ColumnSpec::utf8(
            "diagnosis_code",
            text("诊断编码", "Diagnosis code"),
            text("主要诊断，ICD-10 编码", "Main diagnosis, ICD-10 code"),
        )
        .graded(Sensitive, L3),
        ColumnSpec::number(
            "cost_yuan",
            text("总费用", "Cost"),
            text("总费用，元", "Cost in all, in yuan"),
        )
        .graded(Sensitive, L3)
        .within(0.0, 20_000.0),
        ColumnSpec::number(
            "insured_yuan",
            text("医保支付", "Paid by insurance"),
            text("医保基金支付，元", "Paid by the health insurance, in yuan"),
        )
        .graded(Sensitive, L3)
        .within(0.0, 20_000.0),
        ColumnSpec::integer(
            "age",
            text("年龄", "Age"),
            text("就诊时周岁", "Age at the visit, in whole years"),
        )
        .graded(QuasiIdentifier, L3)
        .within(0.0, 120.0),
        ColumnSpec::utf8(
            "sex",
            text("性别", "Sex"),
            text("就诊人性别", "Sex of the patient"),
        )
        .graded(QuasiIdentifier, L3)
        .among(&SEXES),
        ColumnSpec::utf8(
            "residence_district",
            text("居住区县", "Residence district"),
            text(
                "挂号时登记的居住区县",
                "District of residence as registered at the visit",
            ),
        )
        .graded(QuasiIdentifier, L3)
        .among(&district_names()),
    ];
    TableSpec {
        slug: Table::OutpatientVisits.slug(),
        title: text("门诊就诊记录", "Outpatient visits"),
        summary: text(
            "云州市 60 家医院 2025 年门诊逐次就诊记录，含日期、医院、科室、诊断编码、费用和就诊人年龄、性别、居住区县。\
             健康信息，仅可在数据沙箱中使用，结果须经人工复核。",
            "Every outpatient visit at Yunzhou's 60 hospitals in 2025: date, hospital, department, diagnosis code, \
             cost, and the patient's age, sex and district. Health data: sandbox only, results reviewed by people.",
        ),
        keywords: &[
            "门诊",
            "医院",
            "科室",
            "诊断",
            "医疗费用",
            "outpatient",
            "hospital",
            "health care",
        ],
        theme: "health",
        level: L3,
        special: true,
        department: HEALTH,
        update_cycle: "monthly",
        license: "agreement",
        conditions: Some(text(
            "经申请批准后在数据沙箱内使用；属健康信息，每次输出须两名核查员与大数据局同意。",
            "After an approved request, inside the sandbox only; as health data, each output needs two checkers and \
             the bureau.",
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

pub(crate) struct VisitRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    rows: u64,
    people: People,
    activity: Activity,
    order: Permutation,
    ranks: Permutation,
    days: Timeline,
    districts: Weighted,
    hospitals: Weighted,
    departments: [Weighted; 2],
    tail: Weighted,
}

impl VisitRows {
    pub(crate) fn new(city: &City) -> Self {
        let people = People::new(city);
        let rows = rows(city.scale);
        // One in twelve never sees a doctor.
        let patients = people.count() * 11 / 12;
        let overactive = Overactive {
            units: city.overactive(patients),
            rows: OVERACTIVE_ROWS,
        };
        let activity = Activity::new(patients, rows, u64::from(MAX_ROWS_PER_PERSON), overactive);
        let days = (0..YEAR_DAYS).map(|day| {
            let weekday = [1.35, 1.15, 1.1, 1.05, 1.05, 0.75, 0.5][(day as usize + 2) % 7];
            let holiday = if calendar::is_day_off(day) && weekday > 1.0 {
                0.4
            } else {
                1.0
            };
            weekday * holiday * SEASON[calendar::month(day)]
        });
        let by_age = |old: usize| Weighted::new(&DEPARTMENTS.each_ref().map(|d| d.weights[old]));
        Self {
            schema: Table::OutpatientVisits.schema(),
            seed: city.seed,
            defects: city.defects,
            rows: activity.rows(),
            order: Permutation::new(city.seed, Stream::VisitOrder, 0, rows),
            ranks: Permutation::new(city.seed, Stream::VisitRank, 0, people.count()),
            days: Timeline::new(days),
            districts: Weighted::new(&district_weights()),
            hospitals: Weighted::zipf(HOSPITALS.len(), 3.0),
            departments: [by_age(0), by_age(1)],
            tail: Weighted::zipf(TAIL, 12.0),
            people,
            activity,
        }
    }

    fn department(&self, draw: &mut Draw, person: &Person, age: u32) -> usize {
        if age < 18 && draw.below(100) < 55 {
            return PEDIATRICS;
        }
        match self.departments[usize::from(age >= 60)].sample(draw) {
            PEDIATRICS if age >= 18 => GENERAL,
            GYNECOLOGY | OBSTETRICS if SEXES[person.sex] == "男" => UROLOGY,
            OBSTETRICS if !(18..=49).contains(&age) => GYNECOLOGY,
            other => other,
        }
    }

    fn diagnosis(&self, draw: &mut Draw, department: usize) -> TextBuffer {
        let mut code = TextBuffer::new();
        if draw.below(100) < 68 {
            let codes = DEPARTMENTS[department].codes;
            // The first code of a department is the most common one.
            code.push(codes[draw.below(4).min(draw.below(4)) as usize]);
        } else {
            let at = self.tail.sample(draw) as u64;
            let (chapter, last) = CHAPTERS[(at * 7 % 17) as usize];
            code.push(chapter);
            code.push_digits(at * 37 / 17 % (last + 1), 2);
            if !at.is_multiple_of(5) {
                code.push(".");
                code.push_digits(at % 10, 1);
            }
        }
        code
    }
}

/// A sum of money in whole fen, as yuan.
pub(crate) fn yuan(amount: f64) -> f64 {
    (amount * 100.0).floor() / 100.0
}

impl Rows for VisitRows {
    fn row_count(&self) -> u64 {
        self.rows
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let mut person_id = text(20);
        let mut visit_date = Date32Builder::with_capacity(n);
        let (mut hospital, mut department, mut diagnosis_code) = (text(26), text(13), text(5));
        let mut cost_yuan = Float64Builder::with_capacity(n);
        let mut insured_yuan = Float64Builder::with_capacity(n);
        let mut age = Int64Builder::with_capacity(n);
        let (mut sex, mut residence) = (text(3), text(10));
        let misses = self.defects.missing_values;
        for row in rows {
            let mut draw = Draw::new(self.seed, Stream::Visit, row);
            let rank = self.activity.rank(self.order.apply(row));
            let person = self.people.get(self.ranks.apply(rank));

            let mut id = TextBuffer::new();
            let bad = draw.one_of_million(self.defects.bad_keys);
            if bad {
                push_bad_id(&mut id, &person.id_number, &mut draw);
            } else {
                push_spelling(&mut id, &person.id_number, &mut draw);
            }
            person_id.append_option((!bad || draw.below(2) == 0).then_some(id.as_str()));

            let (day, _) = self.days.locate((row as f64 + draw.unit()) / self.rows as f64);
            visit_date.append_value(YEAR_START + day as i32);
            let (month, day_of_month) = calendar::month_and_day(day);
            let years = person.age_on(month, day_of_month);

            let at = if draw.below(100) < 48 {
                // The district's people's hospital is the largest of the three.
                CITY_HOSPITALS + 3 * person.residence + draw.below(3).min(draw.below(3)) as usize
            } else {
                self.hospitals.sample(&mut draw)
            };
            hospital.append_value(HOSPITALS[at]);
            let clinic = self.department(&mut draw, &person, years);
            department.append_option((!draw.one_of_million(misses / 2)).then_some(DEPARTMENTS[clinic].name));
            let code = self.diagnosis(&mut draw, clinic);
            diagnosis_code.append_option((!draw.one_of_million(4 * misses)).then_some(code.as_str()));

            let mut cost = yuan(COST.sample(&mut draw) * DEPARTMENTS[clinic].cost);
            let share = if draw.below(100) < 12 {
                0.0
            } else {
                0.4 + 0.45 * draw.unit()
            };
            let insured = yuan(cost * share);
            let mut years = i64::from(years);
            if draw.one_of_million(self.defects.absurd_rows) {
                match draw.below(4) {
                    0 => cost = -cost - 1.0,
                    1 => cost = 9_999_999.99,
                    2 => years = -1,
                    _ => years = 200 + draw.below(100) as i64,
                }
            }
            cost_yuan.append_option((!draw.one_of_million(misses)).then_some(cost));
            insured_yuan.append_option((!draw.one_of_million(2 * misses)).then_some(insured));
            age.append_option((!draw.one_of_million(misses)).then_some(years));
            sex.append_option((!draw.one_of_million(misses)).then_some(SEXES[person.sex]));
            // People move, and desks mistype: one row in a hundred names another district.
            let home = if draw.below(100) == 0 {
                self.districts.sample(&mut draw)
            } else {
                person.residence
            };
            residence.append_option((!draw.one_of_million(2 * misses)).then_some(DISTRICTS[home].zh));
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(person_id.finish()),
                Arc::new(visit_date.finish()),
                Arc::new(hospital.finish()),
                Arc::new(department.finish()),
                Arc::new(diagnosis_code.finish()),
                Arc::new(cost_yuan.finish()),
                Arc::new(insured_yuan.finish()),
                Arc::new(age.finish()),
                Arc::new(sex.finish()),
                Arc::new(residence.finish()),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departments_and_hospitals_are_where_they_are_said_to_be() {
        let name = |at: usize| DEPARTMENTS[at].name;
        let special = [PEDIATRICS, GYNECOLOGY, OBSTETRICS, UROLOGY, GENERAL].map(name);
        assert_eq!(special, ["儿科", "妇科", "产科", "泌尿外科", "全科医学科"]);
        for (at, district) in DISTRICTS.iter().enumerate() {
            for hospital in &HOSPITALS[CITY_HOSPITALS + 3 * at..][..3] {
                assert!(hospital.starts_with(district.zh), "{hospital}");
            }
        }
        assert!(
            HOSPITALS
                .iter()
                .all(|name| (5..=12).contains(&name.chars().count()))
        );
        let distinct: std::collections::HashSet<_> = HOSPITALS.iter().collect();
        assert_eq!(distinct.len(), 60);
    }
}
