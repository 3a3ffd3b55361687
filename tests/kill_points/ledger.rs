//! The store of a scene's engines, and what can be read in it from outside.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use clearline::crm::Upload;
use clearline::domain::{Secret, Timestamp, UploadState};
use clearline::store::{COLLECTIONS, Outbox, Store, embedded, mongo};
use tokio::runtime::Handle;

const FILE: &str = "shared.db";
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const UPLOADS_MAX: usize = 100;
const STATES: [UploadState; 5] =
    [UploadState::Open, UploadState::Due, UploadState::Amendable, UploadState::Parked, UploadState::Done];

/// What kind of store.
#[derive(Clone)]
pub(crate) enum Backing {
    Embedded,
    /// Without the name of a database: each scene has its own.
    Server {
        before_name: String,
        after_name: String,
        port: u16,
    },
}

/// The store of one scene.
pub(crate) struct Ledger {
    backing: Backing,
    url: String,
    store: Store,
}

impl Backing {
    /// `mongodb://host:port/…`
    pub(crate) fn server(url: &str) -> Self {
        let rest = url.strip_prefix("mongodb://").expect("MONGODB_URI begins with mongodb://");
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.split('/').next().expect("there is always a first part");
        let host = authority.rsplit('@').next().expect("there is always a last part");
        let port =
            host.rsplit_once(':').map_or(27_017, |(_, port)| port.parse().expect("a port in MONGODB_URI"));
        let after_name = if options.is_empty() { String::new() } else { format!("?{options}") };
        Self::Server { before_name: format!("mongodb://{authority}/"), after_name, port }
    }

    /// What of an engine's doings is a write into its store, as `trap.c` reads it.
    pub(crate) fn writes(&self) -> String {
        match self {
            Self::Embedded => format!("file:{FILE}"),
            Self::Server { port, .. } => format!("sent:{port}"),
        }
    }

    /// The variable that leads the binary to the store of this name.
    pub(crate) fn variable(&self, name: &str) -> (&'static str, String) {
        match self {
            Self::Embedded => ("CLEARLINE_STORE_PATH", FILE.to_owned()),
            Self::Server { before_name, after_name, .. } => {
                ("CLEARLINE_STORE_URL", format!("{before_name}{name}{after_name}"))
            }
        }
    }

    /// Whose first engine has migrated it.
    pub(crate) async fn open(&self, folder: &Path, name: &str) -> Ledger {
        let url = self.variable(name).1;
        let store = match self {
            Self::Embedded => {
                embedded::open(&folder.join(FILE), COLLECTIONS, now).expect("the store can be shared")
            }
            Self::Server { .. } => {
                let access = mongo::Access { url: Secret::new(&url), answer_limit: ANSWER_LIMIT };
                mongo::open(&access, COLLECTIONS, now, &Handle::current()).await.expect("the server answers")
            }
        };
        Ledger { backing: self.clone(), url, store }
    }
}

impl Ledger {
    /// Those that are done, and the others.
    pub(crate) async fn uploads(&self) -> (Vec<Upload>, Vec<Upload>) {
        let outbox = Outbox::new(self.store.clone());
        let mut all = Vec::new();
        for state in STATES {
            let page = outbox.in_state(state, None, UPLOADS_MAX).await.expect("a readable store");
            all.extend(page.items.into_iter().map(|stored| stored.record));
        }
        all.into_iter().partition(|upload| upload.told().state == UploadState::Done)
    }

    pub(crate) async fn clear_away(self) {
        if let Backing::Server { .. } = self.backing {
            let client = mongodb::Client::with_uri_str(&self.url).await.expect("it could be read before");
            client.default_database().expect("the URL names one").drop().await.expect("it is ours");
        }
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "the embedded store",
            Self::Server { .. } => "a server of MongoDB",
        })
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(0)
}
