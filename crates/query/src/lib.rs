//! Plain SQL over open data, under limits.
//!
//! This is the only crate that names the `datafusion` facade. It reads Parquet parts of *open* versions through the
//! object store it is given and can name nothing else: a session knows the tables of one request, the functions of
//! one list, and no catalogue, file format, table function or statement beyond `SELECT`.

mod answer;
mod engine;
mod error;
mod function;
mod guard;
mod name;
mod parse;
mod row;

pub use answer::{Answer, Column};
pub use engine::{Engine, Limits, OpenTable};
pub use error::{Construct, QueryError, Refused};
pub use row::{Order, RowQuery};
