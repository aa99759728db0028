//! The OpenAPI document: what the handlers say, and what holds for all of them; and the page that shows it.

use std::fmt::Write as _;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Ref, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Info, OpenApi, PathItem, Required, ResponseBuilder};
use utoipa::{IntoParams, ToSchema as _};

use crate::extract::{Execution, Named, Tenant};
use crate::model::TENANT_PATTERN;
use crate::problem::{Kind, MEDIA_TYPE, Problem};

/// The page, in one file that loads nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

/// Adds what holds for all routes.
pub(crate) fn complete(document: &mut OpenApi) {
    document.info = Info::new("Cloacina web service", env!("CARGO_PKG_VERSION"));
    let components = document.components.get_or_insert_default();
    for (name, whose) in [("tenant", "The tenant's token"), ("operator", "The operator's token")] {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(whose));
        components.add_security_scheme(name, SecurityScheme::Http(bearer.build()));
    }
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            add_problems(operation);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, post, delete, .. } = item;
    [get, post, delete].into_iter().flatten()
}

/// Adds the problems that the extractors and the engine answer with.
fn add_problems(operation: &mut Operation) {
    let mut statuses = vec![500, 503];
    if operation.security.is_some() {
        statuses.extend([401, 403]);
    }
    if operation.parameters.is_some() {
        statuses.extend([400, 404, 422]);
    }
    if operation.request_body.is_some() {
        statuses.extend([400, 413, 415, 422]);
    }
    for status in statuses {
        let titles: Vec<_> = Kind::ALL.into_iter().map(Kind::parts).collect();
        let titles = titles.iter().filter(|(of, ..)| *of == status).map(|(.., title)| *title);
        let description = titles.collect::<Vec<_>>().join("; ");
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name())));
        let response = ResponseBuilder::new().description(description);
        let response = response.content(MEDIA_TYPE, content.build()).build();
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| response.into());
    }
}

/// The parameter of a path.
fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Vec<Parameter> {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema.schema_type(Type::String)));
    vec![parameter.build()]
}

fn tenant() -> Vec<Parameter> {
    let schema = ObjectBuilder::new().pattern(Some(TENANT_PATTERN));
    parameter("tenant", "The name of a tenant", schema)
}

impl IntoParams for Tenant {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        tenant()
    }
}

impl IntoParams for Named {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        tenant()
    }
}

impl IntoParams for Execution {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let format = SchemaFormat::Custom("uuid".to_owned());
        let schema = ObjectBuilder::new().format(Some(format));
        parameter("execution_id", "The id of an execution", schema)
    }
}

/// The page that shows the document and explains the problems.
pub(crate) fn page() -> String {
    let mut rows = String::new();
    for (status, name, title) in Kind::ALL.map(Kind::parts) {
        let status = status.as_u16();
        let _ = writeln!(rows, "<tr id=\"{name}\"><td>{status}<td>{name}<td>{title}");
    }
    PAGE.replace("<!-- problems -->", &rows)
}
