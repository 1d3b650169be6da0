//! From a bureau's file to a published version.
//!
//! [`glance`] looks at an upload's beginning, for its officer to correct. Then there are two passes over it, both with
//! bounded memory: [`detect`] finds encoding, dialect, and the types of columns
//! over all rows; [`ingest`] then converts, profiles and writes. Open data keeps its order and gets a file per download
//! format. Protected data loses its identifiers, is capped and clustered by unit, and gets none.
//!
//! Objects become visible only after everything is written and synced; what makes a version current is the caller's
//! pointer in the database. No error, progress or panic carries a value of the data.
//!
//! Everything here blocks: asynchronous callers use a blocking thread.

mod batch;
mod cluster;
mod distribution;
mod error;
mod ingest;
mod input;
mod options;
mod parquet_input;
mod part;
mod profile;
mod progress;
mod record;
mod scan;
mod source;
mod survey;
#[cfg(test)]
mod tests;
mod unit;
mod value;

pub use cluster::UNIT_COLUMN;
pub use error::{Argument, Foreign, IngestError};
pub use ingest::{Destination, Dropped, IngestPlan, Outcome, detect, glance, ingest};
pub use input::Source;
pub use options::{DetectLimits, DetectedColumn, Detection, Encoding, Glance, IngestOptions, SourceFormat};
pub use part::ROW_GROUP_ROWS;
pub use profile::{Bin, ColumnProfile, Distinct, Profile, Scalar, TopValue};
pub use progress::{Phase, Progress, Watch};
pub use unit::UnitSecret;
