//! Bike parking places with their capacity.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::calendar::{YEAR_DAYS, YEAR_START};
use crate::city::{City, DISTRICTS, Defects, Scale, district_center, district_names, district_weights};
use crate::distribution::{Curve, Weighted};
use crate::division::{Street, streets};
use crate::organization::TRANSPORT;
use crate::random::{Draw, Stream};
use crate::spec::{ColumnSpec, Level, TableSpec, text};
use crate::table::{Rows, Table};
use crate::text_buffer::TextBuffer;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = 3_000;

/// What parking places are named after.
const LANDMARKS: [&str; 16] = [
    "地铁站A口",
    "地铁站B口",
    "地铁站C口",
    "公交首末站",
    "第一小学",
    "实验中学",
    "社区医院",
    "人民公园东门",
    "农贸市场",
    "购物中心",
    "政务服务中心",
    "图书馆",
    "体育馆",
    "科技园南区",
    "滨江绿道",
    "花园小区",
];

/// Bikes that fit.
const CAPACITY: Curve = Curve(&[
    (0.0, 8.0),
    (0.3, 20.0),
    (0.6, 35.0),
    (0.85, 60.0),
    (0.97, 140.0),
    (1.0, 400.0),
]);

/// What is declared of bike parking.
pub(crate) fn spec() -> TableSpec {
    let columns = vec![
        ColumnSpec::utf8(
            "place_id",
            text("停放点编号", "Place"),
            text(
                "停放点编号，保留前导零",
                "Number of the place, leading zeros kept",
            ),
        ),
        ColumnSpec::utf8(
            "name",
            text("名称", "Name"),
            text("停放点名称", "Name of the place"),
        ),
        ColumnSpec::utf8(
            "district",
            text("区县", "District"),
            text("所在区县", "District it is in"),
        )
        .among(&district_names()),
        ColumnSpec::utf8(
            "district_code",
            text("区县代码", "District code"),
            text("所在区县的 6 位区划代码", "Six-digit code of its district"),
        ),
        ColumnSpec::number(
            "longitude",
            text("经度", "Longitude"),
            text("经度，度（CGCS2000）", "Longitude in degrees (CGCS2000)"),
        )
        .within(-180.0, 180.0),
        ColumnSpec::number(
            "latitude",
            text("纬度", "Latitude"),
            text("纬度，度（CGCS2000）", "Latitude in degrees (CGCS2000)"),
        )
        .within(-90.0, 90.0),
        ColumnSpec::integer(
            "capacity",
            text("容量", "Capacity"),
            text("可停放车辆数", "How many bikes fit"),
        )
        .within(0.0, 1_000.0),
        ColumnSpec::date(
            "updated_date",
            text("更新日期", "Updated"),
            text("信息最近核对日期", "When the entry was last checked"),
        ),
    ];
    TableSpec {
        slug: Table::BikeParking.slug(),
        title: text("共享单车停放点", "Bike parking places"),
        summary: text(
            "云州市共享单车停放点的名称、区县、坐标、容量和更新日期。",
            "Name, district, coordinates, capacity and date of every bike parking place in Yunzhou.",
        ),
        keywords: &[
            "共享单车",
            "停放点",
            "停车",
            "慢行交通",
            "bike parking",
            "capacity",
            "cycling",
        ],
        theme: "transport",
        level: Level::L1,
        special: false,
        department: TRANSPORT,
        update_cycle: "monthly",
        license: "cc-by-4.0",
        conditions: None,
        columns,
        unit: None,
    }
}

/// Rows at a scale: 20 a district at least.
pub(crate) fn rows(scale: Scale) -> u64 {
    scale.of(BASE_ROWS).max(320)
}

pub(crate) struct ParkingRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    rows: u64,
    streets: Vec<Vec<Street>>,
    districts: Weighted,
}

impl ParkingRows {
    pub(crate) fn new(city: &City) -> Self {
        let mut by_district = vec![Vec::new(); DISTRICTS.len()];
        for street in streets(city.seed) {
            by_district[street.district].push(street);
        }
        Self {
            schema: Table::BikeParking.schema(),
            seed: city.seed,
            defects: city.defects,
            rows: rows(city.scale),
            streets: by_district,
            districts: Weighted::new(&district_weights()),
        }
    }
}

/// A coordinate to a millionth of a degree, about ten centimetres.
fn degrees(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl Rows for ParkingRows {
    fn row_count(&self) -> u64 {
        self.rows
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let (mut place_id, mut name) = (text(6), text(40));
        let (mut district_name, mut district_code) = (text(10), text(6));
        let mut longitude = Float64Builder::with_capacity(n);
        let mut latitude = Float64Builder::with_capacity(n);
        let mut capacity = Int64Builder::with_capacity(n);
        let mut updated_date = Date32Builder::with_capacity(n);
        let misses = self.defects.missing_values;
        for row in rows {
            let mut draw = Draw::new(self.seed, Stream::Parking, row);
            // Every district has some.
            let district = if row < 64 {
                row as usize % 16
            } else {
                self.districts.sample(&mut draw)
            };
            let own = &self.streets[district];
            let street = &own[draw.below(own.len() as u64) as usize];
            let mut id = TextBuffer::new();
            id.push_digits(row + 1, 6);
            place_id.append_value(id.as_str());
            let mut title = TextBuffer::new();
            title.push(&street.short);
            title.push(draw.pick(&LANDMARKS));
            title.push("停放点");
            name.append_value(title.as_str());
            district_name.append_value(DISTRICTS[district].zh);
            district_code.append_value(DISTRICTS[district].code);
            let (east, north) = district_center(district);
            let known = !draw.one_of_million(2 * misses);
            let near = |draw: &mut Draw| 0.045 * (draw.unit() + draw.unit() - 1.0);
            let (mut east, mut north) = (degrees(east + near(&mut draw)), degrees(north + near(&mut draw)));
            let mut bikes = CAPACITY.sample(&mut draw) as i64;
            if draw.one_of_million(5 * self.defects.absurd_rows) {
                match draw.below(2) {
                    0 => bikes = 99_999,
                    // Some enter 0, 0 for "unknown".
                    _ => (east, north) = (0.0, 0.0),
                }
            }
            longitude.append_option(known.then_some(east));
            latitude.append_option(known.then_some(north));
            capacity.append_option((!draw.one_of_million(5 * misses)).then_some(bikes));
            let age = (draw.unit() * draw.unit() * f64::from(YEAR_DAYS)) as i32;
            updated_date.append_value(YEAR_START + YEAR_DAYS as i32 - 1 - age);
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(place_id.finish()),
                Arc::new(name.finish()),
                Arc::new(district_name.finish()),
                Arc::new(district_code.finish()),
                Arc::new(longitude.finish()),
                Arc::new(latitude.finish()),
                Arc::new(capacity.finish()),
                Arc::new(updated_date.finish()),
            ],
        )
    }
}
