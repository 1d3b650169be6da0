//! Tests of the whole way from SQL to exact totals, on small Parquet parts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attack;
mod calendar;
mod counts;
mod distinct;
mod fixture;
mod function;
mod grouping;
mod incident;
mod join;
mod mutation;
mod open_key;
mod quantile;
mod random;
mod refusal;
mod sealed;
mod sensitivity;
mod slt;
mod subset;
mod total;
mod untold;
mod value;
mod world;
