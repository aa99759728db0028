//! What handlers take, checked before they run; what is not allowed becomes a problem.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use cloacina_core::{ExecutionId, TenantId, TenantStore};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Kind, Problem};
use crate::service::Service;
use crate::tokens::Caller;

/// A body that is an object of JSON. In two steps: on its own, serde takes an array for an object as well.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(body) = axum::Json::<Value>::from_request(request, state).await?;
        if !body.is_object() {
            return Err(Problem::new(Kind::InvalidInput, "the body must be an object of JSON"));
        }
        let body = serde_path_to_error::deserialize(body)
            .map_err(|error| Problem::new(Kind::InvalidInput, error.to_string()))?;
        Ok(Self(body))
    }
}

/// The parameters after the question mark.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Query(query) =
            axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

/// The operator, by its token.
#[derive(Debug)]
pub(crate) struct Operator;

impl<S: TenantStore> FromRequestParts<Service<S>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service<S>) -> Result<Self, Problem> {
        match caller(parts, service)? {
            Caller::Operator => Ok(Self),
            Caller::Tenant(_) => Err(Problem::new(
                Kind::Forbidden,
                "this is for the operator, and the token is a tenant's",
            )),
        }
    }
}

/// The tenant of the path, if the token is its own.
///
/// Whether the tenant of the path exists makes no difference to anybody else.
#[derive(Debug)]
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: TenantStore> FromRequestParts<Service<S>> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service<S>) -> Result<Self, Problem> {
        let name = path_parameter(parts, "tenant").await?;
        match caller(parts, service)? {
            Caller::Tenant(tenant) if tenant.as_str() == name => Ok(Self(tenant)),
            _ => Err(Problem::new(Kind::Forbidden, "the token is not for the tenant of this path")),
        }
    }
}

/// The tenant of a path that is for the operator.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(TenantId::new(path_parameter(parts, "tenant").await?)?))
    }
}

/// The execution of the path. It need not exist.
#[derive(Debug)]
pub(crate) struct Execution(pub(crate) ExecutionId);

impl<S: Send + Sync> FromRequestParts<S> for Execution {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(path_parameter(parts, "execution_id").await?.parse()?))
    }
}

async fn path_parameter(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await?;
    let found = parameters.iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value.to_owned()).unwrap_or_default())
}

fn caller<S: TenantStore>(parts: &Parts, service: &Service<S>) -> Result<Caller, Problem> {
    let unauthorized = |detail| Problem::new(Kind::Unauthorized, detail);
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = header
        .and_then(|value| value.split_once(' '))
        .ok_or_else(|| unauthorized("the header `Authorization: Bearer TOKEN` is missing"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthorized("the scheme of `Authorization` must be `Bearer`"));
    }
    service.tokens.caller(token.trim()).ok_or_else(|| unauthorized("the token is not valid"))
}
