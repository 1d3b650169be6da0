//! The pages over a whole portal in a temporary folder: who may see what, and the story from a file to its
//! answers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod list;
mod open_sql;
mod story;
mod upload;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use catalog_entry::Catalog;
use catalog_entry::index::Indexer;
use db::{Database, DatabaseConfig};
use http::{Method, Request, StatusCode, header};
use identity::{Actor, Authority, Identity, NewAccount, NewOrganization, SessionPolicy};
use model::{Clock, Localized, ManualClock, OrganizationKind, Role, Slug, Timestamp};
use privacy::OpenDpNoise;
use review::Review;
use sandbox_job::Sandbox;
use sandbox_worker::{ChildProgram, PLANNER, PlannerLimits, Planners, Supervisor, WorkerLimits};
use scraper::{Html, Selector};
use storage::{OpenStore, QuarantineStore, SandboxStore};
use tower::ServiceExt;

use crate::state::{AppState, Services};

const PASSWORD: &str = "a long enough password";
const ID: &str = "0190a1b2-0000-7000-8000-000000000000";

/// The example program that plans, which cargo builds beside the tests.
fn child() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    built.join("examples/child")
}

struct Portal {
    state: AppState,
    app: Router,
    clock: ManualClock,
    _folder: tempfile::TempDir,
}

impl Portal {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Timestamp::parse("2026-11-20T01:00:00Z").unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let db = Database::connect(&DatabaseConfig::Memory).await.unwrap();
        db.migrate().await.unwrap();
        let authority = Authority::new().unwrap();
        let policy = SessionPolicy::default();
        let identity = Identity::new(db.clone(), shared.clone(), authority.clone(), policy, 1).unwrap();
        let quarantine = QuarantineStore::open(folder.path(), 0).unwrap();
        let protected = SandboxStore::open(folder.path(), 0).unwrap();
        let open = OpenStore::open(folder.path(), 0).unwrap();
        let keys = seal::OperatorKey::new(zeroize::Zeroizing::new([3; 32]));
        let catalog = Catalog::new(catalog_entry::Parts {
            db: db.clone(),
            clock: shared.clone(),
            authority: authority.clone(),
            quarantine,
            sandbox: protected.clone(),
            open: open.clone(),
            upload_bytes: 1 << 20,
            unit_key: [1; 32],
            keys: keys.clone(),
        });
        let worker = ChildProgram::new("/bin/false".into(), []);
        let planner = ChildProgram::new(child(), [PLANNER.into()]);
        let sandbox = Sandbox::new(sandbox_job::Parts {
            db: db.clone(),
            clock: shared.clone(),
            authority: authority.clone(),
            store: protected,
            supervisor: Supervisor::new(
                worker,
                WorkerLimits {
                    slots: 1,
                    threads: 1,
                    memory_bytes: 1 << 30,
                },
            ),
            planners: Planners::new(planner, PlannerLimits::default()),
            noise: Mutex::new(Box::new(OpenDpNoise)),
            group_key: [2; 32],
            keys,
            cores: 1,
            open: Arc::new(sandbox_job::NoOpenData),
        });
        let state = AppState::new(Services {
            review: Review::new(db.clone(), shared.clone(), authority.clone()),
            authority,
            identity,
            catalog,
            indexer: Indexer::open(db.clone(), &folder.path().join("search"))
                .await
                .unwrap(),
            sandbox,
            query: query::Engine::new(open.object_store(), query::Limits::default()).unwrap(),
            db,
            clock: shared,
            usage: crate::Usage::default(),
            request_time: Duration::from_secs(60),
            cursor_key: [3; 32],
            public_url: None,
            secure_cookies: true,
            ledger_key: "portal.example+0+key".to_owned(),
            metrics: None,
        });
        let app = crate::router(state.clone());
        let portal = Self {
            state,
            app,
            clock,
            _folder: folder,
        };
        for (username, organization, kind, role) in [
            (
                "officer",
                "transport",
                OrganizationKind::Department,
                Role::Officer,
            ),
            (
                "other-officer",
                "water",
                OrganizationKind::Department,
                Role::Officer,
            ),
            ("reviewer", "bureau", OrganizationKind::Bureau, Role::Reviewer),
            ("assessor", "assess", OrganizationKind::Assessor, Role::Assessor),
            ("analyst", "mobility", OrganizationKind::Enterprise, Role::Analyst),
            (
                "other-analyst",
                "logistics",
                OrganizationKind::Enterprise,
                Role::Analyst,
            ),
        ] {
            portal.join(username, organization, kind, role).await;
        }
        portal
    }

    async fn join(&self, username: &str, organization: &str, kind: OrganizationKind, role: Role) {
        let new = NewOrganization {
            slug: Slug::parse(organization).unwrap(),
            name: Localized::parse(&format!("机构 {organization}"), Some(organization)).unwrap(),
            kind,
            region: None,
        };
        let organization = self
            .state
            .identity
            .create_organization(&Actor::system(), new)
            .await
            .unwrap();
        let account = NewAccount {
            username: username.to_owned(),
            display_name: username.to_owned(),
            organization: organization.id,
            roles: BTreeSet::from([role]),
        };
        self.state
            .identity
            .create_account(&Actor::system(), account, PASSWORD)
            .await
            .unwrap();
    }

    fn visitor(&self) -> Browser {
        Browser {
            app: self.app.clone(),
            cookie: None,
            csrf: String::new(),
        }
    }

    async fn sign_in(&self, username: &str) -> Browser {
        let mut browser = self.visitor();
        let form = [
            ("username", username),
            ("password", PASSWORD),
            ("next", "/account"),
        ];
        let answer = browser.post("/sign-in", &form).await;
        assert_eq!(
            (answer.status, answer.location()),
            (StatusCode::SEE_OTHER, "/account"),
            "{username}"
        );
        let cookie = answer.header(header::SET_COOKIE).to_owned();
        for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.split("; ").any(|given| given == part), "{part}: {cookie}");
        }
        browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        browser.csrf = browser.page("/account").await.value("csrf_token");
        browser
    }

    /// Reads the newest upload of a dataset, as the background task does.
    async fn ingest(&self, slug: &str) {
        let slug = Slug::parse(slug).unwrap();
        let dataset = db::dataset::find_by_slug(self.state.db.read(), &slug)
            .await
            .unwrap()
            .unwrap();
        let versions = db::version::list(self.state.db.read(), dataset.id, None, 1)
            .await
            .unwrap();
        let cancel = Arc::new(AtomicBool::new(false));
        self.state
            .catalog
            .ingest(versions[0].id, |_| {}, cancel)
            .await
            .unwrap();
    }
}

/// One browser with its cookie; forms carry the token of its session.
struct Browser {
    app: Router,
    cookie: Option<String>,
    csrf: String,
}

struct Seen {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Seen {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// The value of the first control of this name.
    fn value(&self, name: &str) -> String {
        let selector = Selector::parse(&format!("[name='{name}']")).unwrap();
        let html = Html::parse_document(&self.text);
        let control = html
            .select(&selector)
            .next()
            .unwrap_or_else(|| panic!("no {name}: {}", self.text));
        control
            .attr("value")
            .map_or_else(|| control.text().collect(), str::to_owned)
    }

    fn has(&self, selector: &str) -> bool {
        Html::parse_document(&self.text)
            .select(&Selector::parse(selector).unwrap())
            .next()
            .is_some()
    }
}

impl Browser {
    async fn send(&self, request: http::request::Builder, body: Body) -> Seen {
        let mut request = request
            .header(header::ACCEPT, "text/html,*/*;q=0.1")
            .header(header::HOST, "portal.example");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self
            .app
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!i18n::is_untranslated(&text), "{text}");
        Seen {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    async fn get(&self, address: &str) -> Seen {
        self.send(Request::get(address), Body::empty()).await
    }

    /// The page at this address, in both languages.
    async fn page(&self, address: &str) -> Seen {
        let join = if address.contains('?') { '&' } else { '?' };
        for (lang, tag) in [("en", "en"), ("zh", "zh-CN")] {
            let answer = self.get(&format!("{address}{join}lang={lang}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{address} {lang}: {}", answer.text);
            assert_eq!(answer.header(header::CONTENT_LANGUAGE), tag, "{address}");
            assert!(
                answer
                    .header(header::SET_COOKIE)
                    .starts_with(&format!("lang={tag}")),
                "{address}"
            );
        }
        self.send(
            Request::get(address).header(header::ACCEPT_LANGUAGE, "en"),
            Body::empty(),
        )
        .await
    }

    async fn post(&self, address: &str, pairs: &[(&str, &str)]) -> Seen {
        let mut form = form_urlencoded::Serializer::new(String::new());
        if !pairs.iter().any(|(name, _)| *name == "csrf_token") {
            form.append_pair("csrf_token", &self.csrf);
        }
        let request = Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT_LANGUAGE, "en");
        self.send(request, form.extend_pairs(pairs).finish().into()).await
    }

    async fn upload(&self, address: &str, token: Option<&str>, name: &str, file: impl AsRef<[u8]>) -> Seen {
        let part = |head: &str, body: &[u8]| {
            let head = format!("--b\r\ncontent-disposition: form-data; {head}\r\n\r\n");
            [head.as_bytes(), body, b"\r\n"].concat()
        };
        let mut body = Vec::new();
        if let Some(token) = token {
            body.extend(part("name=\"csrf_token\"", token.as_bytes()));
        }
        body.extend(part("name=\"something\"", b"else"));
        body.extend(part(
            &format!("name=\"file\"; filename=\"{name}\""),
            file.as_ref(),
        ));
        body.extend(b"--b--\r\n");
        let request = Request::post(address)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header(header::ACCEPT_LANGUAGE, "en");
        self.send(request, body.into()).await
    }
}

impl Browser {
    /// Sends a file, checks how it would be read, and has it read. The answer is that to the confirmation.
    async fn upload_and_confirm(&self, address: &str, name: &str, file: &str) -> Seen {
        let sent = self.upload(address, Some(&self.csrf), name, file).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let check = self.page(sent.location()).await;
        assert!(
            check.has("button[name='action'][value='confirm']"),
            "{}",
            check.text
        );
        let given = check.value("upload");
        self.post(address, &[("upload", given.as_str()), ("action", "confirm")])
            .await
    }
}

const PUBLIC: [&str; 11] = [
    "/",
    "/about",
    "/problems",
    "/datasets",
    "/datasets?q=bus&theme=transport&level=L1,L3&sort=title&page=7&unknown=1",
    "/sql",
    "/sql?sql=SELECT+1",
    "/sign-in",
    "/sandbox",
    "/ledger",
    "/ledger?before=3",
];

const SIGNED_IN: [&str; 17] = [
    "/account",
    "/publish",
    "/publish/new",
    "/publish/air-quality/edit",
    "/publish/air-quality/upload",
    "/publish/air-quality/release",
    "/publish/air-quality/versions/1",
    "/tasks/{id}",
    "/review",
    "/review/{id}",
    "/sandbox/apply",
    "/sandbox/requests/{id}",
    "/sandbox/projects/{id}",
    "/sandbox/projects/{id}/jobs/new",
    "/sandbox/jobs/{id}",
    "/sandbox/jobs/{id}/result.csv",
    "/sandbox/jobs/{id}/receipt.json",
];

const POSTED: [&str; 12] = [
    "/account/tokens",
    "/account/tokens/{id}/revoke",
    "/publish/new",
    "/publish/air-quality/edit",
    "/publish/air-quality/release",
    "/publish/air-quality/upload",
    "/review/{id}/opinion",
    "/review/{id}/decision",
    "/sandbox/apply",
    "/sandbox/requests/{id}/withdraw",
    "/sandbox/projects/{id}/jobs/new",
    "/sql",
];

#[tokio::test]
async fn visitors_see_what_is_public_and_are_asked_to_sign_in_for_the_rest() {
    let portal = Portal::open().await;
    let visitor = portal.visitor();
    for address in PUBLIC {
        visitor.page(address).await;
        let head = visitor.send(Request::head(address), Body::empty()).await;
        assert_eq!(
            (head.status, head.text.as_str()),
            (StatusCode::OK, ""),
            "{address}"
        );
    }
    for address in SIGNED_IN {
        let address = address.replace("{id}", ID);
        let answer = visitor.get(&address).await;
        let wanted: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{address}: {}", answer.text);
        assert_eq!(answer.location(), format!("/sign-in?next={wanted}"));
    }
    for address in [
        "/datasets/none",
        "/datasets/NOT-A-SLUG",
        "/nowhere",
        "/sandbox/jobs/x/y",
    ] {
        let answer = visitor.get(address).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
        assert!(answer.has("h1") && answer.text.contains("not-found"), "{address}");
    }
    // Whoever is signed in stays so, also where there is nothing.
    let officer = portal.sign_in("officer").await;
    for (method, address) in [
        (Method::GET, "/nowhere"),
        (Method::GET, "/datasets/none/nothing.txt"),
        (Method::GET, "/ledger/tile/9/9"),
        (Method::DELETE, "/publish"),
    ] {
        let request = Request::builder().method(method).uri(address);
        let answer = officer.send(request, Body::empty()).await;
        assert!(answer.status.is_client_error(), "{address}: {}", answer.status);
        assert!(
            answer.has("a.who") && !answer.has("a[href^='/sign-in']"),
            "{address}"
        );
        assert_eq!(answer.value("csrf_token"), officer.csrf, "{address}");
        assert!(!visitor.get(address).await.has("a.who"), "{address}");
    }
    for address in ["/datasets?theme=nonsense", "/datasets?level=L9"] {
        assert_eq!(
            visitor.get(address).await.status,
            StatusCode::BAD_REQUEST,
            "{address}"
        );
    }
}

#[tokio::test]
async fn forms_of_visitors_and_of_other_sites_change_nothing() {
    let portal = Portal::open().await;
    let visitor = portal.visitor();
    for address in POSTED.iter().filter(|address| **address != "/sql") {
        let address = address.replace("{id}", ID);
        let form = [
            ("revision", "1"),
            ("opinion", "safe"),
            ("decision", "reject"),
            ("promise", "yes"),
        ];
        let answer = visitor.post(&address, &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{address}: {}", answer.text);
        assert!(answer.location().starts_with("/sign-in?next="), "{address}");
    }
    let officer = portal.sign_in("officer").await;
    for browser in [&visitor, &officer] {
        for address in POSTED.into_iter().chain(["/sign-in", "/sign-out"]) {
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example"),
            ] {
                let request = Request::post(address.replace("{id}", ID))
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .header(name, value);
                let form = format!("csrf_token={}&username=officer&password={PASSWORD}", browser.csrf);
                let answer = browser.send(request, form.into()).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address} {name}");
                assert!(answer.headers.get(header::SET_COOKIE).is_none(), "{address}");
            }
        }
    }
    // A session's forms need its own token.
    let stranger = portal.sign_in("other-officer").await.csrf;
    for address in POSTED.iter().filter(|address| !address.ends_with("/upload")) {
        for token in ["", "0000", stranger.as_str()] {
            let answer = officer
                .post(&address.replace("{id}", ID), &[("csrf_token", token)])
                .await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address} {token}");
            assert!(answer.text.contains("stale-form"), "{address}");
            assert!(
                answer.has("a.who"),
                "the page of the error is the reader's own: {address}"
            );
        }
    }
    let answer = officer
        .send(Request::post("/publish/new"), Body::from("{}"))
        .await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn sessions_begin_and_end() {
    let portal = Portal::open().await;
    let visitor = portal.visitor();
    let wrong = visitor
        .post(
            "/sign-in",
            &[("username", "officer"), ("password", "x"), ("next", "/publish")],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        (wrong.value("username"), wrong.value("next")),
        ("officer".to_owned(), "/publish".to_owned())
    );
    assert!(wrong.headers.get(header::SET_COOKIE).is_none());
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let form = [("username", "officer"), ("password", PASSWORD), ("next", next)];
        assert_eq!(visitor.post("/sign-in", &form).await.location(), "/", "{next}");
        let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        assert_eq!(
            visitor
                .page(&format!("/sign-in?next={encoded}"))
                .await
                .value("next"),
            "/"
        );
    }

    let officer = portal.sign_in("officer").await;
    assert_eq!(officer.get("/sign-in?next=/publish").await.location(), "/publish");
    let bad = officer
        .post("/account/tokens", &[("name", ""), ("expires_in_days", "0")])
        .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    for control in ["name", "scopes", "expires_in_days"] {
        assert!(
            bad.has(&format!(".error-summary a[href='#{control}']")),
            "{control}"
        );
    }
    let form = [
        ("name", "report"),
        ("scopes", "dataset:write"),
        ("expires_in_days", "30"),
    ];
    let made = officer.post("/account/tokens", &form).await;
    assert_eq!(
        (made.status, made.header(header::CACHE_CONTROL)),
        (StatusCode::OK, "no-store")
    );
    assert!(made.text.contains("shp_"));
    let listed = officer.page("/account").await;
    assert!(listed.text.contains("report") && !listed.text.contains("shp_"));
    let revoke = Selector::parse("form[action$='/revoke']").unwrap();
    let address = {
        let html = Html::parse_document(&listed.text);
        html.select(&revoke)
            .next()
            .unwrap()
            .attr("action")
            .unwrap()
            .to_owned()
    };
    let other = portal.sign_in("other-officer").await;
    assert_eq!(other.post(&address, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        officer.post(&address, &[]).await.location(),
        "/account?done=token-revoked"
    );
    assert!(
        officer
            .page("/account?done=token-revoked")
            .await
            .has(".notice.success")
    );

    let out = officer.post("/sign-out", &[]).await;
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert_eq!(
        officer.get("/account").await.status,
        StatusCode::SEE_OTHER,
        "the cookie is worth nothing any more"
    );
}

#[tokio::test]
async fn lists_go_on_with_signed_cursors_only() {
    let portal = Portal::open().await;
    let reviewer = portal.sign_in("reviewer").await;
    for cursor in ["x", "AAAA", "%00", "7"] {
        let answer = reviewer
            .get(&format!("/review?state=closed&cursor={cursor}"))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{cursor}");
        assert!(answer.text.contains("invalid-cursor"));
    }
    assert_eq!(
        reviewer
            .send(
                Request::builder().method(Method::DELETE).uri("/review"),
                Body::empty()
            )
            .await
            .status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
