//! Connections: from the socket to the router, with limits that stand before any handler.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::failure::Failure;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How long requests may go on once the portal stops.
const DRAIN: Duration = Duration::from_secs(10);

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

/// Serves until `stop`, then lets requests that are under way end. A request's head has to arrive within `head_time`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    head_time: Duration,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_time);
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
        connections.spawn(converse(http.clone(), stream, peer, router.clone(), stop.clone()));
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
    stop: CancellationToken,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
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
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    async fn start(head_time: Duration) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = bound.address;
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = Router::new().route("/slow", get(slow)).route("/who", get(who));
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(bound.listen().unwrap(), router, head_time, stop.clone()));
        (address, stop, served)
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
        let (address, ..) = start(Duration::from_secs(5)).await;
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
        let (address, ..) = start(Duration::from_millis(200)).await;
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
        let (address, stop, served) = start(Duration::from_secs(5)).await;
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
        let (address, ..) = start(Duration::from_secs(5)).await;
        let error = bind(address).err().unwrap().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("server.listen"),
            "{error}"
        );
    }
}
