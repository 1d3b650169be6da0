//! A portal under test: the real program, a free loopback port, a data folder of its own.

mod binary;
mod client;
mod people;
mod verify;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use db::testing::TestDatabase;
use db::{Database, DatabaseConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) use client::{Answer, Client, form};
pub(crate) use people::{PASSWORD, Who};

/// The longest a portal may take to be ready, in a debug build on a busy machine.
const READY: Duration = Duration::from_secs(30);
/// The name of the log in tests.
pub(crate) const ORIGIN: &str = "portal.test/ledger";
/// The variable that carries the address of PostgreSQL.
const DATABASE_VARIABLE: &str = "SHAPAN_E2E_DATABASE";

/// What is special about a portal.
#[derive(Debug, Default, Clone)]
pub(crate) struct Options {
    /// Lines of the configuration's section `[data]`.
    pub(crate) data: String,
    /// Lines of its section `[server]`.
    pub(crate) server: String,
    /// Lines of its section `[query]`.
    pub(crate) query: String,
    /// Whether its database is PostgreSQL.
    pub(crate) postgres: bool,
    /// The data folder is a memory disk of so many bytes, in a mount namespace of the program's own (root only).
    pub(crate) disk: Option<u64>,
}

/// A portal under test. Dropped, it is killed and its data goes away.
pub(crate) struct TestApp {
    program: Mutex<Option<Child>>,
    port: u16,
    folder: tempfile::TempDir,
    people: people::People,
    client: Client,
    postgres: Option<TestDatabase>,
    disk: Option<u64>,
}

impl TestApp {
    /// A portal on SQLite with an account for every role.
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A portal with these options; `None` only where the environment leaves PostgreSQL out.
    pub(crate) async fn try_start_with(options: Options) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("shapan-e2e-").tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let postgres = if options.postgres {
            Some(TestDatabase::postgres().await?)
        } else {
            None
        };
        let port = free_port();
        let section = if postgres.is_some() {
            format!("[database]\npostgres = {{ env = \"{DATABASE_VARIABLE}\" }}\n")
        } else {
            String::new()
        };
        let reserve = if options.data.contains("reserve_bytes") {
            ""
        } else {
            "reserve_bytes = 1048576\n"
        };
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nsecure_cookies = false\n{server}\
             [query]\n{query}[data]\ndir = \"{dir}\"\n{reserve}{data}\n{section}\
             [ledger]\norigin = \"{ORIGIN}\"\n[log]\nformat = \"text\"\nfilter = \"warn\"\n",
            dir = folder.path().join("data").display(),
            data = options.data,
            server = options.server,
            query = options.query,
        );
        fs::write(folder.path().join("shapan.toml"), config).unwrap();
        let mut app = Self {
            program: Mutex::new(None),
            port,
            folder,
            people: people::People::default(),
            client: Client::new(format!("http://127.0.0.1:{port}")),
            postgres,
            disk: options.disk,
        };
        let database = app.connect().await;
        database.migrate().await.unwrap();
        app.people = people::People::register(&database).await;
        database.close().await.unwrap();
        app.run().await;
        Some(app)
    }

    /// A portal with these options, on SQLite.
    pub(crate) async fn start_with(options: Options) -> Self {
        assert!(
            !options.postgres,
            "PostgreSQL can be left out: use try_start_with"
        );
        Self::try_start_with(options).await.unwrap()
    }

    /// Starts the program over the data there is, and waits until it is ready. Returns how long that took.
    pub(crate) async fn run(&self) -> Duration {
        let started = Instant::now();
        let child = self.spawn();
        *self.program.lock().unwrap() = Some(child);
        let client = self.client(Who::Anonymous);
        loop {
            if let Some(answer) = client.try_get("/health/ready").await
                && answer.status == 200
            {
                return started.elapsed();
            }
            let ended = self.program.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                panic!(
                    "the portal ended with {status} before it was ready:\n{}",
                    self.log()
                );
            }
            assert!(
                started.elapsed() < READY,
                "the portal is not ready after {READY:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = match self.disk {
            None => Command::new(binary::path()),
            Some(bytes) => {
                // The accounts are made before the disk is mounted over their folder.
                let script = "cp -a \"$2\" \"$2.before\" && mount -t tmpfs -o size=\"$1\",mode=700 shapan-e2e \"$2\" \
                              && cp -a \"$2.before/.\" \"$2\" && shift 2 && exec \"$@\"";
                let mut command = Command::new("unshare");
                command.args([
                    "--mount",
                    "--propagation",
                    "private",
                    "/bin/sh",
                    "-c",
                    script,
                    "sh",
                ]);
                command
                    .arg(bytes.to_string())
                    .arg(self.folder.path().join("data"))
                    .arg(binary::path());
                command
            }
        };
        command.arg("serve").arg("--config").arg(self.config());
        self.environment(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command.spawn().unwrap()
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"));
        if let Some(postgres) = &self.postgres
            && let DatabaseConfig::Postgres { url, .. } = &postgres.config
        {
            command.env(DATABASE_VARIABLE, url);
        }
    }

    /// Runs another command of the program; its status, standard output and errors.
    pub(crate) async fn command(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary::path());
        command.args(arguments).stdin(Stdio::null());
        self.environment(&mut command);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Ends the program as a power cut would.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.program.lock().unwrap().take() {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Ends the program as an operator would, and checks that it does so in good order.
    pub(crate) async fn stop(&self) {
        let mut child = self.program.lock().unwrap().take().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let asked = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(
                    status.success(),
                    "the portal ended with {status}:\n{}",
                    self.log()
                );
                return;
            }
            if asked.elapsed() > Duration::from_secs(20) {
                let _ = child.kill();
                child.wait().unwrap();
                panic!(
                    "the portal did not end within 20 s of being asked:\n{}",
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Somebody who calls the portal with a token of their own.
    pub(crate) fn client(&self, who: Who) -> Client {
        self.client.with_token(self.people.token(who))
    }

    /// Where the portal is.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its configuration's file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("shapan.toml")
    }

    /// A folder beside the portal's data, for a test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder, as seen from here.
    pub(crate) fn data(&self) -> PathBuf {
        let folder = self.folder.path().join("data");
        match (self.disk, &*self.program.lock().unwrap()) {
            (Some(_), Some(child)) => {
                let root = PathBuf::from(format!("/proc/{}/root", child.id()));
                root.join(folder.strip_prefix("/").unwrap())
            }
            _ => folder,
        }
    }

    /// The portal's database, opened beside it.
    pub(crate) async fn connect(&self) -> Database {
        let config = match &self.postgres {
            Some(postgres) => postgres.config.clone(),
            None => DatabaseConfig::File {
                path: self.data().join("shapan.sqlite"),
                readers: 2,
            },
        };
        Database::connect(&config).await.unwrap()
    }

    /// A line of `/proc/<pid>/status` in bytes, such as `VmHWM`, the most memory it ever had.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let id = self.program.lock().unwrap().as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let found = status
            .lines()
            .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))
            .unwrap();
        found.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What the program has logged, its end if that is long.
    pub(crate) fn log(&self) -> String {
        let text = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(8_000)..]).into_owned()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log();
            if !text.trim().is_empty() {
                eprintln!("--- log of the portal ---\n{text}");
            }
        }
        if let Ok(mut program) = self.program.lock()
            && let Some(mut child) = program.take()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
