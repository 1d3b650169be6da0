//! `shapan import`: a file becomes a dataset's next version, through the use-cases of the portal.
//!
//! It works next to a running server and without one: the upload's task is leased by whoever is first, and the command
//! follows it.

use std::io::Read as _;
use std::path::Path;

use catalog_entry::{EntryError, NewEntry};
use catalog_ingest::IngestOptions;
use identity::Actor;
use indicatif::ProgressBar;
use model::{DeclaredMetadata, EntryMetadata, Level};
use serde::Deserialize;
use serde_json::Value;
use storage::Spool;

use crate::background::tasks;
use crate::command::ImportArgs;
use crate::failure::Failure;
use crate::portal::Portal;
use crate::progress;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// An entry as a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    #[serde(default)]
    level: Option<Level>,
    metadata: EntryMetadata,
    #[serde(default)]
    declared: Option<DeclaredMetadata>,
}

/// Imports a file.
pub(crate) async fn run(args: &ImportArgs) -> Result<(), Failure> {
    let shown = args.file.display();
    let file = std::fs::File::open(&args.file).map_err(Failure::cannot(format_args!("open {shown}")))?;
    let bytes = file
        .metadata()
        .map_err(Failure::cannot(format_args!("look at {shown}")))?
        .len();
    let name = args.file.file_name().and_then(|name| name.to_str());
    let name = name
        .ok_or_else(|| Failure::new(format!("{shown} has no file name that is text")))?
        .to_owned();
    let entry = args.entry.as_deref().map(read_entry).transpose()?;
    let config = args.place.load()?;
    let portal = Portal::open(&config).await?;
    let actor = portal.load_actor(&args.user).await?;
    make_entry(&portal, &actor, args, entry).await?;
    let begun = portal.catalog.begin_upload(&actor, &args.dataset).await;
    let (dataset, spool) = begun.map_err(|error| begin_failure(args, error))?;
    let bar = progress::bytes_bar(bytes)?;
    let reading = bar.clone();
    let path = args.file.clone();
    let spool = tokio::task::spawn_blocking(move || read_all(file, &path, spool, &reading)).await??;
    let options = IngestOptions {
        encoding: args.encoding,
        delimiter: args.delimiter,
        header: args.header,
        missing: (!args.missing.is_empty()).then(|| args.missing.clone()),
        ..IngestOptions::default()
    };
    let uploaded = portal
        .catalog
        .finish_upload(&actor, &dataset, spool, &name, &options)
        .await;
    let (version, task) = uploaded.map_err(Failure::cannot(format_args!("take in {shown}")))?;
    let runner = tasks::start_ingest(&portal);
    let followed = progress::follow(&portal.db, task, Some(&bar)).await;
    runner.stop().await;
    bar.finish_and_clear();
    followed.map_err(|failure| Failure::new(format!("{shown} was not taken: {failure}")))?;
    let version = db::version::load(portal.db.read(), version.id).await?;
    let rows = version
        .profile
        .as_ref()
        .and_then(|profile| profile["rows"].as_u64());
    let columns = version
        .manifest
        .as_ref()
        .and_then(|manifest| manifest["fields"].as_array())
        .map(Vec::len);
    say(&match (rows, columns) {
        (Some(rows), Some(columns)) => format!(
            "{}: version {} is ready, {rows} rows in {columns} columns. Ask for its release with `shapan publish`.",
            args.dataset, version.number
        ),
        _ => format!(
            "{}: version {} is kept in quarantine until the entry has a level.",
            args.dataset, version.number
        ),
    });
    Ok(())
}

fn begin_failure(args: &ImportArgs, error: EntryError) -> Failure {
    match error {
        EntryError::NotFound(_) => Failure::new(format!(
            "there is no dataset {:?} that {:?} may upload to; describe a new one with --entry FILE",
            args.dataset.as_str(),
            args.user
        )),
        error => Failure::cannot(format_args!("upload to {}", args.dataset))(error),
    }
}

/// Makes the dataset if it is not there; an entry for one that is there is refused, not ignored.
async fn make_entry(
    portal: &Portal,
    actor: &Actor,
    args: &ImportArgs,
    entry: Option<EntryFile>,
) -> Result<(), Failure> {
    let Some(entry) = entry else { return Ok(()) };
    let new = NewEntry {
        slug: args.dataset.clone(),
        level: entry.level,
        metadata: entry.metadata,
        declared: entry.declared,
    };
    match portal.catalog.create(actor, new).await {
        Ok(_) => Ok(()),
        Err(EntryError::SlugTaken(slug)) => Err(Failure::new(format!(
            "the dataset {slug} is there already; leave --entry away to add a version, or edit its entry in the portal"
        ))),
        Err(error) => Err(Failure::cannot(format_args!("make the dataset {}", args.dataset))(error)),
    }
}

fn read_entry(path: &Path) -> Result<EntryFile, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(Failure::cannot(format_args!("read the entry {shown}")))?;
    let json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    // One shape in both notations.
    let value: Value = if json {
        serde_json::from_str(&text)
            .map_err(Failure::cannot(format_args!("read the entry {shown} as JSON")))?
    } else {
        toml::from_str(&text).map_err(Failure::cannot(format_args!("read the entry {shown} as TOML")))?
    };
    serde_json::from_value(value).map_err(Failure::cannot(format_args!("use the entry {shown}")))
}

fn read_all(
    mut file: std::fs::File,
    path: &Path,
    mut spool: Spool,
    bar: &ProgressBar,
) -> Result<Spool, Failure> {
    let shown = path.display();
    bar.set_message("read");
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file
            .read(&mut buffer)
            .map_err(Failure::cannot(format_args!("read {shown}")))?;
        if read == 0 {
            return Ok(spool);
        }
        spool
            .append(&buffer[..read])
            .map_err(Failure::cannot(format_args!("take in {shown}")))?;
        bar.inc(read as u64);
    }
}

/// Prints a line for people. A closed terminal is no reason to fail.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn entries_are_the_same_in_toml_and_json() {
        let folder = tempfile::tempdir().unwrap();
        let toml = folder.path().join("entry.toml");
        let json = folder.path().join("entry.json");
        std::fs::write(
            &toml,
            "level = \"L1\"\n[metadata]\ntitle = { zh = \"空气\" }\nsummary = { zh = \"逐小时\" }\ntheme = \
             \"environment\"\nupdate_cycle = \"daily\"\nlicense = \"cc-by-4.0\"\n",
        )
        .unwrap();
        std::fs::write(
            &json,
            r#"{"level": "L1", "metadata": {"title": {"zh": "空气"}, "summary": {"zh": "逐小时"},
                "theme": "environment", "update_cycle": "daily", "license": "cc-by-4.0"}}"#,
        )
        .unwrap();
        let (a, b) = (read_entry(&toml).unwrap(), read_entry(&json).unwrap());
        assert_eq!((a.level, &a.metadata), (b.level, &b.metadata));
        std::fs::write(&toml, "levle = \"L1\"").unwrap();
        let error = read_entry(&toml).unwrap_err().to_string();
        assert!(error.contains("levle") && error.contains("entry.toml"), "{error}");
    }
}
