//! Connections: from the socket to the router, with limits that stand before any handler.

mod arriving;
mod pace;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderValue, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::failure::Failure;

use arriving::Arriving;
pub(crate) use arriving::DrainLimit;
pub(crate) use pace::PaceLimit;
use pace::Paced;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How long requests may go on once the portal stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Bytes of an answer that lie in the kernel before they are under way. With few, a connection can be written to as
/// soon as its client takes something, and stays blocked when the client takes nothing: that is what the pace sees.
const UNSENT: u32 = 64 << 10;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// The longest time for a request's head, and between two requests.
    pub(crate) head: Duration,
    /// How fast bodies and answers move at least.
    pub(crate) pace: PaceLimit,
    /// How much is read of bodies that were refused.
    pub(crate) drain: DrainLimit,
}

/// An address that is taken, and answers nobody yet.
pub(crate) struct Bound {
    socket: TcpSocket,
    /// The address; where port 0 was asked for, with the port that was given.
    pub(crate) address: SocketAddr,
}

/// Takes an address, so that a start that takes long does not end with one in use.
pub(crate) fn bind(address: SocketAddr) -> Result<Bound, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::cannot(format_args!(
            "listen on {address} (server.listen; is another program using it?)"
        ))(error)
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(cannot)?;
    socket.set_reuseaddr(true).map_err(cannot)?;
    socket.bind(address).map_err(cannot)?;
    let address = socket.local_addr().map_err(cannot)?;
    Ok(Bound { socket, address })
}

impl Bound {
    /// Begins to accept connections.
    pub(crate) fn listen(self) -> Result<TcpListener, Failure> {
        let address = self.address;
        self.socket
            .listen(BACKLOG)
            .map_err(Failure::cannot(format_args!("listen on {address}")))
    }
}

/// Serves until `stop`, then lets requests that are under way end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly: no more files. Those in use come back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and written whole: nothing is won by waiting for more.
        let _ = stream.set_nodelay(true);
        // Without it a slow client is seen later, not never.
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        let work = converse(http.clone(), stream, peer, router.clone(), limits, stop.clone());
        connections.spawn(work);
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections are cut off");
    }
}

async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (head, body) = request.into_parts();
        let too_long_to_drain = body.size_hint().lower() > limits.drain.bytes;
        let body = Arriving::new(body, &head.headers, limits.pace, limits.drain);
        let mut request = http::Request::from_parts(head, Body::new(body));
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            let mut response = router
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {});
            // The rest of a refused body is not read to its end: the client is told to ask anew elsewhere, as
            // RFC 9112 section 9.6 asks for.
            if too_long_to_drain && !response.status().is_success() {
                let headers = response.headers_mut();
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection =
        std::pin::pin!(http.serve_connection(TokioIo::new(Paced::new(stream, limits.pace)), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Asks for as many open files as the system gives this process: each connection and each part being read is one.
pub(crate) fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, hard, "the limit of open files stays");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::extract::DefaultBodyLimit;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const MIB: usize = 1 << 20;

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            head: Duration::from_secs(5),
            pace: PaceLimit {
                bytes: 1 << 10,
                time: Duration::from_secs(5),
            },
            drain: DrainLimit {
                bytes: 16 << 20,
                time: Duration::from_secs(5),
            },
        }
    }

    /// A second is short here: what a limit cuts off ends within a few of them, what it lets pass may take longer.
    const SHORT: PaceLimit = PaceLimit {
        bytes: 16 << 10,
        time: Duration::from_secs(1),
    };

    async fn start(limits: ConnectionLimits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = bound.address;
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let refuse = || async { (http::StatusCode::PAYLOAD_TOO_LARGE, "too large") };
        let take = |body: Body| async move {
            match axum::body::to_bytes(body, usize::MAX).await {
                Ok(body) => body.len().to_string(),
                Err(error) => format!("broken: {}", std::error::Error::source(&error).unwrap()),
            }
        };
        let large = || async { vec![b'x'; 64 * MIB] };
        let router = Router::new()
            .route("/slow", get(slow))
            .route("/who", get(who))
            .route("/refuse", post(refuse))
            .route("/take", post(take).layer(DefaultBodyLimit::disable()))
            .route("/large", get(large));
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(bound.listen().unwrap(), router, limits, stop.clone()));
        (address, stop, served)
    }

    fn post_head(path: &str, length: usize) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
    }

    /// Reads one answer, head and announced body.
    async fn answer(stream: &mut TcpStream) -> String {
        let (mut bytes, mut block) = (Vec::new(), vec![0; 16 << 10]);
        loop {
            let got = stream.read(&mut block).await.unwrap();
            bytes.extend_from_slice(&block[..got]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let length = text
                .split_once("content-length: ")
                .and_then(|(_, rest)| rest.lines().next());
            let whole = |(_, body): (&str, &str)| length.and_then(|l| l.parse().ok()) == Some(body.len());
            if got == 0 || text.split_once("\r\n\r\n").is_some_and(whole) {
                return text;
            }
        }
    }

    async fn talk(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn handlers_know_who_asks() {
        let (address, ..) = start(limits()).await;
        let answer = talk(
            address,
            "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off() {
        let (address, ..) = start(ConnectionLimits {
            head: Duration::from_millis(200),
            ..limits()
        })
        .await;
        for begun in ["", "GET /who HT", "GET /who HTTP/1.1\r\nHost: x\r\nX-A: "] {
            let answer = timeout(Duration::from_secs(5), talk(address, begun))
                .await
                .unwrap();
            assert!(!answer.contains("200 OK"), "{begun:?}: {answer}");
        }
        let long = format!(
            "GET /who HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n",
            "a".repeat(1 << 20)
        );
        let answer = talk(address, &long).await;
        assert!(!answer.contains("200 OK"), "{answer:.80}");
    }

    #[tokio::test]
    async fn stopping_lets_requests_end_and_takes_no_more() {
        let (address, stop, served) = start(limits()).await;
        let asked = tokio::spawn(talk(address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        let answer = asked.await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_in_use_is_told_at_once() {
        let (address, ..) = start(limits()).await;
        let error = bind(address).err().unwrap().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("server.listen"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn who_sends_more_than_is_read_of_a_refused_body_is_told_to_close() {
        let drain = DrainLimit {
            bytes: 64 << 10,
            time: Duration::from_secs(60),
        };
        let (address, ..) = start(ConnectionLimits { drain, ..limits() }).await;
        for (length, close) in [(32 << 10, false), (1 << 30, true)] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = post_head("/refuse", length);
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; 32 << 10]).await.unwrap();
            let answer = answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
            assert_eq!(answer.contains("connection: close"), close, "{answer}");
        }
    }

    /// As curl without `Expect` and Python's `http.client` do: everything is written before anything is read.
    #[tokio::test]
    async fn who_sends_first_and_reads_then_sees_why_it_was_refused() {
        let (address, ..) = start(limits()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..2 {
            let head = post_head("/refuse", 10 * MIB);
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; 10 * MIB]).await.unwrap();
            let answer = answer(&mut stream).await;
            assert!(
                answer.starts_with("HTTP/1.1 413") && answer.ends_with("too large"),
                "{answer}"
            );
        }
    }

    #[tokio::test]
    async fn who_waits_to_be_told_is_refused_without_sending() {
        let (address, ..) = start(limits()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 413") && !answer.contains("100 Continue"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn an_endless_body_is_read_up_to_the_limit_only() {
        let drain = DrainLimit {
            bytes: 4 << 20,
            time: Duration::from_secs(60),
        };
        let (address, ..) = start(ConnectionLimits { drain, ..limits() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 1 << 16], b"\r\n".to_vec()].concat();
        let mut sent = 0;
        let endless = async {
            while stream.write_all(&chunk).await.is_ok() {
                sent += chunk.len();
            }
        };
        timeout(Duration::from_secs(30), endless).await.unwrap();
        // What was read, and what lies in the buffers of both sides.
        assert!((4 * MIB..64 * MIB).contains(&sent), "{sent}");
    }

    #[tokio::test]
    async fn a_body_that_only_trickles_after_its_refusal_holds_nothing_up() {
        let drain = DrainLimit {
            bytes: u64::MAX,
            time: Duration::from_secs(1),
        };
        let (address, ..) = start(ConnectionLimits { drain, ..limits() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(post_head("/refuse", MIB).as_bytes())
            .await
            .unwrap();
        let trickle = async {
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(10), trickle).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_stops_or_trickles_is_cut_off() {
        let (address, ..) = start(ConnectionLimits {
            pace: SHORT,
            ..limits()
        })
        .await;
        for pause in [None, Some(Duration::from_millis(50))] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream
                .write_all(post_head("/take", MIB).as_bytes())
                .await
                .unwrap();
            let (mut reader, mut writer) = stream.split();
            let trickle = async {
                while let Some(pause) = pause {
                    if writer.write_all(b"x").await.is_err() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                }
                std::future::pending::<()>().await;
            };
            let mut bytes = Vec::new();
            let read = timeout(Duration::from_secs(10), reader.read_to_end(&mut bytes));
            tokio::select! {
                () = trickle => {}
                read = read => { let _ = read.unwrap(); }
            }
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.contains("too slowly"), "{pause:?}: {text}");
        }
    }

    #[tokio::test]
    async fn a_slow_but_steady_body_arrives() {
        let pace = PaceLimit {
            bytes: 1,
            time: Duration::from_secs(2),
        };
        let (address, ..) = start(ConnectionLimits { pace, ..limits() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(post_head("/take", 8).as_bytes()).await.unwrap();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            stream.write_all(b"x").await.unwrap();
        }
        let answer = answer(&mut stream).await;
        assert!(answer.ends_with("\r\n\r\n8"), "{answer}");
    }

    #[tokio::test]
    async fn who_does_not_take_its_answer_is_cut_off() {
        let (address, ..) = start(ConnectionLimits {
            pace: SHORT,
            ..limits()
        })
        .await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        // What the kernels had taken meanwhile is there; the rest never comes.
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
            .await
            .unwrap();
        assert!(rest.len() < 64 * MIB, "{}", rest.len());
    }

    #[tokio::test]
    async fn who_takes_its_answer_slowly_but_steadily_gets_it_all() {
        let (address, ..) = start(ConnectionLimits {
            pace: SHORT,
            ..limits()
        })
        .await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut block = vec![0; 2 * MIB];
        let mut got = 0;
        while got < 64 * MIB {
            match stream.read(&mut block).await.unwrap() {
                0 => break,
                count => got += count,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(got >= 64 * MIB, "{got}");
    }
}
