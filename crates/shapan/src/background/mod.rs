//! What a portal does besides answering: tasks, releases, the ledger's sequence, the index, counts, and tidying up.
//!
//! Each is a loop of its own that is kept running: one that panics is logged and starts again. All stop when told,
//! between two turns or in the middle of a sleep.

pub(crate) mod housekeeping;
pub(crate) mod sequencer;
pub(crate) mod tasks;

use std::fmt::Display;
use std::time::Duration;

use catalog_entry::index::Indexer;
use sandbox_job::Sandbox;
use shapan_config::{Config, ProcessRole};
use task::Owner;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::Usage;

use crate::portal::Portal;

/// The pause before a loop that panicked starts again, and after a turn that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often projects are closed whose period has ended; past it they take no jobs, closed or not.
const CLOSE_EVERY: Duration = Duration::from_secs(10);
/// How often the ledger's waiting leaves get their place.
const SEQUENCE_EVERY: Duration = Duration::from_secs(1);
/// How often the index looks for what other processes announced.
const INDEX_EVERY: Duration = Duration::from_secs(3);
/// How often counts go to the database.
const FLUSH_EVERY: Duration = Duration::from_secs(10);
/// How long all loops together may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The background work of a process.
pub(crate) struct Background {
    stop: CancellationToken,
    loops: JoinSet<()>,
}

impl Background {
    /// Begins the work of the configured roles; its tasks are leased in the name of `owner`.
    pub(crate) fn start(
        config: &Config,
        portal: &Portal,
        indexer: &Indexer,
        usage: &Usage,
        owner: Owner,
    ) -> Self {
        let mut this = Self {
            stop: CancellationToken::new(),
            loops: JoinSet::new(),
        };
        if config.server.roles.contains(&ProcessRole::Worker) {
            tasks::keep(&mut this, config, portal, owner);
            let sandbox = portal.sandbox.clone();
            this.keep("release", move |stop| release(sandbox.clone(), stop));
            let sandbox = portal.sandbox.clone();
            this.keep_turns("projects", CLOSE_EVERY, move || {
                let sandbox = sandbox.clone();
                async move { sandbox.close_expired().await.map(drop) }
            });
            let (db, clock, secrets) = (portal.db.clone(), portal.clock.clone(), portal.secrets.clone());
            this.keep_turns("sequencer", SEQUENCE_EVERY, move || {
                let (db, clock, secrets) = (db.clone(), clock.clone(), secrets.clone());
                async move {
                    sequencer::sequence(&db, &secrets.ledger, clock.as_ref())
                        .await
                        .map(drop)
                }
            });
            housekeeping::keep(&mut this, config, portal);
        }
        let indexer = indexer.clone();
        this.keep_turns("index", INDEX_EVERY, move || {
            let indexer = indexer.clone();
            async move { indexer.catch_up().await }
        });
        let (db, clock, usage) = (portal.db.clone(), portal.clock.clone(), usage.clone());
        this.keep_turns("usage", FLUSH_EVERY, move || {
            let (db, clock, usage) = (db.clone(), clock.clone(), usage.clone());
            async move { usage.flush(&db, clock.now()).await }
        });
        this
    }

    /// Keeps a loop running until the stop.
    fn keep<F>(&mut self, name: &'static str, make: impl Fn(CancellationToken) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.loops.spawn(async move {
            while !stop.is_cancelled() {
                match tokio::spawn(make(stop.clone())).await {
                    Ok(()) if stop.is_cancelled() => break,
                    Ok(()) => tracing::error!(name, "a background loop ended early; it starts again"),
                    Err(error) if error.is_panic() => {
                        tracing::error!(name, "a background loop panicked; it starts again");
                    }
                    Err(_) => break,
                }
                sleep(PAUSE, &stop).await;
            }
        });
    }

    /// Keeps doing something, with a pause in between; a turn that fails is logged, and the next one tries again.
    fn keep_turns<F, E>(
        &mut self,
        name: &'static str,
        every: Duration,
        turn: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        self.keep(name, move |stop| {
            let turn = turn.clone();
            async move {
                while !stop.is_cancelled() {
                    if let Err(error) = turn().await {
                        tracing::warn!(name, %error, "background work failed; it is tried again");
                    }
                    sleep(every, &stop).await;
                }
            }
        });
    }

    /// Stops all work and waits for it.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let all = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("some background work did not stop in time and is cut off");
            self.loops.shutdown().await;
        }
    }
}

/// Sleeps, or wakes to stop.
async fn sleep(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// Releases each private job when it is due.
async fn release(sandbox: Sandbox, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let turn = async {
            sandbox.release_due().await?;
            sandbox.until_next_due().await
        };
        let wait = turn.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "jobs could not be released; it is tried again");
            PAUSE
        });
        sleep(wait, &stop).await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_or_fails_goes_on_until_the_stop() {
        let mut background = Background {
            stop: CancellationToken::new(),
            loops: JoinSet::new(),
        };
        let turns = Arc::new(AtomicU32::new(0));
        let counted = turns.clone();
        background.keep_turns("test", Duration::from_millis(10), move || {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match turn {
                    0 => panic!("the first turn"),
                    1 => Err("the second turn"),
                    _ => Ok(()),
                }
            }
        });
        // A second or so, and longer on a busy machine.
        for _ in 0..300 {
            if turns.load(Ordering::SeqCst) > 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        background.stop().await;
        let after = turns.load(Ordering::SeqCst);
        assert!(after > 5, "{after} turns");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(turns.load(Ordering::SeqCst), after, "it stopped");
    }
}
