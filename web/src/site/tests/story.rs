//! The story of a dataset in the browser: from the entry to a download, and from the entry to an answer with
//! error bars.

use http::{StatusCode, header};
use model::{Clock, JobId, Slug};
use scraper::{Html, Selector};
use serde_json::json;

use super::Portal;

fn open_entry(title: &str) -> Vec<(&str, &str)> {
    vec![
        ("slug", "air-quality"),
        ("title_zh", title),
        ("title_en", "Air quality"),
        ("summary_zh", "逐小时监测值"),
        ("keywords", "空气，PM2.5"),
        ("theme", "environment"),
        ("update_cycle", "daily"),
        ("license", "cc-by-4.0"),
        ("level", "L1"),
        ("zone", "Asia/Shanghai"),
        ("action", "save"),
    ]
}

/// Whether a page shows a number: as a word, for ids may have any digits in them.
fn shows(page: &str, number: &str) -> bool {
    let mut words = page.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word == number)
}

#[tokio::test]
async fn an_open_dataset_from_the_entry_to_the_query() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    officer.page("/publish").await;
    officer.page("/publish/new").await;
    let empty = officer
        .post(
            "/publish/new",
            &[("slug", "Ä"), ("title_en", "kept"), ("action", "save")],
        )
        .await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.value("title_en"), "kept");
    assert!(empty.has(".error-summary a[href='#title_zh']"));
    assert_eq!(
        officer.post("/publish/new", &[("action", "rows")]).await.status,
        StatusCode::OK
    );

    let made = officer.post("/publish/new", &open_entry("空气质量")).await;
    assert_eq!(
        made.location(),
        "/publish/air-quality/upload?done=entry-saved",
        "{}",
        made.text
    );
    let taken = officer.post("/publish/new", &open_entry("空气质量")).await;
    assert!(taken.has(".error-summary a[href='#slug']"));
    assert_eq!(
        officer.get("/datasets/air-quality").await.location(),
        "/publish/air-quality/edit"
    );
    assert_eq!(
        portal.visitor().get("/datasets/air-quality").await.status,
        StatusCode::NOT_FOUND
    );
    let other = portal.sign_in("other-officer").await;
    for address in ["edit", "upload", "release", "versions/1"] {
        let answer = other.get(&format!("/publish/air-quality/{address}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
    }

    let revision = officer.page("/publish/air-quality/edit").await.value("revision");
    let mut change = open_entry("空气质量（逐小时）");
    change.push(("revision", &revision));
    assert_eq!(
        officer
            .post("/publish/air-quality/edit", &change)
            .await
            .location(),
        "/publish?done=entry-saved"
    );
    let stale = officer.post("/publish/air-quality/edit", &change).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_ne!(
        stale.value("revision"),
        revision,
        "what was typed can be saved over the other change"
    );

    let upload = "/publish/air-quality/upload";
    officer.page(upload).await;
    let file = "station,pm25\n甲,12\n乙,30\n甲,\n";
    for token in [None, Some("0000"), Some(other.csrf.as_str())] {
        let refused = officer.upload(upload, token, "a.csv", file).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{token:?}");
    }
    let path = officer
        .upload(upload, Some(&officer.csrf), "../../x.csv", file)
        .await;
    assert_eq!(path.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", path.text);
    let large = "x".repeat((1 << 20) + 1);
    let large = officer.upload(upload, Some(&officer.csrf), "a.csv", &large).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(large.has(".error-summary a[href='#file']"));
    assert!(officer.page("/publish").await.text.contains("air-quality"));
    let slug = Slug::parse("air-quality").unwrap();
    let dataset = db::dataset::find_by_slug(portal.state.db.read(), &slug)
        .await
        .unwrap()
        .unwrap();
    let versions = db::version::list(portal.state.db.read(), dataset.id, None, 9)
        .await
        .unwrap();
    assert!(versions.is_empty(), "nothing is half-published");

    let address = format!("{upload}?csrf_token={}", officer.csrf);
    let kept = officer.upload(&address, None, "a.csv", file).await;
    assert!(
        kept.location().starts_with(&format!("{upload}?upload=")),
        "{}",
        kept.text
    );
    let taken = officer.upload_and_confirm(upload, "a.csv", file).await;
    assert!(taken.location().starts_with("/tasks/"), "{}", taken.text);
    assert!(
        officer
            .page(taken.location())
            .await
            .has("meta[http-equiv='refresh']")
    );
    assert_eq!(other.get(taken.location()).await.status, StatusCode::NOT_FOUND);
    portal.ingest("air-quality").await;
    let version = officer.page("/publish/air-quality/versions/1").await;
    assert!(
        version.has("a[href='/publish/air-quality/release']"),
        "{}",
        version.text
    );
    assert!(version.text.contains("UTF-8") && version.text.contains("pm25"));

    assert!(
        !officer
            .page("/publish/air-quality/release")
            .await
            .has("button[disabled]")
    );
    let unconfirmed = officer
        .post("/publish/air-quality/release", &[("note", "第一版")])
        .await;
    assert_eq!(
        (unconfirmed.status, unconfirmed.value("note").as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "第一版")
    );
    let form = [("note", "第一版"), ("confirm", "yes")];
    let sent = officer.post("/publish/air-quality/release", &form).await;
    let request = sent
        .location()
        .strip_suffix("?done=release-sent")
        .unwrap()
        .to_owned();
    assert!(officer.page(&request).await.text.contains("第一版"));
    let again = officer.post("/publish/air-quality/release", &form).await;
    assert!(again.has(".error-summary a[href='#confirm']"));

    let reviewer = portal.sign_in("reviewer").await;
    assert!(
        reviewer.page("/review").await.has("nav .pill"),
        "the menu counts what waits"
    );
    let revision = reviewer.page(&request).await.value("revision");
    let unreasoned = [
        ("revision", revision.as_str()),
        ("decision", "return"),
        ("reason", ""),
    ];
    let refused = reviewer.post(&format!("{request}/decision"), &unreasoned).await;
    assert!(
        refused.has(".error-summary a[href='#reason']"),
        "{}",
        refused.text
    );
    let approve = [
        ("revision", revision.as_str()),
        ("decision", "approve"),
        ("reason", ""),
    ];
    assert_eq!(
        officer
            .post(&format!("{request}/decision"), &approve)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    let decided = reviewer.post(&format!("{request}/decision"), &approve).await;
    assert_eq!(
        decided.location(),
        format!("{request}?done=decided"),
        "{}",
        decided.text
    );
    assert!(
        reviewer
            .page("/review?state=closed")
            .await
            .text
            .contains("Air quality")
    );

    let visitor = portal.visitor();
    let page = visitor.page("/datasets/air-quality").await;
    for shown in [
        "download.csv",
        "download.parquet",
        "application/ld+json",
        "乙",
        "Air quality",
    ] {
        assert!(page.text.contains(shown), "{shown}");
    }
    let found = visitor.page("/datasets?q=air&theme=environment").await;
    assert!(found.has("a[href='/datasets/air-quality']") && found.has("input[value='environment'][checked]"));
    assert!(visitor.page("/").await.has("a[href='/datasets/air-quality']"));
    assert!(visitor.page("/sql").await.text.contains("air_quality"));
    let answer = visitor
        .post(
            "/sql",
            &[(
                "sql",
                "SELECT station, sum(pm25) FROM air_quality GROUP BY 1 ORDER BY 1",
            )],
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.has("table.values") && answer.text.contains("30"));
    let wrong = visitor
        .post("/sql", &[("sql", "SELECT nope FROM air_quality")])
        .await;
    assert_eq!(
        (wrong.status, wrong.value("sql").trim()),
        (StatusCode::UNPROCESSABLE_ENTITY, "SELECT nope FROM air_quality")
    );

    let tx = portal.state.db.begin_write().await.unwrap();
    let former = Slug::parse("air").unwrap();
    db::dataset::insert_alias(&tx, &former, dataset.id, portal.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let moved = visitor.get("/datasets/air?lang=en").await;
    assert_eq!(
        (moved.status, moved.location()),
        (StatusCode::PERMANENT_REDIRECT, "/datasets/air-quality?lang=en")
    );
}

fn protected_entry() -> Vec<(&'static str, &'static str)> {
    vec![
        ("slug", "bike-share-trips"),
        ("title_zh", "共享单车骑行"),
        ("title_en", "Bike-share trips"),
        ("summary_zh", "每次骑行一行"),
        ("theme", "transport"),
        ("update_cycle", "monthly"),
        ("license", "agreement"),
        ("recipe_zh", "车辆编号已替换为假名，去除起终点坐标"),
        ("level", "L3"),
        ("unit_type", "vehicle"),
        ("max_units", "1000"),
        ("max_rows", "10000"),
        ("max_rows_per_unit", "10"),
        ("zone", "Asia/Shanghai"),
        ("field.0.name", "vehicle_id"),
        ("field.0.type", "text"),
        ("field.0.role", "unit_key"),
        ("field.0.level", "L3"),
        ("field.1.name", "district"),
        ("field.1.type", "text"),
        ("field.1.level", "L2"),
        ("field.1.domain", "湖滨区|文昌区"),
        ("action", "save"),
    ]
}

/// A figure that stands in the protected file alone.
const ROWS: usize = 737;

#[tokio::test]
async fn a_protected_dataset_from_the_entry_to_an_answer_with_error_bars() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    let made = officer.post("/publish/new", &protected_entry()).await;
    assert_eq!(
        made.location(),
        "/publish/bike-share-trips/upload?done=entry-saved",
        "{}",
        made.text
    );
    let mut file = "vehicle_id,district\n".to_owned();
    for row in 0..ROWS {
        file += &format!(
            "p{},{}\n",
            row % 300,
            if row % 3 == 0 { "湖滨区" } else { "文昌区" }
        );
    }
    let upload = "/publish/bike-share-trips/upload";
    let taken = officer.upload_and_confirm(upload, "t.csv", &file).await;
    assert!(taken.location().starts_with("/tasks/"), "{}", taken.text);
    portal.ingest("bike-share-trips").await;
    let version = officer.page("/publish/bike-share-trips/versions/1").await;
    assert!(
        shows(&version.text, "737") && shows(&version.text, "300"),
        "{}",
        version.text
    );
    // Vehicles may be in other datasets too: of one alone, caps and worst case are the same.
    let losses = |page: &str| page.matches("ε = 25<").count();
    assert!(
        version.has("#loss") && losses(&version.text) == 3,
        "{}",
        version.text
    );
    let form = [("note", ""), ("confirm", "yes")];
    let sent = officer.post("/publish/bike-share-trips/release", &form).await;
    let request = sent
        .location()
        .strip_suffix("?done=release-sent")
        .unwrap_or_else(|| panic!("{}", sent.text))
        .to_owned();

    let assessor = portal.sign_in("assessor").await;
    assert!(assessor.page("/review").await.has("nav .pill"));
    let asked = assessor.page(&request).await;
    assert!(
        asked.text.contains("坐标") && !shows(&asked.text, "737"),
        "assessors see no figures"
    );
    let revision = asked.value("revision");
    let short = [
        ("revision", revision.as_str()),
        ("opinion", "safe"),
        ("text", "好"),
    ];
    assert!(
        assessor
            .post(&format!("{request}/opinion"), &short)
            .await
            .has(".error-summary a[href='#text']")
    );
    let opinion = [
        ("revision", revision.as_str()),
        ("opinion", "safe"),
        ("text", "声明与规则均充分"),
    ];
    let given = assessor.post(&format!("{request}/opinion"), &opinion).await;
    assert_eq!(
        given.location(),
        format!("{request}?done=opinion-given"),
        "{}",
        given.text
    );

    let reviewer = portal.sign_in("reviewer").await;
    let asked = reviewer.page(&request).await;
    assert!(
        asked.text.contains("737"),
        "reviewers see the figures they decide on"
    );
    let stale = [
        ("revision", revision.as_str()),
        ("decision", "approve"),
        ("reason", ""),
    ];
    let stale = reviewer.post(&format!("{request}/decision"), &stale).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", stale.text);
    let revision = stale.value("revision");
    let approve = [
        ("revision", revision.as_str()),
        ("decision", "approve"),
        ("reason", ""),
    ];
    let decided = reviewer.post(&format!("{request}/decision"), &approve).await;
    assert_eq!(
        decided.location(),
        format!("{request}?done=decided"),
        "{}",
        decided.text
    );

    let visitor = portal.visitor();
    for browser in [&visitor, &officer, &reviewer] {
        for address in ["/datasets/bike-share-trips", "/datasets", "/", "/sandbox", "/sql"] {
            let page = browser.page(address).await;
            assert!(
                !tells(&page.text, "737") && !tells(&page.text, "p299"),
                "{address}"
            );
            assert!(!page.text.contains("download.csv"), "{address}");
        }
    }
    assert_eq!(
        visitor.get("/publish/bike-share-trips/versions/1").await.status,
        StatusCode::SEE_OTHER
    );

    let analyst = portal.sign_in("analyst").await;
    assert!(
        analyst
            .page("/datasets/bike-share-trips")
            .await
            .has("a[href='/sandbox/apply?dataset=bike-share-trips']")
    );
    assert_eq!(
        analyst.get("/publish/bike-share-trips/versions/1").await.status,
        StatusCode::NOT_FOUND
    );
    assert!(
        analyst
            .page("/sandbox/apply?dataset=bike-share-trips")
            .await
            .has("input[value='bike-share-trips'][checked]")
    );
    assert_eq!(officer.get("/sandbox/apply").await.status, StatusCode::FORBIDDEN);
    let short = [
        ("datasets", "bike-share-trips"),
        ("purpose", "短"),
        ("safeguards", "结果仅限项目组内使用，账号不外借"),
        ("promise", "yes"),
    ];
    let refused = analyst.post("/sandbox/apply", &short).await;
    assert!(refused.has(".error-summary a[href='#purpose']") && refused.text.contains("账号不外借"));
    let mut form = short;
    form[1].1 = "研究早高峰通勤与地铁换乘之间的关系";
    let sent = analyst.post("/sandbox/apply", &form).await;
    let status = sent
        .location()
        .strip_suffix("?done=access-sent")
        .unwrap_or_else(|| panic!("{}", sent.text))
        .to_owned();
    assert!(analyst.page(&status).await.has("form[action$='/withdraw']"));
    let withdrawn = analyst.post(&format!("{status}/withdraw"), &[]).await;
    assert_eq!(withdrawn.location(), format!("{status}?done=withdrawn"));
    let sent = analyst.post("/sandbox/apply", &form).await;
    let status = sent
        .location()
        .strip_suffix("?done=access-sent")
        .unwrap()
        .to_owned();
    let request = status.replace("/sandbox/requests/", "/review/");
    let stranger = portal.sign_in("other-analyst").await;
    for address in [&status, &request] {
        assert_eq!(stranger.get(address).await.status, StatusCode::NOT_FOUND);
    }
    let asked = reviewer.page(&request).await;
    assert!(asked.has("#loss") && losses(&asked.text) == 3, "{}", asked.text);
    for (browser, address) in [(&officer, &request), (&analyst, &request), (&analyst, &status)] {
        assert!(!browser.page(address).await.has("#loss"), "{address}");
    }
    let revision = asked.value("revision");
    let decision = |epsilon: &'static str| {
        [
            ("revision", revision.clone()),
            ("decision", "approve".into()),
            ("reason", String::new()),
            ("epsilon", epsilon.to_owned()),
            ("days", "90".to_owned()),
        ]
    };
    for (epsilon, control) in [("much", "epsilon"), ("1000", "epsilon")] {
        let form = decision(epsilon);
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = reviewer.post(&format!("{request}/decision"), &form).await;
        assert!(
            refused.has(&format!(".error-summary a[href='#{control}']")),
            "{epsilon}"
        );
    }
    let form = decision("2");
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let decided = reviewer.post(&format!("{request}/decision"), &form).await;
    assert_eq!(
        decided.location(),
        format!("{request}?done=decided"),
        "{}",
        decided.text
    );

    let page = analyst.page(&status).await;
    let html = Html::parse_document(&page.text);
    let link = Selector::parse("a[href^='/sandbox/projects/']").unwrap();
    let project = html
        .select(&link)
        .next()
        .unwrap()
        .attr("href")
        .unwrap()
        .to_owned();
    drop(html);
    assert!(
        analyst
            .page("/sandbox")
            .await
            .has(&format!("a[href='{project}']"))
    );
    assert!(analyst.page(&project).await.has("svg.meter"));
    assert!(
        !reviewer
            .page(&project)
            .await
            .has(&format!("a[href='{project}/jobs/new']"))
    );
    assert_eq!(stranger.get(&project).await.status, StatusCode::NOT_FOUND);
    let new = format!("{project}/jobs/new");
    assert_eq!(reviewer.get(&new).await.status, StatusCode::FORBIDDEN);
    let key = analyst.page(&new).await.value("idempotency_key");
    let sql = "SELECT district, COUNT(*) AS trips FROM bike_share_trips GROUP BY district";
    let job = |action: &'static str, sql: &'static str, epsilon: &'static str| {
        [("action", action), ("sql", sql), ("epsilon", epsilon)]
    };
    let estimate = analyst.post(&new, &job("estimate", sql, "0.5")).await;
    assert_eq!(estimate.status, StatusCode::OK, "{}", estimate.text);
    assert!(estimate.has("#estimate") && estimate.text.contains("trips"));
    let refused = analyst
        .post(
            &new,
            &job("estimate", "SELECT MAX(district) FROM bike_share_trips", "0.5"),
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has(".notice.danger") && refused.text.contains("MAX(district)"));
    for (sql, epsilon, control) in [
        ("", "0.5", "sql"),
        (sql, "viel", "epsilon"),
        (sql, "9", "epsilon"),
    ] {
        let answer = analyst.post(&new, &job("run", sql, epsilon)).await;
        assert!(
            answer.has(&format!(".error-summary a[href='#{control}']")),
            "{control}: {}",
            answer.text
        );
    }
    let mut run = job("run", sql, "0.5").to_vec();
    run.push(("idempotency_key", &key));
    let sent = analyst.post(&new, &run).await;
    assert!(sent.location().starts_with("/sandbox/jobs/"), "{}", sent.text);
    let address = sent.location().to_owned();
    assert_eq!(
        analyst.post(&new, &run).await.location(),
        address,
        "the same form is one job"
    );
    assert_eq!(stranger.get(&address).await.status, StatusCode::NOT_FOUND);
    assert!(analyst.page(&address).await.has("meta[http-equiv='refresh']"));
    for file in ["result.csv", "receipt.json"] {
        assert_eq!(
            analyst.get(&format!("{address}/{file}")).await.status,
            StatusCode::CONFLICT,
            "{file}"
        );
    }

    let id: JobId = address.rsplit('/').next().unwrap().parse().unwrap();
    release(&portal, id).await;
    let page = analyst.page(&address).await;
    assert!(
        page.has("svg[role='img']") && shows(&page.text, "512") && page.has("#receipt"),
        "{}",
        page.text
    );
    assert!(
        !shows(&reviewer.page(&address).await.text, "512"),
        "the bureau sees what was spent, not what was answered"
    );
    let csv = analyst.get(&format!("{address}/result.csv")).await;
    assert!(
        csv.text
            .starts_with("district,trips,trips_low95,trips_high95\r\n"),
        "{}",
        csv.text
    );
    assert!(csv.header(header::CONTENT_DISPOSITION).starts_with("attachment"));
    let receipt: serde_json::Value =
        serde_json::from_str(&analyst.get(&format!("{address}/receipt.json")).await.text).unwrap();
    assert_eq!(
        receipt["inclusion"],
        json!(null),
        "pending until the sequencer has signed"
    );
    assert_eq!(
        reviewer.get(&format!("{address}/receipt.json")).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(analyst.page(&project).await.has(&format!("a[href='{address}']")));
}

/// Puts noised totals where the worker's would be, and lets their time come.
async fn release(portal: &Portal, id: JobId) {
    let job = db::job::load(portal.state.db.read(), id).await.unwrap();
    let core = &job.plan["parts"][0]["core"];
    let totals = core["cells"].as_u64().unwrap() * core["aggregates"].as_array().unwrap().len() as u64;
    let tx = portal.state.db.begin_write().await.unwrap();
    let value = json!([{"totals": vec![512; usize::try_from(totals).unwrap()]}]);
    db::job::set_result(&tx, id, value, portal.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    portal.clock.advance_seconds(3_600);
    assert_eq!(portal.state.sandbox.release_due().await.unwrap(), 1);
}

/// Whether a page has a word that is no part of a longer one, such as of a random token.
fn tells(text: &str, word: &str) -> bool {
    let whole = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word)
        .any(|(at, _)| whole(text[..at].chars().next_back()) && whole(text[at + word.len()..].chars().next()))
}
