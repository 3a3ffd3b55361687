//! The embedded store. What takes it away is another program that keeps its file locked for writing.

use std::fs;
use std::path::PathBuf;

use clearline::store::{OpenError, Store, embedded};
use tempfile::TempDir;

use crate::bench::{Bench, COLLECTIONS, ticking};

pub(crate) struct Embedded {
    folder: TempDir,
    lock: Option<rusqlite::Connection>,
}

const FILE: &str = "clearline.db";
const FILES_OF_A_DATABASE: [&str; 2] = [FILE, "clearline.db-wal"];

impl Embedded {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }
}

impl Bench for Embedded {
    async fn fresh() -> Result<Self, String> {
        Ok(Self { folder: tempfile::tempdir().expect("a temporary folder"), lock: None })
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        embedded::open(&self.path(), COLLECTIONS, ticking)
    }

    fn variable(&self) -> (&'static str, String) {
        ("CLEARLINE_STORE_PATH", self.path().display().to_string())
    }

    /// A copy of what a dying process leaves behind.
    async fn crash(&mut self) {
        let left = tempfile::tempdir().expect("a temporary folder");
        for name in FILES_OF_A_DATABASE {
            fs::copy(self.folder.path().join(name), left.path().join(name))
                .expect("an open database has both");
        }
        self.folder = left;
    }

    fn take_away(&mut self) {
        let lock = rusqlite::Connection::open(self.path()).expect("the file is there");
        lock.execute_batch("BEGIN IMMEDIATE").expect("nobody writes at this moment");
        self.lock = Some(lock);
    }

    fn hang(&mut self) {
        self.take_away();
    }

    fn bring_back(&mut self) {
        self.lock = None;
    }

    /// Nothing here is ever late but by a lock.
    fn slow_down(&mut self) {}
}
