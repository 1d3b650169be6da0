//! Access: what can be applied for, and what an approval grants.

use db::allocation::{Allocation, Cost};
use db::dataset::Dataset;
use db::request::Request;
use model::{
    BudgetPolicy, Clock, DatasetState, Decision, Level, ProjectId, RequestState, ReviewPolicy, Slug,
};
use privacy::{Delta, Epsilon};

use super::world::{PURPOSE, SAFEGUARDS, World, outcome};
use crate::{BudgetGrant, Decided, ReviewError};

async fn approve(
    world: &World,
    request: &Request,
    grant: Option<(f64, u32)>,
) -> Result<Decided, ReviewError> {
    let grant = grant.map(|(epsilon, days)| BudgetGrant { epsilon, days });
    let reviewer = world.actor("reviewer");
    world
        .review
        .decide(
            reviewer,
            request.id,
            request.revision,
            Decision::Approve,
            "",
            grant,
        )
        .await
}

async fn allocations(world: &World, project: ProjectId) -> Vec<Allocation> {
    db::allocation::list_of_project(world.db.read(), project, world.clock.now())
        .await
        .unwrap()
}

fn rho(epsilon: f64) -> i64 {
    let epsilon = Epsilon::new(epsilon).unwrap();
    i64::try_from(
        privacy::conversion::cap(epsilon, Delta::promise(200_000))
            .rho
            .nano(),
    )
    .unwrap()
}

/// Puts an entry into the catalogue beside another one's lineage.
async fn store_in_lineage_of(world: &World, other: &Dataset) -> Dataset {
    let mut dataset = world.entry(Level::L3);
    dataset.lineage_id = other.lineage_id;
    dataset.state = DatasetState::Released;
    let tx = world.db.begin_write().await.unwrap();
    db::dataset::insert(&tx, &dataset).await.unwrap();
    tx.commit().await.unwrap();
    dataset
}

#[tokio::test]
async fn only_conditional_data_in_the_catalogue_is_applied_for() {
    let world = World::in_memory().await;
    let analyst = world.actor("analyst");
    let [l1, l2, l3, l4] = [
        world.released(Level::L1).await,
        world.released(Level::L2).await,
        world.released(Level::L3).await,
        world.released(Level::L4).await,
    ];
    let draft = world.ready(Level::L3).await;
    let retired = world.released(Level::L3).await;
    let tx = world.db.begin_write().await.unwrap();
    let now = world.clock.now();
    db::dataset::set_current_version(&tx, retired.id, None, DatasetState::Retired, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let many: Vec<&Dataset> = vec![&l2; 21];
    let cases: [(&str, Vec<&Dataset>, &str); 9] = [
        ("L2", vec![&l2], "ok"),
        ("L2 and L3", vec![&l2, &l3], "ok"),
        ("open", vec![&l1], "not-applicable"),
        ("closed", vec![&l4], "not-applicable"),
        ("retired", vec![&retired], "not-applicable"),
        ("one of two is open", vec![&l3, &l1], "not-applicable"),
        // A draft is not even admitted to exist.
        ("draft", vec![&draft], "not-found"),
        ("twice the same", vec![&l3, &l3], "request-invalid"),
        ("too many", many, "request-invalid"),
    ];
    for (name, datasets, expected) in cases {
        let before = world.leaves().await.len();
        let application = world.application(&datasets);
        let submitted = world.review.submit_access(analyst, &application).await;
        assert_eq!(outcome(&submitted), expected, "{name}");
        let acts = world.acts_after(before).await;
        assert_eq!(acts.len(), usize::from(expected == "ok"), "{name}: {acts:?}");
    }
    let mut none = world.application(&[]);
    assert_eq!(
        outcome(&world.review.submit_access(analyst, &none).await),
        "request-invalid"
    );
    none.datasets = vec![Slug::parse("no-such-dataset").unwrap()];
    assert_eq!(
        outcome(&world.review.submit_access(analyst, &none).await),
        "not-found"
    );
}

#[tokio::test]
async fn texts_and_days_have_limits() {
    let world = World::in_memory().await;
    let dataset = world.released(Level::L2).await;
    let long = "长".repeat(5_001);
    let cases = [
        (PURPOSE, SAFEGUARDS, None, "ok"),
        (PURPOSE, SAFEGUARDS, Some(365), "ok"),
        (PURPOSE, SAFEGUARDS, Some(0), "request-invalid"),
        (PURPOSE, SAFEGUARDS, Some(366), "request-invalid"),
        ("研究", SAFEGUARDS, None, "text-length"),
        (PURPOSE, "  ", None, "text-length"),
        (long.as_str(), SAFEGUARDS, None, "text-length"),
        (PURPOSE, long.as_str(), None, "text-length"),
        ("研究早高峰通勤与换乘\0的关系", SAFEGUARDS, None, "text-length"),
    ];
    for (purpose, safeguards, days, expected) in cases {
        let mut application = world.application(&[&dataset]);
        application.purpose = purpose.to_owned();
        application.safeguards = safeguards.to_owned();
        application.days = days;
        let submitted = world
            .review
            .submit_access(world.actor("analyst"), &application)
            .await;
        assert_eq!(outcome(&submitted), expected, "{purpose:.30} {days:?}");
    }
}

#[tokio::test]
async fn an_application_waits_for_the_decision_alone_and_is_sealed_in_the_ledger() {
    let world = World::in_memory().await;
    let (l2, l3) = (world.released(Level::L2).await, world.released(Level::L3).await);
    let before = world.leaves().await.len();
    let request = world.applied(&[&l2, &l3]).await;
    assert_eq!(request.state, RequestState::AwaitingDecision);
    assert_eq!(request.level, Level::L3);
    let leaf = &world.leaves().await[before];
    let text = String::from_utf8(leaf.to_bytes().unwrap()).unwrap();
    assert!(!text.contains(PURPOSE) && !text.contains(SAFEGUARDS), "{text}");
    assert!(
        text.contains(l2.slug.as_str()) && text.contains(l3.slug.as_str()),
        "{text}"
    );
    assert_eq!(
        leaf.actor().organization(),
        Some(world.organization("mobility").to_string().as_str())
    );
    let view = world
        .review
        .load(world.actor("analyst"), request.id)
        .await
        .unwrap();
    assert_eq!(view.openings.len(), 2);
    for (name, opening) in &view.openings {
        let expected = if name == "purpose" { PURPOSE } else { SAFEGUARDS };
        assert_eq!(leaf.commitments()[name].open(opening).unwrap(), expected);
    }
}

#[tokio::test]
async fn approval_opens_a_project_with_one_allocation_for_each_personal_lineage() {
    let world = World::in_memory().await;
    let (cube, trips) = (world.released(Level::L2).await, world.released(Level::L3).await);
    let sibling = store_in_lineage_of(&world, &trips).await;
    let request = world.applied(&[&cube, &trips, &sibling]).await;
    let before = world.leaves().await.len();
    let decided = approve(&world, &request, Some((1.5, 30))).await.unwrap();
    assert_eq!(
        world.acts_after(before).await,
        ["access.decided", "project.opened"]
    );
    assert_eq!(decided.request, world.reload(&request).await);
    let id = decided.project.unwrap();
    let project = db::project::find(world.db.read(), id).await.unwrap().unwrap();
    let now = world.clock.now();
    assert_eq!(project.organization_id, world.organization("mobility"));
    assert_eq!((project.purpose.as_str(), project.active), (PURPOSE, true));
    assert_eq!((project.created_at, project.expires_at), (now, now.plus_days(30)));
    let allocations = allocations(&world, id).await;
    assert_eq!(
        allocations.len(),
        1,
        "one lineage, one allocation; none for the cube"
    );
    let allocation = &allocations[0];
    let cap = Cost {
        rho_nano: rho(1.5),
        delta_atto: 500_000_000,
    };
    assert_eq!(
        (allocation.lineage_id, allocation.cap, allocation.remaining),
        (trips.lineage_id, cap, cap)
    );
    assert_eq!(allocation.window_days, 90);
    let used = db::project::list_datasets(world.db.read(), id).await.unwrap();
    for (dataset, through) in &used {
        let free = *dataset == cube.id;
        assert_eq!(through.is_none(), free, "{dataset}");
    }
    assert_eq!(used.len(), 3);
    let lineage = db::allocation::load_lineage(world.db.read(), trips.lineage_id, now)
        .await
        .unwrap();
    assert_eq!(lineage.rho_reserved_nano, rho(1.5));
    let decision = &db::request::list_decisions(world.db.read(), request.id)
        .await
        .unwrap()[0];
    assert_eq!(
        decision.budget,
        Some(serde_json::json!({"epsilon": 1.5, "days": 30}))
    );
    let opened = &world.leaves().await[before + 1];
    let text = String::from_utf8(opened.to_bytes().unwrap()).unwrap();
    assert!(text.contains(&format!("rho_nano={}", rho(1.5))), "{text}");
    assert!(!text.contains(PURPOSE), "{text}");
}

#[tokio::test]
async fn without_a_grant_the_policy_decides_and_with_one_it_limits() {
    let world = World::in_memory().await;
    let dataset = world.released(Level::L3).await;
    let decided = approve(&world, &world.applied(&[&dataset]).await, None)
        .await
        .unwrap();
    let project = db::project::find(world.db.read(), decided.project.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(project.expires_at, world.clock.now().plus_days(90));
    assert_eq!(allocations(&world, project.id).await[0].cap.rho_nano, rho(2.0));

    let mut application = world.application(&[&dataset]);
    application.days = Some(20);
    let request = world
        .review
        .submit_access(world.actor("analyst"), &application)
        .await
        .unwrap();
    let decided = approve(&world, &request, None).await.unwrap();
    let project = db::project::find(world.db.read(), decided.project.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(project.expires_at, world.clock.now().plus_days(20));

    let request = world.applied(&[&dataset]).await;
    for (epsilon, days) in [
        (2.01, 30),
        (0.0, 30),
        (f64::NAN, 30),
        (-1.0, 30),
        (1.0, 0),
        (1.0, 366),
    ] {
        let decided = approve(&world, &request, Some((epsilon, days))).await;
        assert_eq!(outcome(&decided), "budget-out-of-range", "{epsilon} {days}");
    }
    let budget = BudgetPolicy {
        project_epsilon: 0.5,
        project_days: 10,
        ..BudgetPolicy::default()
    };
    let review = ReviewPolicy {
        project_days: 15,
        ..ReviewPolicy::default()
    };
    let [_, row] = world.set_policies(&review, &budget).await;
    for (grant, expected) in [
        ((0.6, 10), "budget-out-of-range"),
        ((0.5, 16), "budget-out-of-range"),
        ((0.5, 15), "ok"),
    ] {
        assert_eq!(
            outcome(&approve(&world, &request, Some(grant)).await),
            expected,
            "{grant:?}"
        );
    }
    let decision = &db::request::list_decisions(world.db.read(), request.id)
        .await
        .unwrap()[0];
    assert_eq!(decision.policy_id, Some(row.as_uuid()));
}

#[tokio::test]
async fn what_the_lineage_cannot_bear_is_refused_and_leaves_nothing() {
    let world = World::in_memory().await;
    // Room for one project of ε = 2 and a little.
    let scarce = world.released_with(Level::L3, 2.5).await;
    let plenty = world.released(Level::L3).await;
    approve(&world, &world.applied(&[&scarce]).await, None)
        .await
        .unwrap();
    let request = world.applied(&[&plenty, &scarce]).await;
    let before = world.leaves().await.len();
    let error = approve(&world, &request, None).await.unwrap_err();
    assert_eq!(error.code(), "budget-not-available");
    let ReviewError::BudgetNotAvailable { slug, asked, left } = &error else {
        panic!("{error}")
    };
    assert_eq!((slug.as_str(), asked.as_str()), (scarce.slug.as_str(), "2"));
    assert!(error.to_string().contains(&format!("ε = {left}")), "{error}");
    // Nothing half-done: neither leaf nor project, and the other lineage keeps its reservation.
    assert_eq!(world.leaves().await.len(), before);
    assert_eq!(world.reload(&request).await, request);
    assert_eq!(
        db::project::find_by_request(world.db.read(), request.id)
            .await
            .unwrap(),
        None
    );
    assert!(
        db::request::list_decisions(world.db.read(), request.id)
            .await
            .unwrap()
            .is_empty()
    );
    let now = world.clock.now();
    let lineage = db::allocation::load_lineage(world.db.read(), plenty.lineage_id, now)
        .await
        .unwrap();
    assert_eq!(lineage.rho_reserved_nano, 0);
    // The reviewers were told the same before they tried, and nobody else is.
    let told = world
        .review
        .grantable(world.actor("reviewer"), request.id)
        .await
        .unwrap();
    let told: Vec<(&str, String)> = told
        .iter()
        .map(|(name, epsilon)| (name.slug.as_str(), format!("{epsilon:.2}")))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(scarce.slug.as_str(), left.clone())), "{told:?}");
    for (other, expected) in [
        ("analyst", "forbidden"),
        ("officer", "forbidden"),
        ("assessor", "not-found"),
    ] {
        let asked = world.review.grantable(world.actor(other), request.id).await;
        assert_eq!(outcome(&asked), expected, "{other}");
    }
    // What was said to be left can be granted.
    let left: f64 = left.parse().unwrap();
    assert!(left > 0.5 && left < 2.0, "{left}");
    assert_eq!(outcome(&approve(&world, &request, Some((left, 30))).await), "ok");
}

#[tokio::test]
async fn a_dataset_retired_meanwhile_is_not_granted() {
    let world = World::in_memory().await;
    let dataset = world.released(Level::L3).await;
    let request = world.applied(&[&dataset]).await;
    let tx = world.db.begin_write().await.unwrap();
    let now = world.clock.now();
    db::dataset::set_current_version(&tx, dataset.id, None, DatasetState::Retired, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        outcome(&approve(&world, &request, None).await),
        "evidence-changed"
    );
    assert_eq!(world.reload(&request).await, request);
    assert_eq!(
        outcome(&world.decide("reviewer", &request, Decision::Reject).await),
        "ok"
    );
}
