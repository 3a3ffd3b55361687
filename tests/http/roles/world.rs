//! Two tenants and everybody who asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clearline::access::Scope;
use clearline::accounts::NewPassword;
use clearline::domain::{Role, Secret, User};
use clearline::store::By;
use reqwest::Response;
use serde_json::{Value, json};

use super::requests::Operation;
use super::spy::{Spy, Viewer};
use super::table::Column;
use super::things::{Things, never_used, plant, plant_person, plant_token, plant_user};
use crate::bench::{Bench, PASSWORD};
use crate::calls::gateway;

const ENTRIES_MAX: usize = 200;

/// In the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Boss,
    Mira,
    /// Mira's agents.
    Ben,
    Cleo,
    /// Another tenant.
    Zoe,
    /// Zoe's agent.
    Yan,
}

struct Person {
    user: User,
    token: String,
}

pub(crate) struct World {
    bench: Bench,
    people: BTreeMap<Who, Person>,
    pub(crate) spy: Spy,
}

/// Live events of somebody, from before the walk to the engine's end.
pub(crate) struct Stream {
    who: Who,
    response: Response,
}

impl Who {
    const ALL: [Self; 6] = [Self::Boss, Self::Mira, Self::Ben, Self::Cleo, Self::Zoe, Self::Yan];

    fn role(self) -> Role {
        match self {
            Self::Boss => Role::Superadmin,
            Self::Mira | Self::Zoe => Role::Admin,
            Self::Ben | Self::Cleo | Self::Yan => Role::Agent,
        }
    }

    fn admin(self) -> Option<Self> {
        match self {
            Self::Boss | Self::Mira | Self::Zoe => None,
            Self::Ben | Self::Cleo => Some(Self::Mira),
            Self::Yan => Some(Self::Zoe),
        }
    }

    fn asking(column: Column) -> Option<Self> {
        match column {
            Column::Nobody => None,
            Column::Superadmin => Some(Self::Boss),
            Column::Admin => Some(Self::Mira),
            Column::AgentOfItsOwn | Column::AgentOfAColleagues => Some(Self::Ben),
            Column::ForeignAdmin => Some(Self::Zoe),
            Column::ForeignAgent => Some(Self::Yan),
        }
    }

    /// Whose things are asked for.
    fn asked_about(column: Column) -> Self {
        if column == Column::AgentOfAColleagues { Self::Cleo } else { Self::Ben }
    }
}

impl World {
    pub(crate) async fn made() -> Self {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        let bench = Bench::planned(|settings| {
            settings.voice.url = format!("ws://{nobody}");
            settings.sip.gateways = vec![gateway(nobody)];
            settings.http.requests_per_s = 0;
        })
        .await;
        let mut world = Self { bench, people: BTreeMap::new(), spy: Spy::default() };
        for who in Who::ALL {
            let tenant = who.admin().and_then(|admin| world.person(admin).user.tenant_id.clone());
            let name = format!("{who:?}-the-{}", never_used());
            let user = world.bench.person(&name, who.role(), tenant).await;
            plant_person(&mut world.spy, &user);
            world.people.insert(who, Person { user, token: String::new() });
            world.log_in(who).await;
        }
        world.plant_what_came_of_that().await;
        world
    }

    fn person(&self, who: Who) -> &Person {
        &self.people[&who]
    }

    fn viewer(&self, who: Option<Who>) -> Viewer {
        let Some(who) = who else { return Viewer::Nobody };
        let user = &self.person(who).user;
        match &user.tenant_id {
            None => Viewer::Superadmin,
            Some(tenant) => Viewer::member(user.id.as_str(), tenant.as_str(), user.role == Role::Admin),
        }
    }

    /// The audit entries.
    async fn plant_what_came_of_that(&mut self) {
        let accounts = self.bench.engine.accounts();
        for Person { user, .. } in self.people.values() {
            let tenant = user.tenant_id.as_ref().map(|id| id.as_str());
            if user.role == Role::Admin {
                let own = user.tenant_id.clone().map_or(Scope::Nothing, Scope::Tenant);
                let entries = accounts.audit().list(&own, None, None, ENTRIES_MAX).await;
                for entry in entries.expect("entries").documents {
                    self.spy.plant("audit entry", &entry.id, tenant, entry.body["by"]["id"].as_str());
                }
            }
        }
    }

    /// Everybody listens all the time; whatever comes is looked through at the end.
    pub(crate) async fn listen(&self) -> Vec<Stream> {
        let mut streams = Vec::new();
        for who in Who::ALL {
            let token = self.bench.log_in(&self.person(who).user.name).await;
            let request = self.bench.client.get(self.bench.url("/api/events")).bearer_auth(token);
            let response = request.send().await.expect("the engine answers");
            assert_eq!(response.status(), 200);
            streams.push(Stream { who, response });
        }
        streams
    }

    /// Asks as the column says, looks through what comes back, and gives the status.
    pub(crate) async fn ask(&mut self, operation: &Operation, column: Column) -> u16 {
        let asking = Who::asking(column);
        let caller = self.person(asking.unwrap_or(Who::Ben)).user.clone();
        let owner = self.person(Who::asked_about(column)).user.clone();
        let things = plant(&self.bench, &mut self.spy, &caller, &owner).await;
        let id = self.id_for(operation, column, &things).await;
        let mut statuses = Vec::new();
        for query in operation.queries(&things) {
            let token = self.token(asking).await;
            let path = operation.path_to(&id) + &query;
            let asked = format!("{} {path} as {column}", operation.method);
            let request = self.bench.client.request(operation.method.clone(), self.bench.url(&path));
            let request = if token.is_empty() { request } else { request.bearer_auth(token) };
            let request = match operation.body(&things) {
                Some(body) => request.json(&body),
                None => request,
            };
            let response = request.send().await.expect("the engine answers");
            statuses.push(response.status().as_u16());
            let text = all_of(response).await;
            // Who logs in is whoever the answer is for, though nobody was known before.
            let viewer = if operation.id == "log_in" { self.viewer_of(&caller) } else { self.viewer(asking) };
            if !operation.method.is_safe() {
                self.plant_what_was_made(&viewer, &text);
            }
            self.spy.look(&asked, &viewer, &text);
        }
        statuses.dedup();
        assert_eq!(statuses.len(), 1, "{}: the query decides who may ask: {statuses:?}", operation.route());
        statuses[0]
    }

    fn viewer_of(&self, user: &User) -> Viewer {
        self.viewer(Who::ALL.into_iter().find(|who| self.person(*who).user.id == user.id))
    }

    /// The id that a path names, for each kind of thing there is.
    async fn id_for(&mut self, operation: &Operation, column: Column, things: &Things) -> String {
        match operation.names_one_of() {
            None => String::new(),
            Some("/api/users") => self.user_for(column).await,
            Some("/api/me/sessions") => self.session_for(column).await,
            Some("/api/me/tokens") => {
                let owner = self.person(Who::asked_about(column)).user.clone();
                plant_token(&self.bench, &mut self.spy, &owner).await
            }
            Some("/api/calls") => things.call.clone(),
            Some("/api/leads") => things.lead.clone(),
            Some("/api/callbacks") => things.callback.clone(),
            Some("/api/uploads") => things.upload.clone(),
            Some("/api/notifications") => things.notification.clone(),
            Some("/api/numbers") => things.number_id.clone(),
            Some("/api/voice_agents") => things.voice_agent.clone(),
            Some(other) => panic!(
                "{}: say in World::id_for what is named after {other}/, and plant it in tests/http/roles/things.rs",
                operation.route()
            ),
        }
    }

    /// A superadmin asks about an admin, an agent about itself or a colleague, all others about an agent of Mira's.
    async fn user_for(&mut self, column: Column) -> String {
        let mira = self.person(Who::Mira).user.clone();
        let user = match column {
            Column::AgentOfItsOwn => self.person(Who::Ben).user.clone(),
            Column::Superadmin => plant_user(&self.bench, &mut self.spy, Role::Admin, None).await,
            Column::Nobody
            | Column::Admin
            | Column::AgentOfAColleagues
            | Column::ForeignAdmin
            | Column::ForeignAgent => plant_user(&self.bench, &mut self.spy, Role::Agent, Some(&mira)).await,
        };
        user.id.to_string()
    }

    async fn session_for(&mut self, column: Column) -> String {
        let owner = self.person(Who::asked_about(column)).user.clone();
        self.new_session(&owner).await.1
    }

    /// Good at this moment: some requests end the session they come with, or change the password.
    async fn token(&mut self, who: Option<Who>) -> String {
        let Some(who) = who else { return String::new() };
        if self.bench.get("/api/me", &self.person(who).token).await.status != 200 {
            self.let_in(who).await;
            self.log_in(who).await;
        }
        self.person(who).token.clone()
    }

    /// With a new password only where the old one is gone: it would end the streams that are listened to.
    async fn let_in(&self, who: Who) {
        let user = &self.person(who).user;
        let log_in = json!({ "name": user.name, "password": PASSWORD });
        if self.bench.post("/api/login", "", log_in).await.status != 200 {
            let password = NewPassword::Chosen(Secret::new(PASSWORD));
            let accounts = self.bench.engine.accounts();
            accounts.set_password(By::Engine, user, password).await.expect("a new password");
        }
    }

    /// With an API token beside the session, for a new password ends those too.
    async fn log_in(&mut self, who: Who) {
        let user = self.person(who).user.clone();
        let token = self.new_session(&user).await.0;
        plant_token(&self.bench, &mut self.spy, &user).await;
        self.people.get_mut(&who).expect("everybody is there").token = token;
    }

    /// Its token and its id.
    async fn new_session(&mut self, user: &User) -> (String, String) {
        let token = self.bench.log_in(&user.name).await;
        let sessions = self.bench.engine.accounts().sessions_of(&user.id).await.expect("sessions");
        let id = sessions.into_iter().map(|session| session.id).max().expect("the newest");
        self.spy.plant("session", &id, user.tenant_id.as_ref().map(|id| id.as_str()), None);
        (token, id)
    }

    /// What an answer tells its caller of something new is nothing for the other tenant.
    fn plant_what_was_made(&mut self, viewer: &Viewer, text: &str) {
        let Viewer::Member { tenant, .. } = viewer else { return };
        let Ok(body) = serde_json::from_str::<Value>(text.lines().last().unwrap_or_default()) else { return };
        let made =
            [&body["id"], &body["call_id"], &body["user"]["id"], &body["token"], &body["one_time_password"]];
        for word in made.into_iter().filter_map(Value::as_str) {
            self.spy.plant("answer", word, Some(tenant), None);
        }
    }

    /// Looks through the streams, which end with the engine, so that nothing that was sent is missed. Gives all leaks.
    pub(crate) async fn stop(self, streams: Vec<Stream>) -> Vec<String> {
        let viewers: Vec<_> = streams.iter().map(|stream| self.viewer(Some(stream.who))).collect();
        let Self { bench, mut spy, .. } = self;
        bench.stop().await;
        for (Stream { who, mut response }, viewer) in streams.into_iter().zip(viewers) {
            let mut text = String::new();
            while let Some(piece) = response.chunk().await.expect("a readable stream") {
                text.push_str(&String::from_utf8_lossy(&piece));
            }
            let heard = text.contains("event: started");
            assert_eq!(
                heard,
                matches!(who, Who::Mira | Who::Ben),
                "only Ben and his admin make calls: {who:?}: {text}"
            );
            spy.look(&format!("live events of {who:?}"), &viewer, &text);
        }
        spy.leaks
    }
}

/// Headers, then the body on a line of its own; of a stream that does not end, the first piece.
async fn all_of(mut response: Response) -> String {
    let mut text: String =
        response.headers().iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    let is_endless = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    while let Some(piece) = response.chunk().await.expect("a readable answer") {
        text.push_str(&String::from_utf8_lossy(&piece));
        if is_endless {
            break;
        }
    }
    text
}
