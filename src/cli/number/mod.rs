//! `clearline number`: the phone numbers of the store, whose calls they bring and which persona answers them.
//!
//! A number is written as one likes; it is kept in E.164. As with users, the command line may do what no request can,
//! and what it does is in the audit log under the name that the operating system knows.

mod add;
mod list;
mod set;

use clap::{Args, Subcommand};

use crate::catalogue::{Catalogue, CatalogueError};
use crate::domain::{NumberId, PhoneNumber, User, UserId, VoiceAgentId, VoiceAgentNumber};
use crate::engine::OpenStore;
use crate::store::{NumberFound, Opening, Stored, Users};

use super::CommandResult;
use super::common::{Failure, JsonAndSettings, open_store_for, store_failed};
use super::user::by_this_person;

#[derive(Args)]
pub(super) struct Number {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add a number: who owns the calls that come in on it, and which persona answers them
    #[command(after_help = add::EXAMPLES)]
    Add(add::Add),
    /// List all numbers
    List(list::List),
    /// Change what is known of a number; what is not named stays as it is
    #[command(after_help = set::EXAMPLES)]
    Set(set::Set),
    /// Remove a number; calls to it are then the settings' or the default owner's
    Remove(set::Remove),
}

impl Number {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(async {
            match self.action {
                Action::Add(add) => add.run().await,
                Action::List(list) => list.run().await,
                Action::Set(set) => set.run().await,
                Action::Remove(remove) => remove.run().await,
            }
        })
    }
}

/// What a number is for; with `set`, `none` takes a value away.
#[derive(Args)]
struct Purpose {
    /// The user who owns its calls, by name or id; the number is then of this user's tenant
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The persona that answers, by its id
    #[arg(long, value_name = "ID")]
    voice_agent: Option<String>,
    /// Where the number comes from, as twilio
    #[arg(long)]
    provider: Option<String>,
    /// The LiveKit config that outbound calls from it go by
    #[arg(long, value_name = "ID")]
    livekit_config: Option<String>,
}

impl Purpose {
    fn apply(self, owner: Option<&User>, mut number: VoiceAgentNumber) -> VoiceAgentNumber {
        if self.owner.is_some() {
            number.owner_id = owner.map(|owner| owner.id.clone());
        }
        if let Some(owner) = owner {
            number.tenant_id.clone_from(&owner.tenant_id);
        }
        if let Some(id) = self.voice_agent {
            number.voice_agent_id = given(id).map(VoiceAgentId::new);
        }
        if let Some(provider) = self.provider {
            number.provider = given(provider);
        }
        if let Some(id) = self.livekit_config {
            number.set_livekit_config(given(id));
        }
        number
    }
}

fn given(text: String) -> Option<String> {
    (text != "none").then_some(text)
}

/// What the commands work with.
struct Desk {
    catalogue: Catalogue,
    users: Users,
    /// Its threads end with it.
    _store: OpenStore,
}

impl Desk {
    async fn open(common: &JsonAndSettings) -> Result<Self, Failure> {
        Self::open_for(Opening::ToWork, common).await
    }

    async fn open_for(opening: Opening, common: &JsonAndSettings) -> Result<Self, Failure> {
        let settings = common.settings.load()?;
        let store = open_store_for(opening, &settings).await?;
        let catalogue = Catalogue::new(&store.store, &settings.known_voice_agents());
        Ok(Self { catalogue, users: Users::new(store.store.clone()), _store: store })
    }

    async fn owner(&self, named: Option<&str>) -> Result<Option<User>, Failure> {
        let Some(name) = named.filter(|name| *name != "none") else { return Ok(None) };
        let found = self.users.find(name).await.map_err(store_failed)?;
        let missing = || Failure::new(format!("there is no user {name:?}; `clearline user list` shows all"));
        found.ok_or_else(missing).map(Some)
    }

    /// In whatever form it is dialled, or by the id of its record.
    async fn number(&self, named: &str) -> Result<Stored<VoiceAgentNumber>, Failure> {
        let numbers = self.catalogue.numbers();
        let found = match numbers.find(&PhoneNumber::new(named)).await.map_err(store_failed)? {
            NumberFound::One(found) => return Ok(*found),
            NumberFound::Several => {
                let text =
                    format!("{named} is a number of several countries; write it with its own, as +49…");
                return Err(Failure::new(text));
            }
            NumberFound::None => numbers.get(&NumberId::new(named)).await.map_err(store_failed)?,
        };
        let missing =
            || Failure::new(format!("there is no number {named:?}; `clearline number list` shows all"));
        found.ok_or_else(missing)
    }

    async fn owner_name(&self, id: Option<&UserId>) -> Result<Option<String>, Failure> {
        let Some(id) = id else { return Ok(None) };
        let owner = self.users.get(id).await.map_err(store_failed)?;
        Ok(owner.map(|owner| owner.name))
    }
}

fn refused(error: CatalogueError) -> Failure {
    if let CatalogueError::Store(error) = error {
        return store_failed(error);
    }
    Failure::new(error.to_string())
}
