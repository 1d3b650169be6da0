//! The tables of the city, and the stream of their rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::city::{City, Scale};
use crate::spec::TableSpec;
use crate::{air, division, parking, tax, traffic, trip, visit};

/// A table of the city.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Bike-share trips (L3, persons).
    BikeShareTrips,
    /// Outpatient visits (L3 special, persons).
    OutpatientVisits,
    /// Quarterly tax of enterprises (L3, enterprises).
    EnterpriseTax,
    /// Administrative divisions (open).
    AdministrativeDivisions,
    /// Air quality by station and hour (open).
    AirQuality,
    /// Traffic index by road section (open).
    TrafficIndex,
    /// Bike parking places (open).
    BikeParking,
}

impl Table {
    /// All tables: the protected ones first.
    pub const ALL: [Self; 7] = [
        Self::BikeShareTrips,
        Self::OutpatientVisits,
        Self::EnterpriseTax,
        Self::AdministrativeDivisions,
        Self::AirQuality,
        Self::TrafficIndex,
        Self::BikeParking,
    ];

    /// Its address.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::BikeShareTrips => "bike-share-trips",
            Self::OutpatientVisits => "outpatient-visits",
            Self::EnterpriseTax => "enterprise-tax",
            Self::AdministrativeDivisions => "administrative-divisions",
            Self::AirQuality => "air-quality",
            Self::TrafficIndex => "traffic-index",
            Self::BikeParking => "bike-parking",
        }
    }

    /// The table of an address.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.slug() == slug)
    }

    /// Its name in SQL: the slug with `_` for `-`.
    pub const fn sql_name(self) -> &'static str {
        match self {
            Self::BikeShareTrips => "bike_share_trips",
            Self::OutpatientVisits => "outpatient_visits",
            Self::EnterpriseTax => "enterprise_tax",
            Self::AdministrativeDivisions => "administrative_divisions",
            Self::AirQuality => "air_quality",
            Self::TrafficIndex => "traffic_index",
            Self::BikeParking => "bike_parking",
        }
    }

    /// Whether it is protected (L3).
    pub const fn is_protected(self) -> bool {
        matches!(
            self,
            Self::BikeShareTrips | Self::OutpatientVisits | Self::EnterpriseTax
        )
    }

    /// What is declared of it at a scale.
    pub fn spec(self, scale: Scale) -> TableSpec {
        match self {
            Self::BikeShareTrips => trip::spec(scale),
            Self::OutpatientVisits => visit::spec(scale),
            Self::EnterpriseTax => tax::spec(scale),
            Self::AdministrativeDivisions => division::spec(),
            Self::AirQuality => air::spec(),
            Self::TrafficIndex => traffic::spec(),
            Self::BikeParking => parking::spec(),
        }
    }

    /// Its Arrow schema, at any scale.
    pub fn schema(self) -> SchemaRef {
        Arc::new(self.spec(Scale::DEMO).arrow_schema())
    }

    /// Rows at scale 1.
    pub const fn base_rows(self) -> u64 {
        match self {
            Self::BikeShareTrips => trip::BASE_ROWS,
            Self::OutpatientVisits => visit::BASE_ROWS,
            Self::EnterpriseTax => tax::BASE_ROWS,
            Self::AdministrativeDivisions => division::ROWS,
            Self::AirQuality => air::BASE_ROWS,
            Self::TrafficIndex => traffic::BASE_ROWS,
            Self::BikeParking => parking::BASE_ROWS,
        }
    }

    /// Rows at a scale.
    pub fn rows(self, scale: Scale) -> u64 {
        match self {
            Self::BikeShareTrips => trip::rows(scale),
            Self::OutpatientVisits => visit::rows(scale),
            Self::EnterpriseTax => tax::rows(scale),
            Self::AdministrativeDivisions => division::ROWS,
            Self::AirQuality => air::rows(scale),
            Self::TrafficIndex => traffic::rows(scale),
            Self::BikeParking => parking::rows(scale),
        }
    }

    pub(crate) fn generator(self, city: &City) -> Box<dyn Rows> {
        match self {
            Self::BikeShareTrips => Box::new(trip::TripRows::new(city)),
            Self::OutpatientVisits => Box::new(visit::VisitRows::new(city)),
            Self::EnterpriseTax => Box::new(tax::TaxRows::new(city)),
            Self::AdministrativeDivisions => Box::new(division::DivisionRows::new(city)),
            Self::AirQuality => Box::new(air::AirRows::new(city)),
            Self::TrafficIndex => Box::new(traffic::TrafficRows::new(city)),
            Self::BikeParking => Box::new(parking::ParkingRows::new(city)),
        }
    }
}

/// Makes the rows of one table, any range of them at any time.
pub(crate) trait Rows: Send + Sync {
    /// How many rows there are.
    fn row_count(&self) -> u64;
    /// The rows of a range that lies within them.
    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError>;
}

/// A stream of record batches.
pub struct Batches {
    generator: Box<dyn Rows>,
    left: Range<u64>,
    batch_rows: u64,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("left", &self.left)
            .field("batch_rows", &self.batch_rows)
            .finish()
    }
}

impl Batches {
    pub(crate) fn new(generator: Box<dyn Rows>, range: Range<u64>, batch_rows: usize) -> Self {
        let end = range.end.min(generator.row_count());
        Self {
            generator,
            left: range.start.min(end)..end,
            batch_rows: batch_rows.max(1) as u64,
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let end = self.left.end.min(self.left.start + self.batch_rows);
        let batch = self.generator.batch(self.left.start..end);
        self.left.start = end;
        Some(batch)
    }
}
