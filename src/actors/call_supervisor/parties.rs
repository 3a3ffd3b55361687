//! Whose a call is, and which persona speaks.
//!
//! Both are read from the store at each call, never from a cache: a change counts from the next call on. An incoming
//! call is the number's in the store, else in the settings, else the default owner's (SPEC K5). A caller waits for the
//! store once, and not at all where it is known to be away; a persona that is not to be had is replaced by the default.
//! Who dials is told instead what is wrong.

use crate::domain::{Persona, PhoneNumber, User, VoiceAgentId, VoiceAgentNumber};
use crate::store::{NumberFound, StoreError};

use super::CallOwner;
use super::admission::{CallSettings, NumberRule, Order, Refused};

#[derive(Debug)]
pub(super) struct Parties {
    pub(super) owner: User,
    pub(super) persona: Persona,
    /// What the store knows of the number that was called.
    pub(super) number: Option<VoiceAgentNumber>,
}

pub(super) async fn parties(settings: &CallSettings, order: &Order) -> Result<Parties, Refused> {
    let Some(asked_by) = &order.asked_by else { return called(settings, &order.dialed).await };
    let owner = match asked_by {
        CallOwner::Id(id) => may_have_calls(settings.users.get(id).await?, id.as_str())?,
        CallOwner::Named(named) => named_owner(settings, named).await?,
    };
    let persona = match &order.persona {
        Some(id) => chosen_persona(settings, id, &owner, stored_persona(settings, id).await)?,
        None => default_persona(settings),
    };
    Ok(Parties { owner, persona, number: None })
}

async fn called(settings: &CallSettings, dialed: &PhoneNumber) -> Result<Parties, Refused> {
    let rule = settings.number(dialed.expose());
    let number = match if_it_answers(settings, settings.stored_numbers.find(dialed)).await {
        Ok(NumberFound::One(stored)) => Some(stored.record),
        Ok(NumberFound::None) => None,
        Ok(NumberFound::Several) if rule.is_none() => return Err(Refused::AmbiguousNumber),
        Ok(NumberFound::Several) => {
            tracing::warn!(number = %dialed, "the called number is one of several countries; the settings decide");
            None
        }
        // Whose number it is then, nobody knows: it must not become the default owner's.
        Err(error) if rule.is_none() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(number = %dialed, %error, "the called number cannot be looked up; the settings decide");
            None
        }
    };
    let owner = if_it_answers(settings, owner_of_called(settings, number.as_ref(), rule.as_ref())).await?;
    let wanted = number.as_ref().and_then(|number| number.voice_agent_id.as_ref()).map(ToString::to_string);
    let persona = match wanted.or_else(|| rule.and_then(|rule| rule.voice_agent)) {
        Some(id) => answering_persona(settings, &id, &owner).await,
        None => default_persona(settings),
    };
    Ok(Parties { owner, persona, number })
}

async fn owner_of_called(
    settings: &CallSettings,
    number: Option<&VoiceAgentNumber>,
    rule: Option<&NumberRule>,
) -> Result<User, Refused> {
    if let Some(number) = number
        && let Some(owner) = owner_of_number(settings, number).await?
    {
        return Ok(with_key_noted(owner));
    }
    let named = rule.map(|rule| &rule.owner).or(settings.default_owner.as_ref());
    let owner = named_owner(settings, named.ok_or(Refused::NoOwner)?).await?;
    let tenant = number.and_then(|number| number.tenant_id.as_ref());
    if tenant.is_some() && tenant != owner.tenant_id.as_ref() {
        tracing::warn!("the number's own owner cannot have this call, and another tenant must not hear it");
        return Err(Refused::NoOwner);
    }
    Ok(owner)
}

/// `None`: it has none, or one who may not have this call.
async fn owner_of_number(
    settings: &CallSettings,
    number: &VoiceAgentNumber,
) -> Result<Option<User>, StoreError> {
    let Some(id) = &number.owner_id else { return Ok(None) };
    let owner = settings.users.get(id).await?;
    let may_have_it = |owner: &User| {
        owner.may_own_calls() && (number.tenant_id.is_none() || number.tenant_id == owner.tenant_id)
    };
    let owner = owner.filter(may_have_it);
    if owner.is_none() {
        tracing::warn!(
            number = %number.number, owner = %id,
            "the number's owner is gone, disabled or of another tenant; it is passed over"
        );
    }
    Ok(owner)
}

async fn named_owner(settings: &CallSettings, wanted: &str) -> Result<User, Refused> {
    may_have_calls(settings.users.find(wanted).await?, wanted)
}

fn may_have_calls(found: Option<User>, wanted: &str) -> Result<User, Refused> {
    let owner = found.ok_or_else(|| Refused::UnknownOwner(wanted.to_owned()))?;
    if !owner.may_own_calls() {
        return Err(Refused::OwnerMayNotCall(wanted.to_owned()));
    }
    Ok(with_key_noted(owner))
}

fn with_key_noted(owner: User) -> User {
    if owner.google_api_key.is_some() {
        tracing::info!("Retrieved API key for user {} (ID: {})", owner.name, owner.id);
    }
    owner
}

async fn stored_persona(settings: &CallSettings, id: &str) -> Result<Option<Persona>, StoreError> {
    Ok(settings.personas.get(&VoiceAgentId::new(id)).await?.map(|stored| stored.record))
}

/// Another tenant's persona is as good as none (SPEC O2). Those of the settings are there even without the store.
fn chosen_persona(
    settings: &CallSettings,
    id: &str,
    owner: &User,
    found: Result<Option<Persona>, StoreError>,
) -> Result<Persona, Refused> {
    let of_settings = || {
        let found = settings.voice_agents.iter().find(|agent| agent.id.as_str() == id);
        found.cloned().map(Persona::of_settings)
    };
    let found = match found {
        Ok(found) => found.filter(|persona| persona.is_there_for(owner.tenant_id.as_ref())),
        Err(error) => return of_settings().ok_or(error.into()),
    };
    match found {
        Some(persona) if persona.enabled => Ok(with_model(settings, persona)),
        Some(_) => Err(Refused::VoiceAgentDisabled(id.to_owned())),
        None => of_settings().ok_or_else(|| Refused::NoVoiceAgent(id.to_owned())),
    }
}

/// Somebody waits to be answered: better by the default persona than not at all.
async fn answering_persona(settings: &CallSettings, id: &str, owner: &User) -> Persona {
    let found = if_it_answers(settings, stored_persona(settings, id)).await;
    chosen_persona(settings, id, owner, found).unwrap_or_else(|reason| {
        tracing::warn!(persona = id, %reason, "the default persona answers instead");
        default_persona(settings)
    })
}

fn default_persona(settings: &CallSettings) -> Persona {
    Persona::of_settings(settings.voice_agents.first().cloned().unwrap_or_default())
}

fn with_model(settings: &CallSettings, mut persona: Persona) -> Persona {
    if persona.agent.model.is_empty() {
        persona.agent.model.clone_from(&settings.default_model);
    }
    persona
}

/// A store that is known to be away is not asked: its answer would only come late.
async fn if_it_answers<T, E: From<StoreError>>(
    settings: &CallSettings,
    look_up: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if settings.stored_numbers.can_be_read() {
        look_up.await
    } else {
        Err(StoreError::Failed("it does not answer".to_owned()).into())
    }
}

#[cfg(test)]
#[path = "parties_tests.rs"]
mod tests;
