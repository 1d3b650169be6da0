//! Two at once, on both databases: exactly one wins, and the other learns why.

use model::{Clock, Decision, Level, Opinion, RequestState};

use super::world::{World, outcome};

const ROUNDS: usize = 8;

/// Both outcomes, in the order of the alphabet.
fn sorted<'a>(a: &'a str, b: &'a str) -> [&'a str; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

async fn two_reviewers_decide(world: &World) {
    for _ in 0..ROUNDS {
        let dataset = world.ready(Level::L1).await;
        let request = world.submitted(&dataset).await;
        let before = world.leaves().await.len();
        let (first, second) = tokio::join!(
            world.decide("reviewer", &request, Decision::Approve),
            world.decide("second-reviewer", &request, Decision::Reject),
        );
        assert_eq!(
            sorted(outcome(&first), outcome(&second)),
            ["ok", "stale-revision"]
        );
        let decisions = db::request::list_decisions(world.db.read(), request.id)
            .await
            .unwrap();
        assert_eq!(decisions.len(), 1);
        let approved = first.is_ok();
        let state = if approved {
            RequestState::Approved
        } else {
            RequestState::Rejected
        };
        assert_eq!(world.reload(&request).await.state, state);
        let acts = world.acts_after(before).await;
        let published = acts.contains(&"version.published");
        assert_eq!(
            (acts.len(), published),
            if approved { (2, true) } else { (1, false) }
        );
    }
}

async fn two_assessors_opine(world: &World) {
    for _ in 0..ROUNDS {
        let request = world.submitted(&world.ready(Level::L3).await).await;
        let (first, second) = tokio::join!(
            world.opine("assessor", &request, Opinion::Safe),
            world.opine("second-assessor", &request, Opinion::Unsafe),
        );
        // The later one finds it changed, or, if it came late enough, not there for them at all.
        let [lost, won] = {
            let pair = sorted(outcome(&first), outcome(&second));
            if pair[0] == "ok" { [pair[1], pair[0]] } else { pair }
        };
        assert_eq!(won, "ok");
        assert!(matches!(lost, "stale-revision" | "not-found"), "{lost}");
        assert_eq!(
            db::request::list_opinions(world.db.read(), request.id)
                .await
                .unwrap()
                .len(),
            1
        );
    }
}

async fn two_officers_submit(world: &World) {
    let officer = world.actor("officer");
    for _ in 0..ROUNDS {
        let dataset = world.ready(Level::L1).await;
        let before = world.leaves().await.len();
        let (first, second) = tokio::join!(
            world.review.submit_release(officer, &dataset.slug, "一"),
            world
                .review
                .submit_release(world.actor("second-officer"), &dataset.slug, "二"),
        );
        assert_eq!(
            sorted(outcome(&first), outcome(&second)),
            ["ok", "release-request-open"]
        );
        assert_eq!(world.acts_after(before).await, ["release.requested"]);
    }
}

async fn approval_meets_withdrawal(world: &World) {
    for _ in 0..ROUNDS {
        let request = world.submitted(&world.ready(Level::L1).await).await;
        let (decided, withdrawn) = tokio::join!(
            world.decide("reviewer", &request, Decision::Approve),
            world
                .review
                .withdraw(world.actor("officer"), request.id, request.revision),
        );
        assert_eq!(
            sorted(outcome(&decided), outcome(&withdrawn)),
            ["ok", "stale-revision"]
        );
    }
}

async fn two_approvals_exceed_the_lineage(world: &World) {
    for _ in 0..ROUNDS {
        // Each of ε = 2 fits alone; two do not.
        let dataset = world.released_with(Level::L3, 2.5).await;
        let other = world.released(Level::L3).await;
        let (one, two) = (
            world.applied(&[&dataset, &other]).await,
            world.applied(&[&other, &dataset]).await,
        );
        let before = world.leaves().await.len();
        let (first, second) = tokio::join!(
            world.decide("reviewer", &one, Decision::Approve),
            world.decide("second-reviewer", &two, Decision::Approve),
        );
        assert_eq!(
            sorted(outcome(&first), outcome(&second)),
            ["budget-not-available", "ok"]
        );
        assert_eq!(
            world.acts_after(before).await,
            ["access.decided", "project.opened"]
        );
        let now = world.clock.now();
        let reserved = async |id| {
            db::allocation::load_lineage(world.db.read(), id, now)
                .await
                .unwrap()
                .rho_reserved_nano
        };
        assert_eq!(
            reserved(dataset.lineage_id).await,
            reserved(other.lineage_id).await
        );
        let lost = if first.is_ok() { &two } else { &one };
        assert_eq!(world.reload(lost).await, *lost);
    }
}

async fn all(world: &World) {
    two_reviewers_decide(world).await;
    two_assessors_opine(world).await;
    two_officers_submit(world).await;
    approval_meets_withdrawal(world).await;
    two_approvals_exceed_the_lineage(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_on_sqlite() {
    all(&World::in_memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_on_postgres() {
    let Some((world, _database)) = World::on_postgres().await else {
        return;
    };
    all(&world).await;
}
