//! Databases for tests: SQLite in a temporary folder, and PostgreSQL from a throw-away cluster.
//!
//! One cluster serves all test processes of a user: the first one starts it under a file lock, and a watchdog
//! stops and removes it once nobody has asked for a database for `IDLE_SECONDS`, however the tests ended.
//! It listens on a free loopback port, wants a random password, and does not wait for the disk.
#![expect(clippy::panic, reason = "tests cannot go on without their database")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use uuid::Uuid;

use crate::connection::{Database, DatabaseConfig};

/// The cluster goes away so long after the last test asked for a database.
const IDLE_SECONDS: u32 = 300;

/// Set to 1 to leave out the tests on PostgreSQL.
pub const SKIP_POSTGRES: &str = "SHAPAN_TEST_SKIP_POSTGRES";

/// A migrated database of one test, which goes away with it.
#[derive(Debug)]
pub struct TestDatabase {
    /// The database.
    pub database: Database,
    /// How to open it again.
    pub config: DatabaseConfig,
    _storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Folder { _folder: tempfile::TempDir },
    Postgres { cluster: Cluster, name: String },
}

impl TestDatabase {
    /// An SQLite file, opened as a server opens it.
    pub async fn sqlite() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("shapan-test-")
            .tempdir()
            .unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let config = DatabaseConfig::File {
            path: folder.path().join("test.sqlite"),
            readers: 4,
        };
        Self::open(config, Storage::Folder { _folder: folder }).await
    }

    /// A database of the throw-away cluster; `None` where the environment says to leave PostgreSQL out.
    pub async fn postgres() -> Option<Self> {
        if std::env::var(SKIP_POSTGRES).is_ok_and(|value| value == "1") {
            return None;
        }
        let (cluster, name) = tokio::task::spawn_blocking(|| {
            let cluster = Cluster::start()?;
            let name = format!("test_{}", Uuid::now_v7().simple());
            cluster.psql(&format!("CREATE DATABASE {name}"))?;
            Ok::<_, String>((cluster, name))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}"))
        .unwrap_or_else(|error| panic!("PostgreSQL for tests: {error}"));
        let url = format!(
            "postgres://shapan:{}@127.0.0.1:{}/{name}",
            cluster.password, cluster.port
        );
        let config = DatabaseConfig::Postgres { url, connections: 8 };
        Some(Self::open(config, Storage::Postgres { cluster, name }).await)
    }

    async fn open(config: DatabaseConfig, storage: Storage) -> Self {
        let database = Database::connect(&config)
            .await
            .unwrap_or_else(|error| panic!("opening a test database: {error}"));
        database
            .migrate()
            .await
            .unwrap_or_else(|error| panic!("migrating a test database: {error}"));
        Self {
            database,
            config,
            _storage: storage,
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if let Self::Postgres { cluster, name } = self {
            // Left over, it goes away with the cluster.
            let _ = cluster.psql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// Makes a test of each function, once on SQLite and once on PostgreSQL. The functions take a
/// `TestDatabase`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::testing::TestDatabase::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(database) = $crate::testing::TestDatabase::postgres().await {
                    super::$test(database).await;
                }
            })+
        }
    };
}

/// A running throw-away cluster.
#[derive(Debug, Clone)]
struct Cluster {
    binaries: PathBuf,
    port: u16,
    password: String,
}

impl Cluster {
    /// The cluster of this user, started if it does not run.
    fn start() -> Result<Self, String> {
        let binaries = find_binaries()?;
        let owner = Owner::find()?;
        let version = binaries
            .parent()
            .and_then(Path::file_name)
            .and_then(OsStr::to_str)
            .unwrap_or("any");
        let folder = std::env::temp_dir().join(format!("shapan-test-postgres-{}-{version}", owner.uid));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let metadata = fs::symlink_metadata(&folder).map_err(|e| e.to_string())?;
        if !metadata.is_dir() || (metadata.uid() != owner.uid && metadata.uid() != owner.caller) {
            return Err(format!("{} belongs to somebody else", folder.display()));
        }
        owner.own(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(|e| e.to_string())?;
        let lock = open_private(&folder.join("lock"))?;
        owner.own(&folder.join("lock"))?;
        lock.lock().map_err(|e| format!("lock: {e}"))?;
        // From here on the watchdog waits for us.
        let used = folder.join("used");
        fs::write(&used, "").map_err(|e| e.to_string())?;
        let address = folder.join("address");
        if let Ok(text) = fs::read_to_string(&address)
            && let Some((port, password)) = text.trim().split_once(' ')
            && let Ok(port) = port.parse()
        {
            let cluster = Self {
                binaries: binaries.clone(),
                port,
                password: password.to_owned(),
            };
            if cluster.psql("SELECT 1").is_ok() {
                return Ok(cluster);
            }
        }
        let cluster = Self::make(&folder, binaries, &owner)?;
        let mut file = open_private(&address)?;
        write!(file, "{} {}", cluster.port, cluster.password).map_err(|e| e.to_string())?;
        watch(&folder, &cluster.binaries, &owner)?;
        Ok(cluster)
    }

    fn make(folder: &Path, binaries: PathBuf, owner: &Owner) -> Result<Self, String> {
        let data = folder.join("data");
        if data.exists() {
            // What is left of one that was killed; if it still runs under another port file, it is stopped.
            let _ = owner.run(
                &binaries.join("pg_ctl"),
                [
                    OsStr::new("stop"),
                    OsStr::new("-m"),
                    OsStr::new("immediate"),
                    OsStr::new("-D"),
                    data.as_os_str(),
                ],
            );
            fs::remove_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        }
        // 74 random bits behind a loopback port, for data that is made up.
        let password = Uuid::now_v7().simple().to_string();
        let password_file = folder.join("password");
        let mut file = open_private(&password_file)?;
        file.write_all(password.as_bytes()).map_err(|e| e.to_string())?;
        owner.own(&password_file)?;
        owner.run(
            &binaries.join("initdb"),
            [
                OsStr::new("--no-sync"),
                OsStr::new("--encoding=UTF8"),
                OsStr::new("--locale=C.UTF-8"),
                OsStr::new("--auth=scram-sha-256"),
                OsStr::new("--username=shapan"),
                OsStr::new("--pwfile"),
                password_file.as_os_str(),
                OsStr::new("-D"),
                data.as_os_str(),
            ],
        )?;
        let mut last = String::new();
        for _ in 0..3 {
            let port = free_port()?;
            let options = format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off \
                 -c synchronous_commit=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB"
            );
            let log = folder.join("log");
            let started = owner.run(
                &binaries.join("pg_ctl"),
                [
                    OsStr::new("start"),
                    OsStr::new("-w"),
                    OsStr::new("-t"),
                    OsStr::new("60"),
                    OsStr::new("-D"),
                    data.as_os_str(),
                    OsStr::new("-l"),
                    log.as_os_str(),
                    OsStr::new("-o"),
                    OsStr::new(&options),
                ],
            );
            match started {
                Ok(()) => {
                    return Ok(Self {
                        binaries,
                        port,
                        password,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(format!("it does not start: {last}"))
    }

    fn psql(&self, sql: &str) -> Result<(), String> {
        let output = Command::new(self.binaries.join("psql"))
            .args([
                "-X",
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "shapan",
                "-d",
                "postgres",
            ])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "10")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("psql: {e}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// PostgreSQL refuses to run as root; root runs it as `postgres`, or as `nobody`.
struct Owner {
    uid: u32,
    gid: u32,
    caller: u32,
}

impl Owner {
    fn find() -> Result<Self, String> {
        let caller = fs::metadata("/proc/self").map_err(|e| format!("/proc/self: {e}"))?;
        if caller.uid() != 0 {
            return Ok(Self {
                uid: caller.uid(),
                gid: caller.gid(),
                caller: caller.uid(),
            });
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
        let find = |name: &str| {
            let line = accounts
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let (uid, gid) = find("postgres")
            .or_else(|| find("nobody"))
            .ok_or("root cannot run PostgreSQL, and there is no user postgres or nobody")?;
        Ok(Self { uid, gid, caller: 0 })
    }

    fn own(&self, path: &Path) -> Result<(), String> {
        if self.caller == 0 {
            chown(path, Some(self.uid), Some(self.gid)).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null());
        if self.caller == 0 {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Output goes to files of its own: a server that inherits our pipes would keep them open.
    fn run<'a>(&self, program: &Path, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<(), String> {
        let mut output = tempfile::tempfile().map_err(|e| e.to_string())?;
        let (out, err) = (output.try_clone(), output.try_clone());
        let status = self
            .command(program)
            .args(arguments)
            .stdout(out.map_err(|e| e.to_string())?)
            .stderr(err.map_err(|e| e.to_string())?)
            .status()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        if status.success() {
            return Ok(());
        }
        let mut text = String::new();
        let _ = output.rewind();
        let _ = output.read_to_string(&mut text);
        Err(format!("{} failed: {}", program.display(), text.trim()))
    }
}

/// A shell outside this process's group that ends the cluster once it is idle, under the same lock.
fn watch(folder: &Path, binaries: &Path, owner: &Owner) -> Result<(), String> {
    let script = format!(
        "cd / || exit 1\n\
         while sleep 15; do\n\
           exec 9<>\"$1/lock\" || exit 1\n\
           flock 9\n\
           used=$(stat -c %Y \"$1/used\") || exit 1\n\
           if [ $(( $(date +%s) - used )) -ge {IDLE_SECONDS} ]; then\n\
             \"$2/pg_ctl\" stop -w -m immediate -D \"$1/data\"\n\
             rm -rf \"$1/data\" \"$1/address\" \"$1/password\" \"$1/log\"\n\
             exit 0\n\
           fi\n\
           [ -e \"$1/data/postmaster.pid\" ] || exit 0\n\
           exec 9>&-\n\
         done\n"
    );
    owner
        .command(Path::new("/usr/bin/setsid"))
        .args(["/bin/sh", "-c", &script, "shapan-test-postgres-watchdog"])
        .arg(folder)
        .arg(binaries)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(|_| ())
        .map_err(|e| format!("watchdog: {e}"))
}

fn find_binaries() -> Result<PathBuf, String> {
    let missing = || {
        format!(
            "no initdb under /usr/lib/postgresql/*/bin. Install PostgreSQL (`apt-get install postgresql`, or run \
             scripts/install-test-tools.sh), or set {SKIP_POSTGRES}=1 to leave these tests out"
        )
    };
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())?;
    versions
        .flatten()
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            let binaries = entry.path().join("bin");
            binaries.join("initdb").exists().then_some((number, binaries))
        })
        .max()
        .map(|(_, binaries)| binaries)
        .ok_or_else(missing)
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no free port: {e}"))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|e| e.to_string())
}

fn open_private(path: &Path) -> Result<File, String> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| format!("{}: {e}", path.display()))
}
