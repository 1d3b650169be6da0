//! `shapan job …`: for analysts, on their own machines.

pub(crate) mod attempt;
mod declaration;
mod open_data;
mod rows;
mod shown;
