//! What is sealed opens whole, anywhere, and not otherwise.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use model::{Timestamp, VersionId};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::*;

const CONTEXT: &[u8] = b"original";

fn key(byte: u8) -> DataKey {
    DataKey::from_bytes([byte; 32])
}

fn version(micros: i64) -> VersionId {
    VersionId::at(Timestamp::from_micros(micros))
}

fn seal(path: &Path, data: &[u8], context: &[u8]) {
    let mut writer = SealedWriter::new(File::create(path).unwrap(), &key(1), context).unwrap();
    for piece in data.chunks(50_000) {
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap();
}

fn read(path: &Path, key: &DataKey, context: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let file = SealedFile::open(File::open(path)?, key, context)?;
    file.reader_at(0).read_to_end(&mut data)?;
    Ok(data)
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn every_length_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
        let data = sample(length);
        seal(&path, &data, CONTEXT);
        assert_eq!(read(&path, &key(1), CONTEXT).unwrap(), data, "{length}");
        let sealed = std::fs::metadata(&path).unwrap().len();
        assert_eq!(plain_length(sealed), Some(length as u64));
    }
    assert_eq!(plain_length(0), None);
    assert_eq!(plain_length((HEADER + TAG - 1) as u64), None);
    assert_eq!(plain_length((HEADER + CHUNK + TAG + 3) as u64), None);
}

#[test]
fn nothing_plain_is_on_the_disk_before_the_end_or_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let text = "person_id,11010519491231002X\n".repeat(9_000);
    let mut writer = SealedWriter::new(File::create(&path).unwrap(), &key(1), CONTEXT).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.flush().unwrap();
    let shows = || {
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > CHUNK);
        ["person_id", "11010519491231002X"]
            .iter()
            .any(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
    };
    assert!(!shows());
    assert!(
        SealedFile::open(File::open(&path).unwrap(), &key(1), CONTEXT).is_err(),
        "not finished"
    );
    writer.finish().unwrap();
    assert!(!shows());
}

#[test]
fn the_same_file_never_looks_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1"), folder.path().join("2"));
    seal(&one, b"the same", CONTEXT);
    seal(&two, b"the same", CONTEXT);
    assert_ne!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
}

#[test]
fn what_was_tampered_with_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("x"), folder.path().join("y"));
    let data = sample(3 * CHUNK + 100);
    seal(&path, &data, CONTEXT);
    seal(&other, &sample(3 * CHUNK + 100), CONTEXT);
    let good = std::fs::read(&path).unwrap();
    let elsewhere = std::fs::read(&other).unwrap();
    let chunk = CHUNK + TAG;
    let fails = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path, &key(1), CONTEXT).err();
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::InvalidData), "{what}");
    };
    for at in [
        0,
        5,
        MAGIC.len(),
        HEADER - 1,
        HEADER,
        HEADER + CHUNK,
        HEADER + 2 * chunk + 7,
        good.len() - 1,
    ] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fails(&bad, &format!("byte {at}"));
    }
    for length in [
        0,
        HEADER - 1,
        HEADER,
        HEADER + TAG,
        HEADER + chunk,
        HEADER + 2 * chunk,
        good.len() - 1,
    ] {
        fails(&good[..length], &format!("cut to {length}"));
    }
    fails(&[&good[..], b"x"].concat(), "longer");
    let (first, second) = (HEADER..HEADER + chunk, HEADER + chunk..HEADER + 2 * chunk);
    let swapped = [
        &good[..HEADER],
        &good[second.clone()],
        &good[first.clone()],
        &good[second.end..],
    ]
    .concat();
    fails(&swapped, "chunks swapped");
    let doubled = [&good[..first.end], &good[first.clone()], &good[first.end..]].concat();
    fails(&doubled, "a chunk twice");
    let dropped = [&good[..HEADER], &good[first.end..]].concat();
    fails(&dropped, "a chunk gone");
    let grafted = [&good[..HEADER], &elsewhere[first.clone()], &good[first.end..]].concat();
    fails(&grafted, "another file's chunk");
    std::fs::write(&path, &good).unwrap();
    assert!(read(&path, &key(2), CONTEXT).is_err(), "another key");
    assert!(read(&path, &key(1), b"bucket-1").is_err(), "another context");
    assert_eq!(read(&path, &key(1), CONTEXT).unwrap(), data);
}

#[test]
fn keys_wrap_for_one_version_and_purpose() {
    let operator = OperatorKey::new(Zeroizing::new([9; 32]));
    let (one, two) = (version(1), version(2));
    let key = DataKey::generate().unwrap();
    let wrapped = operator.wrap(&key, one, KeyPurpose::Copy).unwrap();
    assert_eq!(wrapped.len(), 72);
    assert_ne!(wrapped, operator.wrap(&key, one, KeyPurpose::Copy).unwrap());
    assert!(!wrapped.windows(8).any(|window| key.expose().starts_with(window)));
    assert_eq!(operator.unwrap(&wrapped, one, KeyPurpose::Copy), Ok(key));
    assert_eq!(operator.unwrap(&wrapped, two, KeyPurpose::Copy), Err(UnwrapError));
    assert_eq!(
        operator.unwrap(&wrapped, one, KeyPurpose::Original),
        Err(UnwrapError)
    );
    let other = OperatorKey::new(Zeroizing::new([8; 32]));
    assert_eq!(other.unwrap(&wrapped, one, KeyPurpose::Copy), Err(UnwrapError));
    for at in 0..wrapped.len() {
        let mut bad = wrapped.clone();
        bad[at] ^= 1;
        assert_eq!(
            operator.unwrap(&bad, one, KeyPurpose::Copy),
            Err(UnwrapError),
            "{at}"
        );
    }
    assert_eq!(
        operator.unwrap(&wrapped[..20], one, KeyPurpose::Copy),
        Err(UnwrapError)
    );
}

#[test]
fn keys_are_not_shown() {
    let key = DataKey::from_bytes([0xAB; 32]);
    let operator = OperatorKey::new(Zeroizing::new([0xAB; 32]));
    let shown = format!("{key:?} {operator:?}");
    assert_eq!(shown, "DataKey(…) OperatorKey(…)");
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<DataKey>(&json).unwrap(), key);
    for bad in ["\"abab\"", "\"zz\"", "[1]"] {
        let error = serde_json::from_str::<DataKey>(bad).unwrap_err().to_string();
        assert!(!error.contains("abab") && !error.contains("zz"), "{error}");
    }
}

#[test]
fn a_part_has_one_identity() {
    assert_ne!(part_identity(version(1), 0), part_identity(version(1), 1));
    assert_ne!(part_identity(version(1), 0), part_identity(version(2), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_place_reads_as_the_plain_file_would(
        length in 0usize..3 * CHUNK,
        places in prop::collection::vec((0u64..4 * CHUNK as u64, 0usize..2 * CHUNK), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let data = sample(length);
        seal(&path, &data, CONTEXT);
        let file = SealedFile::open(File::open(&path).unwrap(), &key(1), CONTEXT).unwrap();
        let mut reader = file.reader_at(0);
        for (place, count) in places {
            reader.seek(SeekFrom::Start(place)).unwrap();
            let mut got = Vec::new();
            reader.by_ref().take(count as u64).read_to_end(&mut got).unwrap();
            let from = (place as usize).min(length);
            prop_assert_eq!(&got, &data[from..(from + count).min(length)]);
        }
        prop_assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), length as u64);
    }
}
