//! Lists of datasets and what was last asked about one.

use model::{
    DatasetId, DatasetState, EntryMetadata, Level, LineageId, RequestId, RequestKind, RequestState, Slug,
    Timestamp,
};
use serde_json::json;

use super::{START, somebody};
use crate::allocation::{Cost, Lineage, insert_lineage};
use crate::connection::Database;
use crate::dataset::{Dataset, insert, list_changed};
use crate::request::{Request, find_newest_release};
use crate::testing::TestDatabase;

crate::on_both_databases!(
    changed_datasets_come_page_by_page,
    the_newest_release_request_is_found,
);

async fn a_dataset(db: &Database, template: &Dataset, slug: &str, changed: Timestamp) -> DatasetId {
    let dataset = Dataset {
        id: DatasetId::at(START),
        slug: Slug::parse(slug).unwrap(),
        updated_at: changed,
        ..template.clone()
    };
    let tx = db.begin_write().await.unwrap();
    insert(&tx, &dataset).await.unwrap();
    tx.commit().await.unwrap();
    dataset.id
}

/// What datasets are made of here, with a lineage that is stored.
async fn template(db: &Database) -> Dataset {
    let (organization, user) = somebody(db).await;
    let none = Cost {
        rho_nano: 0,
        delta_atto: 0,
    };
    let lineage = Lineage {
        id: LineageId::at(START),
        unit_type: None,
        lifetime_cap: none,
        lifetime_spent: none,
        rho_window_cap_nano: 0,
        rho_remaining_nano: 0,
        rho_reserved_nano: 0,
        window_days: 365,
        created_at: START,
    };
    let tx = db.begin_write().await.unwrap();
    insert_lineage(&tx, &lineage).await.unwrap();
    tx.commit().await.unwrap();
    let metadata: EntryMetadata = serde_json::from_value(json!({
        "title": {"zh": "表"}, "summary": {"zh": "一张表"}, "theme": "transport", "update_cycle": "once",
        "license": "cc-by-4.0",
    }))
    .unwrap();
    Dataset {
        id: DatasetId::at(START),
        slug: Slug::parse("template").unwrap(),
        origin: None,
        organization_id: organization.id,
        created_by: user.id,
        lineage_id: lineage.id,
        level: None,
        state: DatasetState::Draft,
        metadata,
        declared: None,
        current_version_id: None,
        revision: 1,
        created_at: START,
        updated_at: START,
    }
}

async fn changed_datasets_come_page_by_page(test: TestDatabase) {
    let db = &test.database;
    let template = template(db).await;
    let mut made = Vec::new();
    for (number, seconds) in [5, 9, 5, 5, 1, 9, 5].into_iter().enumerate() {
        let changed = START.plus_seconds(seconds);
        let id = a_dataset(db, &template, &format!("table-{number}"), changed).await;
        made.push((changed, id));
    }
    made.sort_unstable_by(|a, b| b.cmp(a));
    for size in [1, 2, 3, 7, 20] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = list_changed(db.read(), template.organization_id, after, size)
                .await
                .unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.updated_at, last.id));
            seen.extend(page.iter().map(|dataset| (dataset.updated_at, dataset.id)));
        }
        assert_eq!(seen, made, "{size} a page");
    }
}

async fn the_newest_release_request_is_found(test: TestDatabase) {
    let db = &test.database;
    let template = template(db).await;
    let one = a_dataset(db, &template, "one", START).await;
    let other = a_dataset(db, &template, "other", START).await;
    let mut last = None;
    for (seconds, kind, about) in [
        (1, RequestKind::Release, one),
        (2, RequestKind::Release, one),
        (3, RequestKind::Access, one),
        (4, RequestKind::Release, other),
    ] {
        let at = START.plus_seconds(seconds);
        let request = Request {
            id: RequestId::at(at),
            kind,
            state: RequestState::Rejected,
            organization_id: template.organization_id,
            submitted_by: template.created_by,
            level: Level::L1,
            special: false,
            deadline: at,
            payload: json!({}),
            policy_id: None,
            revision: 1,
            created_at: at,
            decided_at: Some(at),
        };
        let tx = db.begin_write().await.unwrap();
        crate::request::insert(&tx, &request, &[(about, None)])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        if seconds == 2 {
            last = Some(request.id);
        }
    }
    let found = find_newest_release(db.read(), one).await.unwrap();
    assert_eq!(found.map(|request| request.id), last);
    let none = a_dataset(db, &template, "none", START).await;
    assert_eq!(find_newest_release(db.read(), none).await.unwrap(), None);
}
