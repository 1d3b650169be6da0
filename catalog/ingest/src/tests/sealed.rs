//! Nothing of a protected file is readable on the disk, and nothing that was tampered with is read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::*;

/// Whether any file under a folder shows this text.
pub(super) fn shows(folder: &Path, text: &str) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
                return true;
            }
        }
    }
    false
}

const HEADER: &str = "person_id,phone_number,home_district,amount\n";

fn people() -> DeclaredMetadata {
    declared(json!({
        "unit": {"type": "person", "max_units": 100_000, "max_rows": 100_000, "max_rows_per_unit": 10},
        "fields": [
            {"name": "person_id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "phone_number", "type": "text", "level": "L3", "role": "direct_identifier"},
            {"name": "home_district", "type": "text", "level": "L3"},
            {"name": "amount", "type": "integer", "level": "L3"},
        ]
    }))
}

fn text(rows: usize) -> String {
    let row = |n: usize| format!("{},1390000{n:05},district-of-nobody-{n},{n}\n", id_number(n));
    std::iter::once(HEADER.to_owned())
        .chain((0..rows).map(row))
        .collect()
}

fn parquet(rows: usize) -> Vec<u8> {
    let text = text(rows);
    let columns = |at: usize| -> Vec<String> {
        let lines = text.lines().skip(1);
        lines
            .map(|line| line.split(',').nth(at).unwrap().to_owned())
            .collect()
    };
    let names = HEADER.trim().split(',').enumerate();
    let batch = RecordBatch::try_from_iter(names.map(|(at, name)| {
        let array: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(columns(at)));
        (name, array)
    }))
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn nothing_of_a_protected_file_is_readable_on_the_disk_at_any_moment() {
    for data in [text(40_000).into_bytes(), parquet(20_000)] {
        let house = House::new();
        let original = house.upload(&data);
        // A person, a phone, a value that stays in the copy, and names of columns that stay and that go.
        let secrets = [
            &id_number(777),
            "139000000777",
            "district-of-nobody-777",
            "person_id",
            "home_district",
            "amount",
            "__unit",
        ];
        let looked = AtomicUsize::new(0);
        let look = |progress: Progress| {
            // Each look reads all files: at the beginning, and while there are spill files and parts.
            if progress.phase != Phase::Detect && looked.fetch_add(1, Ordering::Relaxed).is_multiple_of(4) {
                for secret in secrets {
                    assert!(
                        !shows(house.root.path(), secret),
                        "{secret} in {:?}",
                        progress.phase
                    );
                }
            }
        };
        let plan = house.protected_plan(people());
        let destination = Destination::Sandbox {
            store: &house.sandbox,
            quarantine: &house.quarantine,
            secret: &house.secret,
            key: &house.key,
        };
        let never = AtomicBool::new(false);
        let outcome = ingest(original, &plan, destination, &Watch::new(&look, &never)).unwrap();
        assert!(looked.load(Ordering::Relaxed) > 2);
        for secret in secrets {
            assert!(!shows(house.root.path(), secret), "{secret} afterwards");
        }
        let rows: usize = house.parts(&outcome).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(
            rows as u64, outcome.manifest.rows,
            "and with the key all of it is there"
        );
    }
}

#[test]
fn sealed_uploads_read_as_plain_files_do() {
    let chinese = "区域,数值\n东城,1\n西城,2\n".to_owned();
    let long: String = (0..30_000).map(|n| format!("{n},x{n}\n")).collect();
    let cases: Vec<Vec<u8>> = vec![
        chinese.clone().into_bytes(),
        encoding_rs::GB18030.encode(&chinese.repeat(400)).0.into_owned(),
        [
            &[0xFF, 0xFE][..],
            &chinese
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        ]
        .concat(),
        format!("\u{FEFF}a,b\n{long}").into_bytes(),
        parquet(5_000),
    ];
    for data in cases {
        let house = House::new();
        let plan = house.open_plan();
        let plain = house.run(&house.file(&data), &plan).unwrap();
        let sealed = house.run(house.upload(&data), &plan).unwrap();
        assert_eq!(sealed.manifest, plain.manifest);
        assert_eq!(sealed.detection, plain.detection);
    }
    let house = House::new();
    for (data, code) in [(&b""[..], "ingest-empty"), (b"PAR1", "ingest-truncated")] {
        let error = house.run(house.upload(data), &house.open_plan()).unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[test]
fn a_damaged_original_is_a_fault_of_the_machine_and_nothing_is_published() {
    for data in [text(5_000).into_bytes(), parquet(5_000)] {
        let house = House::new();
        let original = house.upload(&data);
        let path = house.files().pop().unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        let fails = |what: &str| {
            let error = house
                .run(original.clone(), &house.protected_plan(people()))
                .unwrap_err();
            // A damaged chunk within a Parquet file looks like a damaged Parquet file.
            assert!(
                ["ingest-internal", "ingest-broken-parquet"].contains(&error.code()),
                "{what}: {error}"
            );
            assert_eq!(house.files(), std::slice::from_ref(&path), "{what}");
        };
        for place in [20, 100, length / 2, length - 1] {
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            file.write_all_at(&[byte[0] ^ 0x40], place).unwrap();
            fails(&format!("byte {place}"));
            file.write_all_at(&byte, place).unwrap();
        }
        house
            .run(original.clone(), &house.protected_plan(people()))
            .unwrap();
        std::fs::remove_dir_all(house.root.path().join("sandbox/versions")).unwrap();
        std::fs::create_dir(house.root.path().join("sandbox/versions")).unwrap();
        file.set_len(length - 10).unwrap();
        fails("cut");
    }
}

#[test]
fn a_part_opens_with_its_key_in_its_version_at_its_place_only() {
    let house = House::new();
    let outcome = house
        .run(house.upload(text(60_000)), &house.protected_plan(people()))
        .unwrap();
    let version = outcome.manifest.version;
    assert!(outcome.manifest.parts.len() > 1, "several parts");
    let opens = |key: &DataKey, version: VersionId, place: u32| {
        let decryption = FileDecryptionProperties::builder(key.expose().to_vec())
            .with_aad_prefix(seal::part_identity(version, place))
            .build()
            .unwrap();
        let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
        let file = File::open(house.part_path(&outcome, 1)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).is_ok()
    };
    let other = VersionId::at(Timestamp::from_micros(5));
    assert!(opens(&house.key, version, 1));
    assert!(!opens(&house.key, version, 0), "another place");
    assert!(!opens(&house.key, other, 1), "another version");
    assert!(!opens(&DataKey::from_bytes([8; 32]), version, 1), "another key");
    let bare = File::open(house.part_path(&outcome, 1)).unwrap();
    assert!(ParquetRecordBatchReaderBuilder::try_new(bare).is_err(), "no key");
    let bytes = std::fs::read(house.part_path(&outcome, 1)).unwrap();
    assert!(
        bytes.starts_with(b"PARE") && bytes.ends_with(b"PARE"),
        "footer and metadata too"
    );
}
