//! Tests of the whole way from SQL to exact totals, on small Parquet parts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod fixture;
mod function;
mod incident;
mod refusal;
mod sensitivity;
mod total;
