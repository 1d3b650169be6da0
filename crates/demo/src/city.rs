//! The city: seed, scale, defects, and its 16 districts.

use arrow::datatypes::SchemaRef;

use crate::table::{Batches, Table};

/// GB/T 2260-like code of the city. No province has the prefix 99.
pub const CITY_CODE: &str = "990100";

/// The city's name.
pub const CITY_NAME: crate::Text = crate::Text {
    zh: "云州市",
    en: "Yunzhou",
};

/// The zone in which every date and time of the city is civil time.
pub const ZONE: &str = "Asia/Shanghai";

/// A district, county or county-level city.
#[derive(Debug, Clone, Copy)]
pub struct District {
    /// Six-digit code, assigned to nobody.
    pub code: &'static str,
    /// Chinese name.
    pub zh: &'static str,
    /// Name in pinyin with its kind, such as `Wangyun Qu`.
    pub pinyin: &'static str,
    /// English name, such as `Wangyun District`.
    pub en: &'static str,
    /// Its share of people and activity, relative to the others.
    pub(crate) weight: f64,
    /// How many subdistricts, towns and townships it has; the first ones are subdistricts.
    pub(crate) streets: u32,
    /// How many of those are subdistricts (街道).
    pub(crate) urban_streets: u32,
    /// Area in km².
    pub(crate) area: f64,
}

#[expect(clippy::too_many_arguments, reason = "one line of a table per district")]
const fn district(
    code: &'static str,
    zh: &'static str,
    pinyin: &'static str,
    en: &'static str,
    weight: f64,
    streets: u32,
    urban_streets: u32,
    area: f64,
) -> District {
    District {
        code,
        zh,
        pinyin,
        en,
        weight,
        streets,
        urban_streets,
        area,
    }
}

/// The districts of the city, the busiest first. None of them exists.
#[rustfmt::skip] // one line of a table each
pub const DISTRICTS: [District; 16] = [
    district("990102", "望云区", "Wangyun Qu", "Wangyun District", 18.0, 15, 15, 48.6),
    district("990103", "汀兰区", "Tinglan Qu", "Tinglan District", 14.0, 14, 14, 61.2),
    district("990104", "锦麓区", "Jinlu Qu", "Jinlu District", 11.5, 13, 12, 92.7),
    district("990105", "鹭汀区", "Luting Qu", "Luting District", 9.5, 12, 11, 118.3),
    district("990106", "北渡区", "Beidu Qu", "Beidu District", 8.0, 12, 10, 143.9),
    district("990107", "澄溪区", "Chengxi Qu", "Chengxi District", 7.0, 11, 9, 187.4),
    district("990108", "朝霁区", "Chaoji Qu", "Chaoji District", 6.0, 11, 8, 226.0),
    district("990109", "松月区", "Songyue Qu", "Songyue District", 5.2, 11, 6, 301.5),
    district("990110", "青岚区", "Qinglan Qu", "Qinglan District", 4.5, 11, 5, 412.8),
    district("990111", "东篱区", "Dongli Qu", "Dongli District", 3.8, 10, 4, 538.1),
    district("990112", "沐川新区", "Muchuan Xinqu", "Muchuan New Area", 3.2, 8, 5, 265.7),
    district("990113", "霁山县", "Jishan Xian", "Jishan County", 2.6, 11, 2, 1_206.4),
    district("990114", "远岫县", "Yuanxiu Xian", "Yuanxiu County", 2.1, 10, 1, 1_493.2),
    district("990115", "鹿鸣涧县", "Lumingjian Xian", "Lumingjian County", 1.7, 10, 1, 1_748.9),
    district("990116", "白榆县", "Baiyu Xian", "Baiyu County", 1.3, 9, 1, 1_920.6),
    district("990117", "枫渡市", "Fengdu Shi", "Fengdu City", 1.6, 12, 3, 1_334.0),
];

/// The names of the districts: the domain of every district column.
pub fn district_names() -> Vec<&'static str> {
    DISTRICTS.iter().map(|district| district.zh).collect()
}

/// Weights of the districts, for people and activity.
pub(crate) fn district_weights() -> Vec<f64> {
    DISTRICTS.iter().map(|district| district.weight).collect()
}

/// Where a district lies, as longitude and latitude in degrees: a grid of 4 × 4 in the open East China Sea, where no
/// real place can be mistaken for it.
pub(crate) fn district_center(district: usize) -> (f64, f64) {
    // The busiest districts lie in the middle.
    const CELLS: [usize; 16] = [5, 6, 9, 10, 1, 4, 7, 8, 2, 11, 13, 0, 3, 12, 15, 14];
    let cell = CELLS[district % 16];
    (
        125.20 + 0.11 * (cell % 4) as f64,
        29.35 + 0.09 * (cell / 4) as f64,
    )
}

/// How large the city's tables are; 1 is the demo, 1/100 the tests.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Scale(f64);

/// The scale is out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a demo city's scale is from {least} to {most}; got {0}", least = Scale::LEAST, most = Scale::MOST)]
pub struct ScaleError(f64);

impl Scale {
    /// The least scale: 120 persons.
    pub const LEAST: f64 = 0.001;
    /// The largest scale: 5.4 million persons and 90 million trips, below what ID numbers can tell apart.
    pub const MOST: f64 = 45.0;
    /// The demo's.
    pub const DEMO: Self = Self(1.0);
    /// The tests'.
    pub const TEST: Self = Self(0.01);

    /// A scale.
    ///
    /// # Errors
    /// If it is not a number from [`Self::LEAST`] to [`Self::MOST`].
    pub fn new(factor: f64) -> Result<Self, ScaleError> {
        if (Self::LEAST..=Self::MOST).contains(&factor) {
            Ok(Self(factor))
        } else {
            Err(ScaleError(factor))
        }
    }

    /// The scale at which a table has about this many rows (exactly, where units or stations do not round).
    ///
    /// # Errors
    /// If that is out of range.
    pub fn of_rows(table: Table, rows: u64) -> Result<Self, ScaleError> {
        Self::new(rows as f64 / table.base_rows() as f64)
    }

    /// The factor itself.
    pub const fn factor(self) -> f64 {
        self.0
    }

    /// A count at scale 1, scaled and rounded.
    pub(crate) fn of(self, count: u64) -> u64 {
        (count as f64 * self.0 + 0.5) as u64
    }

    /// Persons who live in the city (and cycle): 120,000 at scale 1.
    pub fn persons(self) -> u64 {
        self.of(120_000)
    }

    /// Enterprises that file tax: 100,000 at scale 1.
    pub fn enterprises(self) -> u64 {
        self.of(100_000)
    }
}

/// What is wrong with the data on purpose. Rates are per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defects {
    /// Rows with a number far outside its bounds.
    pub absurd_rows: u32,
    /// Rows whose unit key is missing or invalid.
    pub bad_keys: u32,
    /// Missing values, for the ordinary column; some columns miss more.
    pub missing_values: u32,
    /// Units with more rows than the declared maximum.
    pub overactive_units: u32,
}

impl Defects {
    /// Clean data.
    pub const NONE: Self = Self {
        absurd_rows: 0,
        bad_keys: 0,
        missing_values: 0,
        overactive_units: 0,
    };
}

impl Default for Defects {
    fn default() -> Self {
        Self {
            absurd_rows: 200,
            bad_keys: 1_000,
            missing_values: 4_000,
            overactive_units: 50,
        }
    }
}

/// The city of a seed: all tables at one scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct City {
    /// What all randomness comes from.
    pub seed: u64,
    /// How large the tables are.
    pub scale: Scale,
    /// What is wrong with them.
    pub defects: Defects,
}

impl City {
    /// A city with the usual defects.
    pub fn new(seed: u64, scale: Scale) -> Self {
        Self {
            seed,
            scale,
            defects: Defects::default(),
        }
    }

    /// The same city with other defects.
    pub fn with_defects(self, defects: Defects) -> Self {
        Self { defects, ..self }
    }

    /// How many rows a table has.
    pub fn rows(&self, table: Table) -> u64 {
        table.rows(self.scale)
    }

    /// The Arrow schema of a table.
    pub fn schema(&self, table: Table) -> SchemaRef {
        table.schema()
    }

    /// All rows of a table, in batches of at most `batch_rows` (0 counts as 1).
    pub fn batches(&self, table: Table, batch_rows: usize) -> Batches {
        let rows = table.generator(self);
        let all = 0..rows.row_count();
        Batches::new(rows, all, batch_rows)
    }

    /// The rows of a table whose numbers lie in a range, so that several threads can share the work. The range is
    /// cut to the rows that exist.
    pub fn batches_of(&self, table: Table, range: std::ops::Range<u64>, batch_rows: usize) -> Batches {
        Batches::new(table.generator(self), range, batch_rows)
    }

    /// How many units go beyond the declared maximum of rows, out of `units`; at least one if any are wanted.
    pub(crate) fn overactive(&self, units: u64) -> u64 {
        match self.defects.overactive_units {
            0 => 0,
            rate => (units * u64::from(rate) / 1_000_000).max(1).min(units / 20),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn districts_have_unassigned_codes_and_180_streets() {
        let mut codes: Vec<_> = DISTRICTS.iter().map(|d| d.code).collect();
        codes.dedup();
        assert_eq!(codes.len(), 16);
        assert!(codes.iter().all(|c| c.len() == 6 && c.starts_with("9901")));
        assert_eq!(DISTRICTS.iter().map(|d| d.streets).sum::<u32>(), 180);
        assert!(
            DISTRICTS
                .iter()
                .all(|d| d.urban_streets <= d.streets && d.weight > 0.0)
        );
        let mut centers: Vec<_> = (0..16).map(|d| format!("{:?}", district_center(d))).collect();
        centers.sort();
        centers.dedup();
        assert_eq!(centers.len(), 16);
    }

    #[test]
    fn scales_out_of_range_are_refused() {
        for bad in [0.0, -1.0, f64::NAN, 45.1, f64::INFINITY] {
            assert!(Scale::new(bad).is_err(), "{bad}");
        }
        let scale = Scale::of_rows(Table::BikeShareTrips, 50_000_000).unwrap();
        assert_eq!((scale.factor(), scale.persons()), (25.0, 3_000_000));
        assert_eq!(Table::BikeShareTrips.rows(scale), 50_000_000);
    }
}
