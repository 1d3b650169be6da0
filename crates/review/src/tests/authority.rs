//! Who may do what, when: one table for releases, one for access.

use db::request::Request;
use model::{
    Clock, DatasetState, Decision, Level, Opinion, RequestId, RequestKind, RequestState, VersionState,
};

use super::world::{World, outcome};

const ACTS: [&str; 3] = ["opine", "decide", "withdraw"];

async fn attempt(world: &World, actor: &str, act: &str, request: &Request) -> &'static str {
    match act {
        "opine" => outcome(&world.opine(actor, request, Opinion::Safe).await),
        "decide" => outcome(&world.decide(actor, request, Decision::Return).await),
        "withdraw" => outcome(
            &world
                .review
                .withdraw(world.actor(actor), request.id, request.revision)
                .await,
        ),
        other => panic!("no such act: {other}"),
    }
}

/// A fresh L3 release request of the transport department in a state.
async fn release_in(world: &World, state: RequestState) -> Request {
    let dataset = world.ready(Level::L3).await;
    match state {
        RequestState::AwaitingOpinion => world.submitted(&dataset).await,
        RequestState::AwaitingDecision => world.awaiting_decision(&dataset).await,
        RequestState::Approved => world.release(&dataset).await,
        other => panic!("not in the table: {other:?}"),
    }
}

#[tokio::test]
async fn release_requests_by_actor_state_and_act() {
    let world = World::in_memory().await;
    let no = "forbidden";
    let hidden = ["not-found"; 3];
    let stranger = ["unauthenticated"; 3];
    // opine, decide, withdraw — in awaiting_opinion, awaiting_decision, approved
    let table: [(&str, [[&str; 3]; 3]); 13] = [
        (
            "officer",
            [[no, no, "ok"], [no, no, "ok"], [no, no, "wrong-state"]],
        ),
        (
            "second-officer",
            [[no, no, "ok"], [no, no, "ok"], [no, no, "wrong-state"]],
        ),
        ("other-officer", [hidden, hidden, hidden]),
        (
            "reviewer",
            [
                [no, "opinion-missing", no],
                [no, "ok", no],
                [no, "wrong-state", no],
            ],
        ),
        (
            "second-reviewer",
            [
                [no, "opinion-missing", no],
                [no, "ok", no],
                [no, "wrong-state", no],
            ],
        ),
        (
            "assessor",
            [["ok", no, no], ["wrong-state", no, no], ["wrong-state", no, no]],
        ),
        // Another's opinion is there: this one neither reads it nor adds to it.
        ("second-assessor", [["ok", no, no], hidden, hidden]),
        ("auditor", [[no, no, no], [no, no, no], [no, no, no]]),
        ("admin", [hidden, hidden, hidden]),
        ("analyst", [hidden, hidden, hidden]),
        ("other-analyst", [hidden, hidden, hidden]),
        ("developer", [hidden, hidden, hidden]),
        ("visitor", [stranger, stranger, stranger]),
    ];
    let states = [
        RequestState::AwaitingOpinion,
        RequestState::AwaitingDecision,
        RequestState::Approved,
    ];
    for (actor, rows) in table {
        for (state, row) in states.into_iter().zip(rows) {
            for (act, expected) in ACTS.into_iter().zip(row) {
                let request = release_in(&world, state).await;
                let before = world.leaves().await.len();
                let found = attempt(&world, actor, act, &request).await;
                assert_eq!(found, expected, "{actor} tries to {act} in {}", state.as_str());
                let after = world.reload(&request).await;
                if expected == "ok" {
                    assert_eq!(world.acts_after(before).await.len(), 1);
                    assert_eq!(after.revision, request.revision + 1);
                } else {
                    assert_eq!(
                        world.acts_after(before).await,
                        Vec::<&str>::new(),
                        "a refusal leaves no trace"
                    );
                    assert_eq!(after, request);
                }
            }
        }
    }
}

#[tokio::test]
async fn access_requests_by_actor_and_act() {
    let world = World::in_memory().await;
    let no = "forbidden";
    let hidden = ["not-found"; 3];
    let dataset = world.released(Level::L3).await;
    // opine, decide, withdraw — while the request of `analyst`'s enterprise awaits its decision
    let table = [
        ("analyst", [no, no, "ok"]),
        // The department whose data it is looks on.
        ("officer", [no, no, no]),
        ("other-officer", hidden),
        ("reviewer", [no, "ok", no]),
        ("assessor", hidden),
        ("auditor", [no, no, no]),
        ("admin", hidden),
        ("other-analyst", hidden),
        ("developer", hidden),
        ("visitor", ["unauthenticated"; 3]),
    ];
    for (actor, row) in table {
        for (act, expected) in ACTS.into_iter().zip(row) {
            let request = world.applied(&[&dataset]).await;
            let found = attempt(&world, actor, act, &request).await;
            assert_eq!(found, expected, "{actor} tries to {act}");
        }
    }
}

#[tokio::test]
async fn who_may_ask() {
    let world = World::in_memory().await;
    let open = world.released(Level::L3).await;
    // Submitting a release of the transport department's draft; applying for its released dataset.
    let table = [
        ("officer", "ok", "forbidden"),
        ("second-officer", "ok", "forbidden"),
        ("other-officer", "not-found", "forbidden"),
        ("reviewer", "forbidden", "forbidden"),
        ("auditor", "not-found", "forbidden"),
        ("admin", "not-found", "forbidden"),
        ("assessor", "not-found", "forbidden"),
        ("analyst", "not-found", "ok"),
        ("other-analyst", "not-found", "ok"),
        ("developer", "not-found", "forbidden"),
        ("visitor", "unauthenticated", "unauthenticated"),
    ];
    for (name, release, access) in table {
        let actor = world.actor(name);
        let draft = world.ready(Level::L1).await;
        let found = outcome(&world.review.submit_release(actor, &draft.slug, "").await);
        assert_eq!(found, release, "{name} asks for a release");
        let found = outcome(
            &world
                .review
                .submit_access(actor, &world.application(&[&open]))
                .await,
        );
        assert_eq!(found, access, "{name} applies");
    }
}

/// A dataset of this organisation, and a request for its release, as if it could ask.
async fn request_of(world: &World, organization: &str, state: RequestState) -> Request {
    let mut dataset = world.entry(Level::L3);
    dataset.organization_id = world.organization(organization);
    world.store(&dataset, 10.0).await;
    let version = world.add_version(&dataset, VersionState::Ready).await;
    let now = world.clock.now();
    let request = Request {
        id: RequestId::at(now),
        kind: RequestKind::Release,
        state,
        organization_id: dataset.organization_id,
        submitted_by: dataset.created_by,
        level: Level::L3,
        special: false,
        deadline: now,
        payload: serde_json::json!({"texts": {}}),
        policy_id: None,
        revision: 1,
        created_at: now,
        decided_at: None,
    };
    let tx = world.db.begin_write().await.unwrap();
    db::request::insert(&tx, &request, &[(dataset.id, Some(version))])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    request
}

#[tokio::test]
async fn nobody_decides_or_advises_in_their_own_cause() {
    let world = World::in_memory().await;
    // Reviewers on the bureau's own request, assessors on their house's own: the same act, another's request.
    for (organization, expected) in [("bureau", "forbidden"), ("water", "ok")] {
        for decision in Decision::ALL {
            let request = request_of(&world, organization, RequestState::AwaitingDecision).await;
            let found = outcome(&world.decide("reviewer", &request, *decision).await);
            assert_eq!(found, expected, "{organization} {decision:?}");
        }
    }
    for (organization, expected) in [("assess-one", "forbidden"), ("assess-two", "ok"), ("water", "ok")] {
        let request = request_of(&world, organization, RequestState::AwaitingOpinion).await;
        let found = outcome(&world.opine("assessor", &request, Opinion::Safe).await);
        assert_eq!(found, expected, "{organization}");
    }
    // Nor on somebody else's request for their own organisation's data.
    let mut dataset = world.entry(Level::L3);
    dataset.organization_id = world.organization("bureau");
    dataset.state = DatasetState::Released;
    world.store(&dataset, 10.0).await;
    let request = world.applied(&[&dataset]).await;
    assert_eq!(
        outcome(&world.decide("reviewer", &request, Decision::Approve).await),
        "forbidden"
    );
    assert_eq!(world.reload(&request).await, request);
}

#[tokio::test]
async fn every_act_needs_the_revision_that_was_read() {
    let world = World::in_memory().await;
    for wrong in [-1, 1, 2] {
        let dataset = world.ready(Level::L3).await;
        let mut waiting = world.submitted(&dataset).await;
        waiting.revision += wrong;
        assert_eq!(
            outcome(&world.opine("assessor", &waiting, Opinion::Safe).await),
            "stale-revision"
        );
        let withdrawn = world
            .review
            .withdraw(world.actor("officer"), waiting.id, waiting.revision)
            .await;
        assert_eq!(outcome(&withdrawn), "stale-revision");
        waiting.revision -= wrong;
        let mut request = world.opine("assessor", &waiting, Opinion::Safe).await.unwrap();
        request.revision += wrong;
        for decision in Decision::ALL {
            assert_eq!(
                outcome(&world.decide("reviewer", &request, *decision).await),
                "stale-revision"
            );
        }
    }
}
