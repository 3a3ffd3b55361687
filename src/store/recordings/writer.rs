//! The thread that appends blocks to spool files.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::interruptions::Interruptions;
use super::{FILE_MODE, Running, SPOOL_ENDING};
use crate::domain::{CallId, RecordingMade};
use crate::media::spool::RecordingBlock;
use crate::media::spool::file::{SpoolHead, block_bytes};
use crate::telemetry::{Counter, count};

pub(super) enum Job {
    Append { call: CallId, block: RecordingBlock },
    Finish { call: CallId, reply: oneshot::Sender<Option<RecordingMade>> },
    Told { call: CallId },
}

pub(super) struct Writer {
    folder: PathBuf,
    files: HashMap<CallId, SpoolFile>,
    running: Running,
    backlog: Backlog,
    interruptions: Interruptions,
    disk_is_full: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(
        folder: PathBuf,
        running: Running,
        backlog: Backlog,
        interruptions: Interruptions,
        disk_is_full: Arc<AtomicBool>,
    ) -> Self {
        Self { folder, files: HashMap::new(), running, backlog, interruptions, disk_is_full }
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Append { call, block } => {
                    if let Err(error) = self.append(&call, &block) {
                        count(Counter::RecordingBlocksUnwritten);
                        self.interruptions.lost(&call);
                        tracing::error!(%call, %error, "a second of the recording could not be written");
                    }
                }
                Job::Finish { call, reply } => self.finish(&call, reply),
                Job::Told { call } => self.remove(&call),
            }
        }
        self.backlog.close();
    }

    fn append(&mut self, call: &CallId, block: &RecordingBlock) -> io::Result<()> {
        if self.disk_is_full.load(Ordering::Relaxed) {
            // Its keeper has said so, once.
            count(Counter::RecordingBlocksUnwritten);
            if self.running.has(call) {
                self.interruptions.lost(call);
            }
            return Ok(());
        }
        let file = match self.files.get_mut(call) {
            Some(file) => file,
            None if !self.running.has(call) => return Ok(()),
            None => {
                let file = SpoolFile::create(&self.folder, call, block)?;
                self.files.entry(call.clone()).or_insert(file)
            }
        };
        file.append(&block_bytes(block))?;
        self.backlog.grown(call, &file.path, file.bytes);
        self.interruptions.written(call);
        Ok(())
    }

    fn finish(&mut self, call: &CallId, reply: oneshot::Sender<Option<RecordingMade>>) {
        self.running.with(|running| running.remove(call));
        self.interruptions.ended(call);
        match self.files.remove(call) {
            Some(file) => self.backlog.end(call, &file.path, file.bytes, reply),
            // Nobody may wait for it any more.
            None => drop(reply.send(None)),
        }
    }

    fn remove(&self, call: &CallId) {
        match fs::remove_file(spool_path(&self.folder, call)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%call, %error, "the spool file of a finished recording cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

fn spool_path(folder: &Path, call: &CallId) -> PathBuf {
    folder.join(format!("{call}.{SPOOL_ENDING}"))
}

struct SpoolFile {
    file: File,
    path: PathBuf,
    /// All that is whole.
    bytes: u64,
}

impl SpoolFile {
    fn create(folder: &Path, call: &CallId, first: &RecordingBlock) -> io::Result<Self> {
        let path = spool_path(folder, call);
        let file = OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(&path)?;
        let bytes = file.metadata()?.len();
        let mut spool = Self { file, path, bytes };
        if bytes == 0 {
            spool.append(&SpoolHead::of(call, first).to_bytes())?;
        }
        Ok(spool)
    }

    /// Whole or not at all, as far as the disk lets us: half a block is cut off again.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        match written {
            Ok(()) => self.bytes += bytes.len() as u64,
            // If that fails too, the reader steps over what is left there.
            Err(_) => drop(self.file.set_len(self.bytes)),
        }
        written
    }
}
