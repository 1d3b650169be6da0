//! Dummy tables: rows to develop queries against, before and without any access (privacy.md "Declared metadata").
//!
//! What goes in is [`model::DeclaredMetadata`], a seed and a number of rows; the signature of [`DummyTable::generate`] is
//! the proof that nothing of the data comes out. The same three give the same bytes, on every machine.
//!
//! The table has the columns that a private query can name, in the declared order: direct identifiers are not in the
//! sandbox, so they are not here. Numbers lie within their bounds and reach both ends, every value of a domain appears
//! (as far as there are rows for them), values are missing here and there, fields that are the same for a unit are, and no
//! unit has more rows than declared. Between columns there is no relation: nobody has declared one.
//!
//! Unit keys begin with [`KEY_PREFIX`], and every row carries [`MARK`] in a column of its own, so that no row can be taken
//! for a real one, wherever it is pasted.

mod column;
mod random;
mod table;
mod unit;
mod write;

pub use column::KEY_PREFIX;
pub use table::{DEFAULT_ROWS, DEFAULT_SEED, DummyError, DummyTable, MARK, MARK_COLUMN, MAX_BYTES, MAX_ROWS};
