use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::actors::{Directory, EventStream};
use crate::call::CallLimits;
use crate::call::registry::RegistryLimits;
use crate::clock;
use crate::domain::{
    Direction, NodeId, Outcome, Role, Sealing, StartId, TenantId, Timestamp, UserId, VoiceAgent,
};
use crate::net::voice_ws::ModelEndpoint;
use crate::net::webhook::Webhooks;
use crate::store::{
    Audit, Backend, By, COLLECTIONS, Change, Command, Credential, Effect, Entry, NUMBERS, Numbers, Store,
    Subject, Users, VoiceAgents, embedded,
};
use crate::voice::Timeouts;

const OF_SETTINGS: &str = "+4930123456";
const OF_NOBODY: &str = "+4930999999";

/// Every request to it fails; it may be known to.
struct Away {
    known: bool,
    asked: Arc<AtomicUsize>,
}

impl Backend for Away {
    fn submit(&self, command: Command) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        drop(command);
    }

    fn can_be_read(&self) -> bool {
        !self.known
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    settings: CallSettings,
    asked: Arc<AtomicUsize>,
}

/// Users can be read; numbers and personas lie where nothing answers.
async fn bench(known: bool) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let users = embedded::open(&path, COLLECTIONS, || Timestamp::from_millis(0)).unwrap();
    add_ada(&users).await;
    let asked = Arc::default();
    let away = Store::new(Away { known, asked: Arc::clone(&asked) });
    let desk = VoiceAgent { id: VoiceAgentId::new("desk"), ..VoiceAgent::default() };
    let rule =
        NumberRule { number: OF_SETTINGS.into(), owner: "ada".into(), voice_agent: Some("desk".into()) };
    let second = Duration::from_secs(1);
    let settings = CallSettings {
        registry: RegistryLimits::default(),
        limits: CallLimits { no_rtp: second, silence: second, max_length: second },
        gateways: Vec::new(),
        numbers: vec![rule],
        voice_agents: vec![VoiceAgent::default(), desk],
        default_model: "gemini".into(),
        stored_numbers: Numbers::new(away.clone()),
        personas: VoiceAgents::new(away),
        default_owner: Some("ada".into()),
        model: ModelEndpoint::new("ws://127.0.0.1:9", "v1", true).unwrap(),
        webhooks: Webhooks::new(tokio::runtime::Handle::current(), Sealing::default(), false).unwrap(),
        timeouts: Timeouts::default(),
        users: Users::new(users),
        sealing: Sealing::default(),
        recordings: None,
        node: NodeId::new("n"),
        start: StartId::new("s"),
        directory: Directory::default(),
        events: EventStream::new(),
    };
    Bench { _folder: folder, settings, asked }
}

async fn add_ada(store: &Store) {
    let ada = User {
        id: UserId::new("u1"),
        name: "ada".into(),
        role: Role::Admin,
        tenant_id: Some(TenantId::new("u1")),
        google_api_key: None,
        google_api_key_fingerprint: None,
        enabled: true,
    };
    let change = Change::new(By::Engine, "user.add", Effect::Made, Subject::user(&ada));
    let users = Users::new(store.clone());
    let insert = async |entry: &Entry| users.insert(entry, &ada, &Credential::default()).await;
    Audit::new(store.clone()).record(change, insert).await.unwrap();
}

async fn add_number(store: &Store, id: &str, number: &str) {
    let number = serde_json::json!({ "id": id, "number": number, "owner_id": "u1" });
    let number: VoiceAgentNumber = serde_json::from_value(number).unwrap();
    let change = Change::new(By::Engine, "number.add", Effect::Made, Subject::new(&NUMBERS, id, "a number"));
    let numbers = Numbers::new(store.clone());
    let insert = async |entry: &Entry| numbers.insert(entry, number).await;
    Audit::new(store.clone()).record(change, insert).await.unwrap();
}

fn order(asked_by: Option<&str>, dialed: &str, persona: Option<&str>) -> Order {
    Order {
        call: clock::new_call_id(),
        direction: if asked_by.is_some() { Direction::Outbound } else { Direction::Inbound },
        number: PhoneNumber::new(dialed),
        dialed: PhoneNumber::new(dialed),
        asked_by: asked_by.map(CallOwner::from),
        persona: persona.map(str::to_owned),
        signalling: IpAddr::V4(Ipv4Addr::LOCALHOST),
        any_media_host: false,
        dial: None,
        offer: None,
        dialog: None,
        metadata: None,
    }
}

impl Bench {
    async fn parties(&self, order: Order) -> Result<(String, String), Refused> {
        let parties = parties(&self.settings, &order).await?;
        Ok((parties.owner.name, parties.persona.agent.id.to_string()))
    }
}

fn of_ada(persona: &str) -> (String, String) {
    ("ada".to_owned(), persona.to_owned())
}

#[tokio::test]
async fn numbers_and_personas_of_the_settings_work_where_those_of_the_store_cannot_be_read() {
    let bench = bench(false).await;
    assert_eq!(bench.parties(order(None, OF_SETTINGS, None)).await.unwrap(), of_ada("desk"));
    let dialling = order(Some("ada"), OF_NOBODY, Some("desk"));
    assert_eq!(bench.parties(dialling).await.unwrap(), of_ada("desk"));
    assert!(bench.asked.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_number_that_cannot_be_looked_up_does_not_become_the_default_owner_s() {
    let bench = bench(false).await;
    let refused = bench.parties(order(None, OF_NOBODY, None)).await.unwrap_err();
    assert!(matches!(refused, Refused::Store(_)), "{refused}");
    assert_eq!((refused.sip_status(), refused.retry_may_help()), (503, true));
}

#[tokio::test]
async fn who_dials_with_a_persona_that_cannot_be_read_is_told_so() {
    let bench = bench(false).await;
    let refused = bench.parties(order(Some("ada"), OF_NOBODY, Some("sales"))).await.unwrap_err();
    assert!(matches!(refused, Refused::Store(_)), "{refused}");
    assert_eq!(refused.outcome(), Outcome::RefusedCapacity);
}

#[tokio::test]
async fn a_caller_does_not_wait_for_a_store_that_is_known_to_be_away() {
    let bench = bench(true).await;
    for dialed in [OF_SETTINGS, OF_NOBODY] {
        let refused = bench.parties(order(None, dialed, None)).await.unwrap_err();
        assert!(matches!(refused, Refused::Store(_)), "{refused}");
    }
    assert_eq!(bench.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn digits_that_are_a_number_of_two_tenants_are_refused_and_do_not_become_the_default_owner_s() {
    let mut bench = bench(false).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.db");
    let store = embedded::open(&path, COLLECTIONS, || Timestamp::from_millis(0)).unwrap();
    for (id, number) in [("n1", "+49 123 456789"), ("n2", "+43 123 456789")] {
        add_number(&store, id, number).await;
    }
    bench.settings.stored_numbers = Numbers::new(store);
    let refused = bench.parties(order(None, "0123456789", None)).await.unwrap_err();
    assert!(matches!(refused, Refused::AmbiguousNumber), "{refused}");
    assert_eq!((refused.sip_status(), refused.outcome()), (404, Outcome::RefusedPolicy));
    assert_eq!(bench.parties(order(None, "+49123456789", None)).await.unwrap().0, "ada");
}
