//! Air quality by station and hour, hour by hour over the year 2025.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::calendar::{self, MICROS, hourly, yearly};
use crate::city::{City, DISTRICTS, Defects, Scale};
use crate::distribution::Curve;
use crate::division::streets;
use crate::organization::ECOLOGY;
use crate::random::{Draw, Stream};
use crate::spec::{ColumnSpec, Level, TableSpec, text};
use crate::table::{Rows, Table};
use crate::text_buffer::TextBuffer;

/// Stations at scale 1 and below.
const STATIONS: u64 = 48;

/// Hours of the year.
const HOURS: u64 = 8_760;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = STATIONS * HOURS;

/// Names of the pollutants as bulletins give them (HJ 633-2012).
pub const POLLUTANTS: [&str; 6] = [
    "细颗粒物(PM2.5)",
    "可吸入颗粒物(PM10)",
    "二氧化硫",
    "二氧化氮",
    "臭氧",
    "一氧化碳",
];

/// Particles over the year: most in winter.
const PARTICLE_SEASON: Curve = Curve(&[
    (0.0, 1.7),
    (0.15, 1.4),
    (0.3, 0.9),
    (0.5, 0.6),
    (0.65, 0.6),
    (0.8, 1.0),
    (1.0, 1.75),
]);

/// Ozone over the year: most in early summer and early autumn.
const OZONE_SEASON: Curve = Curve(&[
    (0.0, 0.5),
    (0.2, 0.8),
    (0.4, 1.45),
    (0.5, 1.15),
    (0.6, 1.25),
    (0.72, 1.35),
    (0.85, 0.75),
    (1.0, 0.5),
]);

/// Particles and gases of traffic over the day.
const TRAFFIC_DAY: [f64; 24] = [
    1.0, 0.95, 0.9, 0.88, 0.87, 0.9, 1.0, 1.15, 1.25, 1.2, 1.08, 0.98, 0.92, 0.88, 0.85, 0.85, 0.9, 1.0,
    1.14, 1.22, 1.2, 1.15, 1.1, 1.05,
];

/// Ozone over the day: made by sunlight.
const OZONE_DAY: [f64; 24] = [
    0.5, 0.45, 0.42, 0.4, 0.38, 0.36, 0.35, 0.4, 0.55, 0.75, 1.0, 1.25, 1.45, 1.58, 1.62, 1.58, 1.45, 1.25,
    1.0, 0.85, 0.72, 0.65, 0.6, 0.55,
];

/// What is declared of air quality.
pub(crate) fn spec() -> TableSpec {
    let columns = vec![
        ColumnSpec::utf8(
            "station_id",
            text("站点编号", "Station"),
            text(
                "监测站点编号，保留前导零",
                "Number of the station, leading zeros kept",
            ),
        ),
        ColumnSpec::utf8(
            "station_name",
            text("站点名称", "Station name"),
            text("监测站点名称", "Name of the station"),
        ),
        ColumnSpec::utf8(
            "district_code",
            text("区县代码", "District code"),
            text("所在区县的 6 位区划代码", "Six-digit code of its district"),
        ),
        ColumnSpec::time(
            "observed_at",
            text("监测时间", "Observed at"),
            text("监测小时的起点，北京时间", "Start of the hour, China time"),
        ),
        ColumnSpec::integer(
            "pm25",
            text("PM2.5", "PM2.5"),
            text("PM2.5 小时浓度，μg/m³", "PM2.5, hourly, in ug/m3"),
        ),
        ColumnSpec::integer(
            "pm10",
            text("PM10", "PM10"),
            text("PM10 小时浓度，μg/m³", "PM10, hourly, in ug/m3"),
        ),
        ColumnSpec::integer(
            "so2",
            text("二氧化硫", "SO2"),
            text("SO₂ 小时浓度，μg/m³", "SO2, hourly, in ug/m3"),
        ),
        ColumnSpec::integer(
            "no2",
            text("二氧化氮", "NO2"),
            text("NO₂ 小时浓度，μg/m³", "NO2, hourly, in ug/m3"),
        ),
        ColumnSpec::integer(
            "o3",
            text("臭氧", "O3"),
            text("O₃ 小时浓度，μg/m³", "O3, hourly, in ug/m3"),
        ),
        ColumnSpec::number(
            "co",
            text("一氧化碳", "CO"),
            text("CO 小时浓度，mg/m³", "CO, hourly, in mg/m3"),
        ),
        ColumnSpec::integer(
            "aqi",
            text("空气质量指数", "AQI"),
            text(
                "空气质量指数（HJ 633），0 至 500",
                "Air quality index (HJ 633), 0 to 500",
            ),
        )
        .within(0.0, 500.0),
        ColumnSpec::utf8(
            "dominant_pollutant",
            text("首要污染物", "Dominant pollutant"),
            text(
                "AQI 大于 50 时的首要污染物，否则为空",
                "Dominant pollutant when the AQI is over 50, else none",
            ),
        )
        .among(&POLLUTANTS),
    ];
    TableSpec {
        slug: Table::AirQuality.slug(),
        title: text("空气质量逐小时监测", "Hourly air quality"),
        summary: text(
            "云州市各监测站点 2025 年逐小时六项污染物浓度、空气质量指数和首要污染物。",
            "Six pollutants, the air quality index and the dominant pollutant at Yunzhou's stations, every hour of \
             2025.",
        ),
        keywords: &[
            "空气质量",
            "PM2.5",
            "臭氧",
            "环境监测",
            "air quality",
            "AQI",
            "ozone",
            "pollution",
        ],
        theme: "environment",
        level: Level::L1,
        special: false,
        department: ECOLOGY,
        update_cycle: "daily",
        license: "cc-by-4.0",
        conditions: None,
        columns,
        unit: None,
    }
}

/// Stations and hours at a scale: more stations above 1, fewer hours below.
fn shape(scale: Scale) -> (u64, u64) {
    (scale.of(STATIONS).max(STATIONS), scale.of(HOURS).clamp(24, HOURS))
}

/// Rows at a scale.
pub(crate) fn rows(scale: Scale) -> u64 {
    let (stations, hours) = shape(scale);
    stations * hours
}

struct Station {
    id: String,
    name: String,
    district: usize,
    /// Particles, gases of traffic and ozone there, relative to the city.
    local: [f64; 3],
}

pub(crate) struct AirRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    hours: u64,
    stations: Vec<Station>,
}

impl AirRows {
    pub(crate) fn new(city: &City) -> Self {
        let (stations, hours) = shape(city.scale);
        let streets = streets(city.seed);
        let station = |number: u64| {
            let mut draw = Draw::new(city.seed, Stream::Station, number);
            // The first stations go to the 16 districts in turn, so that every district has some.
            let own: Vec<_> = streets
                .iter()
                .filter(|s| s.district as u64 == number % 16)
                .collect();
            let street = own[(number / 16) as usize % own.len()];
            let mut name = TextBuffer::new();
            name.push(&street.short);
            name.push(["中学", "公园", "监测站", "广场"][draw.below(4) as usize]);
            if number / 16 >= own.len() as u64 {
                name.push_digits(number / 16 / own.len() as u64 + 1, 2);
                name.push("号");
            }
            let rural = street.district as f64 / 16.0;
            Station {
                id: format!("{:04}A", number + 1),
                name: name.as_str().to_owned(),
                district: street.district,
                local: [
                    0.85 + 0.3 * draw.unit() - 0.15 * rural,
                    1.2 - 0.6 * rural + 0.2 * draw.unit(),
                    0.85 + 0.2 * rural + 0.1 * draw.unit(),
                ],
            }
        };
        Self {
            schema: Table::AirQuality.schema(),
            seed: city.seed,
            defects: city.defects,
            hours,
            stations: (0..stations).map(station).collect(),
        }
    }
}

/// Noise in [0, 1) that changes smoothly: random values at whole numbers, a cubic ease in between.
fn smooth(seed: u64, stream: Stream, entity: u64, at: f64) -> f64 {
    let whole = at as u64;
    let part = at - whole as f64;
    let value = |n: u64| Draw::new(seed, stream, (entity << 24) | n).unit();
    let (a, b) = (value(whole), value(whole + 1));
    a + (b - a) * part * part * (3.0 - 2.0 * part)
}

/// Individual index by (concentration, index) breakpoints, rounded up (HJ 633-2012, formula 1 and table 1).
fn individual_index(breakpoints: &[(f64, f64)], concentration: f64) -> i64 {
    for pair in breakpoints.windows(2) {
        let ((low, index_low), (high, index_high)) = (pair[0], pair[1]);
        if concentration <= high {
            return (index_low + (index_high - index_low) * (concentration - low) / (high - low)).ceil()
                as i64;
        }
    }
    500
}

/// Breakpoints of HJ 633-2012, table 1: 24-hour means for particles (which the hourly report uses too), 1-hour means
/// for gases; in the order of [`POLLUTANTS`].
#[rustfmt::skip] // a line a pollutant
const BREAKPOINTS: [&[(f64, f64)]; 6] = [
    &[(0.0, 0.0), (35.0, 50.0), (75.0, 100.0), (115.0, 150.0), (150.0, 200.0), (250.0, 300.0), (350.0, 400.0), (500.0, 500.0)],
    &[(0.0, 0.0), (50.0, 50.0), (150.0, 100.0), (250.0, 150.0), (350.0, 200.0), (420.0, 300.0), (500.0, 400.0), (600.0, 500.0)],
    &[(0.0, 0.0), (150.0, 50.0), (500.0, 100.0), (650.0, 150.0), (800.0, 200.0)],
    &[(0.0, 0.0), (100.0, 50.0), (200.0, 100.0), (700.0, 150.0), (1_200.0, 200.0), (2_340.0, 300.0), (3_090.0, 400.0), (3_840.0, 500.0)],
    &[(0.0, 0.0), (160.0, 50.0), (200.0, 100.0), (300.0, 150.0), (400.0, 200.0), (800.0, 300.0), (1_000.0, 400.0), (1_200.0, 500.0)],
    &[(0.0, 0.0), (5.0, 50.0), (10.0, 100.0), (35.0, 150.0), (60.0, 200.0), (90.0, 300.0), (120.0, 400.0), (150.0, 500.0)],
];

/// The weather of an hour over the whole city.
struct Hour {
    observed_at: i64,
    still_air: f64,
    sunshine: f64,
    dust: f64,
    particles: f64,
    traffic: f64,
    ozone: f64,
}

impl AirRows {
    fn hour(&self, hour: u64) -> Hour {
        let (day, of_day) = ((hour / 24) as u32, hour % 24);
        let at = hour as f64;
        // Sand comes from the north for a day or so, in March and April.
        let storm = smooth(self.seed, Stream::AirDust, 0, at / 30.0);
        let dust = if (59..120).contains(&day) && storm > 0.9 {
            1.0 + 40.0 * (storm - 0.9)
        } else {
            1.0
        };
        Hour {
            observed_at: calendar::midnight(day) + of_day as i64 * 3_600 * MICROS,
            still_air: smooth(self.seed, Stream::AirCity, 0, at / 40.0),
            sunshine: smooth(self.seed, Stream::AirCity, 1, at / 30.0),
            dust,
            particles: yearly(&PARTICLE_SEASON, day),
            traffic: hourly(&TRAFFIC_DAY, of_day as f64),
            ozone: yearly(&OZONE_SEASON, day) * hourly(&OZONE_DAY, of_day as f64),
        }
    }
}

impl Rows for AirRows {
    fn row_count(&self) -> u64 {
        self.stations.len() as u64 * self.hours
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let (mut station_id, mut station_name, mut district_code) = (text(5), text(14), text(6));
        let mut observed_at = TimestampMicrosecondBuilder::with_capacity(n);
        let integers = || Int64Builder::with_capacity(n);
        let mut micrograms = [integers(), integers(), integers(), integers(), integers()];
        let mut co = Float64Builder::with_capacity(n);
        let mut aqi = integers();
        let mut dominant = text(12);
        let misses = self.defects.missing_values;
        let count = self.stations.len() as u64;
        let mut now = (rows.start / count, self.hour(rows.start / count));
        for row in rows {
            let (hour, at) = (row / count, row % count);
            if now.0 != hour {
                now = (hour, self.hour(hour));
            }
            let weather = &now.1;
            let station = &self.stations[at as usize];
            let mut draw = Draw::new(self.seed, Stream::Air, row);
            station_id.append_value(&station.id);
            station_name.append_value(&station.name);
            district_code.append_value(DISTRICTS[station.district].code);
            observed_at.append_value(weather.observed_at);

            let local = smooth(self.seed, Stream::AirStation, at, hour as f64 / 9.0);
            let stale = 0.62 * weather.still_air + 0.26 * local + 0.12 * draw.unit();
            let [dusty, busy, ozonic] = station.local;
            let particles = weather.particles * dusty * weather.traffic;
            let pm25 = particles * (6.0 + 135.0 * stale * stale * stale);
            let pm10 = (pm25 * (1.25 + 0.6 * draw.unit()) + 6.0) * weather.dust;
            let so2 = 3.0 + 14.0 * stale * stale * dusty;
            let no2 = weather.particles * 0.7 * busy * weather.traffic * (10.0 + 62.0 * stale * stale);
            let o3 = weather.ozone * ozonic * (30.0 + 84.0 * weather.sunshine + 16.0 * draw.unit());
            let carbon = (0.2 + 1.5 * stale * stale * busy) * weather.traffic;
            let mut values = [pm25, pm10, so2, no2, o3].map(|value| value as i64);
            if draw.one_of_million(self.defects.absurd_rows) {
                // A stuck instrument.
                values[draw.below(5) as usize] = 9_999;
            }
            let carbon = (carbon * 10.0).floor() / 10.0;

            // A station goes silent for six hours; an instrument for one.
            let block =
                Draw::new(self.seed, Stream::AirOutage, (at << 24) | (hour / 6)).one_of_million(misses);
            let mut worst: Option<(i64, usize)> = None;
            for (index, builder) in micrograms.iter_mut().enumerate() {
                let known = !block && !draw.one_of_million(2 * misses);
                builder.append_option(known.then_some(values[index]));
                if known && values[index] < 9_999 {
                    let score = individual_index(BREAKPOINTS[index], values[index] as f64);
                    if worst.is_none_or(|(most, _)| score > most) {
                        worst = Some((score, index));
                    }
                }
            }
            let known = !block && !draw.one_of_million(2 * misses);
            co.append_option(known.then_some(carbon));
            if known && worst.is_none_or(|(most, _)| individual_index(BREAKPOINTS[5], carbon) > most) {
                worst = Some((individual_index(BREAKPOINTS[5], carbon), 5));
            }
            aqi.append_option(worst.map(|(most, _)| most));
            dominant.append_option(
                worst
                    .filter(|(most, _)| *most > 50)
                    .map(|(_, index)| POLLUTANTS[index]),
            );
        }
        let [mut pm25, mut pm10, mut so2, mut no2, mut o3] = micrograms;
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(station_id.finish()),
                Arc::new(station_name.finish()),
                Arc::new(district_code.finish()),
                Arc::new(observed_at.finish()),
                Arc::new(pm25.finish()),
                Arc::new(pm10.finish()),
                Arc::new(so2.finish()),
                Arc::new(no2.finish()),
                Arc::new(o3.finish()),
                Arc::new(co.finish()),
                Arc::new(aqi.finish()),
                Arc::new(dominant.finish()),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_the_standard() {
        // Breakpoints of table 1, and one value in between worked out by hand: 150 + 50 × (130 − 115)/35 = 171.4…
        for (pollutant, concentration, index) in [
            (0, 35.0, 50),
            (0, 75.0, 100),
            (0, 130.0, 172),
            (0, 999.0, 500),
            (1, 150.0, 100),
            (3, 200.0, 100),
            (4, 300.0, 150),
            (5, 5.0, 50),
        ] {
            assert_eq!(individual_index(BREAKPOINTS[pollutant], concentration), index);
        }
    }

    #[test]
    fn smooth_noise_is_continuous() {
        let at = |t: f64| smooth(1, Stream::AirCity, 0, t);
        for i in 0..1_000 {
            let t = f64::from(i) / 50.0;
            assert!((at(t) - at(t + 0.02)).abs() < 0.04);
        }
    }
}
