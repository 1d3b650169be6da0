//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use ::ledger::VerifierKey;
use catalog_ingest::Encoding;
use clap::{Args, Parser, Subcommand};
use model::{Language, OrganizationKind, Role, Slug};
use sandbox_worker::{PLANNER, WORKER};
use shapan_config::{Config, Log, LogFormat};

use crate::failure::Failure;
use crate::{account, demo, import, job, key, ledger, log, publish, search, server};

/// 沙盘: an open government data portal with a privacy sandbox.
#[derive(Debug, Parser)]
#[command(name = "shapan", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a portal.
    Serve {
        /// The configuration (TOML); SHAPAN__SECTION__KEY in the environment goes over it.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Seed a demo city, if DIR is empty, and serve it.
    Demo(DemoArgs),
    /// Upload a file as a dataset's next version; with --entry, make the dataset first.
    Import(ImportArgs),
    /// Ask for the release of a dataset's newest version, or decide on it.
    Publish(PublishArgs),
    /// Private jobs, for analysts on their own machines.
    #[command(subcommand)]
    Job(JobCommand),
    /// The operator's key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The public ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// The search index.
    #[command(subcommand)]
    Search(SearchCommand),
    /// Organisations.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Run a private job that comes over standard input; started by the server.
    #[command(name = WORKER, hide = true)]
    SandboxWorker,
    /// Plan a query that comes over standard input; started by the server.
    #[command(name = PLANNER, hide = true)]
    SandboxPlanner,
}

/// Which portal a command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The portal's configuration.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The portal's data folder, for one that has no configuration.
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data: Option<PathBuf>,
}

impl Place {
    /// The configuration of the place.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        match (&self.config, &self.data) {
            (Some(file), _) => Ok(Config::load(file)?),
            (None, data) => {
                let mut config = Config::from_environment()?;
                if let Some(data) = data {
                    config.data.dir.clone_from(data);
                }
                Ok(config)
            }
        }
    }
}

/// `shapan demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Where the demo lives.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    pub(crate) data: PathBuf,
    /// Address and port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How large the city is; 1 is 2 million bike trips.
    #[arg(long, hide = true, default_value = "1", value_parser = parse_scale)]
    pub(crate) scale: ::demo::Scale,
}

fn parse_scale(text: &str) -> Result<::demo::Scale, String> {
    let factor: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    ::demo::Scale::new(factor).map_err(|error| error.to_string())
}

/// `shapan import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// CSV or Parquet.
    pub(crate) file: PathBuf,
    /// The dataset.
    #[arg(long, value_name = "SLUG")]
    pub(crate) dataset: Slug,
    /// The officer who uploads.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: String,
    /// Entry of a dataset that does not exist yet: TOML or JSON with level, metadata and declared, as in the API.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entry: Option<PathBuf>,
    /// The text's encoding: utf-8, gb18030, utf-16-le or utf-16-be; detected if not given.
    #[arg(long, value_parser = parse_encoding)]
    pub(crate) encoding: Option<Encoding>,
    /// What separates fields; detected if not given.
    #[arg(long, value_name = "CHAR")]
    pub(crate) delimiter: Option<char>,
    /// Whether the first record names the columns; detected if not given.
    #[arg(long, value_name = "BOOL")]
    pub(crate) header: Option<bool>,
    /// What stands for a missing value, besides the empty field; can be given several times.
    #[arg(long, value_name = "TEXT")]
    pub(crate) missing: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn parse_encoding(text: &str) -> Result<Encoding, String> {
    match text.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Encoding::Utf8),
        "gb18030" | "gbk" | "gb2312" => Ok(Encoding::Gb18030),
        "utf-16-le" | "utf-16le" => Ok(Encoding::Utf16Le),
        "utf-16-be" | "utf-16be" => Ok(Encoding::Utf16Be),
        _ => Err("must be utf-8, gb18030, utf-16-le or utf-16-be".to_owned()),
    }
}

/// `shapan publish`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PublishArgs {
    /// The dataset.
    #[arg(long, value_name = "SLUG")]
    pub(crate) dataset: Slug,
    /// The officer who asks for the release; not needed if a request is open.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// What the officer tells the reviewers.
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// The assessor who finds the release safe, where the level needs an opinion.
    #[arg(long, value_name = "USER", requires = "opinion")]
    pub(crate) assess_as: Option<String>,
    /// Why the assessor finds so.
    #[arg(long, value_name = "REASON")]
    pub(crate) opinion: Option<String>,
    /// The reviewer who approves.
    #[arg(long, value_name = "USER")]
    pub(crate) approve_as: Option<String>,
    /// What the reviewer says with it.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
enum JobCommand {
    /// Run a query over dummy rows, made from declarations alone: whether it is accepted, its cost, its error, its shape.
    Try(TryArgs),
}

/// `shapan job try`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TryArgs {
    /// The query; from --file, or standard input, if it is not given or `-`.
    pub(crate) sql: Option<String>,
    /// A file with the query.
    #[arg(long, value_name = "FILE", conflicts_with = "sql")]
    pub(crate) file: Option<PathBuf>,
    /// The portal whose catalogue declares the datasets; open data that the query joins is fetched from it too.
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "declared",
        conflicts_with = "declared"
    )]
    pub(crate) portal: Option<String>,
    /// A JSON file with an entry, as the API answers it, or with its declaration alone; can be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) declared: Vec<PathBuf>,
    /// What the job would cost: above 0 and at most 0.5.
    #[arg(long, value_name = "ε", default_value_t = 0.5)]
    pub(crate) epsilon: f64,
    /// Dummy rows of each dataset, 1 to 100,000.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rows: u32,
    /// Another seed gives other rows.
    #[arg(long, default_value_t = sandbox_dummy::DEFAULT_SEED)]
    pub(crate) seed: u64,
    /// In which language refusals are told: zh or en.
    #[arg(long, default_value = "en", value_parser = parse_language)]
    pub(crate) language: Language,
}

fn parse_language(text: &str) -> Result<Language, String> {
    match text {
        "zh" => Ok(Language::Zh),
        "en" => Ok(Language::En),
        _ => Err("must be zh or en".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Wrap the data keys of all versions by a new operator's key, all or none; no process of the portal may run.
    Rewrap(RewrapArgs),
}

/// `shapan key rewrap`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RewrapArgs {
    /// A file with the new key: 32 bytes as 64 hexadecimal digits. The old one is what data.key still refers to.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_key: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Check a whole log, live or from a mirror, also against what was seen the last time.
    Verify(VerifyArgs),
    /// Print the verifier key of a portal, or make a signing key for its configuration.
    Key {
        /// Write a new signing key to this file instead (mode 0600), for ledger.key in the configuration.
        #[arg(long, value_name = "FILE", requires = "origin", conflicts_with_all = ["config", "data"])]
        new: Option<PathBuf>,
        /// The new log's name, such as data.city.example/ledger.
        #[arg(long, value_name = "NAME", requires = "new")]
        origin: Option<String>,
        /// The portal's configuration.
        #[arg(long, value_name = "FILE", conflicts_with = "data")]
        config: Option<PathBuf>,
        /// The portal's data folder, for one that has no configuration.
        #[arg(long, value_name = "DIR", required_unless_present_any = ["config", "new"])]
        data: Option<PathBuf>,
    },
    /// Write checkpoint, tiles, entries and key of a portal's log to a folder, as its address serves them.
    Export {
        /// The folder of the mirror.
        dir: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// `shapan ledger verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    /// The portal's address, its log's address, or the folder of a mirror.
    #[arg(value_name = "URL or DIR")]
    pub(crate) source: String,
    /// The log's verifier key; without it, the one seen the last time, or else the one that the log shows.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<VerifierKey>,
    /// Where to remember what was seen, and to look for what was seen before; by default in the user's state folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) remember: Option<PathBuf>,
    /// The longest time for the whole check, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Subcommand)]
enum SearchCommand {
    /// Build the index anew from the database.
    Rebuild {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum OrganizationCommand {
    /// Register an organisation.
    Create(OrganizationArgs),
}

/// `shapan organization create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct OrganizationArgs {
    /// Its name in addresses.
    pub(crate) slug: Slug,
    /// department, bureau, enterprise, assessor or public.
    #[arg(long, value_parser = parse_kind)]
    pub(crate) kind: OrganizationKind,
    /// Its name in Chinese.
    #[arg(long)]
    pub(crate) name: String,
    /// Its name in English.
    #[arg(long)]
    pub(crate) name_en: Option<String>,
    /// GB/T 2260 code of its area.
    #[arg(long)]
    pub(crate) region: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn parse_kind(text: &str) -> Result<OrganizationKind, String> {
    OrganizationKind::from_name(text)
        .ok_or_else(|| "must be department, bureau, enterprise, assessor or public".to_owned())
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Open an account.
    Create(UserArgs),
}

/// `shapan user create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UserArgs {
    /// The name to sign in with.
    pub(crate) username: String,
    /// The person's name.
    #[arg(long)]
    pub(crate) name: String,
    /// Where the person works.
    #[arg(long, value_name = "SLUG")]
    pub(crate) organization: Slug,
    /// What the person does there: developer, analyst, officer, reviewer, assessor, auditor or admin.
    #[arg(long = "role", value_parser = parse_role, value_delimiter = ',', required = true)]
    pub(crate) roles: Vec<Role>,
    /// A file with the password in its first line; without it, one is made and printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::from_name(text)
        .ok_or_else(|| "must be developer, analyst, officer, reviewer, assessor, auditor or admin".to_owned())
}

/// Does what the command line says. `started` is when the program began.
pub(crate) async fn run(cli: Cli, started: Instant) -> Result<(), Failure> {
    match cli.command {
        Command::Serve { config } => {
            let config = Config::load(&config)?;
            log::start(&config.log)?;
            server::serve(config, started).await
        }
        Command::Demo(args) => demo::run(&args, started).await,
        Command::Import(args) => {
            quiet()?;
            import::run(&args).await
        }
        Command::Publish(args) => {
            quiet()?;
            publish::run(&args).await
        }
        Command::Job(JobCommand::Try(args)) => {
            quiet()?;
            job::attempt::run(args).await
        }
        Command::Key(KeyCommand::Rewrap(args)) => {
            quiet()?;
            key::rewrap(&args).await
        }
        Command::Ledger(LedgerCommand::Verify(args)) => {
            quiet()?;
            ledger::verify::run(args).await
        }
        Command::Ledger(LedgerCommand::Key {
            new: Some(file),
            origin: Some(origin),
            ..
        }) => ledger::key::make(&file, &origin),
        Command::Ledger(LedgerCommand::Key { config, data, .. }) => {
            quiet()?;
            ledger::key::show(Place { config, data }.load()?).await
        }
        Command::Ledger(LedgerCommand::Export { dir, place }) => {
            quiet()?;
            ledger::export::run(&dir, place.load()?).await
        }
        Command::Search(SearchCommand::Rebuild { place }) => {
            quiet()?;
            search::rebuild(place.load()?).await
        }
        Command::Organization(OrganizationCommand::Create(args)) => {
            quiet()?;
            account::create_organization(&args).await
        }
        Command::User(UserCommand::Create(args)) => {
            quiet()?;
            account::create_user(&args).await
        }
        // `main` has taken it already, before there were threads.
        Command::SandboxWorker | Command::SandboxPlanner => {
            Err(Failure::new("what the server starts takes no other arguments"))
        }
    }
}

/// Commands at a terminal log what goes wrong, in words.
fn quiet() -> Result<(), Failure> {
    log::start(&Log {
        format: LogFormat::Text,
        filter: "warn".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_hangs_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        let cases = [
            "shapan",
            "shapan serve",
            "shapan demo --listen nowhere",
            "shapan demo --scale 0",
            "shapan import a.csv --dataset A --as x --data d",
            "shapan import a.csv --dataset air --as x",
            "shapan import a.csv --dataset air --as x --data d --config c",
            "shapan import a.csv --dataset air --as x --data d --encoding latin-1",
            "shapan publish --dataset air --assess-as y --data d",
            "shapan user create x --name X --organization o --role king --data d",
            "shapan job try q",
            "shapan job try q --portal http://x --declared f",
            "shapan job try q --file q --portal http://x",
            "shapan job try q --portal http://x --language fr",
            "shapan key rewrap --data d",
            "shapan key rewrap --new-key k",
            "shapan ledger verify",
            "shapan ledger verify http://x --key rubbish",
            "shapan ledger key",
            "shapan ledger key --new k",
        ];
        for line in cases {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}: {error}");
        }
    }
}
