//! The description of the interface (OpenAPI 3.1), gathered from where each handler stands, and a page to read it.

mod common;
mod page;

use utoipa::OpenApi as _;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa_actix_web::AppExt;

use super::problem::Problem;
use super::resources;

pub(super) use common::completed;
pub(super) use page::pages;

const INTRODUCTION: &str = "\
The CRM's side of the engine. Log in with `POST /api/login`, or send an API token as `Authorization: Bearer …`. \
Errors are problem details (RFC 9457) whose `code` does not change. Lists come in pages: pass `next` as `after`.

HEAD is answered wherever GET is, as GET without the body. A method that an address does not know is answered 405 \
(`method_not_allowed`, with `Allow`), a preflight from a site that is not allowed 403 (`wrong_origin`). What cannot be read \
as HTTP at all has no address that could say more: 400, 408 (the head took longer than five seconds) and 431 (it is too \
long) come without a body, and the connection ends.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Clearline", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    security(("token" = []), ("cookie" = [])),
    components(schemas(Problem)),
    tags(
        (name = "session", description = "Logging in and out, and what is yours"),
        (name = "users", description = "Admins and their agents"),
        (name = "voice agents", description = "Who speaks in a call: instruction, voice, tools, limits"),
        (name = "numbers", description = "Phone numbers: whose they are and who answers them"),
        (name = "calls", description = "Making calls, following them, looking them up"),
        (name = "leads", description = "What calls have brought"),
        (name = "callbacks", description = "Who wants to be called back"),
        (name = "uploads", description = "How far calls are on their way to the CRM"),
        (name = "notifications", description = "How far events of calls are on their way to subscribers"),
        (name = "keys", description = "Google keys: who holds which, never whole"),
        (name = "audit", description = "Who changed what"),
        (name = "settings", description = "What may be changed while the engine runs"),
        (name = "engine", description = "Health, readiness, metrics"),
    )
)]
struct Head;

/// All but the paths.
pub(super) fn head() -> OpenApi {
    let mut head = Head::openapi();
    head.info.description = Some(INTRODUCTION.into());
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("clearline_session")));
    let components = head.components.get_or_insert_with(Components::new);
    components.add_security_scheme("token", token);
    components.add_security_scheme("cookie", cookie);
    head
}

/// The whole description, as it is served and as `openapi.json` has it.
pub fn described() -> OpenApi {
    let app = actix_web::App::new().into_utoipa_app().openapi(head()).configure(resources::all);
    completed(app.split_for_parts().1)
}

/// What may be done at an address; nothing where there is none such.
pub(super) fn methods_at(description: &OpenApi, address: &str) -> Vec<&'static str> {
    let found = description.paths.paths.iter().filter(|(path, _)| fits(path, address));
    found.flat_map(|(_, item)| methods(item)).collect()
}

fn methods(item: &PathItem) -> impl Iterator<Item = &'static str> {
    let known = [
        ("GET", &item.get),
        ("HEAD", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    known.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method)
}

/// `{…}` in a path stands for one segment.
fn fits(path: &str, address: &str) -> bool {
    let (mut wanted, mut given) = (path.split('/'), address.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given))
                if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_address_fits_the_path_that_describes_it() {
        assert!(fits("/api/users/{id}", "/api/users/u1") && fits("/api/me", "/api/me"));
        for address in ["/api/users/", "/api/users", "/api/users/u1/password", "/api/other/u1"] {
            assert!(!fits("/api/users/{id}", address), "{address}");
        }
    }

    #[test]
    fn every_operation_is_described_for_people_and_has_a_name_of_its_own() {
        let (mut names, description) = (HashSet::new(), described());
        let tags: Vec<_> = description.tags.into_iter().flatten().map(|tag| tag.name).collect();
        for (path, item) in description.paths.paths {
            let bodiless =
                [&item.put, &item.patch].into_iter().flatten().any(|one| one.request_body.is_none());
            assert!(!bodiless, "{path}: what changes something says to what");
            for operation in [item.get, item.post, item.put, item.patch, item.delete].into_iter().flatten() {
                let name = operation.operation_id.unwrap_or_default();
                assert!(operation.summary.is_some_and(|text| !text.is_empty()), "{path} {name}: no summary");
                assert!(
                    operation.tags.is_some_and(|own| own.len() == 1 && tags.contains(&own[0])),
                    "{path} {name}"
                );
                assert!(names.insert(name.clone()), "{name} twice");
            }
        }
    }
}
