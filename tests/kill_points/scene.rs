//! One engine's life and death, and what the next one makes of what it left.

use std::fmt;
use std::time::Duration;

use clearline::sandbox::crm::{CrmServer, CrmServerSettings, Endpoint, Fault, FaultRule};
use clearline::sandbox::model::ModelServer;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::engine::{Engine, add_ada, clearline};
use crate::judge;
use crate::ledger::{Backing, Ledger};
use crate::phone::Phone;
use crate::trap::{Counts, KINDS, Trap};
use crate::watched::{SAFETY_LIMIT, within};

const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Four seconds: as many blocks of a spool.
const PACKETS_OF_A_TALK: usize = 200;

/// What is to kill the engine: one thing of this kind, after so many others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) kind: usize,
    pub(crate) let_pass: u64,
}

/// What an engine did until it died.
pub(crate) struct Life {
    pub(crate) writes: Counts,
    pub(crate) died_of_the_trap: bool,
}

pub(crate) struct Scene<'a> {
    lane: usize,
    backing: &'a Backing,
    model: &'a ModelServer,
    /// Of the database, where the store is a server.
    name: String,
    folder: TempDir,
    crm: CrmServer,
    trap: Trap,
}

impl<'a> Scene<'a> {
    pub(crate) async fn set(lane: usize, backing: &'a Backing, model: &'a ModelServer) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = CrmServerSettings { faults: flapping(), ..CrmServerSettings::default() };
        let crm = CrmServer::start(settings).expect("a stand-in CRM");
        let trap = Trap::new(folder.path());
        let name = format!("clearline_{}", uuid::Uuid::now_v7().simple());
        let scene = Self { lane, backing, model, name, folder, crm, trap };
        let command = scene.command();
        spawn_blocking(|| add_ada(command)).await.expect("it is added");
        scene
    }

    /// One call is over and told before the engine's end comes by itself, the other goes on until then.
    pub(crate) async fn play(mut self, death: Option<Death>) -> Life {
        let engine = self.engine("the engine", true).await;
        let ledger = self.backing.open(self.folder.path(), &self.name).await;
        let before = self.trap.counts();
        if let Some(Death { kind, let_pass }) = death {
            self.trap.set(kind, let_pass);
        }
        let phones = [Phone::new("4930101").await, Phone::new("4930102").await];
        let died_of_the_trap = tokio::select! {
            () = live(&phones, &engine, &ledger) => false,
            () = self.trap_strikes() => true,
        };
        engine.process.end_by("KILL");
        let after = self.trap.counts();
        let life = Life { writes: std::array::from_fn(|kind| after[kind] - before[kind]), died_of_the_trap };
        println!("lane {}: {}", self.lane, Told(death, &life));
        self.go_on(&phones, &ledger).await;
        ledger.clear_away().await;
        self.crm.stop().await;
        life
    }

    /// The next engine, on what the first one left; the CRM comes back once the calls are ended.
    async fn go_on(&self, phones: &[Phone], ledger: &Ledger) {
        phones.iter().for_each(Phone::note_the_kill);
        self.crm.set_faults(vec![FaultRule::always(Endpoint::Both, Fault::Status(503))]);
        let engine = self.engine("the engine again", false).await;
        for phone in phones.iter().filter(|phone| phone.was_left_in_a_call()) {
            phone.far_end.got("BYE").await;
        }
        self.crm.set_faults(Vec::new());
        let recordings = self.folder.path().join("data/recordings");
        // A recording that is encoded late makes its call's upload wait once more, before its spool goes.
        let all_are_done = async {
            while !judge::spools_in(&recordings).is_empty() || !ledger.uploads().await.1.is_empty() {
                sleep(LOOK_AGAIN).await;
            }
        };
        if timeout(SAFETY_LIMIT, all_are_done).await.is_err() {
            let waiting = ledger.uploads().await.1;
            let (spools, told) = (judge::spools_in(&recordings), engine.process.transcript());
            panic!("never done: uploads {waiting:#?}, spools {spools:?}\n{told}");
        }
        spawn_blocking(|| engine.process.end_by("TERM").expect_success("the engine"))
            .await
            .expect("it ended");
        judge::judge(phones, &self.crm.received(), &recordings);
    }

    async fn engine(&self, name: &'static str, is_trapped: bool) -> Engine {
        let mut command = self.command();
        if is_trapped {
            let crm = self.crm.address.port();
            let kinds = [
                self.backing.writes(),
                "file:.spool".to_owned(),
                "file:.ogg".to_owned(),
                format!("sent:{crm}"),
                format!("received:{crm}"),
            ];
            self.trap.load_into(&mut command, &kinds);
        }
        let settings = [
            format!("voice.url=ws://{}", self.model.address),
            format!("crm.base_url=http://{}", self.crm.address),
        ];
        let lane = self.lane;
        spawn_blocking(move || Engine::start(name, &mut command, &settings, lane)).await.expect("it starts")
    }

    fn command(&self) -> std::process::Command {
        let (variable, store) = self.backing.variable(&self.name);
        clearline(self.folder.path(), (variable, &store))
    }

    async fn trap_strikes(&self) {
        while !self.trap.has_struck() {
            sleep(LOOK_AGAIN).await;
        }
    }
}

async fn live(phones: &[Phone; 2], engine: &Engine, ledger: &Ledger) {
    let [first, second] = phones;
    first.dial(engine.sip).await;
    second.dial(engine.sip).await;
    tokio::join!(first.talks(PACKETS_OF_A_TALK), second.talks(PACKETS_OF_A_TALK));
    first.hang_up().await;
    within("the first call is told", async {
        while ledger.uploads().await.0.is_empty() {
            sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

/// Each step is refused once, and once taken without anybody hearing so.
fn flapping() -> Vec<FaultRule> {
    let of =
        |endpoint| [Fault::Status(503), Fault::AnswerLost].map(|fault| FaultRule::times(endpoint, fault, 1));
    [of(Endpoint::Upload), of(Endpoint::CallData)].concat()
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> =
            KINDS.iter().zip(self.writes).map(|(kind, count)| format!("{count} {kind}")).collect();
        f.write_str(&counts.join(", "))
    }
}

/// What came of a death that was planned.
struct Told<'a>(Option<Death>, &'a Life);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Death { kind, let_pass }) if self.1.died_of_the_trap => {
                write!(f, "killed before {} number {}", KINDS[kind], let_pass + 1)
            }
            Some(Death { kind, let_pass }) => {
                write!(f, "killed at the end, before {} number {} came", KINDS[kind], let_pass + 1)
            }
            None => f.write_str("killed at the end"),
        }
    }
}
