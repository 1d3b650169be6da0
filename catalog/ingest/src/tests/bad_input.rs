//! Bad input is told with a code, a place and a remedy, and leaves nothing behind.

use std::io::Write;
use std::process::Command;

use serde_json::json;

use super::*;

#[test]
fn each_fault_has_its_code_and_line() {
    let field = |name: &str, field_type: &str| json!({"name": name, "type": field_type, "level": "L1"});
    let wide = (0..1_001)
        .map(|at| format!("c{at}"))
        .collect::<Vec<_>>()
        .join(",");
    let long_field = format!("a,b\n1,{}\n", "x".repeat((1 << 20) + 1));
    let cut_quote = format!("a,b\n{}3,\"cut", "1,\"x\"\n".repeat(50));
    let late_break = {
        let mut text = b"a,b\n".to_vec();
        for _ in 0..400_000 {
            text.extend_from_slice(b"1,ok\n");
        }
        text.extend_from_slice(b"2,\xFFbroken\n");
        text
    };
    let zip = b"PK\x03\x04\x14\x00\x00\x00data.csv";
    let xlsx = b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml";
    let none = json!(null);
    let typed = json!({"fields": [field("a", "integer"), field("b", "date")]});
    type Case<'a> = (&'a str, Vec<u8>, &'a serde_json::Value, &'a str, Option<u64>);
    let cases: Vec<Case<'_>> = vec![
        ("empty", vec![], &none, "ingest-empty", None),
        ("blank lines", b"\n\r\n\n".to_vec(), &none, "ingest-empty", None),
        ("zip", zip.to_vec(), &none, "ingest-not-tabular", None),
        ("xlsx", xlsx.to_vec(), &none, "ingest-not-tabular", None),
        ("gzip", vec![0x1F, 0x8B, 8, 0], &none, "ingest-not-tabular", None),
        (
            "broken UTF-8",
            b"a,b\n1,x\n2,\xE4\xBA\n3,y\n".to_vec(),
            &none,
            "ingest-encoding",
            Some(3),
        ),
        (
            "late broken UTF-8",
            late_break,
            &none,
            "ingest-encoding",
            Some(400_002),
        ),
        ("NUL", b"a,b\n1,x\n2,\0\n".to_vec(), &none, "ingest-nul", Some(3)),
        (
            "ragged",
            b"a,b\n1,2\n\"x\ny\",2\n1,2,3\n".to_vec(),
            &none,
            "ingest-ragged-row",
            Some(5),
        ),
        (
            "short row",
            b"a,b\n1,2\n1\n".to_vec(),
            &none,
            "ingest-ragged-row",
            Some(3),
        ),
        (
            "cut in quotes",
            cut_quote.into_bytes(),
            &none,
            "ingest-unterminated-quote",
            Some(52),
        ),
        (
            "text after quote",
            b"a,b\n\"x\"y,2\n".to_vec(),
            &none,
            "ingest-stray-quote",
            Some(2),
        ),
        (
            "long field",
            long_field.into_bytes(),
            &none,
            "ingest-field-too-long",
            Some(2),
        ),
        (
            "same names",
            b"id,x,ID\n1,2,3\n".to_vec(),
            &none,
            "ingest-duplicate-column",
            None,
        ),
        (
            "unit column",
            b"__unit,x\n1,2\n".to_vec(),
            &none,
            "ingest-reserved-column",
            None,
        ),
        (
            "long name",
            format!("{},x\n1,2\n", "n".repeat(200)).into_bytes(),
            &none,
            "ingest-column-name",
            None,
        ),
        (
            "many columns",
            format!("{wide}\n{wide}\n").into_bytes(),
            &none,
            "ingest-too-many-columns",
            None,
        ),
        (
            "header only",
            b"a,b\n".to_vec(),
            &none,
            "ingest-header-only",
            None,
        ),
        (
            "not an integer",
            b"a,b\n1,2024-01-01\nx,2024-01-01\n".to_vec(),
            &typed,
            "ingest-value",
            Some(3),
        ),
        (
            "not a date",
            b"a,b\n1,2024-01-01\n1,2024-13-01\n".to_vec(),
            &typed,
            "ingest-value",
            Some(3),
        ),
        (
            "missing column",
            b"a,c\n1,2\n".to_vec(),
            &typed,
            "ingest-undeclared-column",
            None,
        ),
        (
            "too few columns",
            b"a\n1\n".to_vec(),
            &typed,
            "ingest-missing-column",
            None,
        ),
        (
            "Parquet cut in half",
            b"PAR1abcdefghijklmnopqrstuvwxyz".to_vec(),
            &none,
            "ingest-truncated",
            None,
        ),
        (
            "Parquet of nonsense",
            b"PAR1abcdefghijkl\xFF\xFF\xFF\x7FPAR1".to_vec(),
            &none,
            "ingest-broken-parquet",
            None,
        ),
    ];
    for (name, data, declaration, code, line) in cases {
        let house = House::new();
        let plan = IngestPlan {
            declared: (!declaration.is_null()).then(|| declared(declaration.clone())),
            ..house.open_plan()
        };
        let error = house.run(&house.file(&data), &plan).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        assert_eq!(error.line(), line, "{name}: {error}");
        assert!(!error.to_string().is_empty());
        assert!(house.files().is_empty(), "{name}: {:?}", house.files());
    }
}

#[test]
fn options_and_levels_are_checked() {
    let house = House::new();
    let path = house.file("a\n1\n");
    let mut plan = house.open_plan();
    plan.options.delimiter = Some('，');
    assert_eq!(house.run(&path, &plan).unwrap_err().code(), "ingest-option");
    let watch = |plan: &IngestPlan| {
        let never = AtomicBool::new(false);
        ingest(
            &path,
            plan,
            Destination::Open(&house.open),
            &Watch::new(&|_| (), &never),
        )
        .unwrap_err()
        .code()
    };
    for level in [Level::L2, Level::L3, Level::L4] {
        assert_eq!(
            watch(&IngestPlan {
                level,
                ..house.open_plan()
            }),
            "ingest-wrong-level"
        );
    }
    let secret = declared(json!({"fields": [{"name": "a", "type": "text", "level": "L3"}]}));
    assert_eq!(
        watch(&IngestPlan {
            declared: Some(secret.clone()),
            ..house.open_plan()
        }),
        "ingest-wrong-level"
    );
    assert_eq!(
        house
            .run(&path, &house.protected_plan(secret))
            .unwrap_err()
            .code(),
        "ingest-needs-declaration"
    );
    let bare = IngestPlan {
        level: Level::L3,
        ..house.open_plan()
    };
    assert_eq!(
        house.run(&path, &bare).unwrap_err().code(),
        "ingest-needs-declaration"
    );
}

#[test]
fn a_cancelled_ingest_stops_and_leaves_nothing() {
    let house = House::new();
    let path = house.file("a\n1\n");
    let plan = IngestPlan {
        formats: ALL_FORMATS.to_vec(),
        ..house.open_plan()
    };
    let cancel = AtomicBool::new(false);
    let stop = |progress: Progress| {
        if progress.phase == Phase::Convert {
            cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let error = ingest(
        &path,
        &plan,
        Destination::Open(&house.open),
        &Watch::new(&stop, &cancel),
    )
    .unwrap_err();
    assert_eq!(error.code(), "ingest-cancelled");
    assert!(house.files().is_empty());
}

/// Where the children below find their house.
const CHILD: &str = "INGEST_TEST_CHILD";

fn child(test: &str, house: &House) -> std::process::ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("tests::bad_input::{test}"), "--nocapture"])
        .env(CHILD, house.root.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn child_takes_a_long_line() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let house = House::new();
    let path = Path::new(&root).join("upload");
    let error = house.run(&path, &house.open_plan()).unwrap_err();
    assert!(
        matches!(error, IngestError::RecordTooLong { line: 2, .. }),
        "{error}"
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 300_000, "{peak} kB");
}

#[test]
fn a_line_of_two_gigabytes_is_refused_in_bounded_memory() {
    for start in ["a,b\n1,x", "a,b\n1,\""] {
        let house = House::new();
        let mut file = std::fs::File::create(house.root.path().join("upload")).unwrap();
        file.write_all(start.as_bytes()).unwrap();
        file.set_len(2 << 30).unwrap();
        assert!(child("child_takes_a_long_line", &house).success(), "{start:?}");
    }
}

#[test]
fn child_fills_the_disk() {
    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::signal::{SigHandler, Signal, signal};
    let Ok(root) = std::env::var(CHILD) else { return };
    let root = Path::new(&root);
    let open = OpenStore::open(root, 0).unwrap();
    #[expect(unsafe_code, reason = "ignoring a signal installs no handler")]
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 100_000, 100_000).unwrap();
    let plan = IngestPlan {
        formats: ALL_FORMATS.to_vec(),
        ..House::new().open_plan()
    };
    let never = AtomicBool::new(false);
    let watch = Watch::new(&|_| (), &never);
    let error = ingest(&root.join("upload"), &plan, Destination::Open(&open), &watch).unwrap_err();
    assert_eq!(error.code(), "storage-full", "{error:?}");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let house = House::new();
    let rows: String = (0..60_000u64)
        .map(|row| format!("{},x{}\n", row.wrapping_mul(0x9E37_79B9), row * row))
        .collect();
    house.file(format!("a,b\n{rows}"));
    assert!(child("child_fills_the_disk", &house).success());
    assert!(house.files().is_empty(), "{:?}", house.files());
}
