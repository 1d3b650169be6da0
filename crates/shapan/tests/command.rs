//! The program as people start it: its commands, exit statuses, files and signals.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::StatusCode;
use serde_json::Value;

fn shapan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shapan"));
    command
        .args(arguments)
        .env_remove("HOME")
        .env_remove("XDG_STATE_HOME");
    command
}

/// Runs a command to its end.
fn run(arguments: &[&str]) -> Output {
    shapan(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = run(arguments);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    out
}

#[track_caller]
fn fails(arguments: &[&str], status: i32, want: &str) {
    let output = run(arguments);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {out}{err}");
    assert!(err.contains(want), "wanted {want:?} of {arguments:?} in {err:?}");
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A demo of the smallest city, on a port of its own.
struct Demo {
    child: Child,
    address: String,
    /// From the start of the program until it said where it is.
    ready_after: Duration,
}

impl Demo {
    fn start(data: &Path) -> Self {
        let started = Instant::now();
        let mut child = shapan(&["demo", "--listen", "127.0.0.1:0", "--scale", "0.001"])
            .args([Path::new("--data"), data])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().split_once("Shapan: ")?.1.to_owned()));
        let Some(address) = address else {
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("the demo did not start: {told}");
        };
        let ready_after = started.elapsed();
        // Nobody reads on; what is written later must not fill the pipe and stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        let mut stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self {
            child,
            address,
            ready_after,
        }
    }

    /// Asks it to end, and waits until it has, in good order.
    fn stop(mut self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return assert_eq!(status.code(), Some(0), "{status}"),
                None if Instant::now() > until => panic!("it did not stop"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn get(address: &str, path: &str) -> (StatusCode, String) {
    let response = client().get(format!("{address}{path}")).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// A copy of a mirror to spoil.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The first file in a folder or below it.
fn first_file(folder: &Path) -> PathBuf {
    let mut path = folder.to_owned();
    while path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        path = entries.swap_remove(0);
    }
    path
}

#[test]
fn what_is_wrong_with_a_configuration_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shapan.toml");
    let file = file.to_str().unwrap();
    fails(&["serve", "--config", file], 1, "shapan.toml");
    for (text, want) in [
        ("[query]\nrow = 1", "row"),
        ("[server]\nlisten = \"nowhere\"", "listen"),
        ("[log]\nfilter = \"a=b=c\"", "log.filter"),
        ("[data]\ndir = \"/proc/nowhere\"", "data.dir"),
        (
            "[ledger.key]\nenv = \"SHAPAN_TEST_NO_SUCH_VARIABLE\"",
            "SHAPAN_TEST_NO_SUCH_VARIABLE",
        ),
    ] {
        let text = if text.contains("[data]") {
            text.to_owned()
        } else {
            format!("{text}\n[data]\ndir = {:?}", folder.path().join("data"))
        };
        std::fs::write(file, &text).unwrap();
        fails(&["serve", "--config", file], 1, want);
    }
    fails(&["serve"], 2, "--config");
    fails(&["demo", "--scale", "1000"], 2, "scale");
    fails(&["ledger", "verify", "/nowhere/at/all"], 1, "/nowhere/at/all");
    fails(&["ledger", "verify", "http://127.0.0.1:9"], 1, "checkpoint");
    fails(&["sandbox-worker"], 1, "");
    fails(&["sandbox-planner"], 1, "");
}

#[test]
fn an_address_in_use_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    fails(
        &["demo", "--listen", &address, "--data", data.to_str().unwrap()],
        1,
        &address,
    );
}

#[test]
fn a_query_is_tried_against_a_declaration_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let trips = file(
        "bike-trips.json",
        r#"{"unit": {"type": "person", "max_units": 200000, "max_rows": 2000000, "max_rows_per_unit": 2}, "fields": [
            {"name": "person_id", "type": "text", "role": "unit_key", "level": "L3"},
            {"name": "district", "type": "text", "level": "L3", "domain": ["东城", "西城"]},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 100}}]}"#,
    );
    let visits = file(
        "visits.json",
        r#"{"slug": "clinic-visits", "level": "L3", "declared": {"unit": {"type": "person", "max_units": 200000,
            "max_rows": 500000, "max_rows_per_unit": 5}, "fields": [
            {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
            {"name": "ward", "type": "text", "level": "L3", "domain": ["内科", "外科"]}]}}"#,
    );
    let query = file(
        "query.sql",
        "SELECT district, COUNT(*) AS n, AVG(fare) AS mean FROM bike_trips GROUP BY district",
    );
    let attempt =
        |more: &[&str]| run(&[&["job", "try", "--declared", &trips, "--declared", &visits], more].concat());

    let told = attempt(&["--file", &query, "--epsilon", "0.4", "--rows", "5000"]);
    let (out, err) = texts(&told);
    assert!(told.status.success(), "{err}");
    assert!(out.starts_with("accepted: ε = 0.4 (ρ = 0.00"), "{out}");
    assert!(out.trim_end().ends_with("Nothing was charged."), "{out}");
    let rows: Vec<&str> = out
        .lines()
        .skip_while(|line| !line.starts_with("district"))
        .collect();
    for (line, key) in rows.iter().skip(1).zip(["东城", "西城", "other", "NULL"]) {
        assert!(line.starts_with(key) && line.matches('[').count() == 2, "{line}");
    }
    // About half of 5,000 dummy rows each, within ten standard deviations of the noise.
    let count = |line: &str| -> f64 { line.split_whitespace().nth(1).unwrap().parse().unwrap() };
    let both = count(rows[1]) + count(rows[2]);
    assert!((both - 4_900.0).abs() < 1_000.0, "{out}");
    assert_ne!(
        texts(&attempt(&["--file", &query, "--rows", "5000"])).0,
        out,
        "noise is drawn anew"
    );

    // Dummy units are the same persons in both.
    let joined = "SELECT v.ward, COUNT(DISTINCT t.person_id) AS n FROM bike_trips t JOIN clinic_visits v ON \
                  t.person_id = v.id GROUP BY v.ward";
    let told = attempt(&[joined, "--rows", "20000"]);
    assert!(told.status.success(), "{:?}", texts(&told));

    let refused = attempt(&[
        "SELECT district,\n  MAX(fare) FROM bike_trips GROUP BY district",
        "--language",
        "zh",
    ]);
    let (out, err) = texts(&refused);
    assert!(refused.status.code() == Some(1) && out.is_empty(), "{out}");
    let want = "shapan: the query is refused: unbounded-aggregate\n2 |   MAX(fare) FROM bike_trips GROUP BY district\n  |   ^";
    assert!(
        err.starts_with(want) && err.contains("该聚合会暴露个别值"),
        "{err}"
    );
    for (sql, want) in [
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN parks p ON t.district = p.district",
            "--portal",
        ),
        ("SELECT COUNT(*) FROM", "syntax"),
    ] {
        let (_, err) = texts(&attempt(&[sql]));
        assert!(err.contains(want), "{err}");
    }
    let (_, err) = texts(&attempt(&["--file", &query, "--epsilon", "0.6"]));
    assert!(err.contains("at most 0.5"), "{err}");
    let (_, err) = texts(&attempt(&["--file", &query, "--rows", "0"]));
    assert!(err.contains("100000"), "{err}");
    fails(
        &["job", "try", "SELECT 1", "--portal", "http://127.0.0.1:9"],
        1,
        "no-table",
    );
    fails(
        &[
            "job",
            "try",
            "SELECT COUNT(*) FROM trips",
            "--portal",
            "http://127.0.0.1:9",
        ],
        1,
        "127.0.0.1:9",
    );
}

#[test]
fn a_ledger_key_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.key");
    let arguments = [
        "ledger",
        "key",
        "--new",
        file.to_str().unwrap(),
        "--origin",
        "city.example/ledger",
    ];
    let public = succeeds(&arguments);
    assert!(public.starts_with("city.example/ledger+"), "{public}");
    assert_eq!(mode(&file), 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    fails(&arguments, 1, "never overwritten");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
}

#[test]
fn a_portal_gets_its_first_people_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let made = |slug, kind| {
        succeeds(&[
            "organization",
            "create",
            slug,
            "--kind",
            kind,
            "--name",
            "机构",
            "--data",
            data,
        ])
    };
    made("ecology", "department");
    made("bureau", "bureau");
    fails(
        &[
            "organization",
            "create",
            "bureau",
            "--kind",
            "bureau",
            "--name",
            "又",
            "--data",
            data,
        ],
        1,
        "taken",
    );
    for (user, organization, role) in [
        ("officer", "ecology", "officer"),
        ("reviewer", "bureau", "reviewer"),
    ] {
        let said = succeeds(&[
            "user",
            "create",
            user,
            "--name",
            "某人",
            "--organization",
            organization,
            "--role",
            role,
            "--data",
            data,
        ]);
        assert!(said.contains("its password is"), "{said}");
    }
    let wrong = [
        "user",
        "create",
        "x1",
        "--name",
        "某",
        "--organization",
        "ecology",
        "--role",
        "reviewer",
    ];
    fails(
        &[wrong.as_slice(), &["--data", data]].concat(),
        1,
        "cannot be held",
    );

    let csv = folder.path().join("air.csv");
    std::fs::write(&csv, "station,pm25\n0001A,35\n0002A,\n").unwrap();
    let entry = folder.path().join("air.toml");
    std::fs::write(
        &entry,
        "level = \"L1\"\n[metadata]\ntitle = { zh = \"空气质量\" }\nsummary = { zh = \"逐小时监测\" }\ntheme = \
         \"environment\"\nupdate_cycle = \"daily\"\nlicense = \"cc-by-4.0\"\n",
    )
    .unwrap();
    let import = |file: &Path, user: &str, more: &[&str]| {
        let file = file.to_str().unwrap().to_owned();
        let mut arguments = vec!["import".to_owned(), file];
        let rest = ["--dataset", "air-quality", "--as", user, "--data", data];
        arguments.extend(rest.iter().chain(more).map(|text| (*text).to_owned()));
        arguments
    };
    fn as_str(arguments: &[String]) -> Vec<&str> {
        arguments.iter().map(String::as_str).collect()
    }
    fails(&as_str(&import(&csv, "officer", &[])), 1, "--entry");
    fails(&as_str(&import(&csv, "nobody", &[])), 1, "no account");
    let entry = entry.to_str().unwrap();
    let said = succeeds(&as_str(&import(&csv, "officer", &["--entry", entry])));
    assert!(said.contains("version 1 is ready, 2 rows in 2 columns"), "{said}");
    fails(
        &as_str(&import(&csv, "officer", &["--entry", entry])),
        1,
        "is there already",
    );
    let broken = folder.path().join("broken.csv");
    std::fs::write(&broken, "a,b\n1,2\n1,2,3\n").unwrap();
    fails(
        &as_str(&import(&broken, "officer", &[])),
        1,
        "broken.csv was not taken",
    );

    let publish = ["publish", "--dataset", "air-quality", "--data", data];
    fails(
        &[publish.as_slice(), &["--approve-as", "reviewer"]].concat(),
        1,
        "no open release request",
    );
    succeeds(&[publish.as_slice(), &["--as", "officer"]].concat());
    let said = succeeds(&[publish.as_slice(), &["--approve-as", "reviewer"]].concat());
    assert!(said.contains("air-quality: released"), "{said}");
    let said = succeeds(&["search", "rebuild", "--data", data]);
    assert!(said.contains("1 datasets"), "{said}");

    let mirror = folder.path().join("mirror");
    let mirror = mirror.to_str().unwrap();
    succeeds(&["ledger", "export", mirror, "--data", data]);
    let key = succeeds(&["ledger", "key", "--data", data]);
    let said = succeeds(&["ledger", "verify", mirror, "--key", key.trim()]);
    assert!(said.contains("version.published"), "{said}");
}

#[test]
fn the_operator_s_key_is_changed_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let data = path("data");
    let made = [
        "organization create ecology --kind department --name 机构",
        "user create officer --name 某人 --organization ecology --role officer",
    ];
    for line in made {
        let arguments: Vec<&str> = line.split(' ').collect();
        succeeds(&[arguments.as_slice(), &["--data", &text(&data)]].concat());
    }
    let import = |data: &Path, slug: &str| {
        let (csv, entry) = (path("air.csv"), path("air.toml"));
        std::fs::write(&csv, "station,pm25\n0001A,35\n").unwrap();
        std::fs::write(
            &entry,
            "level = \"L1\"\n[metadata]\ntitle = { zh = \"空气质量\" }\nsummary = { zh = \"逐小时监测\" }\ntheme = \
             \"environment\"\nupdate_cycle = \"daily\"\nlicense = \"cc-by-4.0\"\n",
        )
        .unwrap();
        let (csv, entry, data) = (text(&csv), text(&entry), text(data));
        succeeds(&[
            "import",
            &csv,
            "--dataset",
            slug,
            "--as",
            "officer",
            "--entry",
            &entry,
            "--data",
            &data,
        ])
    };
    import(&data, "one");
    import(&data, "two");

    let new = path("new.key");
    std::fs::write(&new, format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (new, kept) = (text(&new), |data: &Path| data.join("secrets/data.key"));
    let old = std::fs::read(kept(&data)).unwrap();
    let rewrap = |data: &Path, key: &str| run(&["key", "rewrap", "--new-key", key, "--data", &text(data)]);
    let refused = |key: &str, want: &str| {
        let output = rewrap(&data, key);
        let (_, err) = texts(&output);
        assert!(
            output.status.code() == Some(1) && err.contains(want),
            "{want}: {err}"
        );
        assert!(!err.contains("5a5a"), "a message repeats a key");
    };
    refused(&text(&kept(&data)), "is configured with");
    refused(&text(&path("none")), "none");
    let short = path("short.key");
    std::fs::write(&short, "5a5a").unwrap();
    refused(&text(&short), "64 hexadecimal digits");
    std::fs::write(kept(&data), "77".repeat(32)).unwrap();
    refused(&new, "neither the key");
    std::fs::write(kept(&data), &old).unwrap();

    // Killed at any moment, it has done all or nothing, and is done by doing it again.
    let opens = |data: &Path| run(&["ledger", "key", "--data", &text(data)]).status.success();
    let said = |anew: usize, already: usize| {
        format!("wrapped anew by the key in {new}: {anew}, already: {already}\n")
    };
    let moments = (0..32).step_by(2).chain([48, 96]);
    for milliseconds in moments {
        let copied = path(&format!("killed-{milliseconds}"));
        copy(&data, &copied);
        let mut child = shapan(&["key", "rewrap", "--new-key", &new, "--data", &text(&copied)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        let want = if opens(&copied) { said(2, 0) } else { said(0, 2) };
        let output = rewrap(&copied, &new);
        assert!(
            texts(&output).0.contains(&want),
            "{milliseconds}: {:?}",
            texts(&output)
        );
        std::fs::copy(&new, kept(&copied)).unwrap();
        assert!(opens(&copied), "{milliseconds}");
    }

    let (out, err) = texts(&rewrap(&data, &new));
    assert!(out.contains(&said(2, 0)), "{out}{err}");
    assert!(out.contains(&text(&kept(&data))), "{out}");
    fails(
        &["ledger", "key", "--data", &text(&data)],
        1,
        "after `shapan key rewrap` the new one",
    );
    let (out, err) = texts(&rewrap(&data, &new));
    assert!(out.contains(&said(0, 2)), "{out}{err}");
    std::fs::copy(&new, kept(&data)).unwrap();
    import(&data, "three");
    refused(&new, "is configured with");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_seeded_served_verified_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = Demo::start(&data);
    let address = demo.address.clone();
    assert_eq!(get(&address, "/health/ready").await.0, StatusCode::OK);

    // The accounts are for the one who started the demo.
    let accounts = data.join("demo-accounts.json");
    assert_eq!(mode(&accounts), 0o600);
    let listed: Vec<Value> = serde_json::from_slice(&std::fs::read(&accounts).unwrap()).unwrap();
    assert_eq!(listed.len(), 9);
    let token = |role: &str| {
        let account = listed.iter().find(|account| account["role"] == role).unwrap();
        assert!(account["username"].is_string() && account["password"].as_str().unwrap().len() >= 15);
        account["token"].as_str().unwrap().to_owned()
    };

    // The city is there, and one finished example of each flow.
    let (status, text) = get(&address, "/api/v1/datasets").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["count"], 7, "{text}");
    let (status, text) = get(&address, "/datasets/administrative-divisions/download.csv").await;
    assert!(
        status == StatusCode::OK && text.lines().count() > 100,
        "{status} {text:.200}"
    );
    assert_eq!(
        get(&address, "/datasets/bike-share-trips/download.csv").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&address, "/datasets/bike-share-pilot").await.0,
        StatusCode::NOT_FOUND,
        "a draft"
    );
    let client = client();
    let ask = async |role: &str, path: &str| -> Value {
        let request = client.get(format!("{address}{path}")).bearer_auth(token(role));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{role} {path}");
        response.json().await.unwrap()
    };
    let waiting = ask("reviewer", "/api/v1/reviews?state=open").await;
    assert!(!waiting["results"].as_array().unwrap().is_empty(), "{waiting}");
    let waiting = ask("assessor", "/api/v1/reviews?state=open").await;
    assert!(!waiting["results"].as_array().unwrap().is_empty(), "{waiting}");
    let projects = ask("enterprise", "/api/v1/projects").await;
    let project = projects["results"][0]["id"].as_str().unwrap().to_owned();
    let jobs = ask("enterprise", &format!("/api/v1/projects/{project}/jobs")).await;
    let job = &jobs["results"][0];
    assert_eq!(job["state"], "released", "{jobs}");
    let result = ask(
        "enterprise",
        &format!("/api/v1/jobs/{}/result", job["id"].as_str().unwrap()),
    )
    .await;
    assert!(result["rows"].as_array().unwrap().len() >= 16, "{result}");

    // The ledger holds, live and mirrored, and no byte of it can change unnoticed.
    let seen = folder.path().join("seen.json");
    let seen = seen.to_str().unwrap();
    let verify = |source: &str| run(&["ledger", "verify", source, "--remember", seen]);
    let first = verify(&address);
    assert!(first.status.success(), "{:?}", texts(&first));
    let again = verify(&address);
    assert!(texts(&again).0.contains("goes on from"), "{:?}", texts(&again));
    let mirror = folder.path().join("mirror");
    succeeds(&[
        "ledger",
        "export",
        mirror.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    let whole = verify(mirror.to_str().unwrap());
    assert!(whole.status.success(), "{:?}", texts(&whole));
    for part in ["tile/entries", "tile/0", "checkpoint"] {
        let spoilt = folder.path().join(format!("spoilt-{}", part.replace('/', "-")));
        copy(&mirror, &spoilt);
        let file = first_file(&spoilt.join(part));
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let output = verify(spoilt.to_str().unwrap());
        assert_eq!(output.status.code(), Some(1), "{part}: {:?}", texts(&output));
    }

    // One at a time on a folder.
    let other = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ];
    fails(&other, 1, "another shapan is running");
    fails(
        &["search", "rebuild", "--data", data.to_str().unwrap()],
        1,
        "another shapan is running",
    );
    let key = data.join("secrets/data.key");
    fails(
        &[
            "key",
            "rewrap",
            "--new-key",
            key.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ],
        1,
        "another shapan is running",
    );

    let took = demo.ready_after;
    demo.stop(Signal::SIGTERM);
    assert!(
        reqwest::Client::new()
            .get(format!("{address}/health/live"))
            .send()
            .await
            .is_err()
    );

    // A second start serves what is there.
    let again = Demo::start(&data);
    assert!(again.ready_after < took, "{:?} after {took:?}", again.ready_after);
    let (_, text) = get(&again.address, "/api/v1/datasets").await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["count"], 7);
    let on = run(&["ledger", "verify", &again.address, "--remember", seen]);
    assert!(texts(&on).0.contains("goes on from"), "{:?}", texts(&on));
    again.stop(Signal::SIGINT);
}
