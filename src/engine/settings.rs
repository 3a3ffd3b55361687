//! From the settings people write to what each part wants to be told.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use crate::actors::call_supervisor::{GatewaySettings, NumberRule};
use crate::actors::udp_router::RouterSettings;
use crate::call::CallLimits;
use crate::call::registry::RegistryLimits;
use crate::config::{self, Settings};
use crate::domain::{Sealing, Subscriber, SubscriberName, VoiceAgent};
use crate::http::{HttpSettings, TlsFiles};
use crate::net::NoClient;
use crate::net::crm_http::CrmSettings;
use crate::net::subscriber_http::{Recipient, SubscriberClient};
use crate::sip::endpoint::{EndpointConfig, EndpointLimits, Gateway};
use crate::voice::Timeouts;

use super::StartError;

const USER_AGENT: &str = concat!("Clearline/", env!("CARGO_PKG_VERSION"));
/// An address nobody has (RFC 5737): asking for the way there names the interface that leads to the world.
const SOMEWHERE: &str = "192.0.2.1:9";

pub(super) fn http(settings: &Settings) -> HttpSettings {
    let http = settings.http.clone();
    let tls = http.certificate.zip(http.private_key);
    HttpSettings {
        listen: http.listen,
        tls: tls.map(|(certificate, private_key)| TlsFiles { certificate, private_key }),
        allowed_origins: http.allowed_origins,
        trusted_proxies: http.trusted_proxies,
        session: settings.sessions.limits().longest,
    }
}

/// `None`: there is no CRM to be told.
pub(super) fn crm(crm: &config::Crm) -> Option<CrmSettings> {
    let base_url = crm.base_url.as_ref()?;
    Some(CrmSettings {
        base_url: base_url.trim_end_matches('/').to_owned(),
        token: crm.api_token.clone(),
        upload_path: crm.upload_path.clone(),
        call_data_path: crm.call_data_path.clone(),
        file_field: crm.file_field.clone(),
        connect_limit: Duration::from_millis(crm.connect_timeout_ms),
        answer_limit: Duration::from_millis(crm.answer_timeout_ms),
        upload_limit: Duration::from_secs(crm.upload_timeout_s),
        ca_file: crm.ca_file.clone(),
    })
}

pub(super) fn subscriber_client(settings: &config::Notifications) -> Result<SubscriberClient, NoClient> {
    SubscriberClient::new(settings.allow_private_addresses, settings.answer_limit())
}

/// Where notifications go, with what they are signed with.
pub(super) fn recipients(
    settings: &Settings,
    sealing: &Sealing,
) -> Result<Vec<(SubscriberName, Recipient)>, StartError> {
    let recipient = |subscriber: &Subscriber| {
        let secrets = subscriber.signing_secrets(sealing);
        let secrets =
            secrets.map_err(|error| StartError::Subscriber(format!("{} {error}", subscriber.name)))?;
        Ok((subscriber.name.clone(), Recipient { url: subscriber.url.clone(), secrets: secrets.into() }))
    };
    settings.notifications.subscribers.iter().map(recipient).collect()
}

/// What far ends are told about us.
pub(super) struct Advertised {
    pub(super) sip: SocketAddr,
    pub(super) media: IpAddr,
}

pub(super) fn advertised(
    settings: &Settings,
    listening: SocketAddr,
    gateways: &[Gateway],
) -> Result<Advertised, StartError> {
    let towards = gateways.first().map(|gateway| gateway.address);
    let set = settings.sip.advertise;
    let set_ip = set.map(|address| address.ip());
    let ip = advertised_ip("sip.advertise", set_ip, listening.ip(), towards)?;
    // Port 0 stands for the one we really listen on.
    let port = set.map(|address| address.port()).filter(|port| *port != 0).unwrap_or(listening.port());
    let media = settings.media.advertise.or(set_ip);
    let media = advertised_ip("media.advertise", media, settings.media.bind, towards)?;
    Ok(Advertised { sip: SocketAddr::new(ip, port), media })
}

/// The address far ends are told: the setting, else the one we listen on, else the interface towards the gateway.
fn advertised_ip(
    name: &'static str,
    setting: Option<IpAddr>,
    listen: IpAddr,
    towards: Option<SocketAddr>,
) -> Result<IpAddr, StartError> {
    if let Some(address) = setting {
        return Ok(address);
    }
    if !listen.is_unspecified() {
        return Ok(listen);
    }
    interface_towards(towards).map_err(|_| StartError::NoAddress { setting: name })
}

/// Connecting a UDP socket sends nothing; it only asks the kernel for the way.
fn interface_towards(destination: Option<SocketAddr>) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    match destination {
        Some(destination) => socket.connect(destination)?,
        None => socket.connect(SOMEWHERE)?,
    }
    Ok(socket.local_addr()?.ip())
}

pub(super) fn resolve_gateways(sip: &config::Sip) -> Result<Vec<Gateway>, StartError> {
    sip.gateways.iter().map(resolve_gateway).collect()
}

fn resolve_gateway(gateway: &config::Gateway) -> Result<Gateway, StartError> {
    let unresolved = |error: String| StartError::Gateway {
        name: gateway.name.to_string(),
        address: gateway.address.clone(),
        error,
    };
    let mut addresses = gateway.address.to_socket_addrs().map_err(|error| unresolved(error.to_string()))?;
    let address = addresses.next().ok_or_else(|| unresolved("the name has no address".into()))?;
    let host = gateway.address.rsplit_once(':').map_or(gateway.address.as_str(), |(host, _)| host);
    Ok(Gateway {
        id: gateway.name.clone(),
        address,
        domain: gateway.domain.clone().unwrap_or_else(|| host.to_owned()),
        user: gateway.user.clone().unwrap_or_else(|| "clearline".into()),
        password: gateway.password.clone(),
        register: gateway.register,
        expires: Duration::from_secs(gateway.expires_s),
    })
}

pub(super) fn endpoint(settings: &Settings, gateways: Vec<Gateway>, advertise: SocketAddr) -> EndpointConfig {
    EndpointConfig {
        advertise,
        user_agent: USER_AGENT.into(),
        gateways,
        allowed_sources: settings.sip.allowed_sources.clone(),
        limits: EndpointLimits {
            calls: EndpointLimits::calls_for(settings.calls.max_calls),
            ..EndpointLimits::default()
        },
        ring_timeout: Duration::from_secs(settings.sip.ring_timeout_s),
    }
}

/// One router per media thread, each with its own part of the ports.
pub(super) fn routers(media: &config::Media, advertise: IpAddr) -> Vec<RouterSettings> {
    let threads = match media.threads {
        0 => (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1),
        threads => threads,
    };
    let span = usize::from(media.port_max - media.port_min) + 1;
    let share = span / threads / 2 * 2;
    let first = |index: usize| media.port_min + u16::try_from(index * share).unwrap_or(0);
    (0..threads)
        .map(|index| {
            let last = if index + 1 == threads { media.port_max } else { first(index + 1) - 1 };
            RouterSettings { index, bind: media.bind, advertise, ports: first(index)..=last }
        })
        .collect()
}

pub(super) fn registry(calls: &config::Calls) -> RegistryLimits {
    RegistryLimits { calls_max: calls.max_calls, ..RegistryLimits::default() }
}

pub(super) fn call_limits(settings: &Settings) -> CallLimits {
    CallLimits {
        no_rtp: Duration::from_secs(settings.media.no_rtp_timeout_s),
        silence: Duration::from_secs(settings.calls.silence_timeout_s),
        max_length: Duration::from_secs(settings.calls.max_call_s),
    }
}

pub(super) fn timeouts(voice: &config::Voice) -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(voice.connect_timeout_ms),
        setup: Duration::from_millis(voice.setup_timeout_ms),
        ..Timeouts::default()
    }
}

/// Personas with the engine's model filled in; the built-in one when the settings describe none.
pub(super) fn voice_agents(settings: &Settings) -> Vec<VoiceAgent> {
    let mut agents = settings.known_voice_agents();
    for agent in agents.iter_mut().filter(|agent| agent.model.is_empty()) {
        agent.model.clone_from(&settings.voice.model);
    }
    agents
}

pub(super) fn gateways(settings: &Settings, resolved: &[Gateway]) -> Vec<GatewaySettings> {
    let settings = settings.sip.gateways.iter().zip(resolved);
    settings
        .map(|(written, resolved)| GatewaySettings {
            id: written.name.clone(),
            address: resolved.address.ip(),
            any_media_host: written.any_media_host,
        })
        .collect()
}

pub(super) fn numbers(settings: &Settings) -> Vec<NumberRule> {
    let rule = |(number, route): (&String, &config::NumberRoute)| NumberRule {
        number: number.clone(),
        owner: route.owner.clone(),
        voice_agent: Some(route.voice_agent.to_string()),
    };
    settings.numbers.iter().map(rule).collect()
}

/// Everybody whom the settings give incoming calls to.
pub(super) fn owners_named(settings: &Settings) -> Vec<String> {
    let mut owners: Vec<_> = settings.numbers.values().map(|route| route.owner.clone()).collect();
    owners.extend(settings.calls.default_owner_id.as_ref().map(ToString::to_string));
    owners.sort();
    owners.dedup();
    owners
}
