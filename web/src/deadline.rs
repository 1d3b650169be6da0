//! How long a request may take until its answer begins. How fast bodies and answers have to move besides is the
//! server's affair.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::Method;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;
use crate::told::say;

/// Ends requests that take too long. Handling and a small body have the configured time together; an upload has it
/// anew with each of its parts, since how long a large file takes is its sender's affair.
pub(crate) async fn keep(State(state): State<AppState>, request: Request, next: Next) -> Response {
    within(state.request_time, request, next).await
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    let upload = request.method() == Method::POST
        && (request.uri().path().ends_with("/versions") || request.uri().path().ends_with("/upload"));
    let arrival = Arrival::default();
    let request = request.map(|body| arrival.watch(body));
    let begun = Instant::now();
    let mut work = std::pin::pin!(next.run(request));
    loop {
        let last = if upload { arrival.last() } else { None };
        let deadline = last.unwrap_or(begun) + limit;
        if Instant::now() >= deadline {
            break;
        }
        tokio::select! {
            response = work.as_mut() => return response,
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
    let seconds = limit.as_secs();
    if arrival.waits() {
        let detail = say("why-body-too-slow").with("seconds", seconds);
        Failure::new(Code::RequestTimeout, detail)
    } else {
        Failure::say(Code::Unavailable, "why-too-slow")
    }
    .into_response()
}

/// What has come of a request's body.
#[derive(Debug, Clone, Default)]
struct Arrival(Arc<Mutex<Arrived>>);

#[derive(Debug, Default)]
struct Arrived {
    last: Option<Instant>,
    waits: bool,
}

impl Arrival {
    fn watch(&self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let arrival = self.clone();
        let mut stream = body.into_data_stream();
        Body::from_stream(futures::stream::poll_fn(move |cx| {
            arrival.note(true);
            let chunk = ready!(stream.poll_next_unpin(cx));
            arrival.note(false);
            Poll::Ready(chunk)
        }))
    }

    fn last(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Whether the handler waits for more of it.
    fn waits(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waits
    }

    fn note(&self, waits: bool) {
        let mut arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.waits = waits;
        if !waits {
            arrived.last = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::DefaultBodyLimit;
    use axum::middleware::from_fn;
    use axum::routing::{get, post};
    use http::StatusCode;
    use tokio::time::sleep;
    use tower::ServiceExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    async fn status(method: Method, path: &str, body: Body) -> StatusCode {
        let read = |body: Bytes| async move { body.len().to_string() };
        let think = || async { sleep(LIMIT * 2).await };
        let read_and_think = |_: Bytes| async { sleep(LIMIT * 2).await };
        let app = Router::new()
            .route("/quick", get(|| async {}))
            .route("/think", get(think))
            .route("/read", post(read))
            .route("/read-and-think", post(read_and_think))
            .route("/x/versions", post(read))
            .route("/y/versions", post(read_and_think))
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn(|request, next| within(LIMIT, request, next)));
        let request = Request::builder().method(method).uri(path).body(body);
        app.oneshot(request.unwrap()).await.unwrap().status()
    }

    /// A body of ten parts with this much time before each.
    fn parts(millis: u64) -> Body {
        Body::from_stream(futures::stream::iter(0..10).then(move |_| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"part"))
        }))
    }

    #[tokio::test]
    async fn handling_and_a_small_body_share_one_limit() {
        assert_eq!(status(Method::GET, "/quick", Body::empty()).await, StatusCode::OK);
        let slow = status(Method::GET, "/think", Body::empty()).await;
        assert_eq!(slow, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(Method::POST, "/read", parts(0)).await, StatusCode::OK);
        let slow = status(Method::POST, "/read", parts(500)).await;
        assert_eq!(slow, StatusCode::REQUEST_TIMEOUT, "5 s in all");
        let slow = status(Method::POST, "/read-and-think", parts(0)).await;
        assert_eq!(slow, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn an_upload_may_take_long_but_not_stand_still() {
        let long = status(Method::POST, "/x/versions", parts(400)).await;
        assert_eq!(long, StatusCode::OK, "4 s in all");
        let still = status(Method::POST, "/x/versions", parts(2_500)).await;
        assert_eq!(still, StatusCode::REQUEST_TIMEOUT);
        let slow = status(Method::POST, "/y/versions", parts(10)).await;
        assert_eq!(slow, StatusCode::SERVICE_UNAVAILABLE, "after its last part");
    }
}
