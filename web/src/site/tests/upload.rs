//! What an officer sees of a file before it is read, and can correct.

use http::{Request, StatusCode, header};
use scraper::{Html, Selector};

use super::{Browser, Portal, Seen};

async fn entry(officer: &Browser, slug: &str, level: &str, more: &[(&str, &str)]) {
    let mut form = vec![
        ("slug", slug),
        ("title_zh", "测试"),
        ("summary_zh", "测试"),
        ("theme", "transport"),
        ("update_cycle", "once"),
        ("license", "cc-by-4.0"),
        ("recipe_zh", "去除姓名"),
        ("level", level),
        ("zone", "Asia/Shanghai"),
        ("action", "save"),
    ];
    form.extend(more);
    let made = officer.post("/publish/new", &form).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
}

/// Sends a file and looks at what was found in it.
async fn sent(officer: &Browser, slug: &str, file: impl AsRef<[u8]>) -> (String, Seen) {
    let address = format!("/publish/{slug}/upload");
    let kept = officer
        .upload(&address, Some(&officer.csrf), "文件.csv", file)
        .await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.text);
    let check = Request::get(kept.location()).header(header::ACCEPT_LANGUAGE, "en");
    let check = officer.send(check, axum::body::Body::empty()).await;
    (check.value("upload"), check)
}

fn texts(page: &Seen, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let html = Html::parse_document(&page.text);
    let text = |element: scraper::ElementRef<'_>| element.text().collect::<String>().trim().to_owned();
    html.select(&selector).map(text).collect()
}

fn found(page: &Seen, control: &str) -> String {
    texts(page, &format!("#{control} option[value='auto']")).concat()
}

const CONFIRM: &str = "button[name='action'][value='confirm']";

#[tokio::test]
async fn an_officer_checks_and_corrects_before_anything_is_read() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    entry(&officer, "stations", "L1", &[]).await;
    // 站点;代码;值 in GB 18030, with a mark for a missing value.
    let file = [
        &b"\xD5\xBE\xB5\xE3;code;\xD6\xB5\r\n"[..],
        b"\xB6\xAB\xB0\xB6;007;1.5\r\n",
        b"\xCE\xF7\xB0\xB6;008;NA\r\n",
    ]
    .concat();
    let (upload, check) = sent(&officer, "stations", &file).await;
    assert_eq!(check.status, StatusCode::OK, "{}", check.text);
    assert_eq!(found(&check, "encoding"), "Automatic: GB18030 (with GBK)");
    assert_eq!(found(&check, "delimiter"), "Automatic: Semicolon");
    assert_eq!(found(&check, "header"), "Automatic: Has column names");
    assert_eq!(texts(&check, "th[scope='row'] code"), ["站点", "code", "值"]);
    assert_eq!(texts(&check, "table.values tbody tr").len(), 2, "{}", check.text);
    assert!(check.text.contains("东岸") && check.text.contains("007"));
    assert!(check.text.contains("all 2 rows") && check.text.contains("<code><bdi>NA</bdi></code>"));
    assert!(!check.text.contains("single"), "ingestion reads no single quotes");
    let slug = model::Slug::parse("stations").unwrap();
    let dataset = db::dataset::find_by_slug(portal.state.db.read(), &slug)
        .await
        .unwrap();
    let dataset = dataset.unwrap().id;
    let versions = db::version::list(portal.state.db.read(), dataset, None, 9)
        .await
        .unwrap();
    assert!(versions.is_empty(), "nothing is read before it is confirmed");

    // Another delimiter: looked at again, with what was chosen kept in the form.
    let form = [
        ("upload", upload.as_str()),
        ("action", "check"),
        ("delimiter", "comma"),
    ];
    let again = officer.post("/publish/stations/upload", &form).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    assert_eq!(texts(&again, "th[scope='row'] code"), ["站点;code;值"]);
    assert!(again.has("#delimiter option[value='comma'][selected]"));

    // A type of one's own, and then it is read.
    let form = [
        ("upload", upload.as_str()),
        ("action", "confirm"),
        ("column.2", "值"),
        ("type.2", "text"),
    ];
    let taken = officer.post("/publish/stations/upload", &form).await;
    assert!(taken.location().starts_with("/tasks/"), "{}", taken.text);
    portal.ingest("stations").await;
    let version = officer.page("/publish/stations/versions/1").await;
    assert!(version.text.contains("GB18030") && version.text.contains("Semicolon"));
    let versions = db::version::list(portal.state.db.read(), dataset, None, 9)
        .await
        .unwrap();
    assert_eq!(versions[0].options["columns"][2]["type"], "text");
    assert_eq!(
        versions[0].options["columns"][1]["type"], "text",
        "codes keep their zeros"
    );

    // Once.
    let twice = officer.post("/publish/stations/upload", &form).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text);
    assert_eq!(
        db::version::list(portal.state.db.read(), dataset, None, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn what_cannot_be_read_as_detected_can_be_corrected_without_sending_it_again() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    entry(&officer, "quotes", "L1", &[]).await;
    let (upload, check) = sent(
        &officer,
        "quotes",
        "name,size\n\"12\" screen,1\n\"15\" screen,2\n",
    )
    .await;
    assert_eq!(check.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(check.text.contains("after a closing quote"), "{}", check.text);
    assert!(!check.has(CONFIRM) && check.has("#quote option[value='none']"));
    let form = [
        ("upload", upload.as_str()),
        ("action", "check"),
        ("quote", "none"),
    ];
    let again = officer.post("/publish/quotes/upload", &form).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    assert!(again.has(CONFIRM) && again.text.contains("12&#34; screen"));
    let form = [
        ("upload", upload.as_str()),
        ("action", "confirm"),
        ("quote", "none"),
    ];
    let taken = officer.post("/publish/quotes/upload", &form).await;
    assert!(taken.location().starts_with("/tasks/"), "{}", taken.text);
    portal.ingest("quotes").await;
    let slug = model::Slug::parse("quotes").unwrap();
    let connection = portal.state.db.read();
    let dataset = db::dataset::find_by_slug(connection, &slug)
        .await
        .unwrap()
        .unwrap();
    let versions = db::version::list(connection, dataset.id, None, 1).await.unwrap();
    assert_eq!(versions[0].options["quoted"], false);
    // A workbook is none, whatever is chosen; in the reader's language.
    let (_, book) = sent(&officer, "quotes", b"PK\x03\x04....xl/workbook.xml").await;
    assert_eq!(book.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(book.text.contains("Excel workbook") && !book.has(CONFIRM));
}

#[tokio::test]
async fn of_protected_data_nothing_is_shown_and_only_declared_names_are_told() {
    let portal = Portal::open().await;
    let officer = portal.sign_in("officer").await;
    let declared = [
        ("unit_type", "person"),
        ("max_units", "1000"),
        ("max_rows", "10000"),
        ("max_rows_per_unit", "10"),
        ("field.0.name", "id"),
        ("field.0.type", "text"),
        ("field.0.role", "unit_key"),
        ("field.0.level", "L3"),
        ("field.1.name", "district"),
        ("field.1.type", "text"),
        ("field.1.level", "L2"),
        ("field.2.name", "age"),
        ("field.2.type", "integer"),
        ("field.2.level", "L2"),
    ];
    entry(&officer, "people", "L3", &declared).await;
    let row = "330102199001011234,湖滨区,张三丰,5\n";
    let (_, check) = sent(&officer, "people", format!("id,district,name,age\n{row}")).await;
    for secret in ["330102199001011234", "湖滨区", "张三丰"] {
        assert!(!check.text.contains(secret), "{secret}");
    }
    assert!(
        !check.text.contains(">name<"),
        "an undeclared name could be a value"
    );
    assert!(check.text.contains("Column 3") && !check.has(CONFIRM));
    // A file without a header: its first row is none of its names.
    let (_, check) = sent(&officer, "people", format!("{row}{row}")).await;
    for secret in ["330102199001011234", "湖滨区", "张三丰"] {
        assert!(!check.text.contains(secret), "{secret}");
    }
    let (upload, check) = sent(&officer, "people", "id,district\n330102199001011234,湖滨区\n").await;
    assert!(
        check.text.contains("Not in the file") && check.text.contains("age") && !check.has(CONFIRM),
        "{}",
        check.text
    );
    // Sent all the same, it fails as any such file does.
    let form = [("upload", upload.as_str()), ("action", "confirm")];
    let taken = officer.post("/publish/people/upload", &form).await;
    assert!(taken.location().starts_with("/tasks/"), "{}", taken.text);

    entry(&officer, "unclassified", "", &[]).await;
    let (_, check) = sent(&officer, "unclassified", format!("id,district,name,age\n{row}")).await;
    assert!(check.has(CONFIRM), "{}", check.text);
    for secret in ["330102199001011234", "湖滨区", "张三丰", "district"] {
        assert!(!check.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_held_file_belongs_to_one_person_and_one_dataset() {
    let portal = Portal::open().await;
    let (officer, other) = (
        portal.sign_in("officer").await,
        portal.sign_in("other-officer").await,
    );
    entry(&officer, "mine", "L1", &[]).await;
    entry(&officer, "mine-too", "L1", &[]).await;
    entry(&other, "theirs", "L1", &[]).await;
    let (upload, _) = sent(&officer, "mine", "a,b\n1,2\n").await;
    for action in ["check", "confirm"] {
        let form = [("upload", upload.as_str()), ("action", action)];
        let elsewhere = officer.post("/publish/mine-too/upload", &form).await;
        assert_eq!(elsewhere.status, StatusCode::CONFLICT, "{action}");
        assert_eq!(
            other.post("/publish/theirs/upload", &form).await.status,
            StatusCode::CONFLICT
        );
        assert_eq!(
            other.post("/publish/mine/upload", &form).await.status,
            StatusCode::NOT_FOUND
        );
        let forged = [
            ("upload", upload.as_str()),
            ("action", action),
            ("csrf_token", "0000"),
        ];
        let forged = officer.post("/publish/mine/upload", &forged).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);
    }
    for broken in ["", "x", &upload[1..]] {
        let form = [("upload", broken), ("action", "confirm")];
        let answer = officer.post("/publish/mine/upload", &form).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{broken}");
        assert!(answer.text.contains("not kept any more"), "{}", answer.text);
    }
    let long = "x".repeat(2 << 20);
    let answer = officer.post("/publish/mine/upload", &[("upload", &long)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
