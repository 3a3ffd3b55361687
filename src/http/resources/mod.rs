//! A file per resource: what clients see of it, and its handlers.

mod audit;
mod callbacks;
mod calls;
mod events;
mod keys;
mod leads;
mod make_call;
mod me;
mod notifications;
mod numbers;
mod recordings;
mod session;
mod settings;
mod status;
mod uploads;
mod users;
mod voice_agents;
mod webhooks;

pub(super) use events::Streams;

use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn all(config: &mut ServiceConfig) {
    session::routes(config);
    me::routes(config);
    users::routes(config);
    voice_agents::routes(config);
    numbers::routes(config);
    make_call::routes(config);
    calls::routes(config);
    recordings::routes(config);
    events::routes(config);
    leads::routes(config);
    callbacks::routes(config);
    keys::routes(config);
    audit::routes(config);
    settings::routes(config);
    uploads::routes(config);
    notifications::routes(config);
    status::routes(config);
}
