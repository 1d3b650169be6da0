//! What holds at every moment, read from the database, the files and the public surfaces.

use std::collections::BTreeSet;
use std::path::Path;

use db::Database;
use db::dataset::DatasetFilter;
use db::project::Project;
use ledger::{Act, Checkpoint};
use model::{DatasetState, Level, Slug, VersionState};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::{TestApp, Who};

/// Checks everything against a running portal; gives the newest checkpoint, which the next check must continue.
pub(super) async fn check(app: &TestApp, remembered: Option<Checkpoint>, when: &str) -> Checkpoint {
    let database = app.connect().await;
    let released = versions(app, &database, when).await;
    search(app, &released, when).await;
    let jobs = charges(&database, when).await;
    database.close().await.unwrap();
    let log = sequenced(app, remembered, jobs, when).await;
    log.checkpoint
}

/// Each version that is ready has all its files, byte for byte; each released dataset points at a released version.
async fn versions(app: &TestApp, database: &Database, when: &str) -> BTreeSet<String> {
    let mut released = BTreeSet::new();
    let datasets = db::dataset::list(database.read(), DatasetFilter::default(), None, 1_000)
        .await
        .unwrap();
    for dataset in datasets {
        for version in db::version::list(database.read(), dataset.id, None, 100)
            .await
            .unwrap()
        {
            let complete = matches!(version.state, VersionState::Ready | VersionState::Released);
            assert_eq!(
                complete,
                version.manifest.is_some(),
                "{when}: {} {version:?}",
                dataset.slug
            );
            assert_eq!(complete, version.checksum.is_some(), "{when}: {}", dataset.slug);
            if let Some(manifest) = version.manifest.as_ref().filter(|_| complete) {
                let zone = if dataset.level == Some(Level::L1) {
                    "open"
                } else {
                    "sandbox"
                };
                let folder = app
                    .data()
                    .join(zone)
                    .join("versions")
                    .join(version.id.to_string());
                files(&folder, manifest, when);
            }
            let current = dataset.current_version_id == Some(version.id);
            assert_eq!(
                current,
                version.state == VersionState::Released,
                "{when}: {}",
                dataset.slug
            );
        }
        assert_eq!(
            dataset.state == DatasetState::Released,
            dataset.current_version_id.is_some(),
            "{when}: {} is half published",
            dataset.slug
        );
        if dataset.state == DatasetState::Released {
            released.insert(dataset.slug.to_string());
        }
    }
    released
}

fn files(folder: &Path, manifest: &Value, when: &str) {
    let mut named = BTreeSet::new();
    for list in ["parts", "distributions"] {
        for file in manifest[list].as_array().unwrap() {
            let name = file["name"].as_str().unwrap();
            let path = folder.join(name);
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{when}: {}: {e}", path.display()));
            assert_eq!(file["bytes"], bytes.len(), "{when}: {}", path.display());
            assert_eq!(
                file["sha256"],
                hex::encode(Sha256::digest(&bytes)),
                "{when}: {}",
                path.display()
            );
            named.insert(name.to_owned());
        }
    }
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert!(
        there.is_superset(&named),
        "{when}: {there:?} lacks some of {named:?}"
    );
}

/// Search finds what is released, all of it and nothing else.
async fn search(app: &TestApp, released: &BTreeSet<String>, when: &str) {
    let mut found = BTreeSet::new();
    for _ in 0..100 {
        found = all_found(app).await;
        // The outbox is worked off in the background after a start.
        if found == *released {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(found, *released, "{when}: search and catalogue differ");
}

/// What a search for everything finds, on all its pages.
async fn all_found(app: &TestApp) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for page in 1.. {
        let path = format!("/api/v1/datasets?sort=title&per_page=100&page={page}");
        let answer = app.client(Who::Anonymous).get(&path).await.expect(200);
        let results = answer["results"].as_array().unwrap();
        let slugs = results.iter().map(|result| result["slug"].as_str().unwrap());
        found.extend(slugs.map(str::to_owned));
        if results.len() < 100 {
            break;
        }
    }
    found
}

/// The projects of the tests' enterprises.
pub(super) async fn projects(database: &Database) -> Vec<Project> {
    let mut found = Vec::new();
    for slug in [
        demo::organization::MOBILITY.slug,
        demo::organization::INSIGHT.slug,
    ] {
        let slug = Slug::parse(slug).unwrap();
        let organization = db::organization::find_by_slug(database.read(), &slug)
            .await
            .unwrap()
            .unwrap();
        found.extend(
            db::project::list(database.read(), organization.id, None, 100)
                .await
                .unwrap(),
        );
    }
    found
}

/// Every job that is no repeat is charged exactly once, and budgets are short by exactly the charges. Returns the
/// number of charges.
async fn charges(database: &Database, when: &str) -> u64 {
    let mut charged = 0;
    for project in projects(database).await {
        let charges = db::allocation::list_charges(database.read(), project.id)
            .await
            .unwrap();
        let jobs = db::job::list(database.read(), project.id, None, 10_000)
            .await
            .unwrap();
        let paid: BTreeSet<_> = jobs
            .iter()
            .filter(|job| job.reuse_of.is_none())
            .map(|job| job.id.as_uuid())
            .collect();
        let named: BTreeSet<_> = charges.iter().map(|charge| charge.job_id.as_uuid()).collect();
        assert_eq!(paid, named, "{when}: jobs and charges differ");
        assert_eq!(charges.len(), named.len(), "{when}: a job was charged twice");
        let now = model::Clock::now(&model::SystemClock);
        for allocation in db::allocation::list_of_project(database.read(), project.id, now)
            .await
            .unwrap()
        {
            let of_this = charges
                .iter()
                .filter(|charge| charge.allocation_id == allocation.id);
            let (rho, delta) = of_this.fold((0, 0), |(rho, delta), c| {
                (rho + c.cost.rho_nano, delta + c.cost.delta_atto)
            });
            assert_eq!(
                allocation.remaining.rho_nano + rho,
                allocation.cap.rho_nano,
                "{when}: ρ"
            );
            assert_eq!(
                allocation.remaining.delta_atto + delta,
                allocation.cap.delta_atto,
                "{when}: δ"
            );
            let lineage = db::allocation::load_lineage(database.read(), allocation.lineage_id, now)
                .await
                .unwrap();
            assert!(
                lineage.lifetime_spent.rho_nano >= rho,
                "{when}: the lineage forgot a charge"
            );
        }
        charged += charges.len() as u64;
    }
    charged
}

/// The log verifies, continues the one remembered, and has a leaf for every charge.
async fn sequenced(
    app: &TestApp,
    remembered: Option<Checkpoint>,
    charges: u64,
    when: &str,
) -> ledger::VerifiedLog {
    for _ in 0..200 {
        let log = app.verify_ledger(remembered.clone()).await;
        let leaves = log.acts.get(&Act::JobCharged).copied().unwrap_or_default();
        assert!(
            leaves <= charges,
            "{when}: the log has {leaves} charges, the accounts {charges}"
        );
        if leaves == charges {
            return log;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{when}: the log lacks charges\n{}", app.log());
}
