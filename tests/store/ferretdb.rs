//! FerretDB 1.24 with SQLite inside, a process for each case.

use std::process::Child;

use clearline::store::{OpenError, Store};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::ferretdb_server::{program, start};
use crate::line::{Line, State};
use crate::named_server::try_open;

pub(crate) struct FerretDb {
    folder: TempDir,
    server: Child,
    line: Line,
}

impl Bench for FerretDb {
    const REFUSES_NESTED_LISTS: bool = true;

    async fn fresh() -> Result<Self, String> {
        let program = program()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (server, address) = start(program, folder.path());
        Ok(Self { folder, server, line: Line::to(address, true).await })
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        try_open(&self.url()).await
    }

    fn variable(&self) -> (&'static str, String) {
        ("CLEARLINE_STORE_URL", self.url())
    }

    /// SIGKILL, and a new process on what it left.
    async fn crash(&mut self) {
        self.end();
        let (server, address) = start(program().expect("it was there before"), self.folder.path());
        self.server = server;
        self.line.set(State::Cut);
        self.line.lead_to(address);
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
}

impl FerretDb {
    pub(crate) fn url(&self) -> String {
        format!("mongodb://{}/clearline", self.line.address)
    }

    fn end(&mut self) {
        // An error means that it has ended already, which is what we want.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Drop for FerretDb {
    fn drop(&mut self) {
        self.end();
    }
}
