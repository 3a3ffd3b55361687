//! Numbers and personas of the store: whose a call is, and who speaks (SPEC G2, K5, L2, O2).

use clearline::actors::call_supervisor::PlaceCall;
use clearline::domain::{
    NumberId, Outcome, Persona, PhoneNumber, TenantId, UserId, VoiceAgent, VoiceAgentId, VoiceAgentNumber,
};
use clearline::store::{By, Change, Effect, Entry, NUMBERS, Numbers, Subject, VOICE_AGENTS, VoiceAgents};
use serde_json::Map;

use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, BENS_KEY, World, order, play};

pub(crate) const BERLIN: &str = "+4930123456";

fn persona(id: &str, tenant: &str) -> Persona {
    Persona {
        agent: VoiceAgent {
            id: VoiceAgentId::new(id),
            name: id.into(),
            instruction: format!("You are {id}."),
            ..VoiceAgent::default()
        },
        tenant_id: Some(TenantId::new(tenant)),
        enabled: true,
        crm_voice_agent_id: None,
        crm_campaign_id: None,
        crm_client_id: None,
    }
}

pub(crate) fn berlin(tenant: &str, owner: &str, persona: Option<&str>) -> VoiceAgentNumber {
    VoiceAgentNumber {
        id: NumberId::new("berlin"),
        number: PhoneNumber::new(BERLIN),
        country_code: "49".into(),
        provider: None,
        tenant_id: Some(TenantId::new(tenant)),
        owner_id: Some(UserId::new(owner)),
        voice_agent_id: persona.map(VoiceAgentId::new),
        rules: Map::new(),
    }
}

impl World {
    async fn with_persona(self, persona: Persona) -> Self {
        let voice_agents = VoiceAgents::new(self.engine.store().clone());
        let subject = Subject::new(&VOICE_AGENTS, persona.agent.id.as_str(), "test");
        let change = Change::new(By::Engine, "voice_agent.add", Effect::Made, subject);
        let insert = async |entry: &Entry| voice_agents.insert(entry, persona).await;
        self.engine.accounts().audit().record(change, insert).await.expect("a writable store");
        self
    }

    pub(crate) async fn with_number(self, number: VoiceAgentNumber) -> Self {
        let numbers = Numbers::new(self.engine.store().clone());
        let subject = Subject::new(&NUMBERS, number.id.as_str(), "test");
        let change = Change::new(By::Engine, "number.add", Effect::Made, subject);
        let insert = async |entry: &Entry| numbers.insert(entry, number).await;
        self.engine.accounts().audit().record(change, insert).await.expect("a writable store");
        self
    }

    /// What the model is told to be in the call of this key.
    async fn instruction(&self, key: &str) -> String {
        let session = self.session_when(key, "the model is set up", |session| session.ready).await;
        session.setup["systemInstruction"].to_string()
    }
}

fn asking_for(persona: &str) -> PlaceCall {
    PlaceCall { voice_agent: Some(persona.into()), ..order("+4930999999") }
}

#[test]
fn a_call_to_a_number_of_the_store_is_its_owner_s_and_its_persona_s_however_it_is_dialled() {
    play(async {
        let world = World::usual().await;
        let world = world.with_persona(persona("reception", "id-of-ben")).await;
        let world = world.with_number(berlin("id-of-ben", "id-of-ben", Some("reception"))).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), "030123456").await;
        caller.connected().await;
        assert!(world.instruction(BENS_KEY).await.contains("You are reception."));
        let call = world.news.call_of("ben", 0).await;
        caller.hang_up().await;
        let record = world.record(&call).await;
        assert_eq!(
            (record.dialed_number.expose(), record.owner_id),
            (BERLIN, Some(UserId::new("id-of-ben")))
        );
        assert_eq!(record.voice_agent_id, Some(VoiceAgentId::new("reception")));
        world.close().await;
    });
}

#[test]
fn the_store_s_number_goes_before_the_one_of_the_settings() {
    play(async {
        let number = "+49301234567";
        let world = World::planned(|plan| {
            let route = plan.settings.numbers.get(ADAS_NUMBER).cloned().expect("Ada has a number");
            plan.settings.numbers.insert(number.into(), route);
        })
        .await;
        let of_ben = berlin("id-of-ben", "id-of-ben", None);
        let world = world.with_number(VoiceAgentNumber { number: PhoneNumber::new(number), ..of_ben }).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), number).await;
        caller.connected().await;
        caller.hears(world.marker(BENS_KEY).await, 0).await;
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn a_number_whose_owner_is_of_another_tenant_is_nobody_s_until_there_is_a_default_owner() {
    play(async {
        let foreign = || berlin("id-of-ada", "id-of-ben", None);
        let world = World::usual().await.with_number(foreign()).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), BERLIN).await;
        assert_eq!(caller.verdict().await.status(), Some(404));
        assert_eq!(world.news.refused().await.outcome, Outcome::RefusedPolicy);
        world.close().await;
        let ada = UserId::new("id-of-ada");
        let world = World::planned(|plan| plan.settings.calls.default_owner_id = Some(ada)).await;
        let (world, caller) = (world.with_number(foreign()).await, FarEnd::usual().await);
        caller.dial(world.sip(), BERLIN).await;
        caller.connected().await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn o2_a_number_s_calls_do_not_become_a_default_owner_s_of_another_tenant() {
    play(async {
        let ben = UserId::new("id-of-ben");
        let world = World::planned(|plan| plan.settings.calls.default_owner_id = Some(ben)).await;
        let world = world.with_number(berlin("id-of-ada", "id-of-somebody-gone", None)).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), BERLIN).await;
        assert_eq!(caller.verdict().await.status(), Some(404));
        assert_eq!(world.news.refused().await.outcome, Outcome::RefusedPolicy);
        world.close().await;
    });
}

#[test]
fn a_caller_is_answered_by_the_default_persona_where_the_number_s_is_not_to_be_had() {
    play(async {
        let disabled = Persona { enabled: false, ..persona("closed", "id-of-ada") };
        let world = World::usual().await.with_persona(disabled).await;
        let world = world.with_number(berlin("id-of-ada", "id-of-ada", Some("closed"))).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), BERLIN).await;
        caller.connected().await;
        assert!(world.instruction(ADAS_KEY).await.contains("friendly assistant"));
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn who_dials_gets_a_persona_of_its_own_or_is_told_why_not() {
    play(async {
        let callee = FarEnd::usual().await;
        let world = World::dialling(&callee).await.with_persona(persona("sales", "id-of-ada")).await;
        let world = world.with_persona(persona("foreign", "id-of-ben")).await;
        let world = world.with_persona(Persona { enabled: false, ..persona("closed", "id-of-ada") }).await;
        for (asked, reason) in
            [("foreign", "no voice agent"), ("nobody", "no voice agent"), ("closed", "disabled")]
        {
            let call = world.engine.place_call(asking_for(asked)).await.expect("there is room");
            let finish = world.news.ended(&call).await;
            assert_eq!(finish.outcome, Outcome::RefusedPolicy, "{asked}");
            assert!(finish.reason.contains(reason) && finish.reason.contains(asked), "{}", finish.reason);
        }
        let call = world.engine.place_call(asking_for("sales")).await.expect("there is room");
        callee.connected().await;
        assert!(world.instruction(ADAS_KEY).await.contains("You are sales."));
        assert!(world.engine.hang_up(&call, "enough").await);
        assert_eq!(world.record(&call).await.voice_agent_id, Some(VoiceAgentId::new("sales")));
        world.close().await;
    });
}
