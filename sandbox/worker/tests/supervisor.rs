//! End to end over real Parquet parts, and against workers that crash, hang or lie.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use model::{Clock, DatasetId, Level, Slug, SystemClock, Timestamp, VersionId};
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::WriterProperties;
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::execute::Incident;
use sandbox_plan::{Part, Relation};
use sandbox_worker::{ChildProgram, Fault, Grant, Supervisor, WorkRequest, WorkerError, WorkerLimits, frame};
use seal::DataKey;
use tempfile::TempDir;

const LIMITS: WorkerLimits = WorkerLimits {
    slots: 2,
    threads: 2,
    memory_bytes: 4 << 30,
};

/// The example program, which cargo builds beside the tests.
fn program() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples/child")
}

fn supervisor(mode: &str, path: &Path) -> Supervisor {
    Supervisor::new(ChildProgram::new(program(), [mode.into(), path.into()]), LIMITS)
}

fn version() -> VersionId {
    VersionId::from_uuid(uuid::Uuid::from_u128(1))
}

fn key() -> DataKey {
    DataKey::from_bytes([4; 32])
}

fn part(path: &Path, units: &[u64]) -> Part {
    let schema = Arc::new(Schema::new(vec![
        Field::new("__unit", DataType::UInt64, false),
        Field::new("fare", DataType::Int64, true),
    ]));
    let fares: Int64Array = units
        .iter()
        .map(|unit| Some(i64::try_from(*unit).unwrap()))
        .collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(units.to_vec())), Arc::new(fares)];
    let encryption = FileEncryptionProperties::builder(key().expose().to_vec())
        .with_aad_prefix(seal::part_identity(version(), 0))
        .build()
        .unwrap();
    let properties = WriterProperties::builder()
        .with_file_encryption_properties(encryption)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
    writer
        .write(&RecordBatch::try_new(schema, columns).unwrap())
        .unwrap();
    writer.close().unwrap();
    Part {
        path: path.to_owned(),
        sha256: "0".repeat(64),
        bytes: std::fs::metadata(path).unwrap().len(),
        rows: units.len() as u64,
        place: 0,
        unit_range: (*units.iter().min().unwrap(), *units.iter().max().unwrap()),
    }
}

fn request(parts: Vec<Part>) -> WorkRequest {
    let metadata = serde_json::from_value(serde_json::json!({
        "unit": {"type": "person", "max_units": 1000, "max_rows": 1000, "max_rows_per_unit": 2},
        "fields": [
            {"name": "id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0.0, "hi": 100.0}}
        ]
    }))
    .unwrap();
    let relation = Relation {
        slug: Slug::parse("trips").unwrap(),
        dataset: DatasetId::at(Timestamp::from_micros(1)),
        version: version(),
        level: Level::L3,
        metadata,
    };
    let plan = sandbox_plan::plan("SELECT SUM(fare) FROM trips WHERE fare > 1", &relation)
        .unwrap()
        .parts
        .remove(0)
        .core;
    let grant = Grant {
        version: version(),
        parts,
        key: key(),
        columns: vec!["fare".into()],
        expires_at: SystemClock.now().plus_seconds(60),
    };
    let secret = GroupKeySecret([1; 16]);
    WorkRequest {
        plan,
        grants: vec![grant],
        secret,
        threads: 1,
        memory_bytes: 0,
        cpu_seconds: 0,
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_job_is_answered_from_another_process() {
    let folder = TempDir::new().unwrap();
    let parts = vec![
        part(&folder.path().join("a"), &[1, 2, 3]),
        part(&folder.path().join("b"), &[4, 5, 500]),
    ];
    let names = folder.path().join("names");
    let reply = supervisor("environment", &names)
        .run(request(parts), LONG)
        .await
        .unwrap();
    assert_eq!(reply.totals.values, [2 + 3 + 4 + 5 + 100]);
    assert!(reply.calls_filtered, "seccomp holds on every kernel we support");
    assert_eq!(
        std::fs::read_to_string(names).unwrap(),
        "GLIBC_TUNABLES",
        "no environment is inherited; how to get memory is said"
    );
}

#[tokio::test]
async fn a_worker_that_dies_is_started_again() {
    let folder = TempDir::new().unwrap();
    let parts = vec![part(&folder.path().join("a"), &[7])];
    let mark = folder.path().join("mark");
    let reply = supervisor("crash-once", &mark)
        .run(request(parts.clone()), LONG)
        .await
        .unwrap();
    assert_eq!(reply.totals.values, [7]);
    assert!(mark.exists());
    let count = folder.path().join("count");
    let error = supervisor("crash", &count)
        .run(request(parts), Duration::from_millis(900))
        .await
        .unwrap_err();
    assert!(matches!(error, WorkerError::Deadline | WorkerError::Broken));
    assert!(
        std::fs::read(count).unwrap().len() > 1,
        "tried until the deadline"
    );
}

#[tokio::test]
async fn a_deadline_kills_the_worker_and_its_children() {
    let folder = TempDir::new().unwrap();
    let ids = folder.path().join("ids");
    let started = Instant::now();
    let error = supervisor("hang", &ids)
        .run(request(vec![]), Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(error, WorkerError::Deadline);
    assert!(started.elapsed() < Duration::from_secs(10));
    let text = std::fs::read_to_string(ids).unwrap();
    for id in text.split(' ') {
        assert!(ends(id).await, "process {id} is still there");
    }
}

/// Whether a process is gone, or will be soon.
async fn ends(id: &str) -> bool {
    let stat = PathBuf::from(format!("/proc/{id}/stat"));
    let gone = || std::fs::read_to_string(&stat).map_or(true, |s| s.contains(") Z "));
    for _ in 0..100 {
        if gone() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// The processes that were started, once there are so many.
async fn started(ids: &Path, count: usize) -> Vec<String> {
    for _ in 0..200 {
        let text = std::fs::read_to_string(ids).unwrap_or_default();
        let found: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    vec![]
}

#[tokio::test]
async fn the_next_worker_waits_and_serves_one_request_only() {
    let folder = TempDir::new().unwrap();
    let ids = folder.path().join("ids");
    let parts = vec![part(&folder.path().join("a"), &[7])];
    let supervisor = supervisor("register", &ids);
    let total = async |parts: &Vec<Part>| {
        let reply = supervisor.run(request(parts.clone()), LONG).await.unwrap();
        assert!(reply.calls_filtered);
        reply.totals.values
    };
    assert_eq!(total(&parts).await, [7]);
    let first = started(&ids, 2).await;
    assert_eq!(first.len(), 2, "one has answered, one waits");
    assert!(ends(&first[0]).await, "who has answered is gone");
    // It is asked something else, and answers that.
    let other = vec![part(&folder.path().join("b"), &[8, 9])];
    assert_eq!(total(&other).await, [8 + 9]);
    let second = started(&ids, 3).await;
    assert_eq!(second.len(), 3, "who waited was asked, and one more waits");
    assert!(ends(&second[1]).await, "it has served its one request");
    // What happens to a process that waits is no failure of a job.
    let id = nix::unistd::Pid::from_raw(second[2].parse().unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(ends(&second[2]).await);
    assert_eq!(total(&parts).await, [7]);
    let third = started(&ids, 5).await;
    assert_eq!(third.len(), 5);
    drop(supervisor);
    assert!(ends(&third[4]).await, "nobody waits for a server that is gone");
}

#[tokio::test]
async fn what_is_no_answer_is_not_taken() {
    let folder = TempDir::new().unwrap();
    let good = |payload: &[u8]| {
        let mut bytes = vec![];
        frame::write(&mut bytes, payload, 1 << 20).unwrap();
        bytes
    };
    let value = 7i128.to_le_bytes();
    let ok = [&[0u8, 0][..], &value].concat();
    let lies: Vec<Vec<u8>> = vec![
        vec![],
        b"hello, here are some rows: 1,2,3".to_vec(),
        good(&[]),
        good(&[0, 0]),
        good(&[1, 99]),
        good(&[9, 0]),
        good(&[0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        good(&[&ok[..], &value].concat()),
        [good(&ok), b"and more".to_vec()].concat(),
        [&b"SHW1"[..], &u32::MAX.to_le_bytes()].concat(),
        [&b"SHW2"[..], &good(&ok)[4..]].concat(),
        good(&ok)[..20].to_vec(),
    ];
    for (at, lie) in lies.into_iter().enumerate() {
        let path = folder.path().join(at.to_string());
        std::fs::write(&path, lie).unwrap();
        let answer = supervisor("answer", &path)
            .run(request(vec![]), Duration::from_millis(700))
            .await;
        assert!(
            matches!(answer, Err(WorkerError::Broken | WorkerError::Deadline)),
            "lie {at}: {answer:?}"
        );
    }
    let path = folder.path().join("ok");
    std::fs::write(&path, good(&ok)).unwrap();
    assert_eq!(
        supervisor("answer", &path)
            .run(request(vec![]), LONG)
            .await
            .unwrap()
            .totals
            .values,
        [7]
    );
    // A well-formed answer beyond what the plan allows is clamped: 1000 units × 2 rows × 100.
    std::fs::write(&path, good(&[&[0u8, 0][..], &i128::MAX.to_le_bytes()].concat())).unwrap();
    assert_eq!(
        supervisor("answer", &path)
            .run(request(vec![]), LONG)
            .await
            .unwrap()
            .totals
            .values,
        [200_000]
    );
    let flood = supervisor("flood", &path)
        .run(request(vec![]), Duration::from_secs(1))
        .await;
    assert!(matches!(flood, Err(WorkerError::Broken | WorkerError::Deadline)));
}

#[tokio::test]
async fn incidents_and_void_grants_are_told_by_class() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere");
    let worker = supervisor("sandbox-worker", &nowhere);
    let unsorted = part(&folder.path().join("a"), &[3, 1, 2]);
    let error = worker.run(request(vec![unsorted]), LONG).await.unwrap_err();
    assert_eq!(error, WorkerError::Fault(Fault::Incident(Incident::OutOfOrder)));
    let mut keyless = request(vec![part(&folder.path().join("b"), &[1, 2])]);
    keyless.grants[0].key = DataKey::generate().unwrap();
    assert_eq!(
        worker.run(keyless, LONG).await.unwrap_err(),
        WorkerError::Fault(Fault::Incident(Incident::Unreadable)),
        "another version's key"
    );
    let mut late = request(vec![]);
    late.grants[0].expires_at = SystemClock.now().plus_seconds(-1);
    assert_eq!(
        worker.run(late, LONG).await.unwrap_err(),
        WorkerError::Fault(Fault::Expired)
    );
    let mut wider = request(vec![]);
    wider.grants[0].columns.clear();
    assert_eq!(worker.run(wider, LONG).await.unwrap_err(), WorkerError::Request);
    let mut other = request(vec![]);
    other.grants[0].version = VersionId::at(Timestamp::from_micros(9));
    assert_eq!(worker.run(other, LONG).await.unwrap_err(), WorkerError::Request);
}

#[tokio::test]
async fn memory_and_slots_are_limited() {
    let folder = TempDir::new().unwrap();
    let parts = vec![part(&folder.path().join("a"), &[1, 2, 3])];
    let tiny = WorkerLimits {
        memory_bytes: 1 << 20,
        ..LIMITS
    };
    let command = ChildProgram::new(program(), ["sandbox-worker".into()]);
    let answer = Supervisor::new(command, tiny)
        .run(request(parts), Duration::from_secs(2))
        .await;
    assert!(answer.is_err(), "one megabyte is not enough");
    let ids = folder.path().join("ids");
    let one = WorkerLimits { slots: 1, ..LIMITS };
    let hanging = Supervisor::new(ChildProgram::new(program(), ["hang".into(), ids.into()]), one);
    let (first, second) = tokio::join!(
        hanging.run(request(vec![]), Duration::from_secs(3)),
        hanging.run(request(vec![]), Duration::from_secs(1))
    );
    assert_eq!(first.unwrap_err(), WorkerError::Deadline);
    assert_eq!(second.unwrap_err(), WorkerError::NoSlot);
}

/// Starts a worker directly and gives its exit status and answer.
fn start(mode: &str, path: &Path, request: &WorkRequest) -> (std::process::ExitStatus, Vec<u8>) {
    use std::process::{Command, Stdio};
    let mut command = Command::new(program());
    command
        .arg(mode)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let payload = serde_json::to_vec(request).unwrap();
    frame::write(&mut child.stdin.take().unwrap(), &payload, frame::MAX_REQUEST).unwrap();
    let answer = frame::read(&mut child.stdout.take().unwrap(), 1 << 20).unwrap();
    (child.wait().unwrap(), answer)
}

#[test]
fn the_walls_hold() {
    use std::os::unix::process::ExitStatusExt;
    let folder = TempDir::new().unwrap();
    let mut job = request(vec![part(&folder.path().join("a"), &[1, 2, 3])]);
    (job.memory_bytes, job.cpu_seconds) = (4 << 30, 10);
    let target = folder.path().join("target");
    let (status, answer) = start("escape-network", &target, &job);
    assert_eq!(answer.first(), Some(&0), "the job itself works");
    assert_eq!(status.signal(), Some(31), "killed by SIGSYS");
    let (status, _) = start("escape-program", &target, &job);
    assert_eq!(
        status.signal(),
        Some(31),
        "killed before it starts another process"
    );
    let (status, answer) = start("escape-files", &target, &job);
    let confined = answer[1] & 1 != 0;
    assert_eq!(
        status.code(),
        Some(if confined { 4 } else { 3 }),
        "the answer tells whether files are confined"
    );
    let (status, _) = start("escape-write", &target, &job);
    assert!(!status.success());
    assert_eq!(
        std::fs::read(&target).unwrap_or_default(),
        b"",
        "nothing can be written"
    );
    job.cpu_seconds = 0;
    let mut bad = job.clone();
    bad.plan.cells += 1;
    let (_, answer) = start("sandbox-worker", &target, &bad);
    assert_eq!(answer, [1, Fault::Request.code()], "a damaged plan is not run");
}
