//! Personas, numbers and leads: what people edit and calls bring.

use clearline::access::Scope;
use clearline::domain::{
    CallId, CallbackId, Lead, LeadId, NumberId, Persona, PhoneNumber, ScheduledCallback, TenantId, Timestamp,
    UserId, VoiceAgent, VoiceAgentId, VoiceAgentNumber,
};
use clearline::store::{
    Audit, By, CallbackFilter, Callbacks, Change, Effect, Entry, Leads, NUMBERS, NumberFound, Numbers, Store,
    StoreError, Stored, Subject, VOICE_AGENTS, VoiceAgents,
};
use serde_json::{Value, json};

use crate::bench::Bench;

async fn recorded<T>(
    store: &Store,
    act: impl AsyncFnOnce(&Entry) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let subject = Subject::new(&VOICE_AGENTS, "p1", "something");
    let change = Change::new(By::Engine, "record.test", Effect::Changed, subject);
    Audit::new(store.clone()).record(change, act).await
}

fn persona(id: &str, name: &str, tenant: Option<&str>) -> Persona {
    Persona {
        agent: VoiceAgent { id: VoiceAgentId::new(id), name: name.into(), ..VoiceAgent::default() },
        tenant_id: tenant.map(TenantId::new),
        enabled: true,
        crm_voice_agent_id: None,
        crm_campaign_id: None,
        crm_client_id: None,
    }
}

async fn add(store: &Store, persona: Persona) -> Result<Stored<Persona>, StoreError> {
    let voice_agents = VoiceAgents::new(store.clone());
    recorded(store, async |entry| voice_agents.insert(entry, persona).await).await
}

fn taken<T>(answer: Result<T, StoreError>) -> Option<&'static str> {
    match answer {
        Err(StoreError::Conflict { field, .. }) => Some(field),
        _ => None,
    }
}

pub(crate) async fn a_persona_s_name_is_unique_in_its_tenant_however_it_is_written(bench: &mut impl Bench) {
    let store = bench.open().await;
    let voice_agents = VoiceAgents::new(store.clone());
    let desk = add(&store, persona("p1", "Desk", Some("t1"))).await.unwrap();
    assert_eq!(voice_agents.get(&VoiceAgentId::new("p1")).await.unwrap(), Some(desk));
    assert_eq!(taken(add(&store, persona("p2", " dESK", Some("t1"))).await), Some("unique_name"));
    add(&store, persona("p3", "Desk", Some("t2"))).await.unwrap();
    add(&store, persona("p4", "Desk", None)).await.unwrap();
    assert_eq!(taken(add(&store, persona("p5", "desk", None)).await), Some("unique_name"));
    let id = VoiceAgentId::new("p1");
    let rename = |persona: &Persona| {
        let agent = VoiceAgent { name: "Front".into(), ..persona.agent.clone() };
        Some(Persona { agent, ..persona.clone() })
    };
    let renamed = recorded(&store, async |entry| voice_agents.change(entry, &id, None, rename).await).await;
    assert_eq!(renamed.unwrap().record.agent.name, "Front");
    add(&store, persona("p6", "desk", Some("t1"))).await.unwrap();
}

pub(crate) async fn a_change_that_expects_an_older_version_is_lost_and_one_that_expects_none_is_made(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let (voice_agents, id) = (VoiceAgents::new(store.clone()), VoiceAgentId::new("p1"));
    add(&store, persona("p1", "Desk", Some("t1"))).await.unwrap();
    let set = async |expected, enabled| {
        let decide = |persona: &Persona| Some(Persona { enabled, ..persona.clone() });
        recorded(&store, async |entry| voice_agents.change(entry, &id, expected, decide).await).await
    };
    assert_eq!(set(Some(1), false).await.unwrap().version, 2);
    let lost = Err(StoreError::Lost { collection: "voice_agents", id: "p1".into() });
    assert_eq!(set(Some(1), true).await, lost);
    assert_eq!(set(None, true).await.unwrap().version, 3);
    let remove = async |expected| {
        recorded(&store, async |entry| voice_agents.remove(entry, &id, expected).await).await
    };
    assert_eq!(remove(Some(2)).await, Err(StoreError::Lost { collection: "voice_agents", id: "p1".into() }));
    assert_eq!(remove(Some(3)).await, Ok(()));
    let missing = StoreError::NotFound { collection: "voice_agents", id: "p1".into() };
    assert_eq!((remove(None).await, set(None, true).await), (Err(missing.clone()), Err(missing)));
}

pub(crate) async fn a_tenant_s_personas_are_its_own_and_the_shared_ones_page_by_page(bench: &mut impl Bench) {
    let store = bench.open().await;
    let voice_agents = VoiceAgents::new(store.clone());
    let all =
        [("1", Some("t1")), ("2", None), ("3", Some("t2")), ("4", None), ("5", Some("t1")), ("6", None)];
    for (id, tenant) in all {
        add(&store, persona(id, id, tenant)).await.unwrap();
    }
    let unreadable = json!({ "id": "7", "name": 7, "tenant_id": "t1" });
    store.insert(&VOICE_AGENTS, "7", unreadable).await.unwrap();
    let tenant = TenantId::new("t1");
    for limit in 1..=7 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = voice_agents.list(Some(&tenant), after, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.into_iter().map(|item| item.record.agent.id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["1", "2", "4", "5", "6"], "pages of {limit}");
    }
    assert_eq!(voice_agents.list(None, None, 9).await.unwrap().items.len(), 6);
}

fn number(id: &str, body: Value) -> VoiceAgentNumber {
    let mut body = body;
    body["id"] = id.into();
    serde_json::from_value(body).unwrap()
}

async fn add_number(store: &Store, number: VoiceAgentNumber) -> Result<Stored<VoiceAgentNumber>, StoreError> {
    let numbers = Numbers::new(store.clone());
    recorded(store, async |entry| numbers.insert(entry, number).await).await
}

async fn dialled(numbers: &Numbers, dialed: &str) -> Option<String> {
    let found = numbers.find(&PhoneNumber::new(dialed)).await.unwrap().one();
    found.map(|found| found.record.id.to_string())
}

pub(crate) async fn a_number_is_found_by_every_form_it_is_dialled_in_and_is_there_once(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let numbers = Numbers::new(store.clone());
    let berlin =
        json!({ "number": "(030) 123456", "country_code": "+49", "tenant_id": "t1", "owner_id": "u1" });
    add_number(&store, number("n1", berlin).normalised().unwrap()).await.unwrap();
    for dialed in ["+4930123456", "004930123456", "4930123456", "030123456", "30123456", "+49 30 123456"] {
        assert_eq!(dialled(&numbers, dialed).await.as_deref(), Some("n1"), "{dialed}");
    }
    for dialed in ["+4930123457", "+130123456", "123456", "100", "alice", ""] {
        assert_eq!(dialled(&numbers, dialed).await, None, "{dialed}");
    }
    let again = number("n2", json!({ "number": "0049 30 123456", "tenant_id": "t2" }));
    assert_eq!(taken(add_number(&store, again).await), Some("forms.e164"));
    let of = async |scope| numbers.list(&scope, None, 9).await.unwrap().items.len();
    assert_eq!(of(Scope::Tenant(TenantId::new("t1"))).await, 1);
    assert_eq!(of(Scope::Tenant(TenantId::new("t2"))).await, 0);
    assert_eq!(of(Scope::Owner(UserId::new("u1"))).await, 1);
    assert_eq!((of(Scope::Everything).await, of(Scope::Nothing).await), (1, 0));
}

pub(crate) async fn digits_that_are_numbers_of_two_countries_are_nobody_s(bench: &mut impl Bench) {
    let store = bench.open().await;
    let numbers = Numbers::new(store.clone());
    for (id, country) in [("n1", "49"), ("n2", "43")] {
        add_number(&store, number(id, json!({ "number": "0123456789", "country_code": country })))
            .await
            .unwrap();
    }
    let found = numbers.find(&PhoneNumber::new("0123456789")).await.unwrap();
    assert!(matches!(found, NumberFound::Several), "{found:?}");
    assert_eq!(dialled(&numbers, "+43123456789").await.as_deref(), Some("n2"));
    assert_eq!(dialled(&numbers, "49123456789").await.as_deref(), Some("n1"));
}

pub(crate) async fn digits_that_are_one_number_with_and_another_without_its_country_are_nobody_s(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let numbers = Numbers::new(store.clone());
    for (id, number_dialled) in [("n1", "+49 30 123456"), ("n2", "+1 493 012 3456")] {
        add_number(&store, number(id, json!({ "number": number_dialled }))).await.unwrap();
    }
    let found = numbers.find(&PhoneNumber::new("4930123456")).await.unwrap();
    assert!(matches!(found, NumberFound::Several), "{found:?}");
    assert_eq!(dialled(&numbers, "+4930123456").await.as_deref(), Some("n1"));
}

pub(crate) async fn a_number_of_another_program_is_listed_and_found_once_it_was_changed(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let (numbers, id) = (Numbers::new(store.clone()), NumberId::new("n1"));
    let foreign = json!({ "id": "n1", "number": "030 123456", "country_code": "49", "sip_id": 7 });
    store.insert(&NUMBERS, "n1", foreign).await.unwrap();
    assert_eq!(numbers.list(&Scope::Everything, None, 9).await.unwrap().items.len(), 1);
    let keep = |number: &VoiceAgentNumber| Some(number.clone());
    recorded(&store, async |entry| numbers.change(entry, &id, None, keep).await).await.unwrap();
    assert_eq!(dialled(&numbers, "+4930123456").await.as_deref(), Some("n1"));
    assert_eq!(store.get(&NUMBERS, "n1").await.unwrap().unwrap().body["sip_id"], 7);
}

pub(crate) async fn rules_are_replaced_and_what_other_programs_wrote_beside_them_stays(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let (numbers, id) = (Numbers::new(store.clone()), NumberId::new("n1"));
    let body = json!({ "id": "n1", "number": "+4930123456", "sip_id": 7,
                       "rules": { "livekit_config": "c1", "hours": { "from": 8 }, "note": "x" } });
    store.insert(&NUMBERS, "n1", body).await.unwrap();
    let set = |number: &VoiceAgentNumber| {
        let rules = json!({ "livekit_config": "c2", "hours": { "to": 17 } });
        Some(VoiceAgentNumber { rules: rules.as_object().cloned().unwrap(), ..number.clone() })
    };
    let changed = recorded(&store, async |entry| numbers.change(entry, &id, None, set).await).await.unwrap();
    assert_eq!(changed.record.livekit_config(), Some("c2"));
    let stored = store.get(&NUMBERS, "n1").await.unwrap().unwrap().body;
    assert_eq!(stored["rules"], json!({ "livekit_config": "c2", "hours": { "to": 17 } }));
    assert_eq!(stored["sip_id"], 7);
}

pub(crate) async fn a_lead_is_found_by_its_call_and_listed_newest_first(bench: &mut impl Bench) {
    let store = bench.open().await;
    let leads = Leads::new(store.clone());
    for (id, session, owner) in [("l1", "c1", "u1"), ("l2", "c2", "u2"), ("l3", "c1", "u1")] {
        let lead = Lead {
            id: LeadId::new(id),
            session_id: CallId::new(session),
            tenant_id: Some(TenantId::new("t1")),
            owner_id: Some(UserId::new(owner)),
            voice_agent_id: None,
            campaign_id: None,
            revision: 0,
            additions: 0,
            fields: json!({ "name": "Eve", "phones": ["+4930123456"] }).as_object().cloned().unwrap(),
        };
        let stored = leads.insert(lead.clone()).await.unwrap();
        assert_eq!(leads.get(&LeadId::new(id)).await.unwrap(), Some(stored.clone()));
        assert_eq!(stored.record, lead);
    }
    let ids = |listed: Vec<Stored<Lead>>| {
        listed.into_iter().map(|lead| lead.record.id.to_string()).collect::<Vec<_>>()
    };
    let of = async |scope| ids(leads.list(&scope, None, 9).await.unwrap().items);
    assert_eq!(of(Scope::Tenant(TenantId::new("t1"))).await, ["l3", "l2", "l1"]);
    assert_eq!(of(Scope::Owner(UserId::new("u1"))).await, ["l3", "l1"]);
    assert!(of(Scope::Tenant(TenantId::new("t2"))).await.is_empty() && of(Scope::Nothing).await.is_empty());
    let session = CallId::new("c1");
    let first = leads.of_session(&session, None, 1).await.unwrap();
    assert_eq!((ids(first.items), first.next.as_deref()), (vec!["l3".to_owned()], Some("l3")));
    assert_eq!(ids(leads.of_session(&session, first.next, 1).await.unwrap().items), ["l1"]);
}

pub(crate) async fn call_backs_are_listed_by_whose_they_are_whether_done_and_when_due(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let callbacks = Callbacks::new(store.clone());
    let hour = |hour: u64| Timestamp::from_millis(1_800_000_000_000 + hour * 3_600_000);
    for (id, owner, due) in [("b1", "u1", 9), ("b2", "u2", 10), ("b3", "u1", 11)] {
        let stored = json!({ "id": id, "session_id": format!("call-of-{id}"), "tenant_id": "t1", "owner_id": owner,
            "due": hour(due), "number": "+4930123456", "reason": "offer", "asked_at": hour(0), "revision": 3 });
        callbacks.put(&serde_json::from_value(stored).unwrap()).await.unwrap();
    }
    let done = recorded(&store, async |entry| {
        callbacks.set_done(entry, &CallbackId::new("b1"), Some(hour(12))).await
    });
    assert_eq!(done.await.unwrap().record.done_at, Some(hour(12)));
    let (tenant, own) = (Scope::Tenant(TenantId::new("t1")), Scope::Owner(UserId::new("u1")));
    let of = async |scope: &Scope, filter: CallbackFilter| {
        let listed = callbacks.list(scope, &filter, None, 9).await.unwrap().items;
        listed.into_iter().map(|stored| stored.record.id.to_string()).collect::<Vec<_>>()
    };
    let all = CallbackFilter::default();
    assert_eq!(of(&tenant, all.clone()).await, ["b3", "b2", "b1"]);
    assert_eq!(of(&own, all.clone()).await, ["b3", "b1"]);
    assert!(of(&Scope::Tenant(TenantId::new("t2")), all.clone()).await.is_empty());
    assert!(of(&Scope::Nothing, all.clone()).await.is_empty());
    assert_eq!(of(&tenant, CallbackFilter { done: Some(true), ..all.clone() }).await, ["b1"]);
    assert_eq!(of(&own, CallbackFilter { done: Some(false), ..all.clone() }).await, ["b3"]);
    let owner = Some(UserId::new("u2"));
    assert_eq!(of(&tenant, CallbackFilter { owner: owner.clone(), ..all.clone() }).await, ["b2"]);
    assert!(of(&own, CallbackFilter { owner, ..all.clone() }).await.is_empty(), "nobody widens what it sees");
    let between = CallbackFilter { due_from: Some(hour(10)), due_before: Some(hour(11)), ..all.clone() };
    assert_eq!(of(&tenant, between.clone()).await, ["b2"]);
    assert_eq!(
        of(&tenant, CallbackFilter { done: Some(false), due_before: None, ..between }).await,
        ["b3", "b2"]
    );
    let call = Some(CallId::new("call-of-b3"));
    assert_eq!(of(&tenant, CallbackFilter { call, ..all }).await, ["b3"]);
    let first = callbacks.list(&tenant, &CallbackFilter::default(), None, 2).await.unwrap();
    let rest = callbacks.list(&tenant, &CallbackFilter::default(), first.next, 2).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
}

pub(crate) async fn a_call_back_that_is_written_again_stays_done_and_one_that_was_changed_is_not(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let callbacks = Callbacks::new(store.clone());
    let id = CallbackId::new("b1");
    let agreed = |revision: u64| {
        let due = Timestamp::from_millis(1_800_000_000_000 + revision);
        let stored = json!({ "id": "b1", "session_id": "c1", "tenant_id": "t1", "owner_id": "u1", "due": due,
            "number": "+4930123456", "reason": "offer", "asked_at": due, "revision": revision });
        serde_json::from_value::<ScheduledCallback>(stored).unwrap()
    };
    callbacks.put(&agreed(3)).await.unwrap();
    let now = Timestamp::from_millis(1_800_000_009_000);
    recorded(&store, async |entry| callbacks.set_done(entry, &id, Some(now)).await).await.unwrap();
    callbacks.put(&agreed(3)).await.unwrap();
    callbacks.put(&agreed(2)).await.unwrap();
    let stored = callbacks.get(&id).await.unwrap().unwrap().record;
    assert_eq!((stored.done, stored.agreed.revision), (true, 3));
    callbacks.put(&agreed(4)).await.unwrap();
    assert_eq!(callbacks.get(&id).await.unwrap().unwrap().record, agreed(4));
}
