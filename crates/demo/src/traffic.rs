//! Traffic index by road section and quarter of an hour, over four weeks of March 2025.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::calendar::{self, MICROS, hourly};
use crate::city::{City, DISTRICTS, Defects, Scale, district_weights};
use crate::distribution::Weighted;
use crate::organization::TRANSPORT;
use crate::place::{PLACE_NAMES, place_name};
use crate::random::{Draw, Stream};
use crate::spec::{ColumnSpec, Level, TableSpec, text};
use crate::table::{Rows, Table};

/// Sections at scale 1.
const SECTIONS: u64 = 200;

/// Quarters of an hour in four weeks.
const SLOTS: u64 = 28 * 96;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = SECTIONS * SLOTS;

/// Monday, 3 March 2025, as a day of the year from 0.
const FIRST_DAY: u32 = 61;

/// States of traffic, from an index of 0, 4, 6 and 8 on.
pub const STATES: [&str; 4] = ["畅通", "缓行", "拥堵", "严重拥堵"];

/// Congestion by hour of a working day.
const WORKDAY: [f64; 24] = [
    0.05, 0.03, 0.02, 0.02, 0.03, 0.08, 0.3, 0.85, 1.0, 0.7, 0.48, 0.45, 0.42, 0.4, 0.45, 0.5, 0.62, 0.95,
    1.05, 0.72, 0.45, 0.3, 0.18, 0.1,
];

/// Congestion by hour of a day off.
const DAY_OFF: [f64; 24] = [
    0.08, 0.05, 0.03, 0.02, 0.02, 0.04, 0.08, 0.15, 0.25, 0.38, 0.5, 0.52, 0.45, 0.45, 0.5, 0.55, 0.6, 0.62,
    0.6, 0.5, 0.42, 0.32, 0.22, 0.14,
];

/// Kinds of roads, with the speed in km/h when nobody else is there.
const KINDS: [(&str, f64); 4] = [("路", 50.0), ("大道", 62.0), ("街", 40.0), ("快速路", 82.0)];

/// What is declared of the traffic index.
pub(crate) fn spec() -> TableSpec {
    let columns = vec![
        ColumnSpec::utf8(
            "section_id",
            text("路段编号", "Section"),
            text(
                "路段编号，保留前导零",
                "Number of the road section, leading zeros kept",
            ),
        ),
        ColumnSpec::utf8(
            "section_name",
            text("路段名称", "Section name"),
            text(
                "道路及起止路口",
                "Road, and the crossings where the section begins and ends",
            ),
        ),
        ColumnSpec::utf8(
            "district_code",
            text("区县代码", "District code"),
            text("所在区县的 6 位区划代码", "Six-digit code of its district"),
        ),
        ColumnSpec::time(
            "observed_at",
            text("时间", "Time"),
            text(
                "一刻钟的起点，北京时间",
                "Start of the quarter of an hour, China time",
            ),
        ),
        ColumnSpec::number(
            "traffic_index",
            text("交通指数", "Traffic index"),
            text(
                "交通指数，0（畅通）至 10（严重拥堵）",
                "Traffic index from 0 (free) to 10 (jammed)",
            ),
        )
        .within(0.0, 10.0),
        ColumnSpec::number(
            "mean_speed_kmh",
            text("平均车速", "Mean speed"),
            text("平均车速，千米/小时", "Mean speed in km/h"),
        )
        .within(0.0, 150.0),
        ColumnSpec::utf8(
            "status",
            text("路况", "State"),
            text(
                "指数 4 以下畅通，6 以下缓行，8 以下拥堵，8 及以上严重拥堵",
                "Free below 4, slow below 6, jammed below 8, then heavily jammed",
            ),
        )
        .among(&STATES),
    ];
    TableSpec {
        slug: Table::TrafficIndex.slug(),
        title: text("道路交通指数", "Traffic index by road section"),
        summary: text(
            "云州市主要路段每 15 分钟的交通指数、平均车速和路况，2025 年 3 月 3 日至 30 日。",
            "Traffic index, mean speed and state of Yunzhou's main road sections every 15 minutes, 3 to 30 March \
             2025.",
        ),
        keywords: &[
            "交通指数",
            "拥堵",
            "路况",
            "车速",
            "traffic",
            "congestion",
            "speed",
            "roads",
        ],
        theme: "transport",
        level: Level::L1,
        special: false,
        department: TRANSPORT,
        update_cycle: "realtime",
        license: "cc-by-4.0",
        conditions: None,
        columns,
        unit: None,
    }
}

/// Sections and quarters of an hour at a scale: more sections above 1, fewer of both below.
fn shape(scale: Scale) -> (u64, u64) {
    let sections = scale.of(SECTIONS).max(32);
    let slots = if sections > 32 {
        SLOTS
    } else {
        (scale.of(BASE_ROWS) / sections).clamp(96, SLOTS)
    };
    (sections, slots)
}

/// Rows at a scale.
pub(crate) fn rows(scale: Scale) -> u64 {
    let (sections, slots) = shape(scale);
    sections * slots
}

struct Section {
    id: String,
    name: String,
    district: usize,
    /// The index at night, and what the worst hour adds.
    base: f64,
    rush: f64,
    free_speed: f64,
}

pub(crate) struct TrafficRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    slots: u64,
    sections: Vec<Section>,
}

/// The `number`-th road of the city, with its free speed.
fn road(seed: u64, number: u64) -> (String, f64) {
    let (kind, speed) = KINDS[((number / PLACE_NAMES) * 3 + number * 7 / 5) as usize % KINDS.len()];
    (format!("{}{kind}", place_name(seed, number).zh), speed)
}

impl TrafficRows {
    pub(crate) fn new(city: &City) -> Self {
        let (sections, slots) = shape(city.scale);
        let districts = Weighted::new(&district_weights());
        let section = |number: u64| {
            let mut draw = Draw::new(city.seed, Stream::Section, number);
            let (own, along) = (number / 4, number % 4);
            let (name, free_speed) = road(city.seed, own);
            // Crossing roads follow each other along the road, so that its sections join up.
            let cross = |n: u64| road(city.seed, own * 5 + n + 17).0;
            let district = districts.sample(&mut draw);
            let heart = 1.0 - district as f64 / 20.0;
            Section {
                id: format!("{:06}", number + 1),
                name: format!("{name}（{}—{}）", cross(along), cross(along + 1)),
                district,
                base: 0.4 + 1.6 * draw.unit(),
                rush: heart * (1.5 + 6.5 * draw.unit()),
                free_speed: free_speed * (0.9 + 0.2 * draw.unit()),
            }
        };
        Self {
            schema: Table::TrafficIndex.schema(),
            seed: city.seed,
            defects: city.defects,
            slots,
            sections: (0..sections).map(section).collect(),
        }
    }
}

/// Rounded to one decimal.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The state at an index.
fn state(index: f64) -> &'static str {
    STATES[[4.0, 6.0, 8.0].iter().filter(|limit| index >= **limit).count()]
}

impl Rows for TrafficRows {
    fn row_count(&self) -> u64 {
        self.sections.len() as u64 * self.slots
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let (mut section_id, mut section_name, mut district_code) = (text(6), text(40), text(6));
        let mut observed_at = TimestampMicrosecondBuilder::with_capacity(n);
        let mut traffic_index = Float64Builder::with_capacity(n);
        let mut mean_speed_kmh = Float64Builder::with_capacity(n);
        let mut status = text(9);
        let misses = self.defects.missing_values;
        let count = self.sections.len() as u64;
        for row in rows {
            let (slot, at) = (row / count, row % count);
            let section = &self.sections[at as usize];
            let (day, quarter) = (FIRST_DAY + (slot / 96) as u32, slot % 96);
            let mut draw = Draw::new(self.seed, Stream::Traffic, row);
            section_id.append_value(&section.id);
            section_name.append_value(&section.name);
            district_code.append_value(DISTRICTS[section.district].code);
            observed_at.append_value(calendar::midnight(day) + quarter as i64 * 900 * MICROS);

            let profile = if calendar::is_day_off(day) {
                &DAY_OFF
            } else {
                &WORKDAY
            };
            // Every section has better and worse days.
            let mut of_day = Draw::new(self.seed, Stream::TrafficDay, (at << 16) | u64::from(day));
            let mood = 0.75 + 0.5 * of_day.unit();
            let jam = section.rush * mood * hourly(profile, quarter as f64 / 4.0);
            let index = tenths((section.base + jam + 0.8 * draw.unit() - 0.4).clamp(0.0, 10.0));
            let mut speed = tenths(section.free_speed * (1.0 - 0.078 * index) * (0.95 + 0.1 * draw.unit()));
            if draw.one_of_million(self.defects.absurd_rows) {
                speed = 999.9;
            }
            let silent = draw.one_of_million(misses);
            traffic_index.append_option((!silent).then_some(index));
            mean_speed_kmh.append_option((!silent && !draw.one_of_million(2 * misses)).then_some(speed));
            status.append_option((!silent).then(|| state(index)));
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(section_id.finish()),
                Arc::new(section_name.finish()),
                Arc::new(district_code.finish()),
                Arc::new(observed_at.finish()),
                Arc::new(traffic_index.finish()),
                Arc::new(mean_speed_kmh.finish()),
                Arc::new(status.finish()),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_the_index() {
        let states = [0.0, 3.9, 4.0, 5.9, 6.0, 8.0, 10.0].map(state);
        assert_eq!(
            states,
            ["畅通", "畅通", "缓行", "缓行", "拥堵", "严重拥堵", "严重拥堵"]
        );
    }

    #[test]
    fn sections_are_named_like_roads() {
        let rows = TrafficRows::new(&City::new(1, Scale::DEMO));
        assert_eq!(rows.row_count(), BASE_ROWS);
        for section in &rows.sections {
            assert!(
                (9..=22).contains(&section.name.chars().count()),
                "{}",
                section.name
            );
        }
        let roads: std::collections::HashSet<_> = rows.sections.iter().map(|s| &s.name).collect();
        assert_eq!(roads.len(), rows.sections.len());
    }
}
