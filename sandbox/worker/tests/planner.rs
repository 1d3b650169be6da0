//! Planners as processes: they decide as this process would, within limits, and are not believed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use model::{DatasetId, Level, Slug, UserId, VersionId};
use sandbox_plan::{Arrangement, Leaf, PublicBody, PublicQuery, PublicTable, Refusal, Relation, Rule};
use sandbox_worker::{
    ChildProgram, MAX_PLANNED, PLANNER, PlanRequest, Planned, PlannerError, PlannerLimits, Planners, frame,
};
use tempfile::TempDir;

const LIMITS: PlannerLimits = PlannerLimits {
    at_once: 1,
    per_account: 1,
    wait: Duration::from_secs(1),
    deadline: Duration::from_secs(60),
    cpu_seconds: 30,
    memory_bytes: 1 << 30,
};

const SQL: &str = "SELECT SUM(fare) AS total FROM trips WHERE fare > 1";

/// The example program, which cargo builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    built.join("examples/child")
}

fn planners(mode: &str, path: &Path, limits: PlannerLimits) -> Planners {
    let args = [mode.into(), path.into(), PLANNER.into()];
    Planners::new(ChildProgram::new(program(), args), limits)
}

fn real() -> Planners {
    planners(PLANNER, Path::new(""), LIMITS)
}

fn account() -> UserId {
    UserId::from_uuid(uuid::Uuid::from_u128(1))
}

fn dataset(number: u128) -> DatasetId {
    DatasetId::from_uuid(uuid::Uuid::from_u128(number))
}

fn version(number: u128) -> VersionId {
    VersionId::from_uuid(uuid::Uuid::from_u128(number))
}

/// A dataset whose fares go up to a bound that no short decimal fraction is.
fn relation() -> Relation {
    let domain: Vec<String> = (0..300).map(|n| format!("区{n}\"\\\u{1}")).collect();
    let metadata = serde_json::json!({
        "unit": {"type": "person", "max_units": 1000, "max_rows": 1000, "max_rows_per_unit": 2},
        "fields": [
            {"name": "id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "fare", "type": "number", "level": "L3", "bounds": {"lo": -0.1, "hi": 1.0 / 3.0 + 56.789}},
            {"name": "age", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 120}},
            {"name": "district", "type": "text", "level": "L3", "domain": domain},
            {"name": "note", "type": "text", "level": "L3"},
            {"name": "start", "type": "timestamp", "level": "L3"},
            {"name": "name", "type": "text", "level": "L3", "role": "direct_identifier"},
        ]
    });
    Relation {
        slug: Slug::parse("trips").unwrap(),
        dataset: dataset(1),
        version: version(1),
        level: Level::L3,
        metadata: serde_json::from_value(metadata).unwrap(),
    }
}

/// Another dataset about persons.
fn other_relation() -> Relation {
    let mut other = relation();
    other.slug = Slug::parse("visits").unwrap();
    other.dataset = dataset(2);
    other.version = version(2);
    other
}

fn request(sql: &str) -> PlanRequest {
    PlanRequest::new(sql, vec![relation(), other_relation()])
}

/// What a query needs, as if whoever runs queries over open data had answered.
fn frozen(needed: &[PublicQuery]) -> Vec<PublicTable> {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["区1", "区2", "区2"]));
    let sizes: ArrayRef = Arc::new(Float64Array::from(vec![0.1, 1.0 / 3.0, 7e-300]));
    let freeze = |query: &PublicQuery| {
        let column = |plain| {
            if query.name.starts_with("__") {
                "__member"
            } else {
                plain
            }
        };
        let batch = RecordBatch::try_from_iter([(column("name"), names.clone()), ("size", sizes.clone())]);
        let batch = batch.unwrap();
        PublicTable::freeze(&query.name, &batch.schema(), std::slice::from_ref(&batch)).unwrap()
    };
    needed.iter().map(freeze).collect()
}

#[tokio::test]
async fn planners_decide_as_this_process_would() {
    let long = format!(
        "SELECT COUNT(*) FROM trips WHERE note IN ('{}')",
        "x".repeat(70_000)
    );
    let deep = format!("SELECT {}1{} FROM trips", "(".repeat(60), ")".repeat(60));
    let broad = format!(
        "SELECT COUNT(*) FROM trips WHERE fare = 1{}",
        " OR fare = 1".repeat(400)
    );
    let joins = |count: usize| -> String {
        let joins = (0..count).map(|n| format!(" JOIN open{n} o{n} ON t.district = o{n}.name"));
        format!("SELECT COUNT(*) FROM trips t{}", joins.collect::<String>())
    };
    let (some, many) = (joins(3), joins(12));
    let sum = format!("SELECT SUM(LEAST(fare{}, 9)) FROM trips", " + 1".repeat(100));
    let queries = [
        // Plans.
        SQL,
        "SELECT district, COUNT(*), AVG(fare) AS mean, COUNT(DISTINCT id) FROM trips GROUP BY district ORDER BY 2 LIMIT 3",
        "SELECT note, SUM(fare * 0.1) / COUNT(*) AS x FROM trips GROUP BY note HAVING COUNT(*) > 20.5",
        "SELECT MEDIAN(fare) AS m, COUNT(DISTINCT age) AS ages FROM trips WHERE note LIKE '%é\u{7f}%'",
        "SELECT SUM(n) AS s FROM (SELECT id, LEAST(COUNT(*), 2) AS n FROM trips GROUP BY id) u",
        "SELECT COUNT(*) AS n FROM trips a JOIN visits b ON a.id = b.id WHERE a.fare > b.fare",
        "SELECT age, CORR(fare, age) AS r FROM trips WHERE start > TIMESTAMP '2024-02-29 00:00:00' GROUP BY ROLLUP(age)",
        // Public parts.
        "SELECT o.name, SUM(t.fare * o.size) AS x FROM trips t JOIN areas o ON t.district = o.name GROUP BY o.name",
        "SELECT COUNT(*) AS n FROM trips WHERE district IN (SELECT name FROM areas WHERE size > 0.1)",
        &some,
        // Refusals, with and without a place and a detail.
        "",
        "SELEC 1",
        "SELECT 'a FROM trips",
        "EXPLAIN SELECT COUNT(*) FROM trips",
        "SELECT * FROM trips",
        "SELECT MAX(fare) FROM trips",
        "SELECT name, COUNT(*) FROM trips GROUP BY name",
        "SELECT COUNT(*) FROM trips WHERE start > TIMESTAMP '2024-02-30 00:00:00'",
        "SELECT COUNT(*) FROM trips\nWHERE no_such = '秘密'",
        "SELECT COUNT(*) FROM nowhere",
        "SELECT id FROM trips",
        "SELECT SUM(fare) FROM trips t FULL JOIN visits v ON t.id = v.id",
        "SELECT COUNT(*) FROM trips WHERE fare = (SELECT 1)",
        "SELECT random(), COUNT(*) FROM trips GROUP BY 1",
        "SELECT no_function(fare), COUNT(*) FROM trips GROUP BY 1",
        "SELECT fare, COUNT(*) FROM trips GROUP BY fare",
        "SELECT COUNT(*) + note FROM trips",
        &long,
        &deep,
        &broad,
        &many,
        &sum,
    ];
    let planners = real();
    let (mut planned, mut refused) = (0, 0);
    for sql in queries {
        let mut request = request(sql);
        let mut here = request.decide();
        let there = planners.plan(account(), request.clone()).await;
        let same = |here: &Result<Planned, Refusal>, there: Result<Planned, PlannerError>| {
            let here = here
                .clone()
                .map_err(|refusal| PlannerError::Refused(Box::new(refusal)));
            assert_eq!(there, here, "{sql:.200}");
        };
        same(&here, there);
        if let Ok(Planned::Needs(needed)) = &here {
            request.public = Some(frozen(needed));
            here = request.decide();
            same(&here, planners.plan(account(), request).await);
        }
        match here {
            Ok(Planned::Plan(_)) => planned += 1,
            Ok(Planned::Needs(_)) => panic!("{sql}"),
            Err(_) => refused += 1,
        }
    }
    assert_eq!((planned, refused), (10, 22));
}

#[tokio::test]
async fn who_uses_up_time_or_memory_is_too_complex() {
    let folder = TempDir::new().unwrap();
    for mode in ["spin", "eat"] {
        let planners = planners(mode, folder.path(), LIMITS);
        // There is one planner, so the second query needs it back.
        for _ in 0..2 {
            let told = planners.plan(account(), request(SQL)).await.unwrap_err();
            let want = PlannerError::Refused(Box::new(Refusal::new(Rule::TooComplex)));
            assert_eq!(told, want, "{mode}");
        }
    }
}

#[tokio::test]
async fn a_planner_that_stops_is_ended_and_gives_its_permit_back() {
    let folder = TempDir::new().unwrap();
    let mark = folder.path().join("mark");
    let deadline = Duration::from_secs(8);
    let planners = planners("stop-once", &mark, PlannerLimits { deadline, ..LIMITS });
    let (stopped, waiting) = tokio::join!(planners.plan(account(), request(SQL)), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let other = UserId::from_uuid(uuid::Uuid::from_u128(2));
        planners.plan(other, request(SQL)).await
    });
    // Its machine, not the query, was to blame.
    assert_eq!(stopped.unwrap_err(), PlannerError::Busy);
    assert_eq!(waiting.unwrap_err(), PlannerError::Busy, "there is only one");
    planners.plan(account(), request(SQL)).await.unwrap();
}

/// Waits until processes are gone.
async fn gone(ids: &str) {
    for id in ids.split(' ') {
        let stat = PathBuf::from(format!("/proc/{id}/stat"));
        let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        for _ in 0..100 {
            if gone() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(gone(), "process {id} is still there");
    }
}

#[tokio::test]
async fn who_asks_no_more_leaves_no_planner_behind() {
    let folder = TempDir::new().unwrap();
    let ids = folder.path().join("ids");
    let planners = planners("hang", &ids, LIMITS);
    let asked = tokio::spawn({
        let planners = planners.clone();
        async move { planners.plan(account(), request(SQL)).await }
    });
    let started = || std::fs::read_to_string(&ids).unwrap_or_default();
    while !started().contains(' ') {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    gone(&started()).await;
    // The permit is free as well: the next one hangs in its turn, and does not wait for one.
    std::fs::remove_file(&ids).unwrap();
    let next = tokio::time::timeout(Duration::from_secs(5), planners.plan(account(), request(SQL)));
    assert!(next.await.is_err());
    gone(&started()).await;
}

#[tokio::test]
async fn a_planner_that_dies_is_started_again_once() {
    let folder = TempDir::new().unwrap();
    let mark = folder.path().join("mark");
    let once = planners("crash-once", &mark, LIMITS);
    once.plan(account(), request(SQL)).await.unwrap();
    let count = folder.path().join("count");
    let always = planners("crash", &count, LIMITS);
    let told = always.plan(account(), request(SQL)).await.unwrap_err();
    assert_eq!(told, PlannerError::Failed);
    assert_eq!(std::fs::read(count).unwrap(), b"..");
    let nowhere = Planners::new(ChildProgram::new("/nowhere".into(), []), LIMITS);
    let told = nowhere.plan(account(), request(SQL)).await.unwrap_err();
    assert_eq!(told, PlannerError::Failed);
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    frame::write(&mut bytes, payload, usize::MAX).unwrap();
    bytes
}

fn answer(answer: &Result<Planned, Refusal>) -> Vec<u8> {
    framed(&serde_json::to_vec(answer).unwrap())
}

#[tokio::test]
async fn what_is_no_answer_of_a_planner_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let good = request(SQL).decide();
    let changed = |change: &dyn Fn(&mut sandbox_plan::PrivatePlan)| {
        let Ok(Planned::Plan(mut plan)) = good.clone() else {
            panic!("no plan")
        };
        change(&mut plan);
        answer(&Ok(Planned::Plan(plan)))
    };
    let mut refusal = Refusal::new(Rule::Rows);
    refusal.detail = Some("x".repeat(301));
    let needed = PublicQuery {
        name: "open".to_owned(),
        body: PublicBody::Query("SELECT 1".to_owned()),
        span: None,
    };
    let other = [PublicQuery {
        name: "open".to_owned(),
        body: PublicBody::Query(String::new()),
        span: None,
    }];
    let honest = answer(&good);
    let mut lies = vec![
        vec![],
        b"hello".to_vec(),
        framed(b""),
        framed(b"{}"),
        framed(b"{\"Ok\":null}"),
        framed(b"{\"Err\":{\"rule\":\"no-such-rule\",\"span\":null,\"detail\":null}}"),
        framed(&vec![b' '; MAX_PLANNED + 1]),
        [&b"SHW1"[..], &u32::MAX.to_le_bytes()].concat(),
        [&b"SHW2"[..], &honest[4..]].concat(),
        [&honest[..], b" "].concat(),
        [&honest[..], &honest[..]].concat(),
        framed(&[&honest[8..], b"x"].concat()),
        answer(&Err(refusal)),
        answer(&Ok(Planned::Needs(vec![]))),
        answer(&Ok(Planned::Needs(vec![needed; 9]))),
        // Plans that would have too little noise, or are about something else.
        changed(&|plan| plan.parts[0].core.aggregates[0].unit_most -= 1),
        changed(&|plan| plan.parts[0].core.aggregates[0].row_hi /= 2),
        changed(&|plan| plan.parts[0].core.unit.max_rows_per_unit = 1),
        changed(&|plan| {
            plan.parts[0].core.tables[0].unit.max_rows_per_unit = 1;
            plan.parts[0].core.unit.max_rows_per_unit = 1;
        }),
        changed(&|plan| plan.parts[0].core.tables[0].version = version(9)),
        changed(&|plan| plan.parts[0].core.tables[0].dataset = dataset(9)),
        changed(&|plan| plan.parts[0].core.tables[0].zone = "UTC".to_owned()),
        changed(&|plan| plan.parts[0].core.tables[0].columns[0].unit_static = true),
        changed(&|plan| plan.parts[0].core.tables[0].columns[0].bounds = None),
        changed(&|plan| plan.parts[0].core.public = frozen(&other)),
        changed(&|plan| {
            plan.public = frozen(&other);
            plan.leaves.push(Leaf::Public(0));
            let left = Box::new(plan.arrangement.clone());
            plan.arrangement = Arrangement::Stack(vec![*left, Arrangement::Leaf(1)]);
        }),
        changed(&|plan| plan.parts.clear()),
        changed(&|plan| plan.parts.push(plan.parts[0].clone())),
        changed(&|plan| plan.leaves.push(Leaf::Part(0))),
    ];
    lies.extend([1, 7, 8, 9, honest.len() / 2, honest.len() - 1].map(|cut| honest[..cut].to_vec()));
    for (at, lie) in lies.into_iter().enumerate() {
        let path = folder.path().join(at.to_string());
        std::fs::write(&path, lie).unwrap();
        let told = planners("answer", &path, LIMITS)
            .plan(account(), request(SQL))
            .await;
        assert_eq!(told, Err(PlannerError::Failed), "lie {at}");
    }
    let path = folder.path().join("honest");
    std::fs::write(&path, honest).unwrap();
    let told = planners("answer", &path, LIMITS)
        .plan(account(), request(SQL))
        .await;
    assert_eq!(told.unwrap(), good.unwrap());
    // Who has been told what is public is not asked for more.
    let needs = answer(&request("SELECT COUNT(*) FROM trips t JOIN open o ON t.district = o.name").decide());
    std::fs::write(&path, needs).unwrap();
    let mut told = request(SQL);
    told.public = Some(vec![]);
    let told = planners("answer", &path, LIMITS).plan(account(), told).await;
    assert_eq!(told, Err(PlannerError::Failed));
    let flood = planners("flood", &path, LIMITS)
        .plan(account(), request(SQL))
        .await;
    assert_eq!(flood, Err(PlannerError::Failed));
}

/// Starts a planner directly and gives its exit status and answer.
fn start(mode: &str, path: &Path, request: &PlanRequest) -> (std::process::ExitStatus, Vec<u8>) {
    use std::process::{Command, Stdio};
    let mut command = Command::new(program());
    command
        .arg(mode)
        .arg(path)
        .arg(PLANNER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let payload = serde_json::to_vec(request).unwrap();
    frame::write(&mut child.stdin.take().unwrap(), &payload, usize::MAX).unwrap();
    let answer = frame::read(&mut child.stdout.take().unwrap(), MAX_PLANNED).unwrap();
    (child.wait().unwrap(), answer)
}

#[test]
fn the_walls_hold_around_planners() {
    use std::os::unix::process::ExitStatusExt;
    let folder = TempDir::new().unwrap();
    let mut query = request(SQL);
    (query.memory_bytes, query.cpu_seconds) = (1 << 30, 10);
    let target = folder.path().join("target");
    let (status, answer) = start("escape-network", &target, &query);
    assert!(answer.starts_with(b"{\"Ok\""), "the query itself is planned");
    assert_eq!(status.signal(), Some(31), "killed by SIGSYS");
    let (status, _) = start("escape-program", &target, &query);
    assert!(
        matches!(status.code(), None | Some(4)),
        "no program is started: {status}"
    );
    let (status, _) = start("escape-files", &target, &query);
    assert_eq!(status.code(), Some(4), "no file is opened, not even time zones");
    let (status, _) = start("escape-write", &target, &query);
    assert!(!status.success() && !target.exists(), "nothing is written");
    query.memory_bytes = 400 << 20;
    let (status, _) = start("escape-memory", &target, &query);
    assert_eq!(status.signal(), Some(6), "memory ends, and the process with it");
    query.cpu_seconds = 1;
    let (status, _) = start("escape-time", &target, &query);
    assert_eq!(status.signal(), Some(24), "killed by SIGXCPU");
}

#[tokio::test]
async fn nothing_is_inherited_by_planners() {
    let folder = TempDir::new().unwrap();
    let names = folder.path().join("names");
    let planners = planners("environment", &names, LIMITS);
    planners.plan(account(), request(SQL)).await.unwrap();
    assert_eq!(std::fs::read_to_string(names).unwrap(), "GLIBC_TUNABLES");
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_tell_nothing_of_the_query() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("path");
    let secret = "SELECT COUNT(*) FROM trips WHERE no_such = 'topsecret' AND note = topsecret";
    for mode in [PLANNER, "crash", "spin", "eat"] {
        let _ = planners(mode, &path, LIMITS)
            .plan(account(), request(secret))
            .await;
    }
    std::fs::write(&path, framed(b"{\"Ok\":\"topsecret\"}")).unwrap();
    let _ = planners("answer", &path, LIMITS)
        .plan(account(), request(secret))
        .await;
    let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(told.matches("ALARM").count(), 2, "{told}");
    assert!(
        told.contains("processor time") && told.contains("memory"),
        "{told}"
    );
    assert!(
        !told.contains("topsecret") && !told.contains("SELECT") && !told.contains("no_such"),
        "{told}"
    );
}
