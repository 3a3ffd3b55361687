//! A file per resource: what clients see of it, and its handlers.

mod me;
mod session;
mod status;
mod users;

use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn all(config: &mut ServiceConfig) {
    session::routes(config);
    me::routes(config);
    users::routes(config);
    status::routes(config);
}
