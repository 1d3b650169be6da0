//! Publishing survives crashes and full disks; zones keep apart; orphans are found.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use model::{Timestamp, VersionId};
use object_store::{GetOptions, ObjectStoreExt};

use crate::*;

const CHILD_ROOT: &str = "STORAGE_TEST_ROOT";
const LATER: Timestamp = Timestamp::from_micros(i64::MAX / 2);
const OLD: Duration = Duration::from_secs(86_400);
const DATA: &[u8] = b"bytes of an object";

fn version() -> VersionId {
    VersionId::at(Timestamp::from_micros(1_800_000_000_000_000))
}

fn open(root: &Path) -> OpenStore {
    OpenStore::open(root, 0).unwrap()
}

fn publish(store: &OpenStore, version: VersionId, data: &[u8]) -> Result<StoredObject, StorageError> {
    let mut pending = store.begin(version, "parquet")?;
    pending.write_all(data)?;
    pending.publish()
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut stack = vec![folder.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                stack.push(entry.path());
            } else {
                found.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    found
}

/// Runs one of the `child_…` tests below in a process of its own.
fn run_child(test: &str, root: &Path, crash_at: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("tests::{test}"), "--nocapture"])
        .env(CHILD_ROOT, root)
        .env(crate::crash::VARIABLE, crash_at)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

#[tokio::test]
async fn an_object_is_named_by_its_hash_and_reads_back() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let version = version();
    let stored = publish(&store, version, DATA).unwrap();
    assert_eq!(stored.name, format!("{}.parquet", stored.sha256));
    assert_eq!(stored.bytes, DATA.len() as u64);
    assert_eq!(
        publish(&store, version, DATA).unwrap(),
        stored,
        "the same bytes are the same object"
    );
    let got = store
        .get(version, &stored.name, GetOptions::default())
        .await
        .unwrap();
    assert_eq!(got.bytes().await.unwrap(), DATA);
    assert_eq!(
        &store.get_range(version, &stored.name, 6..8).await.unwrap()[..],
        b"of"
    );
    let listed = store
        .object_store()
        .head(&store.location(version, &stored.name).unwrap())
        .await
        .unwrap();
    assert_eq!(listed.size, stored.bytes);
    assert_eq!(files(&root.path().join("open/pending")).len(), 0);
}

#[tokio::test]
async fn zones_have_folders_of_their_own_and_names_are_no_paths() {
    let root = tempfile::tempdir().unwrap();
    let (open, sandbox) = (open(root.path()), SandboxStore::open(root.path(), 0).unwrap());
    let mut pending = sandbox.begin(version(), "parquet").unwrap();
    pending.write_all(DATA).unwrap();
    let stored = pending.publish().unwrap();
    let missing = open.get(version(), &stored.name, GetOptions::default()).await;
    assert!(matches!(missing, Err(StorageError::NotFound(_))));
    for name in [
        "../../sandbox/versions/x",
        "/etc/passwd",
        "..",
        "",
        ".hidden",
        "a/b",
        "A",
        &"a".repeat(129),
    ] {
        assert!(
            matches!(open.location(version(), name), Err(StorageError::Name(_))),
            "{name:?}"
        );
    }
    assert!(open.begin(version(), "../x").is_err());
    for folder in ["open", "sandbox", "sandbox/versions", "sandbox/pending"] {
        let mode = std::fs::metadata(root.path().join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[test]
fn a_dropped_object_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let mut pending = store.begin(version(), "csv").unwrap();
    pending.write_all(&vec![7; 3 << 20]).unwrap();
    drop(pending);
    assert!(files(root.path()).is_empty());
}

#[test]
fn child_publishes() {
    let Ok(root) = std::env::var(CHILD_ROOT) else {
        return;
    };
    publish(&open(Path::new(&root)), version(), DATA).unwrap();
}

#[test]
fn a_crash_between_any_two_steps_leaves_nothing_or_all() {
    for (step, visible) in [
        ("begun", false),
        ("written", false),
        ("synced", false),
        ("folder", false),
        ("renamed", true),
        ("published", true),
        ("never", true),
    ] {
        let root = tempfile::tempdir().unwrap();
        let status = run_child("child_publishes", root.path(), step);
        assert_eq!(status.success(), step == "never", "{step}: {status}");
        let store = open(root.path());
        let stored = publish(&store, VersionId::at(Timestamp::from_micros(1)), DATA).unwrap();
        let found = store
            .root()
            .join("versions")
            .read_dir()
            .unwrap()
            .flat_map(|folder| files(&folder.unwrap().path()));
        assert_eq!(
            found.collect::<Vec<_>>().len(),
            1 + usize::from(visible),
            "{step}"
        );
        if visible {
            let path = store
                .root()
                .join("versions")
                .read_dir()
                .unwrap()
                .map(|f| f.unwrap().path().join(&stored.name));
            assert!(
                path.map(|path| std::fs::read(path).unwrap())
                    .all(|data| data == DATA),
                "{step}"
            );
        }
        // The dead process' pending file goes at once, both versions as they failed.
        let failed = store
            .list_versions()
            .unwrap()
            .into_iter()
            .map(|id| (id, Known::Nothing));
        let orphans = store
            .list_orphans(&failed.collect(), OLD, Timestamp::from_micros(0))
            .unwrap();
        store.remove_orphans(&orphans).unwrap();
        assert!(files(root.path()).is_empty(), "{step}");
    }
}

#[test]
fn child_fills_the_disk() {
    use nix::sys::resource::{Resource, setrlimit};
    let Ok(root) = std::env::var(CHILD_ROOT) else {
        return;
    };
    let store = open(Path::new(&root));
    let quarantine = QuarantineStore::open(Path::new(&root), 0).unwrap();
    // A file size limit with its signal ignored makes writes fail as a full disk does.
    #[expect(unsafe_code, reason = "ignoring a signal installs no handler")]
    unsafe {
        nix::sys::signal::signal(
            nix::sys::signal::Signal::SIGXFSZ,
            nix::sys::signal::SigHandler::SigIgn,
        )
    }
    .unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
    let big = vec![1u8; 3 << 20];
    let mut pending = store.begin(version(), "parquet").unwrap();
    let error = StorageError::from(pending.write_all(&big).unwrap_err());
    assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
    drop(pending);
    let mut pending = store.begin(version(), "parquet").unwrap();
    pending.write_all(&big[..(1 << 20) - 10]).unwrap();
    pending.write_all(&big[..100]).unwrap();
    let error = pending.publish().unwrap_err();
    assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
    let mut spool = quarantine.spool(u64::MAX).unwrap();
    assert!(matches!(spool.append(&big), Err(StorageError::Full { .. })));
    drop(spool);
    std::fs::write(Path::new(&root).join("done"), b"1").unwrap();
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    assert!(run_child("child_fills_the_disk", root.path(), "never").success());
    assert_eq!(files(root.path()), ["done"]);
}

#[test]
fn the_reserve_is_kept_free() {
    let root = tempfile::tempdir().unwrap();
    let store = OpenStore::open(root.path(), u64::MAX / 2).unwrap();
    assert!(matches!(
        store.begin(version(), "csv"),
        Err(StorageError::Full { .. })
    ));
    let quarantine = QuarantineStore::open(root.path(), u64::MAX / 2).unwrap();
    assert!(matches!(quarantine.spool(1), Err(StorageError::Full { .. })));
    assert!(open(root.path()).check_space(u64::MAX).is_err());
}

fn nothing() -> StoredObject {
    StoredObject {
        name: "nothing".to_owned(),
        sha256: String::new(),
        bytes: 0,
    }
}

/// The manifest of a version of one object.
fn manifest(version: VersionId, stored: &StoredObject) -> Manifest {
    let part = Part {
        name: stored.name.clone(),
        sha256: stored.sha256.clone(),
        bytes: stored.bytes,
        rows: 1,
        unit_range: None,
    };
    Manifest {
        version,
        fields: vec![],
        rows: 1,
        clustered: false,
        parts: vec![part],
        distributions: vec![],
    }
}

#[test]
fn only_what_is_left_over_is_an_orphan() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    let [complete, written, failed, unknown] =
        [1, 2, 3, 4].map(|n| VersionId::at(Timestamp::from_micros(n * 1_000)));
    let stored = publish(&store, complete, DATA).unwrap();
    let unnamed = publish(&store, complete, b"of an attempt that was cut off").unwrap();
    for version in [written, failed, unknown] {
        publish(&store, version, DATA).unwrap();
    }
    let pending = store.begin(complete, "csv").unwrap();
    let known = HashMap::from([
        (complete, Known::Complete(manifest(complete, &stored))),
        (written, Known::BeingWritten),
        (failed, Known::Nothing),
    ]);
    let now = Timestamp::from_micros(jiff_free_now());
    let sweep = |now| {
        let orphans = store.list_orphans(&known, OLD, now).unwrap();
        store.remove_orphans(&orphans).unwrap();
        store.remove_orphans(&orphans).unwrap();
        orphans.len()
    };
    assert_eq!(sweep(now), 1, "what failed goes at once");
    assert!(
        store.local_path(complete, &unnamed.name).unwrap().is_file(),
        "still young"
    );
    assert_eq!(sweep(LATER), 1, "what nobody names goes when it is old");
    assert!(!store.local_path(complete, &unnamed.name).unwrap().exists());
    assert_eq!(sweep(LATER), 0);
    for version in [complete, written, unknown] {
        assert!(
            store.local_path(version, &stored.name).unwrap().is_file(),
            "{version}"
        );
    }
    let mut left = store.list_versions().unwrap();
    left.sort_unstable();
    assert_eq!(left, [complete, written, unknown]);
    // What somebody is writing, however long ago it was begun, can be published.
    assert!(pending.publish().is_ok());
    for version in [complete, complete, written, unknown] {
        store.remove_version(version).unwrap();
    }
    assert!(files(root.path()).is_empty());
}

#[test]
fn child_leaves_everything_half_done() {
    let Ok(root) = std::env::var(CHILD_ROOT) else {
        return;
    };
    let quarantine = QuarantineStore::open(Path::new(&root), 0).unwrap();
    let mut spool = quarantine.spool(1_000).unwrap();
    spool.append(b"110101199003078515").unwrap();
    let scratch = quarantine.scratch().unwrap();
    scratch
        .create("bucket-1")
        .unwrap()
        .write_all(b"110101199003078515")
        .unwrap();
    let mut pending = open(Path::new(&root)).begin(version(), "csv").unwrap();
    pending.write_all(DATA).unwrap();
    pending.sync().unwrap();
    std::process::abort();
}

#[test]
fn what_a_dead_process_was_writing_is_told_from_what_a_living_one_writes() {
    let root = tempfile::tempdir().unwrap();
    let (store, quarantine) = (open(root.path()), QuarantineStore::open(root.path(), 0).unwrap());
    let mine = (
        quarantine.spool(10).unwrap(),
        quarantine.scratch().unwrap(),
        store.begin(version(), "csv").unwrap(),
    );
    mine.1.create("bucket-1").unwrap().finish().unwrap();
    let ours = files(root.path()).len();
    assert!(!run_child("child_leaves_everything_half_done", root.path(), "never").success());
    assert_eq!(files(root.path()).len(), ours + 3);
    // No age: the files are as young as can be.
    let now = Timestamp::from_micros(0);
    let orphans = store.list_orphans(&HashMap::new(), OLD, now).unwrap();
    assert_eq!(orphans.len(), 1);
    store.remove_orphans(&orphans).unwrap();
    let orphans = quarantine.list_orphans(&HashMap::new(), OLD, now).unwrap();
    assert_eq!(orphans.len(), 2);
    quarantine.remove_orphans(&orphans).unwrap();
    assert_eq!(files(root.path()).len(), ours);
    let (mut spool, scratch, pending) = mine;
    spool.append(b"abc").unwrap();
    spool.keep(version()).unwrap();
    scratch.open("bucket-1").unwrap();
    pending.publish().unwrap();
}

#[test]
fn a_sweep_beside_busy_writers_takes_nothing_of_theirs() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path());
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|n: u8| {
                let store = &store;
                scope.spawn(move || {
                    for round in 0..60_u8 {
                        publish(store, version(), &[n, round]).unwrap();
                    }
                })
            })
            .collect();
        while !writers.iter().all(|writer| writer.is_finished()) {
            let orphans = store
                .list_orphans(&HashMap::new(), Duration::ZERO, LATER)
                .unwrap();
            store.remove_orphans(&orphans).unwrap();
        }
    });
    assert_eq!(files(root.path()).len(), 180);
}

/// A moment shortly after now, from a file's time: tests read no clock either.
fn jiff_free_now() -> i64 {
    let file = tempfile::tempfile().unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    time.duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_micros() as i64
        + 1
}

/// Whether any file under a folder shows this text.
fn shows(folder: &Path, text: &str) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|window| window == text.as_bytes())
            {
                return true;
            }
        }
    }
    false
}

#[test]
fn a_spool_is_capped_kept_and_removed_on_schedule() {
    let root = tempfile::tempdir().unwrap();
    let store = QuarantineStore::open(root.path(), 0).unwrap();
    let id = version();
    let mut spool = store.spool(10).unwrap();
    spool.append(b"1234567890").unwrap();
    assert!(matches!(
        spool.append(b"1"),
        Err(StorageError::TooLarge { limit: 10 })
    ));
    assert_eq!(files(root.path()).len(), 1);
    drop(spool);
    assert!(files(root.path()).is_empty());

    let mut spool = store.spool(10).unwrap();
    spool.write_all(b"abc").unwrap();
    let upload = spool.keep(id).unwrap();
    assert_eq!(
        upload.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "FIPS 180-4"
    );
    assert_eq!(store.find_original_bytes(id), Some(3));
    let original = store.find_original(id, upload.key).unwrap();
    let text = std::io::read_to_string(original.open().unwrap().reader_at(0)).unwrap();
    assert_eq!(text, "abc");
    let now = Timestamp::from_micros(jiff_free_now());
    let old = |known: Option<Known>, now| {
        let known = known.map(|known| (id, known)).into_iter().collect();
        let old = store
            .list_old_uploads(&known, Duration::from_secs(3_600), OLD, now)
            .unwrap();
        old.len()
    };
    let day = now.plus_seconds(80_000);
    for (known, at_once, in_a_day) in [
        (Some(Known::BeingWritten), 0, 0),
        (Some(Known::Complete(manifest(id, &nothing()))), 0, 0),
        (Some(Known::Nothing), 1, 1),
        (None, 0, 1),
    ] {
        assert_eq!(
            [now, day, LATER].map(|now| old(known.clone(), now)),
            [at_once, in_a_day, 1],
            "{known:?}"
        );
    }
    store.remove_upload(id).unwrap();
    assert!(
        store
            .find_original(id, seal::DataKey::from_bytes([0; 32]))
            .is_none()
    );
    assert_eq!(store.find_original_bytes(id), None);
    store.remove_upload(id).unwrap();
}

#[test]
fn nothing_of_an_upload_is_readable_on_the_disk() {
    const SECRET: &str = "person_id,11010519491231002X";
    let root = tempfile::tempdir().unwrap();
    let store = QuarantineStore::open(root.path(), 0).unwrap();
    let mut spool = store.spool(u64::MAX).unwrap();
    let scratch = store.scratch().unwrap();
    let mut spill = scratch.create("bucket-1").unwrap();
    for _ in 0..10_000 {
        spool.append(SECRET.as_bytes()).unwrap();
        spill.write_all(SECRET.as_bytes()).unwrap();
    }
    assert!(!shows(root.path(), SECRET), "while it comes in");
    spill.finish().unwrap();
    let id = version();
    let upload = spool.keep(id).unwrap();
    assert!(!shows(root.path(), SECRET), "when it is kept");
    let whole = |key| {
        let original = store.find_original(id, key).unwrap();
        std::io::read_to_string(original.open()?.reader_at(0))
    };
    assert_eq!(whole(upload.key).unwrap(), SECRET.repeat(10_000));
    assert!(whole(seal::DataKey::generate().unwrap()).is_err());
}

#[test]
fn scratch_goes_with_its_owner() {
    let root = tempfile::tempdir().unwrap();
    let store = QuarantineStore::open(root.path(), 0).unwrap();
    let scratch = store.scratch().unwrap();
    let mut file = scratch.create("bucket-1").unwrap();
    file.write_all(b"x").unwrap();
    assert!(scratch.open("bucket-1").is_err(), "not finished");
    file.finish().unwrap();
    assert!(scratch.create("bucket-1").is_err());
    let opened = scratch.open("bucket-1").unwrap();
    assert_eq!(std::io::read_to_string(opened.reader_at(0)).unwrap(), "x");
    scratch.create("bucket-2").unwrap().finish().unwrap();
    let swap = root.path().join("quarantine/pending");
    let folder = swap.read_dir().unwrap().next().unwrap().unwrap().path();
    std::fs::rename(folder.join("bucket-2"), folder.join("bucket-1")).unwrap();
    assert!(scratch.open("bucket-1").is_err(), "one bucket is not another");
    scratch.remove("bucket-1").unwrap();
    drop(scratch);
    assert!(files(root.path()).is_empty());
}
