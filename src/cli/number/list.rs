//! `clearline number list`, and numbers as the other commands print them.

use std::fmt;
use std::process::ExitCode;

use clap::Args;

use crate::store::Opening;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::Scope;
use crate::domain::VoiceAgentNumber;
use crate::store::MAX_PAGE;

use super::super::CommandResult;
use super::super::common::{Failure, JsonAndSettings, say, say_json, store_failed};
use super::Desk;

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    number: String,
    country_code: String,
    provider: Option<String>,
    tenant_id: Option<String>,
    owner_id: Option<String>,
    owner: Option<String>,
    voice_agent_id: Option<String>,
    rules: Map<String, Value>,
}

impl List {
    pub(super) async fn run(self) -> CommandResult {
        let desk = Desk::open_for(Opening::ToMend, &self.common).await?;
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let page = desk.catalogue.numbers().list(&Scope::Everything, after, MAX_PAGE).await;
            let page = page.map_err(store_failed)?;
            for number in page.items {
                shown.push(Shown::of(&desk, number.record).await?);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if shown.is_empty() && !self.common.json {
            say("no numbers yet; add one with `clearline number add NUMBER --owner USER`");
        }
        show(&shown, self.common.json)
    }
}

pub(super) fn show(numbers: &[Shown], json: bool) -> CommandResult {
    if json {
        say_json(numbers)?;
    } else {
        numbers.iter().for_each(say);
    }
    Ok(ExitCode::SUCCESS)
}

impl Shown {
    pub(super) async fn of(desk: &Desk, number: VoiceAgentNumber) -> Result<Self, Failure> {
        let owner = desk.owner_name(number.owner_id.as_ref()).await?;
        Ok(Self {
            id: number.id.to_string(),
            number: number.number.expose().to_owned(),
            country_code: number.country_code,
            provider: number.provider,
            tenant_id: number.tenant_id.map(|tenant| tenant.to_string()),
            owner_id: number.owner_id.map(|owner| owner.to_string()),
            owner,
            voice_agent_id: number.voice_agent_id.map(|id| id.to_string()),
            rules: number.rules,
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match (&self.owner, &self.owner_id) {
            (Some(name), _) => name,
            (None, Some(_)) => "a removed user",
            (None, None) => "nobody",
        };
        let persona = self.voice_agent_id.as_deref().unwrap_or("default");
        write!(f, "{:<18} owner {owner:<20} voice agent {persona:<14} {}", self.number, self.id)?;
        match &self.provider {
            Some(provider) => write!(f, "  {provider}"),
            None => Ok(()),
        }
    }
}
