//! Log-ins, sessions and changes of users as users, their admins and attackers see them, over the embedded store.

mod changes;
mod log_in;
mod sessions;

use std::cell::Cell;
use std::time::Duration;

use crate::store::{By, COLLECTIONS, embedded};

use super::*;
use crate::domain::{Role, Secret, User};

const LIMITS: TicketLimits =
    TicketLimits { idle: Duration::from_secs(600), longest: Duration::from_secs(6_000) };
const PASSWORD: &str = "correct horse battery";
const START: Timestamp = Timestamp::from_millis(1_764_000_000_000);

thread_local! {
    /// How far this test's clocks are ahead.
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn pass(span: Duration) {
    AHEAD.set(AHEAD.get() + span);
}

const VIRTUAL: Times = Times { wall: || START.after(AHEAD.get()), monotonic: || clock::now() + AHEAD.get() };

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    accounts: Accounts,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store =
        embedded::open(&folder.path().join("clearline.db"), COLLECTIONS, || Timestamp::from_millis(0))
            .unwrap();
    let accounts = Accounts::new(&store, LIMITS, VIRTUAL).unwrap();
    Bench { folder, store, accounts }
}

fn cli() -> By {
    By::Cli { os_user: "root".into() }
}

fn new(name: &str, role: Role) -> NewUser {
    NewUser { name: name.into(), role, tenant_id: None, password: NewPassword::Chosen(Secret::new(PASSWORD)) }
}

impl Bench {
    async fn add(&self, name: &str, role: Role) -> User {
        self.accounts.add(cli(), new(name, role)).await.unwrap().user
    }

    async fn agent_of(&self, name: &str, admin: &User) -> User {
        let agent = NewUser { tenant_id: admin.tenant_id.clone(), ..new(name, Role::Agent) };
        self.accounts.add(cli(), agent).await.unwrap().user
    }

    async fn try_from(&self, source: &str, name: &str, password: &str) -> Result<LoggedIn, LogInError> {
        let source = source.parse().unwrap();
        let attempt = Attempt { name, password: Secret::new(password), source, label: "a browser" };
        self.accounts.log_in(attempt).await
    }

    /// The token of a new session.
    async fn log_in(&self, name: &str) -> String {
        let logged_in = self.try_from("192.0.2.1", name, PASSWORD).await.unwrap();
        logged_in.token.expose().to_owned()
    }

    async fn token_of(&self, user: &User) -> String {
        let made = self.accounts.make_token(cli(), user, "a script").await.unwrap();
        made.token.expose().to_owned()
    }

    /// The name of whom this token opens for.
    async fn opens_for(&self, token: &str) -> Option<String> {
        self.accounts.identify(token).await.unwrap().map(|caller| caller.identity.name)
    }

    /// Everything that is on the disk, in one text.
    fn on_disk(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files
            .map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned())
            .collect()
    }
}
