//! The OpenAPI document of all routes, made from the catalogue as it is.

use msp_core::{Access, Argument, Catalogue, Function, Route};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, RefOr,
    Required, ResponseBuilder, Schema, Server,
};

/// The names of the two ways to send a key in a header.
const BEARER: &str = "bearer";
const HEADER: &str = "header";

/// Describes every route: those of functions, and those that manage plugins.
pub(crate) fn document(catalogue: &Catalogue, prefix: &str) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for function in catalogue.iter().filter(|function| function.route.is_some()) {
        paths = paths.path(format!("/{}", function.name), routes(|| of_function(function)));
    }
    for (path, about) in [
        ("/plugins", "The plugins there are"),
        ("/reload/all", "Loads configuration and all plugins anew"),
        ("/openapi.json", "This document"),
    ] {
        paths = paths.path(path, routes(|| of_control(about)));
    }
    let by_name = || {
        let name =
            ParameterBuilder::new().name("name").parameter_in(ParameterIn::Path).required(Required::True);
        let mut operation = of_control("Loads configuration and one plugin anew");
        operation.parameters = Some(vec![name.schema(Some(schema(Some("string")))).build()]);
        operation
    };
    let paths = paths.path("/reload/{name}", routes(by_name));
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Custom-Auth")));
    let components =
        ComponentsBuilder::new().security_scheme(BEARER, bearer).security_scheme(HEADER, header).build();
    // Without one, paths count from the root of the host that the document came from.
    let servers = (!prefix.is_empty()).then(|| vec![Server::new(prefix)]);
    OpenApiBuilder::new()
        .servers(servers)
        .info(InfoBuilder::new().title("mini-share-point").version(env!("CARGO_PKG_VERSION")).build())
        .paths(paths)
        .components(Some(components))
        .build()
}

/// GET and POST alike.
fn routes(operation: impl Fn() -> Operation) -> PathItem {
    PathItem::from_http_methods([HttpMethod::Get, HttpMethod::Post], operation())
}

fn of_function(function: &Function) -> Operation {
    let mut operation = OperationBuilder::new().tag(match function.access {
        Access::Read => "read",
        Access::Write => "write",
    });
    if !function.description.is_empty() {
        operation = operation.description(Some(function.description.as_str()));
    }
    for Argument { name, kind, required } in &function.arguments {
        let parameter = ParameterBuilder::new().name(name.as_str()).parameter_in(ParameterIn::Query);
        let required = if *required { Required::True } else { Required::False };
        let parameter = parameter.required(required).schema(Some(schema(kind.as_deref())));
        operation = operation.parameter(parameter.build());
    }
    answered(
        operation.response("200", ResponseBuilder::new().description("The function's answer")),
        function.route,
    )
}

fn of_control(about: &str) -> Operation {
    let operation = OperationBuilder::new().tag("control").description(Some(about));
    answered(operation.response("200", ResponseBuilder::new().description("Done")), Some(Route::Key))
}

fn answered(operation: OperationBuilder, route: Option<Route>) -> Operation {
    if route == Some(Route::Open) {
        return operation.build();
    }
    let no_scopes = || Vec::<String>::new();
    operation
        .response("403", ResponseBuilder::new().description("No key that opens it"))
        .securities(Some([
            SecurityRequirement::new(BEARER, no_scopes()),
            SecurityRequirement::new(HEADER, no_scopes()),
        ]))
        .build()
}

fn schema(kind: Option<&str>) -> RefOr<Schema> {
    let object = match kind {
        Some("string") => ObjectBuilder::new().schema_type(Type::String),
        Some("integer") => {
            let wide = SchemaFormat::KnownFormat(KnownFormat::Int64);
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(wide))
        }
        Some("number") => ObjectBuilder::new().schema_type(Type::Number),
        Some("boolean") => ObjectBuilder::new().schema_type(Type::Boolean),
        Some("array") => ObjectBuilder::new().schema_type(Type::Array),
        Some("object") => ObjectBuilder::new().schema_type(Type::Object),
        _ => ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::AnyValue),
    };
    object.into()
}
