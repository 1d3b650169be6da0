//! The composition root: every adapter and use-case of a portal, opened from its configuration.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use catalog_entry::Catalog;
use db::{Database, DatabaseConfig};
use identity::{Actor, Authority, Identity, SessionPolicy};
use model::{Clock, SystemClock};
use privacy::OpenDpNoise;
use query::Engine;
use review::Review;
use sandbox_job::{NoOpenData, OpenData, Sandbox};
use sandbox_worker::{ChildProgram, PLANNER, PlannerLimits, Planners, Supervisor, WORKER, WorkerLimits};
use shapan_config::Config;
use storage::{OpenStore, QuarantineStore, SandboxStore};
use task::Owner;

use crate::failure::Failure;
use crate::open_data::{OpenQueries, open_engine};
use crate::secrets::Secrets;

/// The file of the local database within the data folder.
const DATABASE: &str = "shapan.sqlite";
/// The folder of the search index within the data folder.
pub(crate) const SEARCH: &str = "search";
/// The file that the one process locks which has the search index open.
const LOCK: &str = "portal.lock";
/// More than the name of a process takes in that file.
const NAME_BYTES: u64 = 128;
/// Passwords that are hashed side by side.
const HASHES_AT_ONCE: usize = 2;

/// The use-cases of a portal with what they work on. Commands open it next to a running server.
pub(crate) struct Portal {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) db: Database,
    pub(crate) authority: Authority,
    pub(crate) identity: Identity,
    pub(crate) catalog: Catalog,
    pub(crate) review: Review,
    pub(crate) sandbox: Sandbox,
    pub(crate) quarantine: QuarantineStore,
    pub(crate) protected: SandboxStore,
    pub(crate) open: OpenStore,
    pub(crate) secrets: Arc<Secrets>,
}

impl Portal {
    /// Opens the data folder and the database, brings its schema up to date, and puts the use-cases together. For
    /// commands, which run no queries over open data.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        Ok(Self::assemble(config, false).await?.0)
    }

    /// The same for the one process that serves, with the engine for queries over open data.
    pub(crate) async fn serve(config: &Config) -> Result<(Self, Engine), Failure> {
        let (portal, engine) = Self::assemble(config, true).await?;
        Ok((
            portal,
            engine.ok_or_else(|| Failure::new("the query engine did not start"))?,
        ))
    }

    async fn assemble(config: &Config, serves: bool) -> Result<(Self, Option<Engine>), Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let data = config.data.dir.as_path();
        make_folder(data)?;
        let db = open_database(config).await?;
        let secrets = Arc::new(Secrets::load(config, &db, clock.as_ref()).await?);
        let reserve = config.data.reserve_bytes;
        let quarantine = QuarantineStore::open(data, reserve)?;
        let protected = SandboxStore::open(data, reserve)?;
        let open = OpenStore::open(data, reserve)?;
        let authority = Authority::new()?;
        let identity = Identity::new(
            db.clone(),
            Arc::clone(&clock),
            authority.clone(),
            SessionPolicy::default(),
            HASHES_AT_ONCE,
        )?;
        let catalog = Catalog::new(catalog_entry::Parts {
            db: db.clone(),
            clock: Arc::clone(&clock),
            authority: authority.clone(),
            quarantine: quarantine.clone(),
            sandbox: protected.clone(),
            open: open.clone(),
            upload_bytes: config.data.upload_bytes,
            unit_key: secrets.unit_key(),
            keys: secrets.operator_key(),
        });
        let review = Review::new(db.clone(), Arc::clone(&clock), authority.clone());
        let engine = serves.then(|| open_engine(config, &open)).transpose()?;
        let queries: Arc<dyn OpenData> = match engine.clone() {
            Some(engine) => Arc::new(OpenQueries {
                engine,
                catalog: catalog.clone(),
            }),
            None => Arc::new(NoOpenData),
        };
        let sandbox = Sandbox::new(sandbox_job::Parts {
            db: db.clone(),
            clock: Arc::clone(&clock),
            authority: authority.clone(),
            store: protected.clone(),
            supervisor: Supervisor::new(this_program(WORKER)?, worker_limits(config)),
            planners: Planners::new(this_program(PLANNER)?, PlannerLimits::default()),
            noise: Mutex::new(Box::new(OpenDpNoise)),
            group_key: secrets.group_key(),
            keys: secrets.operator_key(),
            cores: u32::try_from(config.sandbox.threads).unwrap_or(u32::MAX),
            open: queries,
        });
        let portal = Self {
            clock,
            db,
            authority,
            identity,
            catalog,
            review,
            sandbox,
            quarantine,
            protected,
            open,
            secrets,
        };
        Ok((portal, engine))
    }

    /// The actor behind an account, for commands of whoever runs the machine.
    pub(crate) async fn load_actor(&self, username: &str) -> Result<Actor, Failure> {
        let Some((user, _)) = db::user::find_with_password(self.db.read(), username).await? else {
            return Err(Failure::new(format!(
                "there is no account {username:?} in this portal; `shapan user create` opens one"
            )));
        };
        self.identity
            .load_actor(user.id)
            .await
            .map_err(Failure::cannot(format_args!("act as {username:?}")))
    }
}

fn this_program(subcommand: &str) -> Result<ChildProgram, Failure> {
    ChildProgram::current(subcommand).map_err(Failure::cannot("find this program's own file"))
}

fn worker_limits(config: &Config) -> WorkerLimits {
    WorkerLimits {
        slots: config.sandbox.slots,
        threads: u32::try_from(config.sandbox.threads).unwrap_or(u32::MAX),
        memory_bytes: config.sandbox.memory_bytes,
    }
}

/// Makes the data folder, closed to others; one that is there keeps its mode.
fn make_folder(data: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(Failure::cannot(format_args!(
            "make the data folder {} (data.dir)",
            data.display()
        )))
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open_database(config: &Config) -> Result<Database, Failure> {
    let readers = config.database.connections;
    let (place, database) = match &config.database.postgres {
        Some(secret) => {
            let url = secret.load()?;
            (
                "the PostgreSQL database".to_owned(),
                DatabaseConfig::Postgres {
                    url,
                    connections: readers,
                },
            )
        }
        None => {
            let path = config.data.dir.join(DATABASE);
            let shown = format!("the database {}", path.display());
            // SQLite gives its journals the mode of the database.
            fs::OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(Failure::cannot(format_args!("open {shown}")))?;
            (shown, DatabaseConfig::File { path, readers })
        }
    };
    let db = Database::connect(&database)
        .await
        .map_err(Failure::cannot(format_args!("open {place}")))?;
    db.migrate().await.map_err(Failure::cannot(format_args!(
        "bring the schema of {place} up to date"
    )))?;
    Ok(db)
}

/// The right to have the search index of a data folder open, held until it is dropped: a server has it, and commands
/// that need it find out that a server runs. The kernel lets go of it when its holder dies, however that happens.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    predecessor: Option<Owner>,
}

impl Lock {
    /// Takes the lock.
    pub(crate) fn take(data: &Path) -> Result<Self, Failure> {
        make_folder(data)?;
        let path = data.join(LOCK);
        let cannot = |error: std::io::Error| Failure::cannot(format_args!("open {}", path.display()))(error);
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {
                let mut text = String::new();
                // What is no name, or cannot be read as text, names nobody.
                let _ = (&file).take(NAME_BYTES).read_to_string(&mut text);
                let predecessor = text.trim().parse().ok();
                Ok(Self { file, predecessor })
            }
            Err(fs::TryLockError::WouldBlock) => Err(Failure::new(format!(
                "another shapan is running on {}; stop it first, or use another data folder",
                data.display()
            ))),
            Err(fs::TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The last server on this folder, which is gone: it held this lock to its end.
    pub(crate) const fn predecessor(&self) -> Option<Owner> {
        self.predecessor
    }

    /// Writes down who holds the lock as a server, for its successor.
    pub(crate) fn sign(&mut self, owner: Owner) -> Result<(), Failure> {
        let write = || {
            self.file.set_len(0)?;
            self.file.write_all_at(owner.to_string().as_bytes(), 0)?;
            self.file.sync_data()
        };
        write().map_err(Failure::cannot(format_args!("write {LOCK}")))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_process_at_a_time_has_the_index() {
        let data = tempfile::tempdir().unwrap();
        let held = Lock::take(data.path()).unwrap();
        let error = Lock::take(data.path()).unwrap_err().to_string();
        assert!(error.contains("another shapan is running"), "{error}");
        drop(held);
        Lock::take(data.path()).unwrap();
    }

    #[test]
    fn a_successor_learns_who_was_before() {
        let data = tempfile::tempdir().unwrap();
        let owner = Owner::fresh();
        let mut first = Lock::take(data.path()).unwrap();
        assert_eq!(first.predecessor(), None);
        first.sign(owner).unwrap();
        drop(first);
        // A command that takes the lock, and is no server, changes nothing.
        for _ in 0..2 {
            assert_eq!(Lock::take(data.path()).unwrap().predecessor(), Some(owner));
        }
        for garbage in [&b"\xff\xfe not a name"[..], &[b'0'; 10_000]] {
            fs::write(data.path().join(LOCK), garbage).unwrap();
            let mut lock = Lock::take(data.path()).unwrap();
            assert_eq!(lock.predecessor(), None);
            lock.sign(owner).unwrap();
            drop(lock);
            assert_eq!(Lock::take(data.path()).unwrap().predecessor(), Some(owner));
        }
    }

    #[tokio::test]
    async fn what_others_must_not_read_they_cannot() {
        let parent = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = parent.path().join("data");
        let portal = Portal::open(&config).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&config.data.dir), 0o700);
        for file in [
            "shapan.sqlite",
            "shapan.sqlite-wal",
            "secrets/sandbox.key",
            "secrets/data.key",
            "secrets/ledger.key",
        ] {
            assert_eq!(mode(&config.data.dir.join(file)), 0o600, "{file}");
        }
        let error = portal.load_actor("nobody").await.unwrap_err().to_string();
        assert!(error.contains("no account \"nobody\""), "{error}");
    }

    #[tokio::test]
    async fn a_data_folder_that_cannot_be_is_named() {
        let mut config = Config::default();
        config.data.dir = "/proc/nowhere/data".into();
        let error = Portal::open(&config).await.err().unwrap().to_string();
        assert!(
            error.contains("/proc/nowhere/data") && error.contains("data.dir"),
            "{error}"
        );
    }
}
