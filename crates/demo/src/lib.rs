//! A believable city from a seed: the data of the demo, the benches and the tests.
//!
//! 云州市 (Yunzhou) has 16 districts and codes that GB/T 2260 assigns to nobody. [`City::new`] fixes a seed and a
//! [`Scale`]; [`City::batches`] streams any [`Table`] as Arrow record batches. Each row is a function of the seed,
//! the table and the row's number alone, so batch size, threads and machines change nothing: all randomness is
//! counter-based and all arithmetic is integer or plain IEEE 754 (no `exp`, `ln` or `pow`, whose last bits differ
//! between C libraries).
//!
//! [`Table::spec`] says what is declared of a table, and [`entry()`] says it in the portal's own types; [`write_csv`] and [`write_parquet`] make files of it;
//! [`queries`] holds the named benchmark queries.

pub mod air;
pub mod city;
pub mod division;
pub mod enterprise;
pub mod entry;
pub mod identity_number;
pub mod organization;
pub mod parking;
pub mod person;
pub mod queries;
pub mod spec;
pub mod table;
pub mod tax;
pub mod traffic;
pub mod trip;
pub mod visit;
pub mod write;

mod calendar;
#[cfg(test)]
mod city_tests;
mod distribution;
mod place;
mod random;
mod text_buffer;

pub use city::{City, Defects, Scale, ScaleError};
pub use entry::{Entry, EntryError, entry};
pub use organization::{ORGANIZATIONS, Organization, OrganizationKind};
pub use spec::{ColumnRole, ColumnSpec, Level, TableSpec, Text, UnitSpec, UnitType};
pub use table::{Batches, Table};
pub use write::{CsvEncoding, WriteError, Written, write_csv, write_parquet, write_parquet_into};
