//! What is measured on: files of the demo city, made once and kept, and a portal with data in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use catalog_ingest::{
    Destination, DetectLimits, IngestOptions, IngestPlan, Outcome, Progress, ROW_GROUP_ROWS, UnitSecret,
    Watch, ingest,
};
use db::allocation::{Cost, Lineage};
use db::dataset::Dataset;
use db::version::{Ready, Version};
use db::{Database, DatabaseConfig};
use demo::{City, CsvEncoding, Entry, Scale, Table, write_csv, write_parquet};
use model::{
    Clock as _, DatasetId, DatasetState, LineageId, OrganizationId, SystemClock, UserId, VersionId,
    VersionState,
};
use seal::DataKey;
use serde_json::{Value, json};
use storage::{DistributionFormat, Manifest, OpenStore, QuarantineStore, SandboxStore};

use crate::{Failure, process, say};

/// What the city's randomness comes from.
const SEED: u64 = 20_260_101;
/// The officer who made every entry of the measured portal.
const OFFICER: &str = "bench-officer";

/// Where generated data is kept between runs; a name says all that the content depends on.
#[derive(Debug, Clone)]
pub(crate) struct World {
    folder: PathBuf,
}

impl World {
    /// A world in a folder, which is made.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: std::path::absolute(folder)?,
        })
    }

    /// The city in which a table has this many rows.
    pub(crate) fn city(table: Table, rows: u64) -> Result<City, Failure> {
        Ok(City::new(SEED, Scale::of_rows(table, rows)?))
    }

    /// A table of that many rows as a CSV file.
    pub(crate) fn csv(&self, table: Table, rows: u64) -> Result<PathBuf, Failure> {
        self.file(&format!("{}-{rows}.csv", table.slug()), |path| {
            write_csv(&Self::city(table, rows)?, table, path, CsvEncoding::Utf8)?;
            Ok(())
        })
    }

    /// A table, in the city where another table has that many rows, as a Parquet file in the city's own order.
    pub(crate) fn parquet(&self, table: Table, of: Table, rows: u64) -> Result<PathBuf, Failure> {
        self.file(
            &format!("{}-{}-{rows}.parquet", table.slug(), of.slug()),
            |path| {
                write_parquet(&Self::city(of, rows)?, table, path)?;
                Ok(())
            },
        )
    }

    /// A file that `make` makes if it is not there; an interrupted one is made again.
    pub(crate) fn file(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        if !path.exists() {
            say(&format!("making {name}"));
            let pending = self.folder.join(format!("{name}.pending"));
            make(&pending)?;
            std::fs::rename(&pending, &path)?;
        }
        Ok(path)
    }

    /// A folder of that name whose content `make` has made, once.
    pub(crate) async fn folder<T>(
        &self,
        name: &str,
        make: impl AsyncFnOnce(&Path) -> Result<T, Failure>,
    ) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        let done = path.join("done");
        if !done.exists() {
            say(&format!("making {name}"));
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            std::fs::create_dir_all(&path)?;
            make(&path).await?;
            std::fs::write(done, b"")?;
        }
        Ok(path)
    }

    /// A fresh folder for what a run writes, on the same disk as the data.
    pub(crate) fn scratch(&self) -> Result<tempfile::TempDir, Failure> {
        Ok(tempfile::tempdir_in(&self.folder)?)
    }
}

/// The key of every protected copy that is made here.
pub(crate) fn data_key() -> DataKey {
    DataKey::from_bytes([9; 32])
}

/// Reads a file as the portal's background task does, into the stores of a data folder.
pub(crate) fn ingest_file(
    file: &Path,
    entry: &Entry,
    version: VersionId,
    data: &Path,
    formats: &[DistributionFormat],
) -> Result<Outcome, Failure> {
    let plan = IngestPlan {
        version,
        level: entry.level,
        options: IngestOptions::default(),
        declared: Some(entry.declared.clone()),
        formats: formats.to_vec(),
        row_group_rows: ROW_GROUP_ROWS,
        limits: DetectLimits::default(),
    };
    let (silent, never) = (|_: Progress| {}, AtomicBool::new(false));
    let watch = Watch::new(&silent, &never);
    let open = OpenStore::open(data, 0)?;
    let sandbox = SandboxStore::open(data, 0)?;
    let quarantine = QuarantineStore::open(data, 0)?;
    let secret = UnitSecret::new([7; 32]);
    let destination = if entry.level.is_open() {
        Destination::Open(&open)
    } else {
        Destination::Sandbox {
            store: &sandbox,
            quarantine: &quarantine,
            secret: &secret,
            key: &data_key(),
        }
    };
    Ok(ingest(file, &plan, destination, &watch)?)
}

/// The database of a measured portal, into which entries are put without the acts that lead there: what is measured
/// is how they are found and read.
pub(crate) struct Catalogue {
    db: Database,
    organizations: Vec<OrganizationId>,
    officer: UserId,
}

impl Catalogue {
    /// Makes a portal in an empty data folder, with departments and an officer, by its own commands.
    pub(crate) async fn create(data: &Path) -> Result<Self, Failure> {
        let shapan = process::shapan()?;
        let departments: Vec<_> = demo::ORGANIZATIONS
            .iter()
            .filter(|organization| organization.kind == demo::OrganizationKind::Department)
            .collect();
        for department in &departments {
            process::run(
                Command::new(&shapan)
                    .args(["organization", "create", department.slug, "--kind", "department"])
                    .args(["--name", department.name.zh, "--name-en", department.name.en])
                    .args(["--region", department.region])
                    .arg("--data")
                    .arg(data),
            )?;
        }
        let first = departments.first().ok_or("the demo has no department")?;
        process::run(
            Command::new(&shapan)
                .args([
                    "user",
                    "create",
                    OFFICER,
                    "--name",
                    "测评员",
                    "--organization",
                    first.slug,
                ])
                .args(["--role", "officer", "--data"])
                .arg(data),
        )?;
        let path = data.join("shapan.sqlite");
        let db = Database::connect(&DatabaseConfig::File { path, readers: 2 }).await?;
        let (officer, _) = db::user::find_with_password(db.read(), OFFICER)
            .await?
            .ok_or("the officer's account is not there")?;
        let mut organizations = Vec::new();
        for department in departments {
            let slug = model::Slug::parse(department.slug)?;
            let found = db::organization::find_by_slug(db.read(), &slug).await?;
            organizations.push(found.ok_or("a department is not there")?.id);
        }
        Ok(Self {
            db,
            organizations,
            officer: officer.id,
        })
    }

    /// Adds released datasets, all in one transaction. The n-th belongs to the n-th department, going round.
    pub(crate) async fn add(&self, entries: Vec<(Entry, VersionId, Manifest)>) -> Result<(), Failure> {
        let now = SystemClock.now();
        let tx = self.db.begin_write().await?;
        for (at, (entry, version, manifest)) in entries.into_iter().enumerate() {
            let id = DatasetId::at(now);
            let organization_id = self
                .organizations
                .get(at % self.organizations.len())
                .copied()
                .ok_or("no department")?;
            let dataset = Dataset {
                id,
                slug: entry.slug,
                origin: None,
                organization_id,
                created_by: self.officer,
                lineage_id: LineageId::at(now),
                level: Some(entry.level),
                state: DatasetState::Draft,
                metadata: entry.metadata,
                declared: Some(entry.declared.clone()),
                current_version_id: None,
                revision: 1,
                created_at: now,
                updated_at: now,
            };
            // Open data is about nobody: nothing can be spent on it.
            let lineage = Lineage {
                id: dataset.lineage_id,
                unit_type: None,
                lifetime_cap: Cost::default(),
                lifetime_spent: Cost::default(),
                rho_window_cap_nano: 0,
                rho_remaining_nano: 0,
                rho_reserved_nano: 0,
                window_days: 365,
                created_at: now,
            };
            db::allocation::insert_lineage(&tx, &lineage).await?;
            db::dataset::insert(&tx, &dataset).await?;
            let row = Version {
                id: version,
                dataset_id: id,
                number: 1,
                state: VersionState::Ingesting,
                created_by: self.officer,
                source_name: "bench.csv".to_owned(),
                options: Value::Null,
                declared: Some(entry.declared),
                manifest: None,
                profile: None,
                failure: None,
                checksum: None,
                created_at: now,
                ready_at: None,
                published_at: None,
            };
            db::version::insert(&tx, &row).await?;
            let ready = Ready {
                options: Value::Null,
                manifest: serde_json::to_value(&manifest)?,
                profile: json!({"columns": [], "rows": manifest.rows}),
                checksum: "0".repeat(64),
            };
            db::version::set_ready(&tx, version, &ready, now).await?;
            db::version::set_released(&tx, version, now).await?;
            db::dataset::set_current_version(&tx, id, Some(version), DatasetState::Released, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// A fresh version id.
pub(crate) fn version() -> VersionId {
    VersionId::at(SystemClock.now())
}

/// A manifest without objects, of an open dataset that is only looked for.
pub(crate) fn empty_manifest(version: VersionId) -> Manifest {
    Manifest {
        version,
        fields: Vec::new(),
        rows: 0,
        clustered: false,
        parts: Vec::new(),
        distributions: Vec::new(),
    }
}
