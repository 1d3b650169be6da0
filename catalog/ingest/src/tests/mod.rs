//! Files good and bad through the whole of ingest, on a throw-away disk.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bad_input;
mod crash;
mod open;
mod protected;
mod round_trip;
mod sealed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use model::{DeclaredMetadata, Level, Timestamp, VersionId};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::encryption::decrypt::FileDecryptionProperties;
use seal::DataKey;
use storage::{DistributionFormat, OpenStore, QuarantineStore, SandboxStore};
use tempfile::TempDir;

use crate::*;

/// The three zones on a throw-away disk.
struct House {
    root: TempDir,
    open: OpenStore,
    sandbox: SandboxStore,
    quarantine: QuarantineStore,
    secret: UnitSecret,
    key: DataKey,
}

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self::at(root)
    }

    fn at(root: TempDir) -> Self {
        Self {
            open: OpenStore::open(root.path(), 0).unwrap(),
            sandbox: SandboxStore::open(root.path(), 0).unwrap(),
            quarantine: QuarantineStore::open(root.path(), 0).unwrap(),
            secret: UnitSecret::new([42; 32]),
            key: DataKey::from_bytes([7; 32]),
            root,
        }
    }

    fn file(&self, data: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join("upload");
        std::fs::write(&path, data).unwrap();
        path
    }

    fn open_plan(&self) -> IngestPlan {
        IngestPlan {
            version: VersionId::at(Timestamp::from_micros(1_800_000_000_000_000)),
            level: Level::L1,
            options: IngestOptions::default(),
            declared: None,
            formats: Vec::new(),
            row_group_rows: ROW_GROUP_ROWS,
            limits: DetectLimits::default(),
        }
    }

    fn protected_plan(&self, declared: DeclaredMetadata) -> IngestPlan {
        IngestPlan {
            level: Level::L3,
            declared: Some(declared),
            ..self.open_plan()
        }
    }

    fn run(&self, source: impl Into<Source>, plan: &IngestPlan) -> Result<Outcome, IngestError> {
        let destination = if plan.level.is_open() {
            Destination::Open(&self.open)
        } else {
            Destination::Sandbox {
                store: &self.sandbox,
                quarantine: &self.quarantine,
                secret: &self.secret,
                key: &self.key,
            }
        };
        ingest(
            source,
            plan,
            destination,
            &Watch::new(&|_| (), &AtomicBool::new(false)),
        )
    }

    fn ingest(&self, data: impl AsRef<[u8]>) -> Result<Outcome, IngestError> {
        self.run(&self.file(data), &self.open_plan())
    }

    /// The parts of a version, each as one batch.
    fn parts(&self, outcome: &Outcome) -> Vec<RecordBatch> {
        let manifest = &outcome.manifest;
        (0..manifest.parts.len())
            .map(|at| {
                let options = ArrowReaderOptions::new();
                if manifest.clustered {
                    let path = self.part_path(outcome, at);
                    read_parquet(
                        &path,
                        options.with_file_decryption_properties(self.decryption(outcome, at)),
                    )
                } else {
                    let name = &manifest.parts[at].name;
                    let path = self.open.local_path(manifest.version, name).unwrap();
                    read_parquet(&path, options)
                }
            })
            .collect()
    }

    /// The file of a part of a protected copy.
    fn part_path(&self, outcome: &Outcome, at: usize) -> PathBuf {
        let manifest = &outcome.manifest;
        let name = &manifest.parts[at].name;
        self.sandbox.local_path(manifest.version, name).unwrap()
    }

    /// What opens it.
    fn decryption(&self, outcome: &Outcome, at: usize) -> Arc<FileDecryptionProperties> {
        let identity = seal::part_identity(outcome.manifest.version, u32::try_from(at).unwrap());
        FileDecryptionProperties::builder(self.key.expose().to_vec())
            .with_aad_prefix(identity)
            .build()
            .unwrap()
    }

    /// Takes a file in as the portal does: sealed in quarantine.
    fn upload(&self, data: impl AsRef<[u8]>) -> storage::Original {
        let mut spool = self.quarantine.spool(u64::MAX).unwrap();
        spool.append(data.as_ref()).unwrap();
        let version = self.open_plan().version;
        let upload = spool.keep(version).unwrap();
        self.quarantine.find_original(version, upload.key).unwrap()
    }

    /// The text of the first column-major cells: for comparing small tables.
    fn table(&self, outcome: &Outcome) -> Vec<Vec<String>> {
        let batch = &self.parts(outcome)[0];
        let cell = |column: usize, row: usize| {
            arrow::util::display::array_value_to_string(batch.column(column), row).unwrap()
        };
        (0..batch.num_rows())
            .map(|row| (0..batch.num_columns()).map(|column| cell(column, row)).collect())
            .collect()
    }

    /// Every file under the data folder but the upload.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name() != "upload" {
                    found.push(entry.path());
                }
            }
        }
        found
    }
}

fn read_parquet(path: &Path, options: ArrowReaderOptions) -> RecordBatch {
    let file = std::fs::File::open(path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn declared(json: serde_json::Value) -> DeclaredMetadata {
    serde_json::from_value(json).unwrap()
}

fn types(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome
        .detection
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.field_type.as_str()))
        .collect()
}

/// An ID number with a valid date and check digit, of a region assigned to nobody.
fn id_number(person: usize) -> String {
    let (day, rest) = (person % 28 + 1, person / 28);
    let (month, rest) = (rest % 12 + 1, rest / 12);
    let digits = format!(
        "990101{}{month:02}{day:02}{:03}",
        1950 + rest / 1_000,
        rest % 1_000
    );
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{digits}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}

const ALL_FORMATS: [DistributionFormat; 5] = DistributionFormat::ALL;
