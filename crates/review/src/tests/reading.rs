//! What each reader sees of requests.

use model::{Decision, Level, Opinion, RequestId, RequestKind, RequestState};

use super::world::{PURPOSE, World, outcome};
use crate::{Permitted, RequestFilter, RequestText};

async fn ids(world: &World, actor: &str, filter: &RequestFilter) -> Vec<RequestId> {
    let listed = world
        .review
        .list(world.actor(actor), filter, None, 100)
        .await
        .unwrap();
    listed.into_iter().map(|summary| summary.id).collect()
}

#[tokio::test]
async fn lists_hold_what_each_role_may_see() {
    let world = World::in_memory().await;
    let released = world.released(Level::L3).await;
    let history = ids(&world, "reviewer", &RequestFilter::default()).await;
    assert_eq!(history.len(), 1);
    let open = world.submitted(&world.ready(Level::L1).await).await.id;
    let waiting = world.submitted(&world.ready(Level::L2).await).await.id;
    let opined = world.awaiting_decision(&world.ready(Level::L3).await).await.id;
    let access = world.applied(&[&released]).await.id;
    let all = vec![access, opined, waiting, open, history[0]];
    let table: [(&str, Vec<RequestId>); 8] = [
        ("reviewer", all.clone()),
        ("auditor", all.clone()),
        ("officer", all),
        ("other-officer", vec![]),
        ("analyst", vec![access]),
        ("other-analyst", vec![]),
        ("assessor", vec![opined, waiting, history[0]]),
        ("second-assessor", vec![waiting]),
    ];
    for (actor, expected) in table {
        assert_eq!(
            ids(&world, actor, &RequestFilter::default()).await,
            expected,
            "{actor}"
        );
    }
    for actor in ["admin", "developer", "visitor"] {
        let listed = world
            .review
            .list(world.actor(actor), &RequestFilter::default(), None, 10)
            .await;
        assert!(listed.is_err(), "{actor}");
    }
    assert_eq!(
        ids(&world, "reviewer", &RequestFilter::open()).await,
        [access, opined, waiting, open]
    );
    let access_only = RequestFilter {
        kind: Some(RequestKind::Access),
        ..RequestFilter::default()
    };
    assert_eq!(ids(&world, "reviewer", &access_only).await, [access]);
    let approved = RequestFilter {
        states: vec![RequestState::Approved],
        kind: None,
    };
    assert_eq!(ids(&world, "reviewer", &approved).await, history);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let world = World::in_memory().await;
    for _ in 0..5 {
        world.submitted(&world.ready(Level::L1).await).await;
    }
    let all = ids(&world, "reviewer", &RequestFilter::default()).await;
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let reviewer = world.actor("reviewer");
        let page = world
            .review
            .list(reviewer, &RequestFilter::default(), before, 2)
            .await
            .unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        paged.extend(page.into_iter().map(|summary| summary.id));
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn figures_reach_the_trusted_roles_only() {
    let world = World::in_memory().await;
    for level in [Level::L2, Level::L3] {
        let request = world.submitted(&world.ready(level).await).await;
        let table = [
            ("officer", true),
            ("reviewer", true),
            ("assessor", false),
            ("second-assessor", false),
            ("auditor", false),
        ];
        for (actor, trusted) in table {
            let view = world.review.load(world.actor(actor), request.id).await.unwrap();
            let evidence = &view.datasets[0];
            let version = evidence.version.as_ref().unwrap();
            assert_eq!(version.figures.is_some(), trusted, "{actor}");
            let shown = format!("{view:?}");
            for derived in ["123456", "distinct", "abababab", "trips-secret-name"] {
                assert_eq!(shown.contains(derived), trusted, "{actor}: {derived}");
            }
            // What an assessor judges by is there for all of them.
            assert!(evidence.dataset.declared.is_some() && evidence.dataset.metadata.recipe.is_some());
        }
    }
}

#[tokio::test]
async fn an_assessor_never_reads_anothers_opinion() {
    let world = World::in_memory().await;
    let request = world.submitted(&world.ready(Level::L3).await).await;
    let second = world.actor("second-assessor");
    assert!(
        world
            .review
            .load(second, request.id)
            .await
            .unwrap()
            .opinions
            .is_empty()
    );
    let request = world.opine("assessor", &request, Opinion::Unsafe).await.unwrap();
    assert_eq!(outcome(&world.review.load(second, request.id).await), "not-found");
    let own = world
        .review
        .load(world.actor("assessor"), request.id)
        .await
        .unwrap();
    assert_eq!(own.opinions.len(), 1);
    assert_eq!(
        (own.opinions[0].opinion, own.opinions[0].user),
        (Opinion::Unsafe, None)
    );
    for (reader, pen_shown) in [("officer", false), ("reviewer", true), ("auditor", true)] {
        let view = world.review.load(world.actor(reader), request.id).await.unwrap();
        assert_eq!(view.opinions[0].organization.zh(), "assess-one");
        assert_eq!(view.opinions[0].user.is_some(), pen_shown, "{reader}");
    }
}

#[tokio::test]
async fn views_say_what_the_reader_may_do_next() {
    let world = World::in_memory().await;
    let permitted =
        async |actor: &str, id: RequestId| world.review.load(world.actor(actor), id).await.unwrap().permitted;
    let nothing = Permitted::default();
    let withdraw = Permitted {
        withdraw: true,
        ..nothing
    };
    let waiting = world.submitted(&world.ready(Level::L3).await).await;
    assert_eq!(permitted("officer", waiting.id).await, withdraw);
    assert_eq!(
        permitted("assessor", waiting.id).await,
        Permitted {
            give_opinion: true,
            ..nothing
        }
    );
    assert_eq!(permitted("reviewer", waiting.id).await, nothing);
    let found = world.opine("assessor", &waiting, Opinion::Unsafe).await.unwrap();
    assert_eq!(permitted("assessor", found.id).await, nothing);
    assert_eq!(
        permitted("reviewer", found.id).await,
        Permitted {
            decide: true,
            ..nothing
        }
    );
    assert_eq!(permitted("second-officer", found.id).await, withdraw);
    let plain = world.submitted(&world.ready(Level::L1).await).await;
    assert_eq!(
        permitted("reviewer", plain.id).await,
        Permitted {
            decide: true,
            approve: true,
            ..nothing
        }
    );
    assert_eq!(permitted("auditor", plain.id).await, nothing);
    world.decide("reviewer", &plain, Decision::Return).await.unwrap();
    assert_eq!(permitted("officer", plain.id).await, nothing);
}

#[tokio::test]
async fn a_view_tells_the_whole_story() {
    let world = World::in_memory().await;
    let dataset = world.released(Level::L3).await;
    let request = world.applied(&[&dataset]).await;
    let analyst = world.actor("analyst");
    let before = world.review.load(analyst, request.id).await.unwrap();
    let RequestText::Access { purpose, days, .. } = &before.text else {
        panic!("{:?}", before.text)
    };
    assert_eq!((purpose.as_str(), *days), (PURPOSE, None));
    assert_eq!((before.project, before.summary.revision), (None, 1));
    assert_eq!(before.summary.datasets[0].slug, dataset.slug);
    assert!(!before.summary.overdue);
    world.clock.advance_seconds(8 * 86_400);
    assert!(
        world
            .review
            .load(analyst, request.id)
            .await
            .unwrap()
            .summary
            .overdue
    );
    let decided = world
        .decide("reviewer", &request, Decision::Approve)
        .await
        .unwrap();
    let after = world.review.load(analyst, request.id).await.unwrap();
    assert_eq!(after.project, decided.project);
    assert!(after.project.is_some());
    assert_eq!(
        (after.summary.state, after.summary.overdue),
        (RequestState::Approved, false)
    );
    assert_eq!(after.decisions[0].decision, Decision::Approve);
    assert_eq!(after.decisions[0].budget.unwrap().epsilon, 2.0);
    assert_eq!(
        after.decisions[0].user, None,
        "the applicant learns who decided only as an office"
    );
}
