//! `shapan demo`: a city that a visitor can walk through.
//!
//! The city's people do everything themselves, through the use-cases of the portal: this is also the first test that
//! the whole house holds.

mod account;
mod entry;
mod seed;

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use shapan_config::{Config, LogFormat};

use crate::command::DemoArgs;
use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;
use crate::server::{Server, stop_signal};
use crate::{log, memory, secrets};

/// Under what the database keeps how far the seeding is.
const SETTING: &str = "demo";

/// How far the seeding of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Seeding {
    /// It began, and did not end.
    Begun,
    /// It is done.
    Done,
}

/// Seeds the folder if it is empty, and serves it until the process is asked to end.
pub(crate) async fn run(args: &DemoArgs, started: Instant) -> Result<(), Failure> {
    check_folder(&args.data)?;
    let config = configure(args)?;
    log::start(&config.log)?;
    let stop = stop_signal()?;
    let server = Server::start(config, started).await?;
    let seeded = tokio::select! {
        seeded = seed_once(&server.portal, args) => seeded,
        () = stop.cancelled() => Err(Failure::new(format!(
            "stopped while the demo was being seeded; remove {} and start again",
            args.data.display()
        ))),
    };
    let seeded = match seeded {
        Ok(seeded) => seeded,
        Err(failure) => {
            server.abandon().await;
            return Err(failure);
        }
    };
    let data = args.data.clone();
    server
        .run(stop, move |address| {
            if let Some(seconds) = seeded {
                say(&format!(
                    "{} was seeded in {seconds:.1} s",
                    ::demo::city::CITY_NAME.zh
                ));
            }
            account::show(&data, address)
        })
        .await
}

/// The defaults, made fit for a visitor's own machine. The log has a name of its own, since no two logs may share one.
fn configure(args: &DemoArgs) -> Result<Config, Failure> {
    let mut config = Config::from_environment()?;
    config.data.dir.clone_from(&args.data);
    config.server.listen = args.listen;
    // On 127.0.0.1 there is no HTTPS.
    config.server.secure_cookies = false;
    if std::env::var_os("SHAPAN__LOG__FORMAT").is_none() {
        config.log.format = LogFormat::Text;
    }
    if std::env::var_os("SHAPAN__LOG__FILTER").is_none() {
        "warn,shapan=info".clone_into(&mut config.log.filter);
    }
    config.ledger.origin = match secrets::find_origin(&args.data) {
        Some(origin) => origin,
        None => format!("shapan.localhost/demo/{}", hex::encode(*secrets::random::<6>()?)),
    };
    Ok(config)
}

/// A folder with other things in it is not touched.
fn check_folder(data: &Path) -> Result<(), Failure> {
    let shown = data.display();
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(Failure::cannot(format_args!("look into {shown}")))?,
    };
    let names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    if names.is_empty() || names.iter().any(|name| name == "shapan.sqlite") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{shown} is neither empty nor a demo's folder; name another with --data DIR"
    )))
}

/// Seeds what was never seeded; gives the seconds it took.
async fn seed_once(portal: &Portal, args: &DemoArgs) -> Result<Option<f64>, Failure> {
    let shown = args.data.display();
    match find_seeding(portal).await? {
        Some(Seeding::Done) if args.data.join(account::FILE).is_file() => return Ok(None),
        Some(Seeding::Done) => {
            return Err(Failure::new(format!(
                "{shown}/{} is gone, and passwords are stored as hashes only; remove {shown} to seed anew",
                account::FILE
            )));
        }
        Some(Seeding::Begun) => {
            return Err(Failure::new(format!(
                "the demo in {shown} was not seeded to its end; remove {shown} and start again"
            )));
        }
        None => {}
    }
    if !db::organization::list(portal.db.read(), None, None, 1)
        .await?
        .is_empty()
    {
        return Err(Failure::new(format!(
            "{shown} holds a portal that is no demo; name another folder with --data DIR"
        )));
    }
    let started = Instant::now();
    put_seeding(portal, Seeding::Begun).await?;
    seed::seed(portal, args).await?;
    put_seeding(portal, Seeding::Done).await?;
    memory::give_back();
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(seconds, scale = args.scale.factor(), "seeded");
    Ok(Some(seconds))
}

async fn find_seeding(portal: &Portal) -> Result<Option<Seeding>, Failure> {
    let value = db::setting::find(portal.db.read(), SETTING).await?;
    value
        .map(serde_json::from_value)
        .transpose()
        .map_err(Failure::cannot("read how far the demo is seeded"))
}

async fn put_seeding(portal: &Portal, seeding: Seeding) -> Result<(), Failure> {
    let tx = portal.db.begin_write().await?;
    db::setting::put(&tx, SETTING, serde_json::to_value(seeding)?, portal.clock.now()).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn args(data: &Path) -> DemoArgs {
        DemoArgs {
            data: data.to_owned(),
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
            scale: ::demo::Scale::new(::demo::Scale::LEAST).unwrap(),
        }
    }

    #[test]
    fn a_folder_of_somebody_s_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        check_folder(folder.path()).unwrap();
        check_folder(&folder.path().join("new")).unwrap();
        fs::write(folder.path().join("thesis.doc"), "").unwrap();
        let error = check_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("neither empty nor a demo"), "{error}");
    }

    #[test]
    fn every_demo_s_log_has_a_name_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let origin = || configure(&args(folder.path())).unwrap().ledger.origin;
        assert_ne!(origin(), origin());
    }

    #[tokio::test]
    async fn what_was_seeded_in_part_is_not_served() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(&folder.path().join("demo"));
        let portal = Portal::open(&configure(&args).unwrap()).await.unwrap();
        put_seeding(&portal, Seeding::Begun).await.unwrap();
        let error = seed_once(&portal, &args).await.unwrap_err().to_string();
        assert!(error.contains("not seeded to its end"), "{error}");
        put_seeding(&portal, Seeding::Done).await.unwrap();
        let error = seed_once(&portal, &args).await.unwrap_err().to_string();
        assert!(error.contains("demo-accounts.json is gone"), "{error}");
        fs::write(args.data.join(account::FILE), "[]").unwrap();
        assert!(seed_once(&portal, &args).await.unwrap().is_none());
    }
}
