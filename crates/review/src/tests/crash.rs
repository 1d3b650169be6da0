//! Cut off at any moment, an act has happened with all that follows from it, or not at all.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use db::request::Request;
use model::{Clock, DatasetState, Decision, Level, RequestState};

use super::world::World;

/// Gives up after so many polls, as a process that is killed does.
struct Killed<F> {
    inner: F,
    polls: u32,
}

impl<F: Future + Unpin> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        Pin::new(&mut self.inner).poll(context).map(Some)
    }
}

async fn kill_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    Killed {
        inner: pin!(future),
        polls,
    }
    .await
}

/// What is there of a request's approval.
#[derive(Debug, PartialEq)]
struct Traces {
    state: RequestState,
    decisions: usize,
    released: bool,
    project: bool,
    reserved: bool,
    leaves: usize,
}

async fn traces(world: &World, request: &Request, leaves_before: usize) -> Traces {
    let connection = world.db.read();
    // Waits for the rollback of what was cut off, since writers take turns.
    let leaves = world.leaves().await.len() - leaves_before;
    let asked = db::request::list_datasets(connection, request.id).await.unwrap();
    let dataset = db::dataset::load(connection, asked[0].0).await.unwrap();
    let lineage = db::allocation::load_lineage(connection, dataset.lineage_id, world.clock.now())
        .await
        .unwrap();
    Traces {
        state: world.reload(request).await.state,
        decisions: db::request::list_decisions(connection, request.id)
            .await
            .unwrap()
            .len(),
        released: dataset.state == DatasetState::Released,
        project: db::project::find_by_request(connection, request.id)
            .await
            .unwrap()
            .is_some(),
        reserved: lineage.rho_reserved_nano > 0,
        leaves,
    }
}

/// Kills approvals after 1, 2, 3 … polls until one survives, and checks that each is old or new. `least` is how
/// many have to die before the commit for this to have tested anything.
async fn kill_everywhere(
    world: &World,
    least: u32,
    old: &Traces,
    new: &Traces,
    fresh: impl AsyncFn() -> Request,
) {
    let (mut killed, mut polls) = (0, 1);
    loop {
        let request = fresh().await;
        let before = world.leaves().await.len();
        let decided = kill_after(polls, world.decide("reviewer", &request, Decision::Approve)).await;
        let found = traces(world, &request, before).await;
        if let Some(decided) = decided {
            decided.unwrap();
            assert_eq!(found, *new);
            break;
        }
        assert!(found == *old || found == *new, "after {polls} polls: {found:?}");
        killed += u32::from(found == *old);
        polls += 1;
        assert!(polls < 2_000, "the act never ends");
    }
    assert!(killed >= least, "killed only {killed} times before the commit");
}

async fn kill_releases(world: &World, least: u32) {
    let old = Traces {
        state: RequestState::AwaitingDecision,
        decisions: 0,
        released: false,
        project: false,
        reserved: false,
        leaves: 0,
    };
    let new = Traces {
        state: RequestState::Approved,
        decisions: 1,
        released: true,
        leaves: 2,
        ..old
    };
    let fresh = async || world.awaiting_decision(&world.ready(Level::L3).await).await;
    kill_everywhere(world, least, &old, &new, fresh).await;
}

async fn kill_grants(world: &World, least: u32) {
    let old = Traces {
        state: RequestState::AwaitingDecision,
        decisions: 0,
        released: true,
        project: false,
        reserved: false,
        leaves: 0,
    };
    let new = Traces {
        state: RequestState::Approved,
        decisions: 1,
        project: true,
        reserved: true,
        leaves: 2,
        ..old
    };
    let fresh = async || world.applied(&[&world.released(Level::L3).await]).await;
    kill_everywhere(world, least, &old, &new, fresh).await;
}

// A poll ends where a database keeps its caller waiting: at a few statements on SQLite, at most of them on
// PostgreSQL, and at others each time.
#[tokio::test]
async fn approvals_are_old_or_new_on_sqlite() {
    let world = World::in_memory().await;
    kill_releases(&world, 1).await;
    kill_grants(&world, 1).await;
}

#[tokio::test]
async fn approvals_are_old_or_new_on_postgres() {
    let Some((world, _database)) = World::on_postgres().await else {
        return;
    };
    for _ in 0..2 {
        // How often a poll yields depends on the network and the load; once is enough to have tested something.
        kill_releases(&world, 1).await;
        kill_grants(&world, 1).await;
    }
}
