//! One thing of each kind there is, planted for somebody: in the store where nothing but the engine could bring it.

use std::sync::atomic::{AtomicU32, Ordering};

use clearline::accounts::{NewPassword, NewUser};
use clearline::clock;
use clearline::crm::notifications::{Event, Settlement};
use clearline::crm::{Outcome, Settled, Step};
use clearline::domain::{
    CallRecord, ConversationItem, Direction, Lead, LeadId, NodeId, NumberId, Persona, PhoneNumber, Role,
    ScheduledCallback, Secret, Speaker, StartId, Subscriber, SubscriberName, User, VoiceAgent, VoiceAgentId,
    VoiceAgentNumber,
};
use clearline::store::{By, Callbacks, Leads, Notifications, Outbox};
use serde_json::json;

use super::spy::Spy;
use crate::bench::Bench;

pub(crate) struct Kind {
    /// Where things of this kind are listed.
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const KINDS: &[Kind] = &[
    Kind { path: "/api/users", name: "user" },
    Kind { path: "/api/me/sessions", name: "session" },
    Kind { path: "/api/me/tokens", name: "API token" },
    Kind { path: "/api/calls", name: "call" },
    Kind { path: "/api/leads", name: "lead" },
    Kind { path: "/api/callbacks", name: "call-back" },
    Kind { path: "/api/uploads", name: "upload" },
    Kind { path: "/api/notifications", name: "notification" },
    Kind { path: "/api/numbers", name: "number" },
    Kind { path: "/api/voice_agents", name: "voice agent" },
    Kind { path: "/api/audit", name: "audit entry" },
];

/// What a request may name.
pub(crate) struct Things {
    /// The log-in name of whoever asks.
    pub(crate) caller: String,
    pub(crate) owner_id: String,
    pub(crate) tenant_id: String,
    pub(crate) call: String,
    pub(crate) lead: String,
    pub(crate) callback: String,
    pub(crate) upload: String,
    pub(crate) notification: String,
    pub(crate) number: String,
    pub(crate) number_id: String,
    pub(crate) voice_agent: String,
    /// Nobody and nothing has this name, or this number.
    pub(crate) unused: String,
    pub(crate) unused_number: String,
    /// A superadmin says whose a new number is.
    pub(crate) tenant_named: Option<String>,
    /// Whom the caller may create, where it may create anybody.
    pub(crate) role_below: &'static str,
}

/// Digits or letters that were never given before.
pub(crate) fn never_used() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(10_000);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// New things of this owner's, with words that stand nowhere else.
pub(crate) async fn plant(bench: &Bench, spy: &mut Spy, caller: &User, owner: &User) -> Things {
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    let (number_id, number) = plant_number(bench, owner).await;
    spy.plant("number", &number, tenant, None);
    spy.plant("number", &number_id, tenant, None);
    let voice_agent = plant_voice_agent(bench, spy, owner).await;
    let call = plant_call(bench, spy, owner).await;
    let lead = plant_lead(bench, spy, owner, &call).await;
    let callback = plant_callback(bench, spy, owner, &call).await;
    let upload = plant_upload(bench, spy, owner).await;
    let notification = plant_notification(bench, spy, owner).await;
    let role_below = match caller.role {
        Role::Superadmin => "admin",
        Role::Admin | Role::Agent => "agent",
    };
    Things {
        caller: caller.name.clone(),
        owner_id: owner.id.to_string(),
        tenant_id: tenant.unwrap_or_default().to_owned(),
        call: call.session_id.to_string(),
        lead,
        callback,
        upload,
        notification,
        number,
        number_id,
        voice_agent,
        unused: format!("added-{}", never_used()),
        unused_number: format!("+4930{}66", never_used()),
        tenant_named: (caller.role == Role::Superadmin).then(|| tenant.unwrap_or_default().to_owned()),
        role_below,
    }
}

/// Nobody may have many, so each that a request names is made for it.
pub(crate) async fn plant_token(bench: &Bench, spy: &mut Spy, owner: &User) -> String {
    let name = format!("token-{}-of-{}", never_used(), owner.name);
    let made = bench.engine.accounts().make_token(By::Engine, owner, &name).await.expect("a token");
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    for mark in [made.id.as_str(), &name] {
        spy.plant("API token", mark, tenant, None);
    }
    made.id
}

async fn plant_number(bench: &Bench, owner: &User) -> (String, String) {
    let number = VoiceAgentNumber {
        id: NumberId::new(clock::new_id()),
        number: PhoneNumber::new(format!("+4930{}77", never_used())),
        country_code: "49".into(),
        provider: None,
        tenant_id: owner.tenant_id.clone(),
        owner_id: Some(owner.id.clone()),
        voice_agent_id: None,
        rules: serde_json::Map::new(),
    };
    let added = bench.engine.catalogue().add_number(By::Engine, number).await.expect("a number").record;
    (added.id.to_string(), added.number.expose().to_owned())
}

async fn plant_voice_agent(bench: &Bench, spy: &mut Spy, owner: &User) -> String {
    let word = format!("instruction-{}-of-{}", never_used(), owner.name);
    let persona = Persona {
        agent: VoiceAgent {
            id: VoiceAgentId::new(clock::new_id()),
            name: format!("voice-agent-{}", never_used()),
            instruction: word.clone(),
            ..VoiceAgent::default()
        },
        tenant_id: owner.tenant_id.clone(),
        enabled: true,
        crm_voice_agent_id: None,
        crm_campaign_id: None,
        crm_client_id: None,
    };
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    for mark in [word.as_str(), &persona.agent.name, persona.agent.id.as_str()] {
        spy.plant("voice agent", mark, tenant, None);
    }
    let added = bench.engine.catalogue().add_voice_agent(By::Engine, persona).await;
    added.expect("a voice agent").record.agent.id.to_string()
}

async fn plant_call(bench: &Bench, spy: &mut Spy, owner: &User) -> CallRecord {
    let (word, number) =
        (format!("said-{}-to-{}", never_used(), owner.name), format!("+4940{}88", never_used()));
    let dialed = PhoneNumber::new(&number);
    let (id, now) = (clock::new_call_id(), clock::unix_time());
    let mut call = CallRecord::started(id, Direction::Inbound, PhoneNumber::new("+4989555"), dialed, now);
    call.owner_id = Some(owner.id.clone());
    call.tenant_id.clone_from(&owner.tenant_id);
    call.recording_filename = Some(format!("/recordings/of-another-engine/{}.ogg", call.session_id));
    call.conversation_items.push(ConversationItem {
        role: Speaker::User,
        content: word.clone(),
        timestamp: now,
        source: "gemini-live".into(),
        transcript_confidence: None,
        interrupted: false,
    });
    for mark in [call.session_id.as_str(), &word, &number] {
        plant_record(spy, "call", mark, owner);
    }
    bench.engine.calls().insert(&call).await.expect("a call");
    call
}

async fn plant_callback(bench: &Bench, spy: &mut Spy, owner: &User, call: &CallRecord) -> String {
    let (id, now) = (clock::new_id(), clock::unix_time());
    let (word, number) =
        (format!("call-back-{}-of-{}", never_used(), owner.name), format!("+4941{}88", never_used()));
    let stored = json!({ "id": id, "session_id": call.session_id, "tenant_id": owner.tenant_id, "owner_id": owner.id,
        "due": now, "number": number, "reason": word, "asked_at": now, "revision": 1 });
    let callback: ScheduledCallback = serde_json::from_value(stored).expect("a call-back");
    for mark in [id.as_str(), &word, &number] {
        plant_record(spy, "call-back", mark, owner);
    }
    Callbacks::new(bench.engine.store().clone()).put(&callback).await.expect("a call-back");
    callback.id.to_string()
}

async fn plant_lead(bench: &Bench, spy: &mut Spy, owner: &User, call: &CallRecord) -> String {
    let word = format!("lead-{}-of-{}", never_used(), owner.name);
    let lead = Lead {
        id: LeadId::new(clock::new_id()),
        session_id: call.session_id.clone(),
        tenant_id: owner.tenant_id.clone(),
        owner_id: Some(owner.id.clone()),
        voice_agent_id: None,
        campaign_id: None,
        revision: 0,
        additions: 0,
        fields: json!({ "name": word }).as_object().cloned().expect("an object"),
    };
    for mark in [lead.id.as_str(), &word] {
        plant_record(spy, "lead", mark, owner);
    }
    let leads = Leads::new(bench.engine.store().clone());
    leads.insert(lead).await.expect("a lead").record.id.to_string()
}

/// Of a call that is known by nothing else: a superadmin sees uploads, but no calls.
async fn plant_upload(bench: &Bench, spy: &mut Spy, owner: &User) -> String {
    let number = || PhoneNumber::new(format!("+4940{}99", never_used()));
    let now = clock::unix_time();
    let mut call = CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), now);
    call.tenant_id.clone_from(&owner.tenant_id);
    let outbox = Outbox::new(bench.engine.store().clone());
    let run = (NodeId::new("another engine"), StartId::new("another start"));
    outbox.open(&call, run).await.expect("an upload");
    outbox.end(&call.session_id, false).await.expect("an upload");
    let refused = Outcome::Refused { why: "the CRM answers 422".into() };
    let settled = Settled { step: Step::CallData, sent_url: None, unsent: None, outcome: refused };
    let upload = outbox.settle(&call.session_id, &settled).await.expect("an upload").expect("it is there");
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    for mark in [upload.id.as_str(), upload.crm_call_id.as_str()] {
        spy.plant("upload", mark, tenant, None);
    }
    upload.id
}

/// Of a call that is known by nothing else, to a subscriber of the owner's tenant.
async fn plant_notification(bench: &Bench, spy: &mut Spy, owner: &User) -> String {
    let number = || PhoneNumber::new(format!("+4940{}55", never_used()));
    let now = clock::unix_time();
    let mut call = CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), now);
    call.tenant_id.clone_from(&owner.tenant_id);
    let name = SubscriberName::new(format!("subscriber-{}", never_used()));
    let to = Subscriber::to(name.clone(), "https://192.0.2.1".into(), Secret::new("whsec_"));
    let to = Subscriber { tenant_id: owner.tenant_id.clone(), ..to };
    let event = Event::of_record(&call).next().expect("it has begun");
    let run = (NodeId::new("another engine"), StartId::new("another start"));
    let notification = event.for_subscriber(&to, &call, run);
    let (id, notifications) = (notification.id.clone(), Notifications::new(bench.engine.store().clone()));
    notifications.add(notification).await.expect("a notification");
    let refused = Settlement::Refused { why: "the subscriber answers 410".into() };
    notifications.settle(&id, &refused).await.expect("a notification");
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    for mark in [id.as_str(), name.as_str(), call.session_id.as_str()] {
        spy.plant("notification", mark, tenant, None);
    }
    for number in [call.from_number.expose(), call.dialed_number.expose()] {
        spy.plant("what was posted", number, None, Some("nobody"));
    }
    id.to_string()
}

fn plant_record(spy: &mut Spy, kind: &'static str, mark: &str, owner: &User) {
    let tenant = owner.tenant_id.as_ref().map(|id| id.as_str());
    spy.plant(kind, mark, tenant, Some(owner.id.as_str()));
}

/// Somebody who may be shut out or removed without harm to the walk.
pub(crate) async fn plant_user(bench: &Bench, spy: &mut Spy, role: Role, admin: Option<&User>) -> User {
    let new = NewUser {
        name: format!("user-{}-planted", never_used()),
        role,
        tenant_id: admin.and_then(|admin| admin.tenant_id.clone()),
        password: NewPassword::None,
    };
    let user = bench.engine.accounts().add(By::Engine, new).await.expect("a user").user;
    plant_person(spy, &user);
    user
}

pub(crate) fn plant_person(spy: &mut Spy, user: &User) {
    let tenant = user.tenant_id.as_ref().map(|id| id.as_str());
    spy.plant("user", &user.name, tenant, None);
    spy.plant("user", user.id.as_str(), tenant, None);
}
