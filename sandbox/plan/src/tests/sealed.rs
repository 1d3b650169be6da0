//! What was done to parts on the disk never changes an answer: it is an incident.

use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::encryption::decrypt::FileDecryptionProperties;
use seal::DataKey;
use tempfile::TempDir;

use super::fixture::{SECRET, Trip, granted, key, plan, run, trip, version, write_part, write_part_at};
use crate::execute::{ExecutionError, Incident};
use crate::{Part, execute};

const QUERY: &str = "SELECT district, COUNT(*), SUM(fare), SUM(distance) FROM bike_trips GROUP BY 1";

fn trips(units: std::ops::Range<u64>) -> Vec<Trip> {
    let trip = |unit: u64| Trip {
        fare: Some(i64::try_from(unit % 50).unwrap()),
        distance: Some(f64::from(u32::try_from(unit % 900).unwrap())),
        ..trip(unit, ["东城", "西城"][(unit % 2) as usize])
    };
    units.map(trip).collect()
}

fn unreadable<T: std::fmt::Debug>(result: Result<T, ExecutionError>, what: &str) {
    assert_eq!(
        result.map(|_| ()).unwrap_err(),
        ExecutionError::Incident(Incident::Unreadable),
        "{what}"
    );
}

#[test]
fn a_changed_byte_is_an_incident_or_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    let (one, two) = (trips(1..900), trips(900..1_800));
    let part = write_part(&path, &[&one, &two]);
    let plan = plan(QUERY);
    let good = run(&plan, std::slice::from_ref(&part), 2).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (mut incidents, mut tried) = (0, 0);
    // Beginning, lengths of modules, pages, statistics, indexes, footer and end: a step that is prime to all of them.
    for at in (0..bytes.len()).step_by(97).chain(bytes.len() - 12..bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bad).unwrap();
        tried += 1;
        match run(&plan, std::slice::from_ref(&part), 2) {
            Err(ExecutionError::Incident(_)) => incidents += 1,
            // In a column or an index that the plan does not read.
            Ok(totals) => assert!(totals == good, "byte {at} changed the answer"),
            other => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(incidents * 10 > tried, "{incidents} incidents of {tried}");
}

#[test]
fn a_cut_part_is_an_incident() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    let part = write_part(&path, &[&trips(1..500), &trips(500..900)]);
    let bytes = std::fs::read(&path).unwrap();
    let plan = plan(QUERY);
    for length in [
        0,
        3,
        4,
        11,
        12,
        200,
        bytes.len() / 2,
        bytes.len() - 4,
        bytes.len() - 1,
    ] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let cut = std::slice::from_ref(&part);
        let error = run(&plan, cut, 1).unwrap_err();
        assert_eq!(error, ExecutionError::Incident(Incident::PartChanged), "{length}");
        // Also where somebody changed the length in the manifest.
        let known = Part {
            bytes: length as u64,
            ..part.clone()
        };
        unreadable(run(&plan, &[known], 1), "cut");
    }
}

#[test]
fn a_part_is_read_with_its_key_in_its_version_at_its_place() {
    let folder = TempDir::new().unwrap();
    let (low, high) = (trips(1..500), trips(500..999));
    let low = write_part_at(0, &folder.path().join("low"), &[&low]);
    let high = write_part_at(1, &folder.path().join("high"), &[&high]);
    let plan = plan(QUERY);
    run(&plan, &[low.clone(), high.clone()], 2).unwrap();
    // The files change places on the disk; even the manifest was made to fit.
    let moved = |part: &Part, place: u32| Part {
        place,
        ..part.clone()
    };
    unreadable(run(&plan, &[moved(&high, 0), moved(&low, 1)], 2), "swapped");
    unreadable(run(&plan, &[low.clone(), moved(&low, 1)], 2), "twice");
    let parts = [low, high];
    for wrong in [DataKey::from_bytes([0; 32]), DataKey::generate().unwrap()] {
        unreadable(
            execute(&plan.parts[0].core, &[granted(&parts, &wrong)], &SECRET, 2),
            "another key",
        );
    }
    let mut other = plan.parts[0].core.clone();
    other.tables[0].version = model::VersionId::from_uuid(uuid::Uuid::from_u128(3));
    unreadable(
        execute(&other, &[granted(&parts, &key())], &SECRET, 2),
        "another version",
    );
}

/// Writes the rows of a part without encryption.
fn strip(part: &Part, path: &Path) -> Part {
    let decryption = FileDecryptionProperties::builder(key().expose().to_vec())
        .with_aad_prefix(seal::part_identity(version(), part.place))
        .build()
        .unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let file = std::fs::File::open(&part.path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let plain = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(plain, builder.schema().clone(), None).unwrap();
    for batch in builder.build().unwrap() {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.close().unwrap();
    Part {
        path: path.to_owned(),
        bytes: std::fs::metadata(path).unwrap().len(),
        ..part.clone()
    }
}

#[test]
fn a_plain_part_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let part = write_part(&folder.path().join("x"), &[&trips(1..500)]);
    let plain = strip(&part, &folder.path().join("plain"));
    let plan = plan(QUERY);
    unreadable(run(&plan, std::slice::from_ref(&plain), 1), "plain");
    // Nor one that only calls itself encrypted.
    let mut bytes = std::fs::read(&plain.path).unwrap();
    let end = bytes.len() - 4;
    bytes[..4].copy_from_slice(b"PARE");
    bytes[end..].copy_from_slice(b"PARE");
    std::fs::write(&plain.path, bytes).unwrap();
    unreadable(run(&plan, &[plain], 1), "disguised");
}

#[test]
fn nothing_of_a_part_is_readable_without_its_key() {
    let folder = TempDir::new().unwrap();
    let odd = Trip {
        note: Some("geheim"),
        ..trip(7, "东城")
    };
    let part = write_part(&folder.path().join("x"), &[&[odd]]);
    let bytes = std::fs::read(part.path).unwrap();
    for secret in ["geheim", "东城", "district", "__unit", "fare"] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}
