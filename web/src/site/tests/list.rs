//! Long lists: every page of them can be reached, and nothing is left out without a word.

use std::collections::BTreeSet;

use http::StatusCode;
use model::{
    Clock, Level, OrganizationId, ProjectId, RequestId, RequestKind, RequestState, Slug, Timestamp, UserId,
};
use scraper::{Html, Selector};

use super::{Browser, Portal};

/// The addresses that links with this beginning lead to, and the one that leads on.
fn links(text: &str, beginning: &str, next: &str) -> (BTreeSet<String>, Option<String>) {
    let html = Html::parse_document(text);
    let all = |beginning: &str| -> Vec<String> {
        let selector = Selector::parse(&format!("main a[href^='{beginning}']")).unwrap();
        html.select(&selector)
            .map(|link| link.attr("href").unwrap().to_owned())
            .collect()
    };
    (all(beginning).into_iter().collect(), all(next).pop())
}

/// Every entry on all pages of a list, and how many pages there were.
async fn walk(browser: &Browser, first: &str, beginning: &str, next: &str) -> (BTreeSet<String>, usize) {
    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    let mut address = Some(first.to_owned());
    while let Some(at) = address {
        let page = browser.page(at.split('#').next().unwrap()).await;
        let (found, on) = links(&page.text, beginning, next);
        for link in found {
            assert!(seen.insert(link.clone()), "{link} stands on two pages");
        }
        (address, pages) = (on, pages + 1);
        assert!(pages < 20);
    }
    (seen, pages)
}

#[tokio::test]
async fn a_department_with_many_datasets_turns_pages() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    for number in 0..65 {
        let slug = format!("table-{number}");
        let form = [
            ("slug", slug.as_str()),
            ("title_zh", "表"),
            ("summary_zh", "一张表"),
            ("theme", "transport"),
            ("update_cycle", "once"),
            ("license", "cc-by-4.0"),
            ("action", "save"),
        ];
        let made = officer.post("/publish/new", &form).await;
        assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
        // Some change in the same moment.
        portal.clock.advance_seconds(i64::from(number % 3 == 0));
    }
    let (seen, pages) = walk(&officer, "/publish", "/publish/table-", "/publish?cursor=").await;
    let entries = seen.iter().filter(|link| link.ends_with("/edit")).count();
    assert_eq!((entries, pages), (65, 3));

    // Last changed first: what is edited comes to the top.
    let slug = Slug::parse("table-0").unwrap();
    let connection = portal.state.db.read();
    let first = db::dataset::find_by_slug(connection, &slug)
        .await
        .unwrap()
        .unwrap();
    let listed = db::dataset::list_changed(connection, first.organization_id, None, 3)
        .await
        .unwrap();
    assert!(listed.iter().all(|dataset| dataset.id != first.id));
    let revision = officer.page("/publish/table-0/edit").await.value("revision");
    let form = [
        ("title_zh", "改过"),
        ("summary_zh", "一张表"),
        ("theme", "transport"),
        ("update_cycle", "once"),
        ("license", "cc-by-4.0"),
        ("action", "save"),
        ("revision", revision.as_str()),
    ];
    portal.clock.advance_seconds(60);
    assert_eq!(
        officer.post("/publish/table-0/edit", &form).await.status,
        StatusCode::SEE_OTHER
    );
    let (top, _) = links(&officer.page("/publish").await.text, "/publish/table-0/", "/none");
    assert!(!top.is_empty());
    let forged = officer.get("/publish?cursor=AAAA").await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_enterprise_with_many_projects_and_requests_turns_pages() {
    let portal = Portal::open().await;
    let analyst = portal.sign_in("analyst").await;
    let connection = portal.state.db.read();
    let slug = Slug::parse("mobility").unwrap();
    let organization = db::organization::find_by_slug(connection, &slug)
        .await
        .unwrap()
        .unwrap()
        .id;
    let user = db::user::find_with_password(connection, "analyst")
        .await
        .unwrap()
        .unwrap()
        .0
        .id;
    let now = portal.clock.now();
    let tx = portal.state.db.begin_write().await.unwrap();
    for number in 0..45 {
        let at = now.plus_seconds(number);
        let request = request(organization, user, at);
        db::request::insert(&tx, &request, &[]).await.unwrap();
        if number < 30 {
            let project = project(organization, request.id, at);
            db::project::insert(&tx, &project, &[]).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let walked = walk(&analyst, "/sandbox", "/sandbox/projects/", "/sandbox?projects=").await;
    assert_eq!((walked.0.len(), walked.1), (30, 3));
    let walked = walk(&analyst, "/sandbox", "/sandbox/requests/", "/sandbox?requests=").await;
    assert_eq!((walked.0.len(), walked.1), (45, 3));
    // A cursor of one list is none of the other.
    let page = analyst.page("/sandbox").await;
    let (_, next) = links(&page.text, "/none", "/sandbox?projects=");
    let swapped = next.unwrap().replace("projects=", "requests=");
    let answer = analyst.get(swapped.split('#').next().unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

fn request(organization: OrganizationId, user: UserId, at: Timestamp) -> db::request::Request {
    db::request::Request {
        id: RequestId::at(at),
        kind: RequestKind::Access,
        state: RequestState::Approved,
        organization_id: organization,
        submitted_by: user,
        level: Level::L3,
        special: false,
        deadline: at.plus_days(5),
        payload: serde_json::json!({}),
        policy_id: None,
        revision: 1,
        created_at: at,
        decided_at: Some(at),
    }
}

fn project(organization: OrganizationId, request: RequestId, at: Timestamp) -> db::project::Project {
    db::project::Project {
        id: ProjectId::at(at),
        request_id: request,
        organization_id: organization,
        active: true,
        purpose: format!("研究 {at}"),
        created_at: at,
        expires_at: at.plus_days(90),
        closed_at: None,
        revision: 1,
    }
}

#[tokio::test]
async fn an_entry_that_is_not_opened_has_no_version() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    let form = [
        ("slug", "case-files"),
        ("title_zh", "案件卷宗"),
        ("title_en", "Case files"),
        ("summary_zh", "不予开放"),
        ("theme", "safety"),
        ("update_cycle", "yearly"),
        ("license", "agreement"),
        ("conditions_zh", "涉及侦查秘密"),
        ("conditions_en", "It would betray how crimes are investigated"),
        ("level", "L4"),
        ("action", "save"),
    ];
    let made = officer.post("/publish/new", &form).await;
    assert_eq!(
        made.location(),
        "/publish/case-files/release?done=entry-saved",
        "{}",
        made.text
    );
    let release = "/publish/case-files/release";
    let page = officer.page(release).await;
    assert!(
        page.text.contains("No version published") && !page.text.contains("Version 0"),
        "{}",
        page.text
    );
    assert!(!page.has("a[href*='/versions/']"));
    let sent = officer.post(release, &[("note", ""), ("confirm", "yes")]).await;
    let request = sent
        .location()
        .strip_suffix("?done=release-sent")
        .unwrap()
        .to_owned();
    let reviewer = portal.sign_in("reviewer").await;
    let page = reviewer.page(&request).await;
    assert!(
        page.text.contains("No version published") && !page.text.contains("Version 0"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("how crimes are investigated"),
        "the reason is what is decided on"
    );
}
