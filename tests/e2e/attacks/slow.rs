//! Clients that hold connections by sending or taking next to nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::app::{Options, TestApp, Who};
use crate::fixture;

/// The longest a connection may stand that keeps no pace, on a busy machine: the limits below and as much again.
const HELD: Duration = Duration::from_secs(15);

/// Limits of a few seconds.
async fn start() -> TestApp {
    TestApp::start_with(Options {
        server: "request_seconds = 4\nstream_seconds = 2\nstream_bytes = 65536\ndrain_seconds = 2\ndrain_bytes = 4194304\n"
            .to_owned(),
        query: "seconds = 3\n".to_owned(),
        ..Options::default()
    })
    .await
}

fn address(app: &TestApp) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], app.port()))
}

/// Sends a byte now and then until the portal has had enough; what it said until then.
async fn trickle(app: &TestApp, head: &str) -> Vec<u8> {
    let stream = TcpStream::connect(address(app)).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(head.as_bytes()).await.unwrap();
    let sending = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let mut bytes = Vec::new();
    // Ended by the portal, in good order or not.
    let _ = timeout(HELD, reader.read_to_end(&mut bytes))
        .await
        .unwrap_or_else(|_| panic!("still open after {HELD:?}: {head}"));
    sending.abort();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_never_end_hold_no_connection_and_hinder_nobody() {
    let app = start().await;
    let mut held = Vec::new();
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\nX-A: "] {
        for _ in 0..30 {
            let mut stream = TcpStream::connect(address(&app)).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            held.push(stream);
        }
    }
    let begun = Instant::now();
    assert_eq!(app.client(Who::Anonymous).get("/health/ready").await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    for mut stream in held {
        let mut bytes = Vec::new();
        let _ = timeout(HELD, stream.read_to_end(&mut bytes)).await.unwrap();
        assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_trickles_is_told_and_cut_off() {
    let app = start().await;
    let nobody = app.client(Who::Anonymous);
    let head = "POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nAccept-Language: zh-CN\r\nContent-Type: application/json\r\n\
                Content-Length: 100000\r\n\r\n";
    let bytes = trickle(&app, head).await;
    let answer = nobody.in_chinese().read_answer(&bytes, "a trickle");
    assert!(matches!(answer.status, 408 | 413), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    // An upload has more time, but not for nothing.
    app.create_entry(&fixture::plain_entry("trickle")).await;
    let officer = app.client(Who::Officer);
    let request = officer
        .request(Method::POST, "/api/v1/datasets/trickle/versions")
        .build()
        .unwrap();
    let token = request.headers()["authorization"].to_str().unwrap();
    let head = format!(
        "POST /api/v1/datasets/trickle/versions HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\
         Accept-Language: en\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n\r\na,b\n"
    );
    let bytes = trickle(&app, &head).await;
    let answer = officer.read_answer(&bytes, "a trickling upload");
    assert!(matches!(answer.status, 400 | 408), "{}", answer.text());
    let versions = officer.get("/api/v1/datasets/trickle/versions").await.expect(200);
    assert_eq!(versions["results"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_takes_its_time_arrives() {
    let app = start().await;
    app.create_entry(&fixture::plain_entry("steady")).await;
    let officer = app.client(Who::Officer);
    let begun = Instant::now();
    // Six seconds: longer than a request may take, and than a stream may stand still.
    let parts = futures::stream::unfold(0, |number| async move {
        (number < 20).then_some(())?;
        sleep(Duration::from_millis(300)).await;
        let part = if number == 0 {
            "a,b\n".to_owned()
        } else {
            "1,2\n".repeat(10_000)
        };
        Some((Ok::<_, std::io::Error>(part), number + 1))
    });
    let request = officer
        .request(
            Method::POST,
            "/api/v1/datasets/steady/versions?filename=steady.csv",
        )
        .header("content-type", "text/csv")
        .body(reqwest::Body::wrap_stream(parts));
    let accepted = officer.send(request).await.expect(202);
    assert!(begun.elapsed() > Duration::from_secs(5));
    let task = app.follow(&accepted).await;
    assert_eq!(task["state"], "done", "{task}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_take_its_answer_is_cut_off() {
    let app = start().await;
    app.create_entry(&fixture::plain_entry("large")).await;
    let file = format!("a,b\n{}", "0123456789,abcdefghij\n".repeat(150_000));
    let length = file.len();
    app.upload_good("large", file.into_bytes()).await;
    let request = app.submit_release("large").await;
    app.approve(&request, serde_json::Value::Null).await;
    let get = "GET /datasets/large/download.csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(address(&app)).await.unwrap();
    stream.write_all(get.as_bytes()).await.unwrap();
    sleep(HELD / 2).await;
    let mut bytes = Vec::new();
    let _ = timeout(HELD, stream.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200"));
    assert!(bytes.len() < length, "{} of {length}", bytes.len());

    // Slowly, but steadily: about 700 KB/s.
    let mut stream = TcpStream::connect(address(&app)).await.unwrap();
    stream.write_all(get.as_bytes()).await.unwrap();
    let (mut got, mut block) = (0, vec![0; 64 << 10]);
    loop {
        match stream.read(&mut block).await.unwrap() {
            0 => break,
            count => got += count,
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(got > length, "{got} of {length}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_body_is_taken_up_to_its_limit() {
    let app = start().await;
    let mut stream = TcpStream::connect(address(&app)).await.unwrap();
    let head = "POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    let mut sent = 0;
    let endless = async {
        while stream.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
    };
    timeout(HELD * 2, endless).await.unwrap();
    // A megabyte for the handler, four for nobody, and what the buffers of both sides take.
    assert!(sent < 40 << 20, "{sent}");
    assert_eq!(app.client(Who::Anonymous).get("/health/ready").await.status, 200);
}
