//! Accounts, roles, sessions, tokens, throttles.

use std::collections::BTreeSet;

use model::{Role, Scope, TokenId};

use super::{START, somebody};
use crate::session::Session;
use crate::testing::TestDatabase;
use crate::token::Token;

crate::on_both_databases!(
    roles_are_granted_once,
    a_closed_account_stays_closed,
    sessions_expire,
    tokens_round_trip_and_end,
    failures_are_counted_under_races,
);

async fn roles_are_granted_once(test: TestDatabase) {
    let (_, user) = somebody(&test.database).await;
    let tx = test.database.begin_write().await.unwrap();
    crate::user::lock(&tx, user.id).await.unwrap();
    assert!(
        crate::user::grant_role(&tx, user.id, Role::Officer)
            .await
            .unwrap()
    );
    assert!(
        !crate::user::grant_role(&tx, user.id, Role::Officer)
            .await
            .unwrap()
    );
    assert!(
        crate::user::grant_role(&tx, user.id, Role::Developer)
            .await
            .unwrap()
    );
    assert!(
        crate::user::revoke_role(&tx, user.id, Role::Developer)
            .await
            .unwrap()
    );
    assert!(
        !crate::user::revoke_role(&tx, user.id, Role::Developer)
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let roles = crate::user::list_roles(test.database.read(), user.id)
        .await
        .unwrap();
    assert_eq!(roles, BTreeSet::from([Role::Officer]));
}

async fn a_closed_account_stays_closed(test: TestDatabase) {
    let (_, user) = somebody(&test.database).await;
    let tx = test.database.begin_write().await.unwrap();
    assert!(crate::user::disable(&tx, user.id, START).await.unwrap());
    assert!(
        !crate::user::disable(&tx, user.id, START.plus_days(1))
            .await
            .unwrap()
    );
    crate::user::update_password(&tx, user.id, "other").await.unwrap();
    tx.commit().await.unwrap();
    let found = crate::user::find_with_password(test.database.read(), "li.na")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.0.disabled_at, found.1.as_str(), found.0.revision),
        (Some(START), "other", 3)
    );
}

async fn sessions_expire(test: TestDatabase) {
    let (_, user) = somebody(&test.database).await;
    let session = |number: u8, hours: i64| Session {
        id: [number; 32],
        user_id: user.id,
        csrf_secret: [7; 32],
        created_at: START,
        expires_at: START.plus_seconds(hours * 3600),
        last_seen_at: START,
    };
    let tx = test.database.begin_write().await.unwrap();
    for (number, hours) in [(1, 1), (2, 12), (3, 12)] {
        crate::session::insert(&tx, &session(number, hours))
            .await
            .unwrap();
    }
    crate::session::touch(&tx, &[3; 32], START.plus_seconds(7000))
        .await
        .unwrap();
    let gone = crate::session::delete_expired(&tx, START.plus_seconds(7200), START.plus_seconds(10));
    assert_eq!(gone.await.unwrap(), 2, "one by its end, one by idleness");
    let found = crate::session::find(&tx, &[3; 32]).await.unwrap().unwrap();
    assert_eq!((found.user_id, found.csrf_secret), (user.id, [7; 32]));
    assert_eq!(crate::session::delete_of_user(&tx, user.id).await.unwrap(), 1);
    assert!(!crate::session::delete(&tx, &[3; 32]).await.unwrap());
}

async fn tokens_round_trip_and_end(test: TestDatabase) {
    let (_, user) = somebody(&test.database).await;
    let token = Token {
        id: TokenId::at(START),
        user_id: user.id,
        name: "ci".to_owned(),
        scopes: BTreeSet::from([Scope::CatalogRead, Scope::DatasetWrite]),
        created_at: START,
        expires_at: START.plus_days(30),
        revoked_at: None,
        last_used_at: None,
    };
    let tx = test.database.begin_write().await.unwrap();
    crate::token::insert(&tx, &token, &[9; 32]).await.unwrap();
    assert_eq!(
        crate::token::find_by_secret(&tx, &[9; 32]).await.unwrap(),
        Some(token.clone())
    );
    assert_eq!(crate::token::find_by_secret(&tx, &[8; 32]).await.unwrap(), None);
    assert_eq!(
        crate::token::count_standing(&tx, user.id, START).await.unwrap(),
        1
    );
    assert_eq!(
        crate::token::count_standing(&tx, user.id, START.plus_days(30))
            .await
            .unwrap(),
        0
    );
    assert!(crate::token::revoke(&tx, token.id, START).await.unwrap());
    assert!(!crate::token::revoke(&tx, token.id, START).await.unwrap());
    assert_eq!(
        crate::token::revoke_of_user(&tx, user.id, START).await.unwrap(),
        0
    );
    let listed = crate::token::list_of_user(&tx, user.id, None, 10).await.unwrap();
    assert_eq!(listed[0].revoked_at, Some(START));
    assert!(
        crate::token::list_of_user(&tx, user.id, Some(token.id), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn failures_are_counted_under_races(test: TestDatabase) {
    let mut counts = Vec::new();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let db = test.database.clone();
        tries.spawn(async move {
            let tx = db.begin_write().await.unwrap();
            let count = crate::throttle::count_failure(&tx, &[1; 32], START, START.plus_seconds(-60)).await;
            tx.commit().await.unwrap();
            count.unwrap()
        });
    }
    while let Some(count) = tries.join_next().await {
        counts.push(count.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<_>>());
    let tx = test.database.begin_write().await.unwrap();
    crate::throttle::block(&tx, &[1; 32], START.plus_seconds(30))
        .await
        .unwrap();
    let blocked = crate::throttle::find_blocked_until(&tx, &[1; 32]).await.unwrap();
    assert_eq!(blocked, Some(START.plus_seconds(30)));
    crate::throttle::forgive(&tx, &[1; 32], 5).await.unwrap();
    let later = START.plus_seconds(100);
    let count = crate::throttle::count_failure(&tx, &[1; 32], later, later.plus_seconds(-60))
        .await
        .unwrap();
    assert_eq!(count, 1, "old failures are forgotten");
    crate::throttle::forgive(&tx, &[1; 32], 5).await.unwrap();
    assert_eq!(
        crate::throttle::find_blocked_until(&tx, &[1; 32]).await.unwrap(),
        None
    );
}
