//! Accounts, sessions and tokens as people and attackers use them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use db::testing::TestDatabase;
use model::{
    Category, Localized, ManualClock, OrganizationId, OrganizationKind, Role, Scope, Slug, Timestamp, UserId,
};

use crate::{
    Action, Actor, Authority, Error, Identity, NewAccount, NewOrganization, Resource, SessionPolicy,
};

db::on_both_databases!(
    a_person_signs_in_works_and_signs_out,
    sessions_end_by_idleness_and_by_age,
    guesses_are_slowed_down,
    parallel_guesses_are_not_cheaper,
    unknown_users_look_like_known_ones,
    tokens_are_narrow_and_die_at_once,
    revoked_roles_are_gone_at_once,
    a_new_password_ends_old_sessions,
    a_closed_account_is_closed_everywhere,
    only_admins_manage_accounts,
    roles_stay_separate_under_races,
    acts_and_their_leaves_are_one,
    bad_names_and_passwords_are_refused,
);

const PASSWORD: &str = "correct horse battery";

struct World {
    identity: Identity,
    clock: ManualClock,
    db: db::Database,
    _test: TestDatabase,
}

impl World {
    fn new(test: TestDatabase) -> Self {
        let clock = ManualClock::new(Timestamp::from_micros(1_795_392_000_000_000));
        let db = test.database.clone();
        let identity = Identity::new(
            db.clone(),
            Arc::new(clock.clone()),
            Authority::new().unwrap(),
            SessionPolicy::default(),
            4,
        );
        Self {
            identity: identity.unwrap(),
            clock,
            db,
            _test: test,
        }
    }

    async fn organization(&self, slug: &str, kind: OrganizationKind) -> OrganizationId {
        let new = NewOrganization {
            slug: Slug::parse(slug).unwrap(),
            name: Localized::parse("某单位", None).unwrap(),
            kind,
            region: None,
        };
        self.identity
            .create_organization(&Actor::system(), new)
            .await
            .unwrap()
            .id
    }

    async fn account(&self, username: &str, organization: OrganizationId, roles: &[Role]) -> UserId {
        let new = account(username, organization, roles);
        self.identity
            .create_account(&Actor::system(), new, PASSWORD)
            .await
            .unwrap()
            .id
    }

    async fn officer(&self) -> UserId {
        let organization = self.organization("transport", OrganizationKind::Department).await;
        self.account("li.na", organization, &[Role::Officer]).await
    }

    async fn sign_in(&self, password: &str) -> Result<String, Error> {
        let signed_in = self
            .identity
            .sign_in("li.na", password, Some("192.0.2.1"))
            .await?;
        Ok(signed_in.secret.expose().to_owned())
    }

    async fn leaves(&self) -> u64 {
        let tx = self.db.begin_write().await.unwrap();
        db::ledger::sequence(&tx, 10_000).await.unwrap().size
    }
}

fn account(username: &str, organization: OrganizationId, roles: &[Role]) -> NewAccount {
    NewAccount {
        username: username.to_owned(),
        display_name: "李娜".to_owned(),
        organization,
        roles: roles.iter().copied().collect(),
    }
}

async fn a_person_signs_in_works_and_signs_out(test: TestDatabase) {
    let world = World::new(test);
    let user = world.officer().await;
    let secret = world.sign_in(PASSWORD).await.unwrap();
    let session = world.identity.find_session(&secret).await.unwrap().unwrap();
    let person = session.actor.find_person().unwrap();
    assert_eq!((person.user, person.roles.contains(&Role::Officer)), (user, true));
    let token = session.csrf_token();
    assert!(session.accepts_csrf_token(&token));
    for forged in ["", "0", &token[1..], &token.replace(&token[..1], "g")] {
        assert!(!session.accepts_csrf_token(forged), "{forged}");
    }
    let other = world.sign_in(PASSWORD).await.unwrap();
    let other = world.identity.find_session(&other).await.unwrap().unwrap();
    assert!(!other.accepts_csrf_token(&token), "of another session");
    for forged in [
        "",
        "x",
        &secret[1..],
        &"0".repeat(64),
        &secret.to_uppercase().replace('A', "B"),
    ] {
        assert!(
            world.identity.find_session(forged).await.unwrap().is_none(),
            "{forged}"
        );
    }
    world.identity.sign_out(&secret).await.unwrap();
    assert!(world.identity.find_session(&secret).await.unwrap().is_none());
    world.identity.sign_out(&secret).await.unwrap();
}

async fn sessions_end_by_idleness_and_by_age(test: TestDatabase) {
    let world = World::new(test);
    world.officer().await;
    let idle = world.sign_in(PASSWORD).await.unwrap();
    let busy = world.sign_in(PASSWORD).await.unwrap();
    for _ in 0..11 {
        world.clock.advance_seconds(3600 - 1);
        assert!(world.identity.find_session(&busy).await.unwrap().is_some());
    }
    assert!(
        world.identity.find_session(&idle).await.unwrap().is_none(),
        "2 hours unused"
    );
    world.clock.advance_seconds(3600 + 11);
    assert!(
        world.identity.find_session(&busy).await.unwrap().is_none(),
        "12 hours old"
    );
    world.identity.forget_ended().await.unwrap();
    let later = Timestamp::from_micros(1_795_392_000_000_000).plus_days(9);
    let tx = world.db.begin_write().await.unwrap();
    assert_eq!(
        db::session::delete_expired(&tx, later, later).await.unwrap(),
        0,
        "swept already"
    );
}

async fn guesses_are_slowed_down(test: TestDatabase) {
    let world = World::new(test);
    world.officer().await;
    for _ in 0..5 {
        assert!(matches!(
            world.sign_in("wrong").await,
            Err(Error::WrongCredentials)
        ));
    }
    // From now on even the right password waits, or guessing would go on in the answers.
    let Err(Error::Throttled { seconds }) = world.sign_in(PASSWORD).await else {
        unreachable!()
    };
    assert!((1..=31).contains(&seconds), "{seconds}");
    world.clock.advance_seconds(31);
    assert!(matches!(
        world.sign_in("wrong").await,
        Err(Error::WrongCredentials)
    ));
    world.clock.advance_seconds(31);
    assert!(
        matches!(world.sign_in(PASSWORD).await, Err(Error::Throttled { .. })),
        "twice as long now"
    );
    world.clock.advance_seconds(30);
    world.sign_in(PASSWORD).await.unwrap();
    for _ in 0..4 {
        assert!(
            matches!(world.sign_in("wrong").await, Err(Error::WrongCredentials)),
            "counted anew"
        );
    }
    world.sign_in(PASSWORD).await.unwrap();
    // One address against many accounts.
    for number in 0..50 {
        let name = format!("guess-{number}");
        let _ = world.identity.sign_in(&name, "wrong", Some("198.51.100.7")).await;
    }
    let other = world
        .identity
        .sign_in("li.na", PASSWORD, Some("198.51.100.7"))
        .await;
    assert!(matches!(other, Err(Error::Throttled { .. })), "{other:?}");
    world.sign_in(PASSWORD).await.unwrap();
}

async fn parallel_guesses_are_not_cheaper(test: TestDatabase) {
    let world = World::new(test);
    world.officer().await;
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..40 {
        let identity = world.identity.clone();
        guesses.spawn(async move {
            identity
                .sign_in("li.na", &format!("guess number {number}"), None)
                .await
        });
    }
    let (mut checked, mut throttled) = (0, 0);
    while let Some(outcome) = guesses.join_next().await {
        match outcome.unwrap() {
            Err(Error::WrongCredentials) => checked += 1,
            Err(Error::Throttled { .. }) => throttled += 1,
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!((checked, throttled), (5, 35));
}

async fn unknown_users_look_like_known_ones(test: TestDatabase) {
    let world = World::new(test);
    world.officer().await;
    let mut times = Vec::new();
    for name in ["li.na", "nobody.here"] {
        let mut quickest = std::time::Duration::MAX;
        for _ in 0..3 {
            let begin = Instant::now();
            let error = world.identity.sign_in(name, "wrong", None).await.unwrap_err();
            quickest = quickest.min(begin.elapsed());
            assert!(matches!(error, Error::WrongCredentials));
        }
        times.push(quickest);
    }
    assert!(
        times[1] * 3 > times[0],
        "an unknown user is told by the time: {times:?}"
    );
    let long = "x".repeat(100_000);
    assert!(matches!(world.sign_in(&long).await, Err(Error::WrongCredentials)));
}

async fn tokens_are_narrow_and_die_at_once(test: TestDatabase) {
    let world = World::new(test);
    let user = world.officer().await;
    let actor = world.identity.load_actor(user).await.unwrap();
    let scopes = BTreeSet::from([Scope::CatalogRead]);
    for (name, scopes, days) in [
        ("", scopes.clone(), 1),
        ("ci", BTreeSet::new(), 1),
        ("ci", scopes.clone(), 0),
        ("ci", scopes.clone(), 366),
        ("ci", scopes.clone(), i64::MAX),
    ] {
        let refused = world.identity.create_token(&actor, name, scopes, days).await;
        assert_eq!(refused.unwrap_err().category(), Category::Invalid);
    }
    let (token, secret) = world
        .identity
        .create_token(&actor, "ci", scopes.clone(), 30)
        .await
        .unwrap();
    let by_token = world
        .identity
        .find_token_actor(secret.expose())
        .await
        .unwrap()
        .unwrap();
    let organization = by_token.organization().unwrap();
    let own = Resource::organization(organization);
    let authority = Authority::new().unwrap();
    authority.decide(&actor, Action::CreateDataset, &own).unwrap();
    authority
        .decide(&by_token, Action::CreateDataset, &own)
        .unwrap_err();
    let more = world
        .identity
        .create_token(&by_token, "more", Scope::ALL.into(), 30)
        .await;
    assert_eq!(
        more.unwrap_err().category(),
        Category::Forbidden,
        "a token makes no tokens"
    );
    assert!(world.identity.revoke_token(&by_token, token.id).await.is_err());
    world.clock.advance_seconds(30 * 86_400 - 1);
    assert!(
        world
            .identity
            .find_token_actor(secret.expose())
            .await
            .unwrap()
            .is_some()
    );
    world.clock.advance_seconds(1);
    assert!(
        world
            .identity
            .find_token_actor(secret.expose())
            .await
            .unwrap()
            .is_none(),
        "expired"
    );
    let (token, secret) = world
        .identity
        .create_token(&actor, "ci", scopes.clone(), 30)
        .await
        .unwrap();
    let stranger = world.organization("health", OrganizationKind::Department).await;
    let stranger = world.account("wang.wei", stranger, &[Role::Officer]).await;
    let stranger = world.identity.load_actor(stranger).await.unwrap();
    let foreign = world.identity.revoke_token(&stranger, token.id).await;
    assert!(matches!(foreign, Err(Error::NotFound(_))), "somebody else's");
    world.identity.revoke_token(&actor, token.id).await.unwrap();
    assert!(
        world
            .identity
            .find_token_actor(secret.expose())
            .await
            .unwrap()
            .is_none(),
        "revoked"
    );
    for _ in 0..crate::MAX_TOKENS {
        world
            .identity
            .create_token(&actor, "ci", scopes.clone(), 1)
            .await
            .unwrap();
    }
    let one_more = world.identity.create_token(&actor, "ci", scopes, 1).await;
    assert_eq!(one_more.unwrap_err().category(), Category::Invalid);
    assert_eq!(
        world.identity.list_tokens(&actor, None, 100).await.unwrap().len(),
        52
    );
}

async fn revoked_roles_are_gone_at_once(test: TestDatabase) {
    let world = World::new(test);
    let user = world.officer().await;
    let secret = world.sign_in(PASSWORD).await.unwrap();
    world
        .identity
        .revoke_role(&Actor::system(), user, Role::Officer)
        .await
        .unwrap();
    let session = world.identity.find_session(&secret).await.unwrap().unwrap();
    assert!(!session.actor.has_role(Role::Officer));
    let refused = world
        .identity
        .grant_role(&Actor::system(), user, Role::Reviewer)
        .await;
    assert_eq!(
        refused.unwrap_err().category(),
        Category::Invalid,
        "a department has no reviewers"
    );
    // Even written past the use-case, a role that does not fit is no role.
    let tx = world.db.begin_write().await.unwrap();
    db::user::grant_role(&tx, user, Role::Admin).await.unwrap();
    tx.commit().await.unwrap();
    let session = world.identity.find_session(&secret).await.unwrap().unwrap();
    assert!(!session.actor.has_role(Role::Admin));
}

async fn a_new_password_ends_old_sessions(test: TestDatabase) {
    let world = World::new(test);
    world.officer().await;
    let secret = world.sign_in(PASSWORD).await.unwrap();
    let session = world.identity.find_session(&secret).await.unwrap().unwrap();
    let change = async |old, new| world.identity.change_password(&session.actor, old, new).await;
    let wrong = change("not the old one", "an even better password")
        .await
        .unwrap_err();
    assert!(matches!(wrong, Error::WrongCredentials));
    assert_eq!(
        change(PASSWORD, "short").await.unwrap_err().category(),
        Category::Invalid
    );
    assert!(
        world.identity.find_session(&secret).await.unwrap().is_some(),
        "nothing changed yet"
    );
    change(PASSWORD, "an even better password").await.unwrap();
    assert!(world.identity.find_session(&secret).await.unwrap().is_none());
    assert!(matches!(
        world.sign_in(PASSWORD).await,
        Err(Error::WrongCredentials)
    ));
    world.sign_in("an even better password").await.unwrap();
}

async fn a_closed_account_is_closed_everywhere(test: TestDatabase) {
    let world = World::new(test);
    let user = world.officer().await;
    let actor = world.identity.load_actor(user).await.unwrap();
    let session = world.sign_in(PASSWORD).await.unwrap();
    let scopes = BTreeSet::from([Scope::CatalogRead]);
    let (_, token) = world
        .identity
        .create_token(&actor, "ci", scopes, 30)
        .await
        .unwrap();
    world
        .identity
        .disable_account(&Actor::system(), user)
        .await
        .unwrap();
    assert!(world.identity.find_session(&session).await.unwrap().is_none());
    assert!(
        world
            .identity
            .find_token_actor(token.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(matches!(
        world.sign_in(PASSWORD).await,
        Err(Error::WrongCredentials)
    ));
    assert!(world.identity.load_actor(user).await.is_err());
    world
        .identity
        .disable_account(&Actor::system(), user)
        .await
        .unwrap();
}

async fn only_admins_manage_accounts(test: TestDatabase) {
    let world = World::new(test);
    let officer = world.officer().await;
    let bureau = world.organization("bureau", OrganizationKind::Bureau).await;
    let admin = world.account("admin", bureau, &[Role::Admin]).await;
    let reviewer = world.account("chen", bureau, &[Role::Reviewer]).await;
    for user in [officer, reviewer] {
        let actor = world.identity.load_actor(user).await.unwrap();
        let refused = world
            .identity
            .grant_role(&actor, user, Role::Admin)
            .await
            .unwrap_err();
        assert_eq!(refused.category(), Category::Forbidden);
        let nobody = UserId::at(Timestamp::from_micros(0));
        let refused = world.identity.disable_account(&actor, nobody).await.unwrap_err();
        assert_eq!(
            refused.category(),
            Category::Forbidden,
            "not even whether there is such an account"
        );
    }
    let refused = world
        .identity
        .list_accounts(&Actor::anonymous(), None, None, 10)
        .await
        .unwrap_err();
    assert_eq!(refused.category(), Category::Unauthenticated);
    let admin = world.identity.load_actor(admin).await.unwrap();
    assert_eq!(
        world
            .identity
            .list_accounts(&admin, None, None, 10)
            .await
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        world
            .identity
            .list_accounts(&admin, Some(bureau), None, 10)
            .await
            .unwrap()
            .len(),
        2
    );
    world
        .identity
        .grant_role(&admin, officer, Role::Developer)
        .await
        .unwrap();
    assert_eq!(world.identity.list_roles(&admin, officer).await.unwrap().len(), 2);
}

async fn roles_stay_separate_under_races(test: TestDatabase) {
    let world = World::new(test);
    let bureau = world.organization("bureau", OrganizationKind::Bureau).await;
    let user = world.account("chen", bureau, &[]).await;
    let mut grants = tokio::task::JoinSet::new();
    for role in [Role::Reviewer, Role::Auditor, Role::Admin] {
        let identity = world.identity.clone();
        grants.spawn(async move { identity.grant_role(&Actor::system(), user, role).await.is_ok() });
    }
    let mut granted = 0;
    while let Some(outcome) = grants.join_next().await {
        granted += usize::from(outcome.unwrap());
    }
    assert_eq!(granted, 1);
    let roles = world.identity.list_roles(&Actor::system(), user).await.unwrap();
    assert_eq!(roles.len(), 1, "{roles:?}");
}

async fn acts_and_their_leaves_are_one(test: TestDatabase) {
    let world = World::new(test);
    let user = world.officer().await;
    assert_eq!(world.leaves().await, 3, "organisation, account, role");
    let actor = world.identity.load_actor(user).await.unwrap();
    let organization = actor.organization().unwrap();
    let taken = account("li.na", organization, &[Role::Officer]);
    let error = world
        .identity
        .create_account(&Actor::system(), taken, PASSWORD)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Taken { .. }), "{error:?}");
    world
        .identity
        .grant_role(&Actor::system(), user, Role::Officer)
        .await
        .unwrap();
    world
        .identity
        .revoke_role(&Actor::system(), user, Role::Developer)
        .await
        .unwrap();
    assert_eq!(world.leaves().await, 3, "what did not happen is not recorded");
    let (token, _) = world
        .identity
        .create_token(&actor, "ci", Scope::ALL.into(), 1)
        .await
        .unwrap();
    world.identity.revoke_token(&actor, token.id).await.unwrap();
    world.identity.revoke_token(&actor, token.id).await.unwrap();
    world
        .identity
        .revoke_role(&Actor::system(), user, Role::Officer)
        .await
        .unwrap();
    world
        .identity
        .disable_account(&Actor::system(), user)
        .await
        .unwrap();
    let tx = world.db.begin_write().await.unwrap();
    db::ledger::sequence(&tx, 100).await.unwrap();
    let leaves = db::ledger::list_leaves(&tx, 0, 100).await.unwrap();
    let acts: Vec<String> = leaves
        .iter()
        .map(|leaf| ledger::Leaf::parse(&leaf.entry).unwrap().act().to_string())
        .collect();
    let expected = [
        "organization.created",
        "account.created",
        "role.granted",
        "token.created",
        "token.revoked",
        "role.revoked",
        "account.disabled",
    ];
    assert_eq!(acts, expected);
    for leaf in &leaves {
        let text = String::from_utf8(leaf.entry.clone()).unwrap();
        assert!(
            !text.contains("li.na") && !text.contains("李娜") && !text.contains(&user.to_string()),
            "{text}"
        );
    }
}

async fn bad_names_and_passwords_are_refused(test: TestDatabase) {
    let world = World::new(test);
    let organization = world
        .organization("transport", OrganizationKind::Department)
        .await;
    let create = async |new: NewAccount, password: &str| {
        world
            .identity
            .create_account(&Actor::system(), new, password)
            .await
            .unwrap_err()
            .category()
    };
    for name in [
        "",
        "a",
        "Li.Na",
        "1li",
        "李娜",
        "li na",
        "li/na",
        "../etc",
        &"a".repeat(41),
    ] {
        assert_eq!(
            create(account(name, organization, &[]), PASSWORD).await,
            Category::Invalid,
            "{name}"
        );
    }
    for password in ["", "too short", &"x".repeat(513)] {
        let new = account("good.name", organization, &[]);
        assert_eq!(create(new, password).await, Category::Invalid, "{password}");
    }
    let misplaced = account("good.name", organization, &[Role::Reviewer]);
    assert_eq!(create(misplaced, PASSWORD).await, Category::Invalid);
    let nowhere = account("good.name", OrganizationId::at(Timestamp::from_micros(0)), &[]);
    assert_eq!(create(nowhere, PASSWORD).await, Category::NotFound);
    let nameless = NewAccount {
        display_name: " \u{0}".to_owned(),
        ..account("good.name", organization, &[])
    };
    assert_eq!(create(nameless, PASSWORD).await, Category::Invalid);
}
