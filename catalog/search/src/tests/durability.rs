//! What is left after a crash, damage, a second process; and rebuilding meanwhile.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::corpus::{city, dataset, id, synthetic_corpus, upsert};
use crate::{Change, Error, Index, Options, Position, SearchQuery};

fn open(directory: &Path) -> Result<Index, Error> {
    Index::open(directory, Options::default())
}

fn count(index: &Index, text: &str) -> u64 {
    index
        .search(&SearchQuery {
            text: text.to_owned(),
            ..SearchQuery::default()
        })
        .unwrap()
        .count
}

/// The directory of the generation in use.
fn generation(directory: &Path) -> PathBuf {
    directory.join(fs::read_to_string(directory.join("current")).unwrap().trim_end())
}

#[test]
fn reopening_resumes_at_the_position() {
    let directory = tempfile::tempdir().unwrap();
    let index = open(directory.path()).unwrap();
    assert_eq!(index.position(), Position::START);
    let changes: Vec<_> = city().into_iter().map(upsert).collect();
    index.apply(&changes[..10], Position(10)).unwrap();
    index.apply(&changes[10..], Position(30)).unwrap();
    index.apply(&[], Position(35)).unwrap();
    index
        .apply(
            &[Change::Delete {
                id: dataset("gdp").id,
                revision: 9,
            }],
            Position(36),
        )
        .unwrap();
    index.apply(&changes[..10], Position(10)).unwrap();
    assert_eq!(index.position(), Position(36), "a position never goes back");
    drop(index);

    let index = open(directory.path()).unwrap();
    assert_eq!((index.position(), index.document_count()), (Position(36), 29));
    assert_eq!(count(&index, "公交"), 2);
    index.apply(&changes, Position(36)).unwrap();
    assert_eq!(index.document_count(), 29, "a deletion outlives the process");
}

#[test]
fn one_handle_at_a_time_and_no_lock_outlives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let index = open(directory.path()).unwrap();
    index.apply(&[upsert(dataset("gdp"))], Position(1)).unwrap();
    assert!(matches!(open(directory.path()), Err(Error::Locked(_))));
    assert!(matches!(
        Index::create(directory.path(), Options::default()),
        Err(Error::Locked(_))
    ));
    drop(index);
    // Files of that name left by a killed process hold nothing.
    fs::write(directory.path().join("lock"), "1234").unwrap();
    fs::write(generation(directory.path()).join(".tantivy-writer.lock"), "").unwrap();
    let index = open(directory.path()).unwrap();
    index.apply(&[upsert(dataset("school"))], Position(2)).unwrap();
    assert_eq!(index.document_count(), 2);
}

/// In a process of its own: applies a dataset at a time, without end, telling each position.
const CHILD: &str = "CATALOG_SEARCH_TEST_CHILD";

#[test]
#[expect(clippy::print_stdout, reason = "the child tells its parent how far it is")]
fn kill_nine_loses_nothing_that_was_applied() {
    if let Some(directory) = std::env::var_os(CHILD) {
        let index = open(Path::new(&directory)).unwrap();
        for (at, document) in synthetic_corpus(10_000).into_iter().enumerate() {
            index.apply(&[upsert(document)], Position(at as i64 + 1)).unwrap();
            println!("\napplied {}", at + 1);
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for until in [1_i64, 4, 9] {
        let _ = fs::remove_dir_all(directory.path());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::durability::kill_nine_loses_nothing_that_was_applied",
                "--nocapture",
            ])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let told = lines.filter_map(|line| line.strip_prefix("applied ")?.parse::<i64>().ok());
        let last = told.take_while(|&at| at <= until).last();
        child.kill().unwrap();
        child.wait().unwrap();

        let index = open(directory.path()).unwrap();
        assert_eq!(last, Some(until));
        let Position(position) = index.position();
        assert!(position >= until, "{position} was told to be {until}");
        assert_eq!(
            index.document_count() as i64,
            position,
            "documents and position are committed together"
        );
        index
            .apply(&[upsert(dataset("gdp"))], Position(position + 1))
            .unwrap();
        assert_eq!(count(&index, "地区生产总值 GDP 经济").min(1), 1);
    }
}

#[test]
fn damage_is_told_and_answered_by_a_rebuild() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("pointer emptied", |root| {
            fs::write(root.join("current"), "").unwrap()
        }),
        ("pointer to elsewhere", |root| {
            fs::write(root.join("current"), "../../etc").unwrap()
        }),
        ("pointer of a gigabyte", |root| {
            fs::File::create(root.join("current"))
                .unwrap()
                .set_len(1 << 30)
                .unwrap();
        }),
        ("generation gone", |root| {
            fs::remove_dir_all(generation(root)).unwrap()
        }),
        ("commit emptied", |root| {
            fs::write(generation(root).join("meta.json"), "").unwrap()
        }),
        ("commit without position", |root| {
            let path = generation(root).join("meta.json");
            let meta = fs::read_to_string(&path).unwrap().replace("1:30", "1:x");
            fs::write(path, meta).unwrap();
        }),
        ("segment file gone", |root| {
            fs::remove_file(segment_file(root, "store")).unwrap()
        }),
        ("segment file emptied", |root| {
            fs::write(segment_file(root, "fast"), "").unwrap()
        }),
        ("segment byte flipped", |root| {
            let path = segment_file(root, "idx");
            let mut bytes = fs::read(&path).unwrap();
            bytes[10] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let directory = tempfile::tempdir().unwrap();
        let changes: Vec<_> = city().into_iter().map(upsert).collect();
        open(directory.path())
            .unwrap()
            .apply(&changes, Position(30))
            .unwrap();
        damage(directory.path());
        let error = open(directory.path())
            .err()
            .unwrap_or_else(|| panic!("{name}: not noticed"));
        assert!(
            matches!(error, Error::Corrupt { .. }) && error.needs_rebuild(),
            "{name}: {error}"
        );

        let index = Index::create(directory.path(), Options::default()).unwrap();
        assert_eq!(index.position(), Position::START);
        index.rebuild(city(), Position(30)).unwrap();
        drop(index);
        let index = open(directory.path()).unwrap();
        assert_eq!(
            (index.position(), index.document_count()),
            (Position(30), 30),
            "{name}"
        );
    }
}

fn segment_file(root: &Path, extension: &str) -> PathBuf {
    let files = fs::read_dir(generation(root))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .max()
        .unwrap()
}

#[test]
fn another_format_is_told_from_damage() {
    for (from, to) in [
        ("\"1:30\"", "\"2:30\""),
        ("\"1:30\"", "null"),
        ("\"title_words\"", "\"title_word\""),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let changes: Vec<_> = city().into_iter().map(upsert).collect();
        open(directory.path())
            .unwrap()
            .apply(&changes, Position(30))
            .unwrap();
        let path = generation(directory.path()).join("meta.json");
        let meta = fs::read_to_string(&path).unwrap();
        assert!(meta.contains(from), "{meta}");
        fs::write(path, meta.replace(from, to)).unwrap();
        let error = open(directory.path()).err().unwrap();
        assert!(
            matches!(error, Error::Incompatible { .. }) && error.needs_rebuild(),
            "{to}: {error}"
        );
    }
}

#[test]
fn a_rebuild_serves_and_is_fed_meanwhile() {
    for on_disk in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let index = match on_disk {
            true => open(directory.path()).unwrap(),
            false => Index::in_memory(Options::default()).unwrap(),
        };
        // The old index lacks half of the catalogue and has a dataset that is gone.
        let changes: Vec<_> = city().into_iter().map(upsert).collect();
        index.apply(&changes[..15], Position(15)).unwrap();
        let mut gone = dataset("gdp");
        (gone.id, gone.title.zh) = (id(700), "幽灵".to_owned());
        index.apply(&[upsert(gone)], Position(16)).unwrap();

        let mut rebuild = index.begin_rebuild().unwrap();
        assert!(matches!(index.begin_rebuild(), Err(Error::RebuildRunning)));
        for document in city() {
            rebuild.add(document).unwrap();
        }
        assert_eq!(count(&index, "幽灵"), 1, "the old index serves");
        // Fed meanwhile: a deletion, a newer revision and one that the rebuild has already.
        let mut newer = dataset("school");
        (newer.revision, newer.title.zh) = (2, "新学校".to_owned());
        let meanwhile = [
            Change::Delete {
                id: dataset("hospital").id,
                revision: 2,
            },
            upsert(newer),
            changes[0].clone(),
        ];
        index.apply(&meanwhile, Position(40)).unwrap();
        rebuild.finish(Position(30)).unwrap();

        assert_eq!((index.position(), index.document_count()), (Position(40), 29));
        assert_eq!(
            (
                count(&index, "幽灵"),
                count(&index, "医院"),
                count(&index, "新学校")
            ),
            (0, 0, 1)
        );
        index.apply(&[upsert(dataset("hospital"))], Position(41)).unwrap();
        assert_eq!(index.document_count(), 29, "the deletion is remembered");
        if on_disk {
            drop(index);
            let index = open(directory.path()).unwrap();
            assert_eq!((index.position(), index.document_count()), (Position(41), 29));
        }
    }
}

#[test]
fn a_rebuild_given_up_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let index = open(directory.path()).unwrap();
    index.apply(&[upsert(dataset("gdp"))], Position(1)).unwrap();
    let mut rebuild = index.begin_rebuild().unwrap();
    rebuild.add(dataset("school")).unwrap();
    drop(rebuild);
    assert_eq!(count(&index, "学校"), 0);
    let generations = || {
        let entries = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        entries
            .filter(|name| name.to_string_lossy().starts_with("generation"))
            .count()
    };
    assert_eq!(generations(), 1);
    index.rebuild([dataset("school")], Position(1)).unwrap();
    assert_eq!((generations(), index.document_count()), (1, 1));
    drop(index);
    // A process killed while rebuilding leaves a generation that nobody points to.
    fs::create_dir(directory.path().join("generation-000099")).unwrap();
    let index = open(directory.path()).unwrap();
    assert_eq!((generations(), index.document_count()), (1, 1));
}

#[test]
fn a_position_from_before_the_rebuild_began_is_kept() {
    let index = Index::in_memory(Options::default()).unwrap();
    index.apply(&[upsert(dataset("gdp"))], Position(20)).unwrap();
    index.rebuild([dataset("gdp")], Position(12)).unwrap();
    assert_eq!(
        index.position(),
        Position(12),
        "what followed 12 may not have been read"
    );
}

#[test]
fn searches_run_beside_changes_and_rebuilds() {
    let index = Index::in_memory(Options::default()).unwrap();
    let documents = synthetic_corpus(60);
    index.rebuild(documents.clone(), Position(0)).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..30 {
                    let page = index.search(&SearchQuery::default()).unwrap();
                    assert_eq!(page.count, 60, "every state that is seen is whole");
                }
            });
        }
        for round in 1..=5 {
            let changes: Vec<_> = documents.iter().cloned().map(upsert).collect();
            index.apply(&changes[..20], Position(round)).unwrap();
            index.rebuild(documents.clone(), Position(round)).unwrap();
        }
    });
}
