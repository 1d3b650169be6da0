//! A key is claimed once.

use uuid::Uuid;

use super::START;
use crate::idempotency::{self, Attempt, Claim};
use crate::testing::TestDatabase;

crate::on_both_databases!(racing_claims_do_the_work_once, a_key_is_bound_to_its_request);

const ACTOR: Uuid = Uuid::from_u128(7);

fn attempt(key: &str) -> Attempt<'_> {
    Attempt {
        actor: ACTOR,
        key,
        method: "POST",
        path: "/api/v1/datasets",
        body_hash: [1; 32],
    }
}

async fn racing_claims_do_the_work_once(test: TestDatabase) {
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..50_u8 {
        let db = test.database.clone();
        requests.spawn(async move {
            let tx = db.begin_write().await.unwrap();
            let claim = idempotency::claim(&tx, &attempt("k"), START).await.unwrap();
            if claim == Claim::New {
                idempotency::complete(&tx, ACTOR, "k", 201, &[number])
                    .await
                    .unwrap();
            }
            tx.commit().await.unwrap();
            (number, claim)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = requests.join_next().await {
        outcomes.push(outcome.unwrap());
    }
    let worked: Vec<u8> = outcomes
        .iter()
        .filter(|(_, claim)| *claim == Claim::New)
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(worked.len(), 1, "{outcomes:?}");
    let answer = Claim::Answered {
        status: 201,
        response: worked.clone(),
    };
    assert!(
        outcomes
            .iter()
            .all(|(n, claim)| *n == worked[0] || *claim == answer),
        "{outcomes:?}"
    );
}

async fn a_key_is_bound_to_its_request(test: TestDatabase) {
    let tx = test.database.begin_write().await.unwrap();
    assert_eq!(
        idempotency::claim(&tx, &attempt("k"), START).await.unwrap(),
        Claim::New
    );
    assert_eq!(
        idempotency::claim(&tx, &attempt("k"), START).await.unwrap(),
        Claim::InProgress
    );
    for other in [
        Attempt {
            body_hash: [2; 32],
            ..attempt("k")
        },
        Attempt {
            path: "/api/v1/tokens",
            ..attempt("k")
        },
        Attempt {
            method: "PUT",
            ..attempt("k")
        },
    ] {
        assert_eq!(
            idempotency::claim(&tx, &other, START).await.unwrap(),
            Claim::Mismatch,
            "{other:?}"
        );
    }
    let stranger = Attempt {
        actor: Uuid::from_u128(8),
        ..attempt("k")
    };
    assert_eq!(
        idempotency::claim(&tx, &stranger, START).await.unwrap(),
        Claim::New
    );
    idempotency::release(&tx, ACTOR, "k").await.unwrap();
    assert_eq!(
        idempotency::claim(&tx, &attempt("k"), START).await.unwrap(),
        Claim::New
    );
    idempotency::complete(&tx, ACTOR, "k", 200, b"{}").await.unwrap();
    assert!(
        idempotency::complete(&tx, ACTOR, "k", 500, b"").await.is_err(),
        "an answer stands"
    );
    idempotency::release(&tx, ACTOR, "k").await.unwrap();
    let stands = Claim::Answered {
        status: 200,
        response: b"{}".to_vec(),
    };
    assert_eq!(
        idempotency::claim(&tx, &attempt("k"), START).await.unwrap(),
        stands
    );
    assert_eq!(
        idempotency::delete_before(&tx, START.plus_seconds(1))
            .await
            .unwrap(),
        2
    );
}
