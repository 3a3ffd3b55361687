//! `clearline number add`.

use clap::Args;

use crate::clock;
use crate::domain::{NumberId, PhoneNumber, TenantId, VoiceAgentNumber};

use super::super::CommandResult;
use super::super::common::{Failure, JsonAndSettings, store_failed};
use super::list::{Shown, show};
use super::{Desk, Purpose, by_this_person, refused};

pub(super) const EXAMPLES: &str = "Examples:
  clearline number add +4930123456 --owner mira
  clearline number add 030/123456 --country 49 --owner mira --voice-agent reception --provider twilio";

#[derive(Args)]
pub(super) struct Add {
    /// With + or 00 and its country, or as it is dialled inside the country that --country names
    number: String,
    /// Country code, as 49
    #[arg(long, value_name = "CODE", default_value = "")]
    country: String,
    /// The tenant it belongs to, by its admin's name or id; the owner's unless it is given
    #[arg(long, value_name = "ADMIN", conflicts_with = "owner")]
    tenant: Option<String>,
    #[command(flatten)]
    purpose: Purpose,
    #[command(flatten)]
    common: JsonAndSettings,
}

impl Add {
    pub(super) async fn run(self) -> CommandResult {
        let desk = Desk::open(&self.common).await?;
        let owner = desk.owner(self.purpose.owner.as_deref()).await?;
        let number = VoiceAgentNumber {
            id: NumberId::new(clock::new_id()),
            number: PhoneNumber::new(self.number),
            country_code: self.country,
            provider: None,
            tenant_id: tenant(&desk, self.tenant.as_deref()).await?,
            owner_id: None,
            voice_agent_id: None,
            rules: serde_json::Map::new(),
        };
        let number = self.purpose.apply(owner.as_ref(), number);
        let added = desk.catalogue.add_number(by_this_person(), number).await.map_err(refused)?;
        show(&[Shown::of(&desk, added.record).await?], self.common.json)
    }
}

async fn tenant(desk: &Desk, admin: Option<&str>) -> Result<Option<TenantId>, Failure> {
    let Some(name) = admin else { return Ok(None) };
    let found = desk.users.find(name).await.map_err(store_failed)?;
    let tenant = found.and_then(|admin| admin.tenant_id);
    tenant
        .ok_or_else(|| Failure::new(format!("{name:?} is no admin; a tenant is named by its admin")))
        .map(Some)
}
