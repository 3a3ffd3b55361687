//! The set of the demo: a model, a CRM, an engine, two users with two keys, two phones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::accounts::Staff;
use crate::config::{Gateway, NumberRoute, Settings};
use crate::domain::{GatewayId, VoiceAgent};
use crate::engine::Engine;
use crate::keys::KeyPool;
use crate::sandbox::crm::{CrmServer, CrmServerSettings};
use crate::sandbox::model::{ModelServer, ModelSettings};
use crate::sandbox::phone::{Phone, PhoneSettings};

use super::super::common::Failure;
use super::super::user::add_admin;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STOP_LIMIT: Duration = Duration::from_secs(2);
pub(super) const GATEWAY: &str = "bens-phone";
pub(super) const NUMBER: &str = "100";

/// One of the two people: who owns the call, and the tone that stands for the person's voice.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) key_hint: String,
    pub(super) tone_hz: f64,
}

pub(super) struct Stage {
    pub(super) model: ModelServer,
    pub(super) crm: CrmServer,
    pub(super) engine: Engine,
    pub(super) ada: Person,
    pub(super) ben: Person,
    pub(super) adas_phone: Phone,
    pub(super) bens_phone: Phone,
}

impl Stage {
    pub(super) async fn build(folder: &Path) -> Result<Self, Failure> {
        let model = ModelServer::start(ModelSettings::default())
            .await
            .map_err(|error| Failure::cannot("start the stand-in model", error))?;
        let crm = CrmServer::start(CrmServerSettings::default())
            .map_err(|error| Failure::cannot("start the stand-in CRM", error))?;
        // Who is dialled trusts the engine by its host; the port is not known yet.
        let somewhere_here = SocketAddr::new(LOOPBACK, 5060);
        let bens_phone = phone(PhoneSettings::new("ben", somewhere_here))?;
        let mut settings = settings(folder, &model, &bens_phone)?;
        settings.crm.base_url = Some(format!("http://{}", crm.address));
        let pool = settings.google_keys.clone();
        let engine = Engine::start(settings).await.map_err(|error| Failure::new(error.to_string()))?;
        let ada = person(engine.staff(), &pool, "ada", 500.0).await?;
        let ben = person(engine.staff(), &pool, "ben", 1_100.0).await?;
        let adas_phone = phone(PhoneSettings { seed: 2, ..PhoneSettings::new("ada", engine.sip_address()) })?;
        Ok(Self { model, crm, engine, ada, ben, adas_phone, bens_phone })
    }

    pub(super) async fn strike(self) {
        self.engine.stop(STOP_LIMIT).await;
        self.model.stop().await;
        self.crm.stop().await;
    }
}

fn phone(settings: PhoneSettings) -> Result<Phone, Failure> {
    Phone::start(settings).map_err(|error| Failure::cannot("start a softphone", error))
}

async fn person(staff: &Staff, pool: &KeyPool, name: &'static str, tone_hz: f64) -> Result<Person, Failure> {
    let user = add_admin(staff, pool, name).await?;
    let key_hint = user.google_api_key.map(|key| key.hint()).unwrap_or_default();
    Ok(Person { name, key_hint, tone_hz })
}

/// Every port is free, every file is in the folder.
fn settings(folder: &Path, model: &ModelServer, bens_phone: &Phone) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    settings.sip.listen = SocketAddr::new(LOOPBACK, 0);
    settings.sip.allowed_sources = vec![LOOPBACK.into()];
    settings.sip.gateways = vec![Gateway {
        name: GatewayId::new(GATEWAY),
        address: bens_phone.address.to_string(),
        domain: None,
        user: None,
        password: None,
        register: false,
        expires_s: 300,
        any_media_host: false,
    }];
    settings.media.bind = LOOPBACK;
    settings.voice.url = format!("ws://{}", model.address);
    settings.store.path = folder.join("clearline.db");
    settings.recording.dir = folder.to_owned();
    settings.http.listen = SocketAddr::new(LOOPBACK, 0);
    let voice_agent = VoiceAgent::default().id;
    settings.numbers.insert(NUMBER.into(), NumberRoute { owner: "ada".into(), voice_agent });
    let keys =
        [("GOOGLE_API_KEY", "demo-key-one-of-two-1111"), ("GOOGLE_API_KEY_2", "demo-key-two-of-two-2222")];
    settings.google_keys =
        KeyPool::from_variables(keys).map_err(|error| Failure::cannot("make the demo's keys", error))?;
    Ok(settings)
}
