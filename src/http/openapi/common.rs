//! The problems that every request of a kind can meet, written into the description once for all.

use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::super::problem::PROBLEM_JSON;

pub(in super::super) fn completed(mut description: OpenApi) -> OpenApi {
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        operations.into_iter().flatten().for_each(complete);
    }
    description
}

/// A handler names its own problems by status and description; their form is the same everywhere.
fn complete(operation: &mut Operation) {
    let is_public = operation.security.as_ref().is_some_and(|needed| {
        needed.iter().all(|requirement| {
            serde_json::to_value(requirement).is_ok_and(|value| value == serde_json::json!({}))
        })
    });
    let has = |place: ParameterIn| {
        let is_there = |parameter: &RefOr<Parameter>| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == place,
            RefOr::Ref(_) => false,
        };
        operation.parameters.iter().flatten().any(is_there)
    };
    let (has_path, has_query) = (has(ParameterIn::Path), has(ParameterIn::Query));
    let has_body = operation.request_body.is_some();
    let problems = [
        ("400", "The request cannot be read", true),
        ("401", "Nobody is logged in, or the session has ended", !is_public),
        ("403", "Not allowed to this user, or from this site", !is_public),
        ("404", "There is no such thing, or none that you may see", has_path),
        ("408", "The body came too slowly", has_body),
        ("413", "The body is too large", has_body),
        (
            "415",
            "The body is not JSON, or it is packed: send it as it is, without `Content-Encoding`",
            has_body,
        ),
        ("422", "Some of the values are wrong", has_body || has_query),
        ("429", "Too many requests", true),
        ("503", "Something that the engine needs is away", true),
    ];
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('4')
        {
            *response = problem(&response.description);
        }
    }
    for (status, text, _) in problems.into_iter().filter(|(_, _, applies)| *applies) {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(text)));
    }
}

fn problem(text: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    ResponseBuilder::new()
        .description(text)
        .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}
