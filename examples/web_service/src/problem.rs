//! What goes wrong, as `application/problem+json` (RFC 9457).

mod of_core;
mod of_request;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use of_request::{method_not_allowed, unknown_route};

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How long to wait before the next try, in seconds, where one may help.
const WAIT: u32 = 1;

/// What kind of problem it is, by what the client can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    Unauthorized,
    Forbidden,
    UnknownRoute,
    UnknownTenant,
    UnknownWorkflow,
    UnknownExecution,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    InvalidInput,
    TooManyRequests,
    Internal,
    Overloaded,
    Unavailable,
    ShuttingDown,
}

impl Kind {
    /// Every kind, by status.
    pub(crate) const ALL: [Self; 17] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnknownRoute,
        Self::UnknownTenant,
        Self::UnknownWorkflow,
        Self::UnknownExecution,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidInput,
        Self::TooManyRequests,
        Self::Internal,
        Self::Overloaded,
        Self::Unavailable,
        Self::ShuttingDown,
    ];

    /// Its status, its name in an address, and its title.
    pub(crate) const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Malformed => (S::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::Unauthorized => {
                (S::UNAUTHORIZED, "unauthorized", "The token is missing or not valid")
            }
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "The token does not give this right"),
            Self::UnknownRoute => (S::NOT_FOUND, "unknown-route", "Nothing is at this path"),
            Self::UnknownTenant => (S::NOT_FOUND, "unknown-tenant", "The tenant does not exist"),
            Self::UnknownWorkflow => {
                (S::NOT_FOUND, "unknown-workflow", "The workflow does not exist")
            }
            Self::UnknownExecution => {
                (S::NOT_FOUND, "unknown-execution", "The execution does not exist")
            }
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "The path has no such method")
            }
            Self::Conflict => (S::CONFLICT, "conflict", "The present state does not allow it"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON")
            }
            Self::InvalidInput => {
                (S::UNPROCESSABLE_ENTITY, "invalid-input", "The input is not allowed")
            }
            Self::TooManyRequests => {
                (S::TOO_MANY_REQUESTS, "too-many-requests", "The tenant waits for too much at once")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "The service failed"),
            Self::Overloaded => {
                (S::SERVICE_UNAVAILABLE, "overloaded", "The service has too much to do")
            }
            Self::Unavailable => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "The database is not available")
            }
            Self::ShuttingDown => {
                (S::SERVICE_UNAVAILABLE, "shutting-down", "The service is shutting down")
            }
        }
    }
}

/// Why a request was not carried out, by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    #[serde(skip)]
    kind: Kind,
    /// The kind of problem: an address that explains it.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/docs#unknown-execution")]
    address: String,
    /// The kind of problem, in words.
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time.
    detail: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.parts();
        let address = format!("/docs#{name}");
        Self { kind, address, title, status: status.as_u16(), detail: detail.into() }
    }

    /// A failure of ours. What failed is for the log, not for the client.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        Self::new(Kind::Internal, "the log tells more under the id of this request")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let (status, ..) = self.kind.parts();
        // Texts and numbers always become JSON.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, WAIT.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<crate::tokens::TokensError> for Problem {
    fn from(error: crate::tokens::TokensError) -> Self {
        Self::internal(&error)
    }
}
