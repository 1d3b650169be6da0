//! The configuration of a portal: a TOML file, overridden by `SHAPAN__SECTION__KEY` in the environment.
//!
//! One struct per concern, each with its defaults; an unknown key is an error, so that a misspelt limit is never a
//! missing one. Secrets are named by reference ([`Secret`]), never written in the file.

mod secret;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use secret::{Secret, SecretError};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or the environment does not fit; the message names the key.
    #[error("configuration: {0}")]
    Invalid(#[from] config::ConfigError),
    /// A value makes no sense.
    #[error("configuration: {key} {why}")]
    Value {
        /// Section and key.
        key: &'static str,
        /// What is wrong, and what would be right.
        why: String,
    },
}

/// Everything that can be configured.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where and as what the process listens.
    pub server: Server,
    /// Where data lies, and how large it may be.
    pub data: Data,
    /// Which database.
    pub database: Database,
    /// Plain SQL over open data.
    pub query: Query,
    /// Private jobs.
    pub sandbox: Sandbox,
    /// The public ledger.
    pub ledger: Ledger,
    /// Logs.
    pub log: Log,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessRole {
    /// Serves pages and the API.
    Web,
    /// Runs background tasks and private jobs.
    Worker,
}

/// Where and as what the process listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// How the portal is reached from outside, without a slash at the end; none takes the request's host.
    pub public_url: Option<String>,
    /// What this process does.
    pub roles: Vec<ProcessRole>,
    /// Longest time for a request's head, for its small body and its handling until the answer begins, and between
    /// the parts of an upload, in seconds.
    pub request_seconds: u64,
    /// Bodies and answers of any length move at least `stream_bytes` in this many seconds of waiting for the client.
    pub stream_seconds: u64,
    /// The least that they move in that time, in bytes.
    pub stream_bytes: u64,
    /// How much of a refused body is still read, so that clients who send all before they read see why, in bytes.
    pub drain_bytes: u64,
    /// How long it is read, in seconds.
    pub drain_seconds: u64,
    /// Sign-in cookies only over HTTPS.
    pub secure_cookies: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            roles: vec![ProcessRole::Web, ProcessRole::Worker],
            request_seconds: 60,
            stream_seconds: 30,
            stream_bytes: 16 << 10,
            drain_bytes: 32 << 20,
            drain_seconds: 10,
            secure_cookies: true,
        }
    }
}

/// Where data lies, and how large it may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// The folder of all zones, the search index and the local database.
    pub dir: PathBuf,
    /// Largest upload, in bytes.
    pub upload_bytes: u64,
    /// Free disk that uploads leave, in bytes.
    pub reserve_bytes: u64,
    /// Days that an original stays in quarantine after its version is ready.
    pub quarantine_days: u32,
    /// The operator's key: 32 bytes in hexadecimal that wrap the data keys of all versions; made in the data folder if
    /// not set. Whoever has only the disk of a portal that keeps it elsewhere can read nothing of protected data.
    pub key: Option<Secret>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("data"),
            upload_bytes: 20 << 30,
            reserve_bytes: 1 << 30,
            quarantine_days: 30,
            key: None,
        }
    }
}

/// Which database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// A reference to `postgres://user:password@host:port/database`; none is SQLite in the data folder.
    pub postgres: Option<Secret>,
    /// Connections, beside SQLite's single writer.
    pub connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            postgres: None,
            connections: 8,
        }
    }
}

/// Plain SQL over open data: what one query, and all together, may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Longest SQL text, in bytes.
    pub sql_bytes: usize,
    /// Longest run, in seconds.
    pub seconds: u64,
    /// Memory of one query, in bytes.
    pub memory_bytes: usize,
    /// Temporary disk of one query, in bytes.
    pub spill_bytes: u64,
    /// Rows of an answer.
    pub rows: usize,
    /// Queries at a time.
    pub concurrent: usize,
    /// Threads of all queries together.
    pub threads: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            sql_bytes: 64 << 10,
            seconds: 30,
            memory_bytes: 512 << 20,
            spill_bytes: 2 << 30,
            rows: 100_000,
            concurrent: 4,
            threads: 2,
        }
    }
}

/// Private jobs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Jobs at a time on this process.
    pub slots: usize,
    /// Memory of one worker, in bytes.
    pub memory_bytes: u64,
    /// Threads of one worker.
    pub threads: usize,
    /// 32 bytes in hexadecimal from which unit keys and sampling keys derive; made in the data folder if not set.
    pub key: Option<Secret>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            slots: 2,
            memory_bytes: 2 << 30,
            threads: 2,
            key: None,
        }
    }
}

/// The public ledger.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// The log's name in checkpoints: a schema-less URL that is never used by another log.
    pub origin: String,
    /// The Ed25519 signing key as written by `shapan ledger key`; made in the data folder if not set.
    pub key: Option<Secret>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            origin: "shapan.localhost/ledger".to_owned(),
            key: None,
        }
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people at a terminal.
    Text,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How they are written.
    pub format: LogFormat,
    /// What is logged, such as `info,query=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            filter: "info".to_owned(),
        }
    }
}

impl Config {
    /// Reads a file, then the environment over it.
    ///
    /// # Errors
    /// If the file is missing, a key is unknown, or a value does not fit.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let source = config::File::from(file.to_owned()).format(config::FileFormat::Toml);
        Self::read(config::Config::builder().add_source(source))
    }

    /// The defaults with the environment over them.
    ///
    /// # Errors
    /// If a variable names an unknown key or its value does not fit.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::read(config::Config::builder())
    }

    fn read(builder: config::ConfigBuilder<config::builder::DefaultState>) -> Result<Self, ConfigError> {
        let environment = config::Environment::with_prefix("SHAPAN")
            .prefix_separator("__")
            .separator("__")
            .list_separator(",")
            .with_list_parse_key("server.roles")
            .try_parsing(true);
        let config: Self = builder.add_source(environment).build()?.try_deserialize()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |key, why: &str| {
            Err(ConfigError::Value {
                key,
                why: why.to_owned(),
            })
        };
        if self.server.roles.is_empty() {
            return fail("server.roles", "must name web, worker or both");
        }
        if let Some(url) = &self.server.public_url
            && (!(url.starts_with("https://") || url.starts_with("http://")) || url.ends_with('/'))
        {
            return fail(
                "server.public_url",
                "must begin with https:// or http:// and not end with /",
            );
        }
        let server = &self.server;
        let seconds = [
            ("server.request_seconds", server.request_seconds),
            ("server.stream_seconds", server.stream_seconds),
            ("server.drain_seconds", server.drain_seconds),
            ("query.seconds", self.query.seconds),
        ];
        // A day: more is no limit, and far more overflows the clock.
        if let Some((key, _)) = seconds
            .into_iter()
            .find(|(_, value)| !(1..=86_400).contains(value))
        {
            return fail(key, "must be 1 to 86400");
        }
        if server.stream_bytes == 0 {
            return fail("server.stream_bytes", "must be at least 1");
        }
        if self.query.seconds >= server.request_seconds {
            return fail(
                "server.request_seconds",
                "must be more than query.seconds: a query that may run so long has to be answered",
            );
        }
        let positive = [
            ("query.rows", self.query.rows),
            ("query.concurrent", self.query.concurrent),
            ("query.threads", self.query.threads),
            ("query.sql_bytes", self.query.sql_bytes),
            ("sandbox.slots", self.sandbox.slots),
            ("sandbox.threads", self.sandbox.threads),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return fail(key, "must be at least 1");
        }
        if self.ledger.origin.is_empty() || self.ledger.origin.contains(['+', ' ', '\n']) {
            return fail("ledger.origin", "must be a name without blanks and plus signs");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shapan.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let config = load("[query]\nrows = 10\n[server]\nroles = [\"web\"]").unwrap();
        assert_eq!(config.query.rows, 10);
        assert_eq!(config.query.seconds, 30);
        assert_eq!(config.server.roles, [ProcessRole::Web]);
    }

    #[test]
    fn a_misspelt_key_or_senseless_value_is_named() {
        let cases = [
            ("[query]\nrow = 10", "row"),
            ("[qery]\nrows = 10", "qery"),
            ("[query]\nrows = \"many\"", "rows"),
            ("[query]\nconcurrent = 0", "query.concurrent"),
            ("[server]\npublic_url = \"portal/\"", "server.public_url"),
            ("[server]\nroles = []", "server.roles"),
            ("[server]\nrequest_seconds = 0", "server.request_seconds"),
            ("[server]\nrequest_seconds = 30", "query.seconds"),
            ("[server]\nstream_seconds = 100000", "server.stream_seconds"),
            ("[server]\nstream_bytes = 0", "server.stream_bytes"),
            ("[server]\ndrain_seconds = 0", "server.drain_seconds"),
            ("[ledger]\norigin = \"a b\"", "ledger.origin"),
            ("[sandbox]\nkey = \"0123\"", "key"),
            ("[data]\nkey = \"0123\"", "key"),
        ];
        for (text, want) in cases {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(want), "wanted {want:?} in {error:?}");
        }
        assert!(Config::load(Path::new("/nowhere/shapan.toml")).is_err());
    }
}
