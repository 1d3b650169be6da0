//! kill −9 in the middle leaves nothing visible.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::*;

const ROOT: &str = "INGEST_TEST_ROOT";
const PHASE: &str = "INGEST_TEST_PHASE";

fn protected(house: &House) -> IngestPlan {
    house.protected_plan(declared(json!({
        "unit": {"type": "person", "max_units": 100, "max_rows": 1000, "max_rows_per_unit": 10},
        "fields": [
            {"name": "id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "n", "type": "integer", "level": "L3"},
        ]
    })))
}

#[test]
fn child_dies_in_a_phase() {
    let (Ok(root), Ok(phase)) = (std::env::var(ROOT), std::env::var(PHASE)) else {
        return;
    };
    let root = Path::new(&root);
    let (open, sandbox) = (
        OpenStore::open(root, 0).unwrap(),
        SandboxStore::open(root, 0).unwrap(),
    );
    let quarantine = QuarantineStore::open(root, 0).unwrap();
    let secret = UnitSecret::new([1; 32]);
    let house = House::new();
    let die = |progress: Progress| {
        if format!("{:?}", progress.phase) == phase {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
    };
    let never = AtomicBool::new(false);
    let watch = Watch::new(&die, &never);
    let plan = IngestPlan {
        formats: ALL_FORMATS.to_vec(),
        ..house.open_plan()
    };
    if phase != "Cluster" {
        ingest(&root.join("upload"), &plan, Destination::Open(&open), &watch).unwrap();
    } else {
        let destination = Destination::Sandbox {
            store: &sandbox,
            quarantine: &quarantine,
            secret: &secret,
            key: &DataKey::generate().unwrap(),
        };
        ingest(&root.join("upload"), &protected(&house), destination, &watch).unwrap();
    }
}

#[test]
fn a_killed_ingest_leaves_nothing_visible_and_can_be_cleaned_up() {
    for phase in ["Detect", "Convert", "Cluster", "Distribute", "Publish"] {
        let house = House::new();
        let rows: String = (0..50)
            .map(|person| format!("{},{person}\n", id_number(person)))
            .collect();
        let path = house.file(format!("id,n\n{rows}"));
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::child_dies_in_a_phase", "--nocapture"])
            .env(ROOT, house.root.path())
            .env(PHASE, phase)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{phase}");
        for zone in ["quarantine", "sandbox"] {
            assert!(
                !sealed::shows(&house.root.path().join(zone), &id_number(7)),
                "{phase}"
            );
        }
        assert!(
            house
                .files()
                .iter()
                .all(|file| file.to_string_lossy().contains("/pending/")),
            "{phase}"
        );
        // At once, since the process is dead.
        let (known, now) = (HashMap::new(), Timestamp::from_micros(0));
        let orphans = house.open.list_orphans(&known, Duration::MAX, now).unwrap();
        house.open.remove_orphans(&orphans).unwrap();
        let orphans = house.sandbox.list_orphans(&known, Duration::MAX, now).unwrap();
        house.sandbox.remove_orphans(&orphans).unwrap();
        let orphans = house.quarantine.list_orphans(&known, Duration::MAX, now).unwrap();
        house.quarantine.remove_orphans(&orphans).unwrap();
        assert!(house.files().is_empty(), "{phase}");
        // And the same task can run again.
        assert_eq!(house.run(&path, &house.open_plan()).unwrap().manifest.rows, 50);
        assert_eq!(house.run(&path, &protected(&house)).unwrap().manifest.rows, 50);
    }
}
