//! A running portal: its use-cases, its background work, and its address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_entry::index::Indexer;
use metrics_exporter_prometheus::PrometheusHandle;
use query::Engine;
use shapan_config::{Config, ProcessRole};
use task::Owner;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use web::{AppState, MetricsRenderer, Services, Usage};

use crate::background::{Background, housekeeping, sequencer};
use crate::failure::Failure;
use crate::listen::{self, Bound, ConnectionLimits, DrainLimit, PaceLimit};
use crate::log;
use crate::portal::{Lock, Portal, SEARCH};

/// `shapan serve`.
pub(crate) async fn serve(config: Config, started: Instant) -> Result<(), Failure> {
    let server = Server::start(config, started).await?;
    let stop = stop_signal()?;
    server.run(stop, |_| Ok(())).await
}

/// A portal whose background work runs, and which answers nobody yet.
pub(crate) struct Server {
    pub(crate) portal: Portal,
    config: Config,
    indexer: Indexer,
    engine: Engine,
    usage: Usage,
    background: Background,
    metrics: PrometheusHandle,
    bound: Option<Bound>,
    started: Instant,
    _lock: Lock,
}

impl Server {
    /// Opens everything and begins the background work.
    pub(crate) async fn start(config: Config, started: Instant) -> Result<Self, Failure> {
        listen::raise_file_limit();
        let mut lock = Lock::take(&config.data.dir)?;
        let serves = config.server.roles.contains(&ProcessRole::Web);
        let bound = serves.then(|| listen::bind(config.server.listen)).transpose()?;
        let (portal, engine) = Portal::serve(&config).await?;
        let indexer = Indexer::open(portal.db.clone(), &config.data.dir.join(SEARCH))
            .await
            .map_err(Failure::cannot("open the search index"))?;
        let usage = Usage::default();
        let metrics = log::start_metrics()?;
        // There is a checkpoint before anybody can ask for one.
        sequencer::sequence(&portal.db, &portal.secrets.ledger, portal.clock.as_ref()).await?;
        let owner = succeed(&portal, &mut lock).await?;
        let mut background = Background::start(&config, &portal, &indexer, &usage, owner);
        housekeeping::keep_metrics(&mut background, &metrics);
        Ok(Self {
            portal,
            config,
            indexer,
            engine,
            usage,
            background,
            metrics,
            bound,
            started,
            _lock: lock,
        })
    }

    /// Serves until `stop`; `ready` is told the address first.
    pub(crate) async fn run(
        self,
        stop: CancellationToken,
        ready: impl FnOnce(SocketAddr) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self {
            portal,
            config,
            indexer,
            engine,
            usage,
            background,
            metrics,
            bound,
            started,
            _lock,
        } = self;
        // What was done since the start, such as seeding, is found and proven by the first who asks.
        indexer.catch_up().await?;
        sequencer::sequence(&portal.db, &portal.secrets.ledger, portal.clock.as_ref()).await?;
        let served = match bound {
            None => {
                tracing::info!(milliseconds = started.elapsed().as_millis(), "ready to work");
                stop.cancelled().await;
                Ok(())
            }
            Some(bound) => {
                let state = AppState::new(Services {
                    authority: portal.authority.clone(),
                    identity: portal.identity.clone(),
                    catalog: portal.catalog.clone(),
                    indexer,
                    review: portal.review.clone(),
                    sandbox: portal.sandbox.clone(),
                    query: engine,
                    db: portal.db.clone(),
                    clock: Arc::clone(&portal.clock),
                    usage: usage.clone(),
                    request_time: Duration::from_secs(config.server.request_seconds),
                    cursor_key: portal.secrets.cursor_key(),
                    public_url: config.server.public_url.clone(),
                    secure_cookies: config.server.secure_cookies,
                    ledger_key: portal.secrets.ledger.verifier().to_string(),
                    metrics: Some(MetricsRenderer(Arc::new(move || metrics.render()))),
                });
                let router = web::router(state);
                let address = bound.address;
                let listener = bound.listen()?;
                let milliseconds = started.elapsed().as_millis();
                tracing::info!(%address, milliseconds, "ready");
                match ready(address) {
                    Ok(()) => {
                        listen::serve(listener, router, connection_limits(&config), stop).await;
                        Ok(())
                    }
                    Err(failure) => Err(failure),
                }
            }
        };
        tracing::info!("stopping");
        background.stop().await;
        // What was counted and decided last is kept and in its place before the end.
        usage.flush(&portal.db, portal.clock.now()).await?;
        sequencer::sequence(&portal.db, &portal.secrets.ledger, portal.clock.as_ref()).await?;
        tracing::info!("stopped");
        served
    }

    /// Stops without having served.
    pub(crate) async fn abandon(self) {
        self.background.stop().await;
    }
}

fn connection_limits(config: &Config) -> ConnectionLimits {
    let server = &config.server;
    ConnectionLimits {
        head: Duration::from_secs(server.request_seconds),
        pace: PaceLimit {
            bytes: server.stream_bytes,
            time: Duration::from_secs(server.stream_seconds),
        },
        drain: DrainLimit {
            bytes: server.drain_bytes,
            time: Duration::from_secs(server.drain_seconds),
        },
    }
}

/// Takes the place of the server that ran on this data folder before: what it left behind when it was killed goes on at
/// once. It is gone, because its lock is ours; commands and servers on other folders have leases in other names, which
/// stay theirs. Returns the name that this server leases in.
async fn succeed(portal: &Portal, lock: &mut Lock) -> Result<Owner, Failure> {
    if let Some(gone) = lock.predecessor() {
        let reclaimed = task::reclaim(&portal.db, gone, portal.clock.now()).await?;
        if reclaimed > 0 {
            tracing::info!(tasks = reclaimed, "work that was cut off goes on");
        }
    }
    let owner = Owner::fresh();
    lock.sign(owner)?;
    Ok(owner)
}

/// Cancelled when the process is asked to end: SIGTERM, or Ctrl-C at a terminal. A second Ctrl-C ends it at once.
pub(crate) fn stop_signal() -> Result<CancellationToken, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::cannot("listen to SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::cannot("listen to SIGINT"))?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
        // Signals that came together with the first one are not a second one.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Ok(mut again) = signal(SignalKind::interrupt()) {
            again.recv().await;
            std::process::exit(130);
        }
    });
    Ok(stop)
}
