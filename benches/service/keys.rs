//! A call's key: what it waits for before its model can be opened (SPEC K4, K7, K12).

use std::process::Child;

use actix::prelude::*;
use clearline::accounts::{Accounts, NewPassword, NewUser, Times};
use clearline::actors::KeyPool as KeyPoolActor;
use clearline::actors::key_pool::{KeyDesk, LeaseKey, ReturnKey};
use clearline::clock;
use clearline::config::Settings;
use clearline::domain::{NodeId, Role, Secret, StartId, User, UserId};
use clearline::engine::{OpenStore, open_store};
use clearline::keys::{Fingerprints, KeyLimits, KeyPool, KeyRing};
use clearline::store::{KeyHealth, Leases, Nodes, Users};

use crate::ferretdb_server::{program, start};
use crate::figures::Figures;

const WARM_UP: usize = 200;
const ROUNDS: usize = 3_000;
/// Among others, as in a real store.
const USERS: usize = 200;

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = Settings::default();
    settings.store.path = folder.path().join("clearline.db");
    print_both("embedded store", &settings);
    let program = match program() {
        Ok(program) => program,
        Err(reason) => return println!("  skipped: {reason}"),
    };
    let (server, address) = start(program, folder.path());
    let _server = Server(server);
    settings.store.url = Some(Secret::new(format!("mongodb://{address}/clearline")));
    print_both("FerretDB 1.24 with SQLite, over TCP", &settings);
}

/// In steady traffic a call finds the slot of the one before, and nothing is written; else it claims one in the store.
fn print_both(store: &str, settings: &Settings) {
    for (slots, each_claims) in [("slot of the call before", false), ("a slot claimed by each call", true)] {
        let figures = System::new().block_on(measure(settings, each_claims));
        println!("  {store}, {slots}: {figures}");
    }
}

/// Ended with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn measure(settings: &Settings, each_claims: bool) -> Figures {
    let opened = open_store(settings).await.unwrap_or_else(|error| panic!("{error}"));
    let owner = somebody_among_others(&opened).await;
    let users = Users::new(opened.store.clone());
    let key = ("GOOGLE_API_KEY", "key-of-the-benchmark-0001");
    let pool = KeyPool::from_variables([key]).expect("a good key");
    let fingerprints = Fingerprints::new("of the benchmark".to_owned());
    let desk = KeyDesk {
        leases: Leases::new(opened.store.clone(), fingerprints.clone()),
        nodes: Nodes::new(opened.store.clone()),
        health: KeyHealth::new(opened.store.clone()),
        node: NodeId::new(clock::new_id()),
        start: StartId::new(clock::new_id()),
    };
    let sessions_per_project = u32::try_from(2 * (WARM_UP + ROUNDS)).expect("a small number");
    let limits = KeyLimits { sessions_per_project, ..settings.key_limits() };
    let ring = KeyRing::new(pool, limits, fingerprints);
    let node = &settings.node;
    let keys = KeyPoolActor::new(ring, desk, node.beat(), node.dead_after()).start();
    let mut figures = Figures::default();
    for round in 0..WARM_UP + ROUNDS {
        let began = clock::now();
        let found = users.get(&owner).await.expect("it answers").expect("it is there");
        let lease = LeaseKey { call: clock::new_call_id(), owner_key: found.google_api_key };
        let granted = keys.send(lease).await.expect("it runs").expect("a free slot");
        let took = clock::now() - began;
        if !each_claims {
            keys.send(ReturnKey { lease: granted.lease }).await.expect("it runs");
        }
        if round >= WARM_UP {
            figures.add(took);
        }
    }
    figures
}

async fn somebody_among_others(opened: &OpenStore) -> UserId {
    let limits = Settings::default().sessions.limits();
    let accounts = Accounts::new(&opened.store, limits, Times::REAL).expect("threads for passwords");
    let mut last: Option<User> = None;
    for number in 0..USERS {
        let new = NewUser {
            name: format!("user-{}-{number}", clock::new_id()),
            role: Role::Admin,
            tenant_id: None,
            password: NewPassword::None,
        };
        let added = accounts.add(clearline::store::By::Engine, new).await.expect("a new name");
        last = Some(added.user);
    }
    last.expect("there are some").id
}
