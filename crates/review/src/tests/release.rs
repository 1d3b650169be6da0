//! Releases: what they need, how they are routed, what an approval does.

use db::dataset::Dataset;
use model::{
    BudgetPolicy, Category, Clock, DatasetState, Decision, Level, Opinion, RequestState, ReviewPolicy,
    Timestamp, VersionState,
};

use super::world::{World, outcome};
use crate::{BudgetGrant, ReviewError};

#[tokio::test]
async fn a_release_needs_what_its_level_needs() {
    type Change = fn(&mut Dataset);
    let world = World::in_memory().await;
    let without_unit: Change = |dataset| {
        let plain = serde_json::json!({"fields": [{"name": "mode", "type": "text", "level": "L1"}]});
        dataset.declared = Some(serde_json::from_value(plain).unwrap());
    };
    let nothing: Change = |_| {};
    let no_recipe: Change = |dataset| dataset.metadata.recipe = None;
    let undeclared: Change = |dataset| dataset.declared = None;
    let no_reason: Change = |dataset| dataset.metadata.conditions = None;
    let no_level: Change = |dataset| dataset.level = None;
    let retired: Change = |dataset| dataset.state = DatasetState::Retired;
    use VersionState::{Failed, Ingesting, Ready, Released};
    let cases: [(&str, Level, Change, &[VersionState], &str); 19] = [
        ("complete L1", Level::L1, nothing, &[Ready], "ok"),
        ("complete L2", Level::L2, nothing, &[Ready], "ok"),
        ("complete L3", Level::L3, nothing, &[Ready], "ok"),
        ("L4 has no version", Level::L4, nothing, &[], "ok"),
        ("L1 without recipe", Level::L1, no_recipe, &[Ready], "ok"),
        (
            "L2 without recipe",
            Level::L2,
            no_recipe,
            &[Ready],
            "not-releasable",
        ),
        (
            "L3 without recipe",
            Level::L3,
            no_recipe,
            &[Ready],
            "not-releasable",
        ),
        (
            "L2 without unit",
            Level::L2,
            without_unit,
            &[Ready],
            "not-releasable",
        ),
        (
            "L3 without unit",
            Level::L3,
            without_unit,
            &[Ready],
            "not-releasable",
        ),
        ("L3 undeclared", Level::L3, undeclared, &[Ready], "not-releasable"),
        (
            "L4 without its reason",
            Level::L4,
            no_reason,
            &[],
            "not-releasable",
        ),
        ("no level", Level::L1, no_level, &[Ready], "not-releasable"),
        ("retired", Level::L1, retired, &[Ready], "not-releasable"),
        ("no version", Level::L1, nothing, &[], "not-releasable"),
        (
            "failed only",
            Level::L1,
            nothing,
            &[Failed, Failed],
            "not-releasable",
        ),
        ("ready, then failed", Level::L1, nothing, &[Ready, Failed], "ok"),
        (
            "ready, then one still read",
            Level::L1,
            nothing,
            &[Ready, Ingesting],
            "not-releasable",
        ),
        (
            "nothing newer than the released",
            Level::L1,
            nothing,
            &[Ready, Released, Failed],
            "not-releasable",
        ),
        (
            "newer than the released",
            Level::L1,
            nothing,
            &[Released, Ready],
            "ok",
        ),
    ];
    for (name, level, change, versions, expected) in cases {
        let mut dataset = world.entry(level);
        change(&mut dataset);
        world.store(&dataset, 10.0).await;
        let mut ids = Vec::new();
        for state in versions {
            ids.push((*state, world.add_version(&dataset, *state).await));
        }
        let before = world.leaves().await.len();
        let submitted = world
            .review
            .submit_release(world.actor("officer"), &dataset.slug, "")
            .await;
        assert_eq!(outcome(&submitted), expected, "{name}: {submitted:?}");
        let Ok(request) = submitted else {
            assert_eq!(world.leaves().await.len(), before, "{name}");
            continue;
        };
        assert_eq!(world.acts_after(before).await, ["release.requested"], "{name}");
        let asked = db::request::list_datasets(world.db.read(), request.id)
            .await
            .unwrap();
        let newest = ids
            .iter()
            .rev()
            .find(|(state, _)| *state == Ready)
            .map(|(_, id)| *id);
        assert_eq!(asked, [(dataset.id, newest)], "{name}");
    }
}

#[tokio::test]
async fn a_version_read_under_another_declaration_is_not_released() {
    let world = World::in_memory().await;
    let mut dataset = world.ready(Level::L3).await;
    let mut other = serde_json::to_value(&dataset.declared).unwrap();
    other["unit"]["max_rows_per_unit"] = 5.into();
    dataset.declared = Some(serde_json::from_value(other).unwrap());
    let tx = world.db.begin_write().await.unwrap();
    db::dataset::update(&tx, &dataset).await.unwrap();
    tx.commit().await.unwrap();
    let submitted = world
        .review
        .submit_release(world.actor("officer"), &dataset.slug, "")
        .await;
    assert_eq!(outcome(&submitted), "not-releasable");
}

#[tokio::test]
async fn one_open_release_request_at_a_time() {
    let world = World::in_memory().await;
    let officer = world.actor("officer");
    for end in ["withdraw", "return", "reject"] {
        let dataset = world.ready(Level::L1).await;
        let first = world.submitted(&dataset).await;
        let second = world.review.submit_release(officer, &dataset.slug, "").await;
        assert_eq!(outcome(&second), "release-request-open");
        match end {
            "withdraw" => drop(
                world
                    .review
                    .withdraw(officer, first.id, first.revision)
                    .await
                    .unwrap(),
            ),
            "return" => drop(world.decide("reviewer", &first, Decision::Return).await.unwrap()),
            _ => drop(world.decide("reviewer", &first, Decision::Reject).await.unwrap()),
        }
        world.submitted(&dataset).await;
    }
}

#[tokio::test]
async fn levels_are_routed_and_due_by_the_policy_in_force() {
    let world = World::in_memory().await;
    let waits = [
        (Level::L1, false),
        (Level::L2, true),
        (Level::L3, true),
        (Level::L4, false),
    ];
    for (level, assessed) in waits {
        let request = world.submitted(&world.ready(level).await).await;
        assert_eq!(
            request.state == RequestState::AwaitingOpinion,
            assessed,
            "{level}"
        );
        // Friday 09:00 in Shanghai and five working days.
        assert_eq!(
            request.deadline,
            Timestamp::parse("2026-11-27T16:00:00Z").unwrap()
        );
        assert_eq!(request.policy_id, None);
    }
    let policy = ReviewPolicy {
        assessed_levels: vec![Level::L1],
        working_days: 1,
        ..ReviewPolicy::default()
    };
    let [row, _] = world.set_policies(&policy, &BudgetPolicy::default()).await;
    for (level, assessed) in [(Level::L1, true), (Level::L3, false)] {
        let request = world.submitted(&world.ready(level).await).await;
        assert_eq!(
            request.state == RequestState::AwaitingOpinion,
            assessed,
            "{level}"
        );
        assert_eq!(
            request.deadline,
            Timestamp::parse("2026-11-23T16:00:00Z").unwrap()
        );
        assert_eq!(request.policy_id, Some(row.as_uuid()));
        // Whoever is to give an opinion sees the request and can.
        let told = outcome(&world.opine("assessor", &request, Opinion::Safe).await);
        assert_eq!(told, if assessed { "ok" } else { "not-found" }, "{level}");
    }
}

#[tokio::test]
async fn approval_publishes_in_the_same_act() {
    let world = World::in_memory().await;
    for (level, opinions) in [(Level::L1, 0), (Level::L2, 1), (Level::L3, 1), (Level::L4, 0)] {
        let before = world.leaves().await.len();
        let dataset = world.ready(level).await;
        let request = world.release(&dataset).await;
        let mut expected = vec!["release.requested"];
        expected.extend(vec!["opinion.given"; opinions]);
        expected.extend(["release.decided", "version.published"]);
        assert_eq!(world.acts_after(before).await, expected, "{level}");
        assert_eq!(world.reload(&request).await, request);
        assert_eq!(request.state, RequestState::Approved);
        assert_eq!(request.decided_at, Some(world.clock.now()));
        let dataset = db::dataset::load(world.db.read(), dataset.id).await.unwrap();
        assert_eq!(dataset.state, DatasetState::Released);
        let asked = db::request::list_datasets(world.db.read(), request.id)
            .await
            .unwrap();
        assert_eq!(dataset.current_version_id, asked[0].1);
        if let Some(id) = asked[0].1 {
            let version = db::version::load(world.db.read(), id).await.unwrap();
            assert_eq!(version.state, VersionState::Released);
        }
    }
}

#[tokio::test]
async fn leaves_name_organisations_and_outcomes_but_neither_people_nor_texts() {
    let world = World::in_memory().await;
    let dataset = world.ready(Level::L3).await;
    world.release(&dataset).await;
    for leaf in world.leaves().await {
        let text = String::from_utf8(leaf.to_bytes().unwrap()).unwrap();
        for secret in ["请尽快", "已核对字段", "123456", "trips-secret-name", "abababab"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for name in ["officer", "assessor", "reviewer"] {
            let user = world.actor(name).user().unwrap().to_string();
            assert!(!text.contains(&user), "{text}");
        }
        assert_eq!(leaf.at(), world.clock.now().as_micros());
    }
    let leaves = world.leaves().await;
    let roles: Vec<&str> = leaves.iter().map(|leaf| leaf.actor().role()).collect();
    assert_eq!(roles, ["officer", "assessor", "reviewer", "reviewer"]);
    let view = world
        .review
        .list(world.actor("auditor"), &crate::RequestFilter::default(), None, 1)
        .await
        .unwrap();
    let view = world
        .review
        .load(world.actor("auditor"), view[0].id)
        .await
        .unwrap();
    let (name, opening) = &view.openings[0];
    assert_eq!(leaves[0].commitments()[name].open(opening).unwrap(), "请尽快");
}

#[tokio::test]
async fn whoever_is_shown_a_reason_can_see_that_it_is_what_was_given() {
    let world = World::in_memory().await;
    let dataset = world.ready(Level::L3).await;
    let request = world.awaiting_decision(&dataset).await;
    let decided = world
        .decide("reviewer", &request, Decision::Return)
        .await
        .unwrap();
    let remark = world.released(Level::L1).await;
    let leaves = world.leaves().await;
    let leaf = |act: &str, request: &str| {
        let found = leaves
            .iter()
            .find(|leaf| leaf.act().as_str() == act && leaf.subjects()["request"] == request);
        found.unwrap().clone()
    };
    let id = request.id.to_string();
    let sealed = [
        (
            "opinion_reason",
            leaf("opinion.given", &id),
            "已核对字段与脱敏规则",
        ),
        ("decision_reason", leaf("release.decided", &id), "请补充字段说明"),
    ];
    for reader in ["officer", "reviewer", "auditor", "assessor"] {
        let view = world.review.load(world.actor(reader), request.id).await.unwrap();
        assert_eq!((view.opinions.len(), view.decisions.len()), (1, 1), "{reader}");
        for (name, leaf, reason) in &sealed {
            let openings: Vec<_> = view.openings.iter().filter(|(given, _)| given == name).collect();
            assert_eq!(openings.len(), 1, "{reader}: {name}");
            let commitment = leaf.commitments()[*name];
            let mut opening = openings[0].1.clone();
            assert_eq!(commitment.open(&opening).unwrap(), *reason, "{reader}");
            opening.value = serde_json::json!(format!("{reason}。"));
            assert!(commitment.open(&opening).is_err(), "another reason, afterwards");
        }
    }
    assert_eq!(decided.request.state, RequestState::Returned);
    // That nothing was said is committed to as well, under a nonce: it looks like any other reason.
    let asked = db::request::list_decisions(world.db.read(), {
        let all = crate::RequestFilter::default();
        let listed = world
            .review
            .list(world.actor("auditor"), &all, None, 10)
            .await
            .unwrap();
        listed
            .iter()
            .find(|one| one.datasets[0].slug == remark.slug)
            .unwrap()
            .id
    });
    let silent = asked.await.unwrap().remove(0);
    assert_eq!(silent.reason, "");
    let view = world
        .review
        .load(world.actor("officer"), silent.request_id)
        .await
        .unwrap();
    let (_, opening) = view
        .openings
        .iter()
        .find(|(name, _)| name == "decision_reason")
        .unwrap();
    let leaf = leaf("release.decided", &silent.request_id.to_string());
    assert_eq!(leaf.commitments()["decision_reason"].open(opening).unwrap(), "");
}

#[tokio::test]
async fn an_unsafe_opinion_binds() {
    let world = World::in_memory().await;
    for (decision, expected) in [
        (Decision::Return, "ok"),
        (Decision::Reject, "ok"),
        (Decision::Approve, "opinion-unsafe"),
    ] {
        let dataset = world.ready(Level::L2).await;
        let request = world.submitted(&dataset).await;
        let request = world.opine("assessor", &request, Opinion::Unsafe).await.unwrap();
        let before = world.leaves().await.len();
        let decided = world.decide("reviewer", &request, decision).await;
        assert_eq!(outcome(&decided), expected, "{decision:?}");
        if expected != "ok" {
            assert_eq!(world.leaves().await.len(), before);
            assert_eq!(world.reload(&request).await, request);
            let dataset = db::dataset::load(world.db.read(), dataset.id).await.unwrap();
            assert_eq!(dataset.state, DatasetState::Draft);
        }
    }
}

#[tokio::test]
async fn returning_and_rejecting_need_a_reason_and_take_no_budget() {
    let world = World::in_memory().await;
    let request = world.submitted(&world.ready(Level::L1).await).await;
    let budget = Some(BudgetGrant {
        epsilon: 1.0,
        days: 30,
    });
    let long = "长".repeat(5_001);
    let cases = [
        (Decision::Return, "", None, "text-length"),
        (Decision::Reject, " 不行 ", None, "text-length"),
        (Decision::Reject, long.as_str(), None, "text-length"),
        (Decision::Approve, long.as_str(), None, "text-length"),
        (Decision::Approve, "", budget, "request-invalid"),
        (Decision::Return, "请补充字段说明", budget, "request-invalid"),
        (Decision::Return, "请补充字段说明", None, "ok"),
    ];
    for (decision, reason, budget, expected) in cases {
        let reviewer = world.actor("reviewer");
        let decided = world
            .review
            .decide(reviewer, request.id, request.revision, decision, reason, budget)
            .await;
        assert_eq!(outcome(&decided), expected, "{decision:?} {reason:.20}");
    }
    let decisions = db::request::list_decisions(world.db.read(), request.id)
        .await
        .unwrap();
    assert_eq!(decisions.len(), 1);
    let waiting = world.submitted(&world.ready(Level::L2).await).await;
    let brief = world
        .review
        .give_opinion(world.actor("assessor"), waiting.id, 1, Opinion::Safe, "好")
        .await;
    assert_eq!(outcome(&brief), "text-length");
    let noted = world
        .review
        .submit_release(
            world.actor("officer"),
            &world.ready(Level::L1).await.slug,
            &"长".repeat(2_001),
        )
        .await;
    assert_eq!(outcome(&noted), "text-length");
}

#[tokio::test]
async fn what_changed_since_the_request_is_not_published() {
    let world = World::in_memory().await;
    for change in ["ingesting", "level", "retired"] {
        let dataset = world.ready(Level::L2).await;
        let request = world.awaiting_decision(&dataset).await;
        let asked = db::request::list_datasets(world.db.read(), request.id)
            .await
            .unwrap();
        let mut dataset = db::dataset::load(world.db.read(), dataset.id).await.unwrap();
        let tx = world.db.begin_write().await.unwrap();
        let now = world.clock.now();
        match change {
            "ingesting" => {
                db::version::set_ingesting(&tx, asked[0].1.unwrap(), dataset.declared.as_ref())
                    .await
                    .unwrap();
            }
            "level" => {
                dataset.level = Some(Level::L3);
                db::dataset::update(&tx, &dataset).await.unwrap();
            }
            _ => {
                db::dataset::set_current_version(&tx, dataset.id, None, DatasetState::Retired, now)
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
        let before = world.leaves().await.len();
        let decided = world.decide("reviewer", &request, Decision::Approve).await;
        assert_eq!(outcome(&decided), "evidence-changed", "{change}");
        assert_eq!(world.leaves().await.len(), before, "{change}");
        assert_eq!(world.reload(&request).await, request, "{change}");
        assert!(
            db::request::list_decisions(world.db.read(), request.id)
                .await
                .unwrap()
                .is_empty()
        );
        let after = db::dataset::load(world.db.read(), dataset.id).await.unwrap();
        assert_ne!(after.state, DatasetState::Released, "{change}");
        assert_eq!(
            outcome(&world.decide("reviewer", &request, Decision::Return).await),
            "ok",
            "{change}"
        );
    }
}

#[test]
fn errors_say_their_kind() {
    let cases = [
        (ReviewError::Stale, Category::PreconditionFailed, "stale-revision"),
        (
            ReviewError::from(db::Error::Stale("request")),
            Category::PreconditionFailed,
            "stale-revision",
        ),
        (
            ReviewError::from(db::Error::NotFound("request")),
            Category::NotFound,
            "not-found",
        ),
        (
            ReviewError::from(db::Error::Contention),
            Category::Unavailable,
            "database-unavailable",
        ),
        (ReviewError::FoundUnsafe, Category::Conflict, "opinion-unsafe"),
        (ReviewError::OpinionMissing, Category::Conflict, "opinion-missing"),
        (
            ReviewError::NotReleasable(crate::Unreleasable::Retired),
            Category::Refused,
            "not-releasable",
        ),
    ];
    for (error, category, code) in cases {
        assert_eq!((error.category(), error.code()), (category, code));
    }
}
