//! Requests that axum rejects, as problems.

use axum::extract::rejection::{JsonRejection, QueryRejection, RawPathParamsRejection};
use axum::http::{Method, StatusCode, Uri};

use super::of_core::with_sources;
use super::{Kind, Problem};

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Kind::InvalidInput,
            _ => Kind::Malformed,
        };
        Self::new(kind, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Kind::InvalidInput, rejection.body_text())
    }
}

impl From<RawPathParamsRejection> for Problem {
    fn from(rejection: RawPathParamsRejection) -> Self {
        Self::new(Kind::Malformed, with_sources(&rejection))
    }
}

/// Answers a path that no route has.
pub(crate) async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(Kind::UnknownRoute, format!("nothing is at `{}`", uri.path()))
}

/// Answers a method that the path does not have.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` has no method {method}", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
