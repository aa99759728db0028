//! The id of a request: in its answer, in every line of the log that it leads to, and so in the spans of the tasks that it starts.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::tokens::random;

/// The header that brings an id, and takes it back.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over, in bytes.
const LONGEST: usize = 128;

/// Gives a request the id that it brings or a new one, and a span with it; logs the answer.
pub(crate) async fn identify(request: Request, next: Next) -> Response {
    let brought = request.headers().get(HEADER).filter(|id| is_allowed(id)).cloned();
    let id = brought.or_else(|| random::<12>().ok()?.try_into().ok());
    let id = id.unwrap_or_else(|| HeaderValue::from_static("unknown"));
    let request_id = id.to_str().unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!("request", request_id, %method, path);
    let answer = async {
        let began = Instant::now();
        let response = next.run(request).await;
        let (status, micros) = (response.status().as_u16(), began.elapsed().as_micros());
        tracing::info!(status, micros, "answered");
        response
    };
    let mut response = answer.instrument(span).await;
    response.headers_mut().insert(HEADER, id);
    response
}

/// What others chose goes into our log, so not everything is taken over.
fn is_allowed(id: &HeaderValue) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}
