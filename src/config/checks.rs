//! Values that parse but cannot work.

use std::net::IpAddr;

use mongodb::options::ConnectionString;

use super::Settings;
use super::bounds::{self, DAY_S};
use crate::domain::{Sealing, is_public};

type Fault = (String, String);

/// An RTP port and its RTCP port for at least one call.
const MIN_PORTS: u16 = 2;

pub(super) fn first_fault(settings: &Settings) -> Option<Fault> {
    ranges(settings)
        .or_else(|| ports(settings))
        .or_else(|| model_url(settings))
        .or_else(|| store_url(settings))
        .or_else(|| gateways(settings))
        .or_else(|| sealing_keys(settings))
        .or_else(|| personas(settings))
        .or_else(|| http(settings))
        .or_else(|| crm(settings))
        .or_else(|| subscribers(settings))
        .or_else(|| recording(settings))
}

fn ranges(settings: &Settings) -> Option<Fault> {
    let out_of_bounds = bounds::outside(settings).next();
    out_of_bounds
        .map(|(path, problem)| (path.into(), problem))
        .or_else(|| dead_after(settings))
        .or_else(|| reserve(settings).map(|(path, problem)| (path.into(), problem)))
}

/// With more kept free than there is, no call could ever go by the default key, and nobody would know why.
pub(super) fn reserve(settings: &Settings) -> Option<(&'static str, String)> {
    let (sessions, reserved) = (settings.keys.sessions_per_project, settings.keys.reserved_for_holder);
    let problem = || {
        format!(
            "keeps {reserved} free of the {sessions} sessions of keys.sessions_per_project; use at most as many"
        )
    };
    (sessions != 0 && reserved > sessions).then(|| ("keys.reserved_for_holder", problem()))
}

/// An engine must not be taken for dead because one sign of life came late.
fn dead_after(settings: &Settings) -> Option<Fault> {
    let least_ms = 4 * settings.node.beat_ms;
    let problem = format!("must be at least four times node.beat_ms: {least_ms}");
    (settings.node.dead_after_ms < least_ms).then(|| ("node.dead_after_ms".into(), problem))
}

/// Who is warned only when it is too late was not warned.
fn recording(settings: &Settings) -> Option<Fault> {
    let recording = &settings.recording;
    let problem = format!("must be at least recording.min_free_mb: {}", recording.min_free_mb);
    (recording.warn_free_mb < recording.min_free_mb).then(|| ("recording.warn_free_mb".into(), problem))
}

fn http(settings: &Settings) -> Option<Fault> {
    let http = &settings.http;
    if http.certificate.is_some() != http.private_key.is_some() {
        return Some(("http.certificate".into(), "goes with http.private_key; set both or none".into()));
    }
    let is_origin = |text: &&String| {
        let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        authority.is_some_and(|authority| !authority.is_empty() && !authority.contains(['/', '*', ' ']))
    };
    let wrong = http.allowed_origins.iter().find(|origin| !is_origin(origin))?;
    let problem = format!("{wrong:?} is no origin; write scheme and host alone, as https://crm.example.com");
    Some(("http.allowed_origins".into(), problem))
}

fn crm(settings: &Settings) -> Option<Fault> {
    let crm = &settings.crm;
    let fault = |key: &str, problem: &str| Some((format!("crm.{key}"), problem.to_owned()));
    for (key, path) in [("upload_path", &crm.upload_path), ("call_data_path", &crm.call_data_path)] {
        if !path.starts_with('/') || path.contains(char::is_whitespace) {
            return fault(key, "is no path; write it as /upload");
        }
    }
    if crm.file_field.is_empty() || crm.file_field.contains(|c: char| c.is_control() || c == '"') {
        return fault("file_field", "is no name of a form's field; write it as file");
    }
    let url = crm.base_url.as_deref()?;
    let lower = url.to_ascii_lowercase();
    let Some(authority) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) else {
        return fault("base_url", "must start with https://");
    };
    let authority = authority.split('/').next().unwrap_or_default();
    if authority.is_empty() || url.contains(['@', '?', '#', ' ']) {
        return fault(
            "base_url",
            "is no address of a CRM; write https://crm.example.com, with a path if need be and nothing behind it",
        );
    }
    let is_plain = lower.starts_with("http://") && !crm.allow_insecure_url && !is_loopback(authority);
    is_plain.then(|| {
        let problem = "must start with https:// (http:// to another machine sends what was said unprotected and needs \
                       crm.allow_insecure_url)";
        ("crm.base_url".into(), problem.into())
    })
}

fn subscribers(settings: &Settings) -> Option<Fault> {
    let (notifications, sealing) = (&settings.notifications, settings.secrets.sealing().ok()?);
    let all = &notifications.subscribers;
    all.iter().enumerate().find_map(|(index, subscriber)| {
        let fault = |key: &str, problem: &str| {
            Some((format!("notifications.subscribers.{}.{key}", index + 1), problem.to_owned()))
        };
        if let Some(problem) = subscriber.problems(&sealing).into_iter().next() {
            return fault(&problem.field, &problem.message);
        }
        if all.iter().take(index).any(|other| other.name == subscriber.name) {
            return fault("name", "is used by another subscriber too; each needs its own");
        }
        let host = host_of(&subscriber.url);
        let is_private = host.parse().is_ok_and(|address| !is_public(address));
        if is_private && !notifications.allow_private_addresses {
            return fault("url", "leads into a private network, which needs notifications.allow_private_addresses");
        }
        let is_exposed = subscriber.url.starts_with("http://") && !is_loopback(host);
        (is_exposed && !notifications.allow_insecure_url).then_some(()).and_then(|()| {
            let problem = "must start with https:// (http:// to another machine sends phone numbers unprotected and \
                           needs notifications.allow_insecure_url)";
            fault("url", problem)
        })
    })
}

/// Of an address that has been checked to be one.
fn host_of(url: &str) -> &str {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
    without_port(authority.unwrap_or_default())
}

fn ports(settings: &Settings) -> Option<Fault> {
    let (min, max) = (settings.media.port_min, settings.media.port_max);
    let too_few = max < min || max - min < MIN_PORTS;
    let problem = "must lie above media.port_min with room for calls (two ports each)";
    too_few.then(|| ("media.port_max".into(), problem.into()))
}

fn model_url(settings: &Settings) -> Option<Fault> {
    let url = settings.voice.url.to_ascii_lowercase();
    let plain =
        url.strip_prefix("ws://").is_some_and(|host| settings.voice.allow_insecure_url || is_loopback(host));
    let problem = "must start with wss:// (ws:// to another machine sends the key unprotected and needs \
                   voice.allow_insecure_url)";
    (!plain && !url.starts_with("wss://")).then(|| ("voice.url".into(), problem.into()))
}

fn is_loopback(authority: &str) -> bool {
    let host = without_port(authority.trim_end_matches('/'));
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    host.trim_matches(['[', ']'])
}

/// The driver would say more, but might quote the password.
fn store_url(settings: &Settings) -> Option<Fault> {
    let url = settings.store.url.as_ref()?.expose();
    let problem = if url.starts_with("mongodb+srv://") {
        "is looked up in the DNS, which Clearline does not do; write the servers out: \
         mongodb://user:password@host1,host2/database?replicaSet=name&tls=true"
    } else if url.starts_with("mongodb://") && ConnectionString::parse(url).is_ok() {
        return None;
    } else {
        "is no address of a MongoDB; write mongodb://user:password@host:27017/database, and signs as : / ? # @ % in \
         user and password as %3A %2F %3F %23 %40 %25"
    };
    Some(("store.url".into(), problem.into()))
}

fn gateways(settings: &Settings) -> Option<Fault> {
    let all = &settings.sip.gateways;
    all.iter().enumerate().find_map(|(index, gateway)| {
        let fault =
            |key: &str, problem: &str| Some((format!("sip.gateways.{}.{key}", index + 1), problem.into()));
        if all.iter().take(index).any(|other| other.name == gateway.name) {
            return fault("name", "is used by another gateway too; each needs its own");
        }
        if !is_host_and_port(&gateway.address) {
            return fault("address", "must be host:port, as sip.example.com:5060");
        }
        if gateway.register && gateway.user.is_none() {
            return fault("user", "is needed to register; set it, or register = false");
        }
        if !(60..=DAY_S).contains(&gateway.expires_s) {
            return fault("expires_s", "is out of range; use 60 to 86400");
        }
        None
    })
}

fn is_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn sealing_keys(settings: &Settings) -> Option<Fault> {
    let secrets = &settings.secrets;
    if secrets.encryption_key.is_none() && !secrets.encryption_keys_old.is_empty() {
        let problem =
            "is needed beside secrets.encryption_keys_old: old keys open, but only the newest seals";
        return Some(("secrets.encryption_key".into(), problem.into()));
    }
    let old = secrets.encryption_keys_old.iter().enumerate();
    let named = old.map(|(index, key)| (format!("secrets.encryption_keys_old.{}", index + 1), key));
    let newest = secrets.encryption_key.iter().map(|key| ("secrets.encryption_key".to_owned(), key));
    newest.chain(named).find_map(|(path, key)| Some((path, Sealing::new([key]).err()?.to_string())))
}

fn personas(settings: &Settings) -> Option<Fault> {
    let all = &settings.voice_agents;
    let twice = |index: usize| {
        all.iter().take(index).any(|other| Some(&other.name) == all.get(index).map(|it| &it.name))
    };
    if let Some(index) = (0..all.len()).find(|index| twice(*index)) {
        let problem = "is used by another voice agent too; each needs its own";
        return Some((format!("voice_agents.{}.name", index + 1), problem.into()));
    }
    let mut numbered = settings.voice_agents.iter().enumerate();
    let in_webhooks = numbered.find_map(|(index, agent)| {
        let problem = agent.webhook_problems().into_iter().next()?;
        Some((format!("voice_agents.{}.{}", index + 1, problem.field), problem.message))
    });
    if in_webhooks.is_some() {
        return in_webhooks;
    }
    settings.numbers.iter().find_map(|(number, route)| {
        let missing = settings.voice_agent(&route.voice_agent).is_none();
        let problem = "names no [[voice_agents]] of this file; add it or use \"default\"";
        missing.then(|| (format!("numbers.{number}.voice_agent"), problem.into()))
    })
}
