//! Any server of the MongoDB protocol, named by the variable MONGODB_URI. Each case has a database of its own there.

use std::time::Duration;

use clearline::domain::Secret;
use clearline::store::{OpenError, Store, mongo};
use tokio::runtime::Handle;

use crate::bench::{Bench, COLLECTIONS, ticking};
use crate::line::{Line, State};

/// Short, because some cases wait for it; long enough for a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

pub(crate) struct NamedServer {
    url: String,
    line: Line,
}

impl Bench for NamedServer {
    async fn fresh() -> Result<Self, String> {
        let skipped = |reason| format!("the store's tests on a server of your own (tests/store): {reason}");
        let named = std::env::var("MONGODB_URI").map_err(|_| skipped("MONGODB_URI is not set"))?;
        let parts = Parts::of(&named).ok_or_else(|| skipped(UNUSABLE))?;
        let line = Line::to(parts.address(), false).await;
        Ok(Self { url: parts.through(&line, &format!("clearline_{}", uuid::Uuid::now_v7().simple())), line })
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        try_open(&self.url).await
    }

    fn variable(&self) -> (&'static str, String) {
        ("CLEARLINE_STORE_URL", self.url.clone())
    }

    /// We may not kill this server: it is our connections that die.
    async fn crash(&mut self) {
        self.line.set(State::Cut);
        self.line.set(State::Open);
    }

    fn take_away(&mut self) {
        self.line.set(State::Cut);
    }

    fn hang(&mut self) {
        self.line.set(State::Silent);
    }

    fn bring_back(&mut self) {
        self.line.set(State::Open);
    }

    fn slow_down(&mut self) {
        self.line.set(State::Slow);
    }

    async fn clear_away(self) {
        let client = mongodb::Client::with_uri_str(&self.url).await.expect("it could be read before");
        let database = client.default_database().expect("the URL names one");
        database.drop().await.expect("the server drops what we made");
    }
}

pub(crate) async fn try_open(url: &str) -> Result<Store, OpenError> {
    let access = mongo::Access { url: Secret::new(url), answer_limit: ANSWER_LIMIT };
    mongo::open(&access, COLLECTIONS, ticking, &Handle::current()).await
}

const UNUSABLE: &str = "MONGODB_URI must be mongodb://, name one host (the primary) and use no TLS, because the tests \
                        cut and slow the line to it";

/// mongodb://user:password@host:port/database?options
struct Parts<'a> {
    user: &'a str,
    host: &'a str,
    database: &'a str,
    options: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("mongodb://")?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next()?;
        let user = authority.strip_suffix(host)?;
        let encrypted = options.split('&').any(|option| matches!(option, "tls=true" | "ssl=true"));
        (!host.contains(',') && !encrypted).then_some(Self { user, host, database, options })
    }

    fn address(&self) -> String {
        let Self { host, .. } = self;
        if host.contains(':') { (*host).to_owned() } else { format!("{host}:27017") }
    }

    /// The same server for the driver, but each request goes by the line, to a database of the case's own.
    fn through(&self, line: &Line, database: &str) -> String {
        let Self { user, options, .. } = self;
        let address = line.address;
        let mut url =
            format!("mongodb://{user}{address}/{database}?directConnection=true&serverMonitoringMode=poll");
        if !user.is_empty() && !options.contains("authSource=") {
            let source = if self.database.is_empty() { "admin" } else { self.database };
            url.push_str(&format!("&authSource={source}"));
        }
        if !options.is_empty() {
            url.push_str(&format!("&{options}"));
        }
        url
    }
}
