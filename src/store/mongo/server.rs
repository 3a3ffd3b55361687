//! The server as the settings name it: the driver's client, and the limits that every request to it has.

use std::time::Duration;

use mongodb::bson::{Document as Bson, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Database};
use tokio::time::{Instant, timeout_at};

use super::{Access, fault};
use crate::clock;
use crate::domain::Timestamp;
use crate::store::{Collection, OpenError, StoreError};

/// Connections to each server, unless the URL says otherwise (maxPoolSize).
const MAX_CONNECTIONS: u32 = 16;
/// Where documents go when the URL names no database.
const DATABASE: &str = "clearline";

pub(super) struct Server {
    database: Database,
    /// Its addresses; the URL itself may hold a password.
    pub(super) name: String,
    answer_limit: Duration,
    pub(super) now: fn() -> Timestamp,
}

impl Server {
    /// Looks whether it answers; a server that hangs is as bad as none.
    pub(super) async fn find(access: &Access, now: fn() -> Timestamp) -> Result<Self, OpenError> {
        let options = options(access).await?;
        let name = options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let refused = |error: mongodb::error::Error| fault::open_error(&name, &error);
        let client = Client::with_options(options).map_err(refused)?;
        let database = client.default_database().unwrap_or_else(|| client.database(DATABASE));
        let server = Self { database, name: name.clone(), answer_limit: access.answer_limit, now };
        let unreachable = |detail| OpenError::Unreachable { server: name.clone(), detail };
        match timeout_at(server.deadline(), server.ping()).await {
            Ok(answered) => answered.map_err(refused).map(|()| server),
            Err(_) => Err(unreachable(server.too_late())),
        }
    }

    pub(super) async fn ping(&self) -> mongodb::error::Result<()> {
        self.database.run_command(doc! { "ping": 1 }).await.map(drop)
    }

    /// By when a request that comes now must be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + clock::timer_for(self.answer_limit)
    }

    /// What had to wait too long for its turn is not begun.
    pub(super) async fn before<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = || Err(StoreError::Failed(format!("MongoDB at {}: {}", self.name, self.too_late())));
        if Instant::now() >= deadline {
            return late();
        }
        timeout_at(deadline, work).await.unwrap_or_else(|_| late())
    }

    fn too_late(&self) -> String {
        format!("no answer within {} ms", self.answer_limit.as_millis())
    }

    /// Reads and writes go to the primary: a claim that somebody else has just won must be seen.
    pub(super) fn collection(&self, collection: &Collection) -> mongodb::Collection<Bson> {
        let concern = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(collection.durable.then_some(true))
            .w_timeout(self.answer_limit)
            .build();
        let options = CollectionOptions::builder()
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .write_concern(concern)
            .build();
        self.database.collection_with_options(collection.name, options)
    }
}

/// The driver's own limits are a little tighter than ours: its errors tell more than "no answer".
async fn options(access: &Access) -> Result<ClientOptions, OpenError> {
    let unreadable = |_| OpenError::Refused { server: "?".into(), detail: "the URL cannot be read".into() };
    let mut options = ClientOptions::parse(access.url.expose()).await.map_err(unreadable)?;
    let limit = clock::timer_for(access.answer_limit) * 4 / 5;
    options.app_name = Some("clearline".into());
    options.max_pool_size = options.max_pool_size.filter(|size| *size > 0).or(Some(MAX_CONNECTIONS));
    options.server_selection_timeout = Some(limit);
    options.connect_timeout = Some(limit);
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(options)
}
