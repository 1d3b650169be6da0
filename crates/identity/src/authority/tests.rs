//! Who may do what, as a table that anyone can read. Whoever does not stand in a row is denied.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::str::FromStr as _;

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use model::{
    DatasetState, Level, OrganizationId, OrganizationKind, RequestKind, RequestState, Role, Scope, Timestamp,
    TokenId, UserId,
};

use super::{Action, Authority, POLICIES, Resource, SCHEMA};
use crate::actor::{Actor, Credential, Person};

const EVERYONE: &str = "anonymous developer analyst rival officer neighbour reviewer assessor second-assessor \
                        auditor admin system sandbox-token catalog-token reviewer+admin reviewer+auditor";

/// Action, resource, who may.
const TABLE: &[(Action, &str, &str)] = &[
    (Action::ViewEntry, "open", EVERYONE),
    (Action::ViewEntry, "retired", EVERYONE),
    (Action::ViewEntry, "personal", EVERYONE),
    (
        Action::ViewEntry,
        "draft",
        "officer catalog-token reviewer reviewer+admin reviewer+auditor",
    ),
    (
        Action::ViewDraftEntry,
        "draft",
        "officer reviewer reviewer+auditor",
    ),
    (
        Action::ViewDraftEntry,
        "personal-draft",
        "officer reviewer reviewer+auditor",
    ),
    (Action::ViewOpenData, "open", EVERYONE),
    (Action::ViewOpenData, "open-draft", ""),
    (Action::ViewOpenData, "retired", ""),
    (Action::ViewOpenData, "personal", ""),
    (Action::ViewOpenData, "secret", ""),
    (Action::ViewOpenData, "draft", ""),
    (
        Action::ViewProfile,
        "personal",
        "officer reviewer reviewer+auditor",
    ),
    (Action::ViewProfile, "low", "officer reviewer reviewer+auditor"),
    (Action::ViewProfile, "draft", "officer reviewer reviewer+auditor"),
    (
        Action::ViewLoss,
        "personal",
        "officer reviewer auditor reviewer+auditor",
    ),
    (
        Action::ViewLoss,
        "personal-draft",
        "officer reviewer auditor reviewer+auditor",
    ),
    (Action::CreateDataset, "transport's own", "officer"),
    (Action::CreateDataset, "bureau's own", ""),
    (Action::EditEntry, "draft", "officer"),
    (Action::EditEntry, "retired", ""),
    (Action::UploadVersion, "draft", "officer"),
    (Action::UploadVersion, "personal", "officer"),
    (Action::UploadVersion, "retired", ""),
    (Action::SubmitRelease, "personal-draft", "officer"),
    (Action::SubmitRelease, "draft", ""),
    (Action::SubmitRelease, "retired", ""),
    (Action::RetireDataset, "open", "officer"),
    (Action::FollowTask, "transport's own", "officer"),
    (Action::FollowTask, "enterprise's own", "analyst developer"),
    (
        Action::ListRequests,
        "portal",
        "analyst rival officer neighbour reviewer assessor second-assessor auditor sandbox-token reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "open release",
        "officer reviewer auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "open release to assess",
        "officer reviewer assessor second-assessor auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "personal release to assess",
        "officer reviewer assessor second-assessor auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "personal release assessed",
        "officer reviewer assessor auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "personal release to decide",
        "officer reviewer auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "access to assess",
        "analyst sandbox-token officer reviewer auditor reviewer+auditor",
    ),
    (
        Action::ViewRequest,
        "access to decide",
        "analyst sandbox-token officer reviewer auditor reviewer+auditor",
    ),
    (
        Action::GiveOpinion,
        "open release to assess",
        "assessor second-assessor",
    ),
    (
        Action::GiveOpinion,
        "personal release to assess",
        "assessor second-assessor",
    ),
    (Action::GiveOpinion, "personal release assessed", ""),
    (Action::GiveOpinion, "personal release to decide", ""),
    (Action::GiveOpinion, "access to assess", ""),
    (Action::GiveOpinion, "assessor's own to assess", "second-assessor"),
    (Action::DecideRequest, "open release", "reviewer"),
    (Action::DecideRequest, "personal release to decide", "reviewer"),
    (Action::DecideRequest, "personal release to assess", ""),
    (Action::DecideRequest, "access to decide", "reviewer"),
    (Action::DecideRequest, "access to the bureau's data", ""),
    (Action::DecideRequest, "bureau's own release", ""),
    (Action::DecideRequest, "approved release", ""),
    (Action::WithdrawRequest, "open release", "officer"),
    (
        Action::WithdrawRequest,
        "access to decide",
        "analyst sandbox-token",
    ),
    (Action::WithdrawRequest, "approved release", ""),
    (Action::ApplyForAccess, "personal", "analyst rival sandbox-token"),
    (Action::ApplyForAccess, "low", "analyst rival sandbox-token"),
    (Action::ApplyForAccess, "open", ""),
    (Action::ApplyForAccess, "secret", ""),
    (Action::ApplyForAccess, "personal-draft", ""),
    (
        Action::ListProjects,
        "portal",
        "analyst rival reviewer auditor sandbox-token reviewer+auditor",
    ),
    (
        Action::ViewProject,
        "project",
        "analyst sandbox-token reviewer auditor reviewer+auditor",
    ),
    (Action::Estimate, "project", "analyst sandbox-token"),
    (Action::Estimate, "ended project", ""),
    (Action::RunJob, "project", "analyst sandbox-token"),
    (Action::RunJob, "ended project", ""),
    (Action::ReadResult, "project", "analyst sandbox-token"),
    (Action::ReadResult, "ended project", "analyst sandbox-token"),
    (Action::CloseProject, "project", "analyst sandbox-token reviewer"),
    (
        Action::ListChecks,
        "portal",
        "reviewer assessor second-assessor reviewer+auditor",
    ),
    (
        Action::ViewCheck,
        "answer to check",
        "reviewer assessor second-assessor reviewer+auditor",
    ),
    (
        Action::VoteOnCheck,
        "answer to check",
        "reviewer assessor second-assessor",
    ),
    (
        Action::VoteOnCheck,
        "assessor's own to check",
        "reviewer second-assessor",
    ),
    (
        Action::VoteOnCheck,
        "bureau's data to check",
        "assessor second-assessor",
    ),
    (
        Action::ViewCheck,
        "bureau's data to check",
        "assessor second-assessor",
    ),
    (
        Action::ManageAccounts,
        "transport's own",
        "admin system reviewer+admin",
    ),
    (
        Action::ManageAccounts,
        "bureau's own",
        "admin system reviewer+admin",
    ),
    (Action::ManageOwnTokens, "transport's own", "officer"),
    (
        Action::ManageOwnTokens,
        "bureau's own",
        "reviewer auditor admin reviewer+admin reviewer+auditor",
    ),
    (Action::ReadAudit, "portal", "auditor reviewer+auditor"),
    (Action::ManagePolicy, "portal", "reviewer system"),
];

fn organization(name: &str) -> OrganizationId {
    let names = [
        "transport",
        "health",
        "bureau",
        "enterprise",
        "rival",
        "assessors",
        "second-assessors",
    ];
    let position = names.iter().position(|known| *known == name).unwrap();
    OrganizationId::from_uuid(uuid::Uuid::from_u128(position as u128 + 1))
}

fn person(place: &str, kind: OrganizationKind, roles: &[Role], credential: Credential) -> Actor {
    Actor::of(Person {
        user: UserId::at(Timestamp::from_micros(0)),
        username: "someone".to_owned(),
        display_name: "某人".to_owned(),
        organization: organization(place),
        organization_kind: kind,
        roles: roles.iter().copied().collect(),
        credential,
    })
}

fn actor(name: &str) -> Actor {
    use OrganizationKind::{Assessor, Bureau, Department, Enterprise};
    let signed_in = |place, kind, roles: &[Role]| person(place, kind, roles, Credential::Session([0; 32]));
    let token = |scope| Credential::Token {
        id: TokenId::at(Timestamp::from_micros(0)),
        scopes: BTreeSet::from([scope]),
    };
    match name {
        "anonymous" => Actor::anonymous(),
        "system" => Actor::system(),
        "developer" => signed_in("enterprise", Enterprise, &[Role::Developer]),
        "analyst" => signed_in("enterprise", Enterprise, &[Role::Analyst]),
        "rival" => signed_in("rival", Enterprise, &[Role::Analyst]),
        "officer" => signed_in("transport", Department, &[Role::Officer]),
        "neighbour" => signed_in("health", Department, &[Role::Officer]),
        "reviewer" => signed_in("bureau", Bureau, &[Role::Reviewer]),
        "assessor" => signed_in("assessors", Assessor, &[Role::Assessor]),
        "second-assessor" => signed_in("second-assessors", Assessor, &[Role::Assessor]),
        "auditor" => signed_in("bureau", Bureau, &[Role::Auditor]),
        "admin" => signed_in("bureau", Bureau, &[Role::Admin]),
        "assessor+reviewer" => signed_in("assessors", Assessor, &[Role::Assessor, Role::Reviewer]),
        // Combinations that accounts cannot have, should one get into the database all the same.
        "reviewer+admin" => signed_in("bureau", Bureau, &[Role::Reviewer, Role::Admin]),
        "reviewer+auditor" => signed_in("bureau", Bureau, &[Role::Reviewer, Role::Auditor]),
        "sandbox-token" => person(
            "enterprise",
            Enterprise,
            &[Role::Analyst],
            token(Scope::SandboxUse),
        ),
        "catalog-token" => person(
            "transport",
            Department,
            &[Role::Officer],
            token(Scope::CatalogRead),
        ),
        other => panic!("no actor {other}"),
    }
}

fn resource(name: &str) -> Resource {
    use DatasetState::{Draft, Released, Retired};
    let dataset = |level, state| Resource::dataset(organization("transport"), level, state, false);
    let request = |kind, asking: &str, owner: &str, level, state| Resource::Request {
        kind,
        organization: organization(asking),
        owners: BTreeSet::from([organization(owner)]),
        assessors: BTreeSet::new(),
        level,
        special: false,
        state,
    };
    let release = |level, state| request(RequestKind::Release, "transport", "transport", level, state);
    let access = |owner, state| request(RequestKind::Access, "enterprise", owner, Level::L3, state);
    let check = |asking: &str, owner: &str| Resource::Check {
        organization: organization(asking),
        owners: BTreeSet::from([organization(owner)]),
    };
    match name {
        "open" => dataset(Some(Level::L1), Released),
        "open-draft" => dataset(Some(Level::L1), Draft),
        "low" => dataset(Some(Level::L2), Released),
        "personal" => dataset(Some(Level::L3), Released),
        "secret" => dataset(Some(Level::L4), Released),
        "draft" => dataset(None, Draft),
        "personal-draft" => dataset(Some(Level::L3), Draft),
        "retired" => dataset(Some(Level::L1), Retired),
        "open release" => release(Level::L1, RequestState::AwaitingDecision),
        "open release to assess" => release(Level::L1, RequestState::AwaitingOpinion),
        "personal release assessed" => Resource::Request {
            kind: RequestKind::Release,
            organization: organization("transport"),
            owners: BTreeSet::from([organization("transport")]),
            assessors: BTreeSet::from([organization("assessors")]),
            level: Level::L3,
            special: false,
            state: RequestState::AwaitingDecision,
        },
        "personal release to assess" => release(Level::L3, RequestState::AwaitingOpinion),
        "personal release to decide" => release(Level::L3, RequestState::AwaitingDecision),
        "approved release" => release(Level::L1, RequestState::Approved),
        "access to assess" => access("transport", RequestState::AwaitingOpinion),
        "access to decide" => access("transport", RequestState::AwaitingDecision),
        "access to the bureau's data" => access("bureau", RequestState::AwaitingDecision),
        "assessor's own to assess" => request(
            RequestKind::Release,
            "assessors",
            "transport",
            Level::L3,
            RequestState::AwaitingOpinion,
        ),
        "bureau's own release" => request(
            RequestKind::Release,
            "bureau",
            "bureau",
            Level::L1,
            RequestState::AwaitingDecision,
        ),
        "project" => Resource::project(organization("enterprise"), true),
        "ended project" => Resource::project(organization("enterprise"), false),
        "answer to check" => check("enterprise", "transport"),
        "assessor's own to check" => check("assessors", "transport"),
        "bureau's data to check" => check("enterprise", "bureau"),
        "transport's own" => Resource::organization(organization("transport")),
        "bureau's own" => Resource::organization(organization("bureau")),
        "enterprise's own" => Resource::organization(organization("enterprise")),
        "portal" => Resource::Portal,
        other => panic!("no resource {other}"),
    }
}

#[test]
fn the_table_holds() {
    let authority = Authority::new().unwrap();
    let mut wrong = Vec::new();
    for (action, thing, allowed) in TABLE {
        let allowed: BTreeSet<&str> = allowed.split_whitespace().collect();
        for name in EVERYONE.split_whitespace() {
            let decided = authority.decide(&actor(name), *action, &resource(thing)).is_ok();
            if decided != allowed.contains(name) {
                wrong.push(format!(
                    "{name} {action:?} {thing}: {}",
                    if decided { "allowed" } else { "denied" }
                ));
            }
        }
        assert!(
            allowed
                .iter()
                .all(|name| EVERYONE.split_whitespace().any(|known| known == *name)),
            "{allowed:?}"
        );
    }
    assert!(
        wrong.is_empty(),
        "decided otherwise than the table says:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_assessor_sees_no_more_by_another_role() {
    let authority = Authority::new().unwrap();
    let both = actor("assessor+reviewer");
    let sees = |thing| {
        authority
            .decide(&both, Action::ViewRequest, &resource(thing))
            .is_ok()
    };
    assert!(sees("personal release to assess") && sees("personal release assessed"));
    for hidden in [
        "personal release to decide",
        "open release",
        "access to decide",
        "access to assess",
    ] {
        assert!(!sees(hidden), "{hidden}");
    }
}

#[test]
fn every_action_stands_in_the_table_with_somebody_denied_or_public() {
    for action in Action::ALL {
        let rows: Vec<_> = TABLE.iter().filter(|(known, ..)| known == action).collect();
        assert!(!rows.is_empty(), "{action:?} has no row");
        assert!(
            rows.iter().any(|(.., allowed)| !allowed.is_empty()),
            "{action:?} is allowed to nobody"
        );
        assert!(
            rows.iter().any(|(.., allowed)| *allowed != EVERYONE),
            "{action:?} is allowed to everyone"
        );
    }
}

#[test]
fn the_policies_fit_the_schema() {
    let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    let policies = PolicySet::from_str(&POLICIES.join("\n")).unwrap();
    let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
    let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let warnings: Vec<String> = result.validation_warnings().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
    let declared: BTreeSet<String> = schema
        .actions()
        .map(|uid| uid.id().unescaped().to_owned())
        .collect();
    let known: BTreeSet<String> = Action::ALL
        .iter()
        .map(|action| action.as_str().to_owned())
        .collect();
    assert_eq!(declared, known);
}

#[test]
fn an_action_on_the_wrong_kind_of_thing_is_denied() {
    // The rule reads an attribute that the thing does not have: that is an error, and an error denies.
    let authority = Authority::new().unwrap();
    for name in EVERYONE.split_whitespace() {
        for (action, thing) in [(Action::DecideRequest, "portal"), (Action::RunJob, "portal")] {
            assert!(
                authority.decide(&actor(name), action, &resource(thing)).is_err(),
                "{name} {action:?}"
            );
        }
    }
}

#[test]
fn a_decision_is_quick() {
    let authority = Authority::new().unwrap();
    let (reviewer, request) = (actor("reviewer"), resource("access to decide"));
    let begin = std::time::Instant::now();
    for _ in 0..200 {
        authority
            .decide(&reviewer, Action::DecideRequest, &request)
            .unwrap();
    }
    let each = begin.elapsed() / 200;
    // A bound for unoptimised builds on a busy machine.
    assert!(each.as_millis() < 20, "{each:?}");
}

#[test]
fn a_denial_says_whether_to_sign_in() {
    let authority = Authority::new().unwrap();
    let deny = |name| {
        authority
            .decide(&actor(name), Action::RunJob, &resource("project"))
            .unwrap_err()
    };
    assert_eq!(deny("anonymous").category(), model::Category::Unauthenticated);
    assert_eq!(deny("rival").category(), model::Category::Forbidden);
    assert_eq!(deny("rival").action(), Action::RunJob);
}
