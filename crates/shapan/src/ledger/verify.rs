//! `shapan ledger verify`: checks a whole log from outside, and that it goes on from what was seen before.

use std::time::Duration;

use ledger::{LogVerifier, Note, VerifiedLog, VerifierKey};

use super::memory::{Memory, Seen};
use super::source::{KEY, Source};
use crate::command::VerifyArgs;
use crate::failure::Failure;
use crate::import::say;

/// Checks a log; a failure is a break.
pub(crate) async fn run(args: VerifyArgs) -> Result<(), Failure> {
    let source = Source::parse(&args.source, Duration::from_secs(args.timeout))?;
    let memory = Memory::open(args.remember);
    // Reading and hashing block.
    tokio::task::spawn_blocking(move || check(source, &memory, args.key)).await?
}

fn check(mut source: Source, memory: &Memory, given: Option<VerifierKey>) -> Result<(), Failure> {
    let address = source.public_address();
    let note = source
        .fetch_text("checkpoint")
        .map_err(Failure::cannot("read the log's checkpoint"))?;
    // Nothing of it is believed before the signature is checked; it only says what to look for.
    let origin = claimed_origin(&note)?;
    let before = memory.find(&origin, address.as_deref())?;
    let (key, trust) = choose_key(&source, &origin, given, before.as_ref())?;
    let remembered = before.as_ref().map(Seen::checkpoint).transpose()?;
    let verifier = LogVerifier {
        origin: origin.clone(),
        keys: vec![key.clone()],
        remembered: remembered.clone(),
    };
    let log = verifier
        .verify(&mut Pinned {
            note: note.clone(),
            source: &mut source,
        })
        .map_err(|error| Failure::new(format!("the log {origin} does not hold: {error}")))?;
    tell(&log, &key, trust, remembered.map(|seen| seen.size));
    let kept = memory.remember(Seen::new(&origin, &key, &note), before, address)?;
    match kept {
        Some(file) => say(&format!("remembered in {}", file.display())),
        None => say("not remembered: neither --remember nor HOME says where"),
    }
    Ok(())
}

/// The log with the checkpoint that was read first: it grows while it is checked.
struct Pinned<'a> {
    note: String,
    source: &'a mut Source,
}

impl ledger::LogReader for Pinned<'_> {
    fn read(&mut self, resource: ledger::Resource) -> Result<Vec<u8>, ledger::ReadError> {
        match resource {
            ledger::Resource::Checkpoint => Ok(self.note.clone().into_bytes()),
            other => self.source.read(other),
        }
    }
}

fn claimed_origin(note: &str) -> Result<String, Failure> {
    let note: Note = note
        .parse()
        .map_err(Failure::cannot("read the log's checkpoint"))?;
    let checkpoint: ledger::Checkpoint = note
        .text()
        .parse()
        .map_err(Failure::cannot("read the log's checkpoint"))?;
    Ok(checkpoint.origin)
}

/// The key to check with, and where the trust in it comes from.
fn choose_key(
    source: &Source,
    origin: &str,
    given: Option<VerifierKey>,
    before: Option<&Seen>,
) -> Result<(VerifierKey, &'static str), Failure> {
    let remembered = before.map(Seen::key).transpose()?;
    if let Some(given) = given {
        if remembered.is_some_and(|remembered| remembered != given) {
            return Err(Failure::new(format!(
                "the log {origin} was signed with another key when it was seen before"
            )));
        }
        return Ok((given, "the key that you gave"));
    }
    if let Some(remembered) = remembered {
        return Ok((remembered, "the key that was seen before"));
    }
    let shown = source.fetch_text(KEY).map_err(|error| {
        Failure::new(format!(
            "the log {origin} was never seen before and shows no key ({error}); give it with --key"
        ))
    })?;
    let key = shown
        .trim()
        .parse()
        .map_err(Failure::cannot("read the key that the log shows"))?;
    Ok((
        key,
        "the key that the log shows itself, taken on trust this first time: compare it with a published one",
    ))
}

fn tell(log: &VerifiedLog, key: &VerifierKey, trust: &str, seen: Option<u64>) {
    let checkpoint = &log.checkpoint;
    say(&format!(
        "the log {} holds: {} entries, root {}",
        checkpoint.origin, checkpoint.size, checkpoint.root
    ));
    say(&format!("key {key}: {trust}"));
    match seen {
        Some(size) => say(&format!(
            "it goes on from the {size} entries that were seen before"
        )),
        None => say("it was never seen before"),
    }
    for (act, count) in &log.acts {
        say(&format!("{count:>8} {}", act.as_str()));
    }
}
