use serde_json::json;

use super::*;
use crate::access::Scope;
use crate::domain::{
    NumberId, Persona, PhoneNumber, Role, TenantId, Timestamp, User, UserId, VoiceAgentId, VoiceAgentNumber,
};
use crate::store::{By, COLLECTIONS, Change, Credential, Effect, Entry, Subject, embedded};

struct Bench {
    _folder: tempfile::TempDir,
    catalogue: Catalogue,
    store: Store,
}

/// Two tenants, ada's and ben's, and a superadmin.
async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let store = embedded::open(&path, COLLECTIONS, || Timestamp::from_millis(0)).unwrap();
    let catalogue = Catalogue::new(&store, &[VoiceAgent::default()]);
    let bench = Bench { _folder: folder, catalogue, store };
    bench.add_user("ada", Role::Admin, Some("ada"), true).await;
    bench.add_user("ben", Role::Admin, Some("ben"), true).await;
    bench.add_user("eve", Role::Agent, Some("ada"), false).await;
    bench.add_user("root", Role::Superadmin, None, true).await;
    bench
}

impl Bench {
    async fn add_user(&self, id: &str, role: Role, tenant: Option<&str>, enabled: bool) {
        let user = User {
            id: UserId::new(id),
            name: id.into(),
            role,
            tenant_id: tenant.map(TenantId::new),
            google_api_key: None,
            google_api_key_fingerprint: None,
            enabled,
        };
        let change = Change::new(By::Engine, "user.add", Effect::Made, Subject::user(&user));
        let insert =
            async |entry: &Entry| self.catalogue.users.insert(entry, &user, &Credential::default()).await;
        self.catalogue.audit.record(change, insert).await.unwrap();
    }

    async fn add(&self, persona: Persona) -> Result<u64, CatalogueError> {
        Ok(self.catalogue.add_voice_agent(By::Engine, persona).await?.version)
    }

    async fn add_number(&self, number: VoiceAgentNumber) -> Result<VoiceAgentNumber, CatalogueError> {
        Ok(self.catalogue.add_number(By::Engine, number).await?.record)
    }

    /// What was done in the tenant and what was not, as the audit log has it, newest first: action, subject, state.
    async fn told(&self, tenant: &str) -> Vec<[String; 3]> {
        let page =
            self.catalogue.audit.list(&Scope::Tenant(TenantId::new(tenant)), None, None, 50).await.unwrap();
        let told = page.documents.iter().map(|entry| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            [&entry.body["action"], &entry.body["subject"]["name"], &entry.body["state"]].map(text)
        });
        told.collect()
    }
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

fn number(id: &str, number: &str) -> VoiceAgentNumber {
    VoiceAgentNumber {
        id: NumberId::new(id),
        number: PhoneNumber::new(number),
        country_code: String::new(),
        provider: None,
        tenant_id: Some(TenantId::new("ada")),
        owner_id: Some(UserId::new("ada")),
        voice_agent_id: None,
        rules: serde_json::Map::new(),
    }
}

fn fields<T: std::fmt::Debug>(answer: Result<T, CatalogueError>) -> Vec<String> {
    match answer {
        Err(CatalogueError::Invalid(problems)) => problems.into_iter().map(|problem| problem.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_persona_with_problems_is_refused_with_all_of_them_and_leaves_no_entry() {
    let bench = bench().await;
    let wrong = persona("p1", "", Some("nobody"));
    assert_eq!(fields(bench.add(wrong).await), ["name", "tenant_id"]);
    assert_eq!(fields(bench.add(persona("p1", "Desk", Some("eve"))).await), ["tenant_id"]);
    assert!(bench.told("nobody").await.is_empty());
    assert_eq!(
        bench.store.find(&crate::store::VOICE_AGENTS, crate::store::Query::all(1)).await.unwrap().documents,
        []
    );
}

#[tokio::test]
async fn a_persona_s_changes_are_told_by_member_and_a_slower_one_is_refused() {
    let bench = bench().await;
    let id = VoiceAgentId::new("p1");
    assert_eq!(bench.add(persona("p1", "Desk", Some("ada"))).await.unwrap(), 1);
    let rename = |name: &'static str| {
        move |persona: Persona| Persona {
            agent: VoiceAgent { name: name.into(), greeting: String::new(), ..persona.agent },
            ..persona
        }
    };
    let change = async |expected, name| {
        bench.catalogue.change_voice_agent(By::Engine, &id, expected, rename(name)).await
    };
    let changed = change(Some(1), "Front").await.unwrap();
    assert_eq!((changed.version, changed.record.agent.name.as_str()), (2, "Front"));
    assert_eq!(change(Some(2), "Front").await.unwrap().version, 2, "nothing to change");
    assert!(matches!(change(Some(1), "Back").await, Err(CatalogueError::Changed)));
    assert!(matches!(
        bench.catalogue.remove_voice_agent(By::Engine, &id, Some(1)).await,
        Err(CatalogueError::Changed)
    ));
    bench.catalogue.remove_voice_agent(By::Engine, &id, Some(2)).await.unwrap();
    assert!(matches!(change(None, "Back").await, Err(CatalogueError::NotFound("voice agent"))));
    let told: Vec<_> =
        bench.catalogue.audit.list(&Scope::Everything, None, None, 50).await.unwrap().documents;
    let actions: Vec<_> =
        told.iter().map(|entry| entry.body["action"].as_str().unwrap_or_default()).collect();
    let expected = ["voice_agent.remove", "voice_agent.remove", "voice_agent.change", "voice_agent.add"];
    assert_eq!(actions[..4], expected);
    assert_eq!(told[2].body["detail"]["members"], json!("greeting, name"));
    assert_eq!(told[1].body["state"], json!("not_done"), "the removal that came too late");
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_as_such() {
    let bench = bench().await;
    bench.add(persona("p1", "Desk", Some("ada"))).await.unwrap();
    let error = bench.add(persona("p2", "desk", Some("ada"))).await.unwrap_err();
    assert!(matches!(error, CatalogueError::Taken { field: "name", .. }), "{error}");
    assert!(error.to_string().contains("\"desk\""), "{error}");
    bench.add(persona("p3", "Desk", Some("ben"))).await.unwrap();
}

#[tokio::test]
async fn a_number_is_kept_in_one_form_and_found_taken_in_any() {
    let bench = bench().await;
    let local = VoiceAgentNumber { country_code: "+49".into(), ..number("n1", "(030) 123456") };
    let kept = bench.add_number(local).await.unwrap();
    assert_eq!((kept.number.expose(), kept.country_code.as_str()), ("+4930123456", "49"));
    let error = bench.add_number(number("n2", "0049-30-123456")).await.unwrap_err();
    assert!(matches!(error, CatalogueError::Taken { field: "number", .. }), "{error}");
    let told = bench.told("ada").await;
    assert_eq!(told, [["number.add", "+4930123456", "not_done"], ["number.add", "+4930123456", "done"]]);
}

#[tokio::test]
async fn what_a_number_names_must_be_of_its_tenant() {
    let bench = bench().await;
    bench.add(persona("of-ben", "Desk", Some("ben"))).await.unwrap();
    bench.add(persona("shared", "Desk", None)).await.unwrap();
    let with = |owner: Option<&str>, persona: Option<&str>| VoiceAgentNumber {
        owner_id: owner.map(UserId::new),
        voice_agent_id: persona.map(VoiceAgentId::new),
        ..number("n1", "+4930123456")
    };
    assert_eq!(
        fields(bench.add_number(with(Some("ben"), Some("of-ben"))).await),
        ["owner_id", "voice_agent_id"]
    );
    assert_eq!(
        fields(bench.add_number(with(Some("eve"), Some("nobody"))).await),
        ["owner_id", "voice_agent_id"]
    );
    assert_eq!(fields(bench.add_number(with(Some("root"), None)).await), ["owner_id"]);
    let id = bench.add_number(with(None, Some("shared"))).await.unwrap().id;
    let set = async |number: VoiceAgentNumber| {
        bench.catalogue.change_number(By::Engine, &id, None, |_| number).await
    };
    let changed = set(with(Some("ada"), Some("default"))).await.unwrap();
    assert_eq!((changed.version, changed.record.owner_id), (2, Some(UserId::new("ada"))));
    assert_eq!(fields(set(with(Some("ben"), None)).await), ["owner_id"]);
    bench.catalogue.remove_number(By::Engine, &id, Some(2)).await.unwrap();
    assert!(matches!(set(with(None, None)).await, Err(CatalogueError::NotFound("number"))));
}
