//! Recordings on disk: no call ever waits for a file, and nothing that reached one is lost.
//!
//! A call hands over blocks of a second through its [`RecordingSink`]. One thread ([`writer`]) appends them to the call's
//! spool file, which a crash can only cut off at its end. Another ([`encoder`]), behind everything else and within a
//! budget, follows the spool files and makes of each the stereo Ogg/Opus file that people get; between the two stands
//! the [`backlog`]. The Opus file has its name only once it is whole and on the disk, and the spool stays until the call's
//! record tells of it ([`Recordings::told`]): whatever dies when, the next start finds all it needs.
//!
//! Spool files lie in a folder of their own for each engine, beside the finished ones of all that share the folder: what
//! an engine finds in its own when it starts, its former run has left. Those of engines that ran here and are gone it
//! makes its own ([`Recordings::take_over_left`]).

mod backlog;
mod encoder;
mod interruptions;
mod shelf;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::NodeFolder;
use crate::domain::{CallId, NodeId, RecordingMade};
use crate::media::spool::RecordingBlock;
use backlog::Backlog;
use encoder::Encoder;
pub use interruptions::Interruption;
use interruptions::Interruptions;
pub use shelf::{DiskLimits, DiskState, Shelved};
use writer::{Job, Writer};

/// Blocks that may wait for the disk: some seconds of hundreds of calls.
const QUEUE_BLOCKS_MAX: usize = 2_048;
const QUEUE_RETRY: Duration = Duration::from_millis(20);
/// What people said on the telephone is for the engine's user alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const SPOOLS: &str = "spools";
const SPOOL_ENDING: &str = "spool";
const FINISHED_ENDING: &str = "ogg";

/// The door to both threads; cheap to clone. They end with its last clone.
#[derive(Clone)]
pub struct Recordings {
    folder: Arc<Path>,
    /// Of this engine.
    spools: Arc<Path>,
    queue: SyncSender<Job>,
    running: Running,
    backlog: Backlog,
    interruptions: Interruptions,
    is_full: Arc<AtomicBool>,
}

pub struct RecordingSettings {
    pub folder: PathBuf,
    /// Whose spool files are ours.
    pub node: NodeId,
    /// How much of a core the encoder may use.
    pub encoder_core_percent: u32,
}

/// A recording of a former run that is being finished now.
pub struct LeftBehind {
    pub call: CallId,
    pub finished: oneshot::Receiver<Option<RecordingMade>>,
}

/// The calls that are being recorded. A session that is not told at once that its call is over (its route was lost) still
/// records for a moment, and must not open the finished file again.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashSet<CallId>>>);

impl Running {
    fn with<R>(&self, work: impl FnOnce(&mut HashSet<CallId>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn has(&self, call: &CallId) -> bool {
        self.with(|running| running.contains(call))
    }
}

/// One call's way into the recordings.
#[derive(Clone)]
pub struct RecordingSink {
    call: CallId,
    queue: SyncSender<Job>,
    interruptions: Interruptions,
}

/// The disk is slower than the calls; the block is lost and must be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording's queue is full: the disk is too slow for this many calls")]
pub struct RecordingDropped;

impl Recordings {
    /// Makes the folders that are missing, for their owner alone, starts the threads, and begins to finish what was left.
    pub fn start(settings: &RecordingSettings) -> io::Result<(Self, Vec<LeftBehind>)> {
        let spools = settings.folder.join(SPOOLS).join(settings.node.as_str());
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&spools)?;
        let backlog = Backlog::default();
        let left = spools_in(&spools)?.into_iter().map(|(call, path)| begin_to_finish(&backlog, call, &path));
        let left = left.collect();
        let encoder = Encoder::new(settings, backlog.clone());
        thread::Builder::new().name("encoder".into()).spawn(move || encoder.run())?;
        let (queue, jobs) = sync_channel(QUEUE_BLOCKS_MAX);
        let running = Running::default();
        let is_full = Arc::<AtomicBool>::default();
        let interruptions = Interruptions::default();
        let own = spools.as_path().into();
        let writer =
            Writer::new(spools, running.clone(), backlog.clone(), interruptions.clone(), is_full.clone());
        thread::Builder::new().name("recordings".into()).spawn(move || writer.run(&jobs))?;
        let folder = settings.folder.as_path().into();
        Ok((Self { folder, spools: own, queue, running, backlog, interruptions, is_full }, left))
    }

    /// Of engines that ran here, in a folder of `nodes`, and are gone. What they left is finished here.
    pub async fn take_over_left(&self, nodes: PathBuf) -> io::Result<Vec<LeftBehind>> {
        let recordings = self.clone();
        off_this_thread(move || recordings.take_over_now(&nodes)).await
    }

    fn take_over_now(&self, nodes: &Path) -> io::Result<Vec<LeftBehind>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.folder.join(SPOOLS))? {
            let entry = entry?;
            let (theirs, node) = (entry.path(), entry.file_name());
            let is_anothers = theirs.is_dir() && *theirs != *self.spools;
            let calls = if is_anothers { spools_in(&theirs)? } else { Vec::new() };
            if calls.is_empty() {
                continue;
            }
            let Some(_lock) = NodeFolder::left_by(nodes, &NodeId::new(node.to_string_lossy()))? else {
                continue;
            };
            adopt(&theirs, &self.spools)?;
            left.extend(calls.into_iter().filter_map(|(call, path)| {
                let path = self.spools.join(path.file_name()?);
                Some(begin_to_finish(&self.backlog, call, &path))
            }));
        }
        Ok(left)
    }

    /// From here until its end the call is recorded.
    pub fn sink(&self, call: &CallId) -> RecordingSink {
        self.running.with(|running| running.insert(call.clone()));
        RecordingSink {
            call: call.clone(),
            queue: self.queue.clone(),
            interruptions: self.interruptions.clone(),
        }
    }

    /// Answers once the call's Opus file is there; `None` when nothing was recorded, or nothing can be made of it.
    pub async fn finish(&self, call: &CallId) -> Option<RecordingMade> {
        let (reply, answer) = oneshot::channel();
        let mut job = Job::Finish { call: call.clone(), reply };
        // A full queue empties in milliseconds; the end of a call can wait for it, its audio could not.
        while let Err(TrySendError::Full(unsent)) = self.queue.try_send(job) {
            job = unsent;
            tokio::time::sleep(QUEUE_RETRY).await;
        }
        answer.await.ok().flatten()
    }
}

impl Recordings {
    /// The call is being recorded, or its recording is being encoded.
    pub fn is_under_way(&self, call: &CallId) -> bool {
        self.running.has(call) || self.backlog.has(call)
    }

    /// Nothing of the call can be written at the moment.
    pub fn is_interrupted(&self, call: &CallId) -> bool {
        self.interruptions.has(call)
    }

    /// Recordings of which something is missing since the last time that this was asked.
    pub fn interruptions(&self) -> Vec<Interruption> {
        self.interruptions.untold()
    }

    /// Waits until there may be such recordings.
    pub async fn interruption(&self) {
        self.interruptions.news().await;
    }

    /// Where a finished recording lies that a record names. Only our own folder is looked into, whatever a record says.
    pub fn path_of(&self, filename: &str) -> Option<PathBuf> {
        Path::new(filename).file_name().map(|name| self.folder.join(name))
    }

    /// The call's record tells of its recording: nothing else is needed any more. It does no harm if this cannot be said.
    pub fn told(&self, call: &CallId) {
        drop(self.queue.try_send(Job::Told { call: call.clone() }));
    }
}

/// What its keeper asks; all of it off the threads that calls live on.
impl Recordings {
    /// The disk has no room left: nothing is written to it until it has.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub async fn free_bytes(&self) -> io::Result<u64> {
        let folder = self.folder.clone();
        off_this_thread(move || shelf::free_bytes(&folder)).await
    }

    /// Oldest first.
    pub async fn shelved(&self) -> io::Result<Vec<Shelved>> {
        let folder = self.folder.clone();
        off_this_thread(move || shelf::finished_in(&folder)).await
    }

    pub async fn remove(&self, path: PathBuf) -> io::Result<()> {
        off_this_thread(move || fs::remove_file(path)).await
    }
}

async fn off_this_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl RecordingSink {
    /// Never waits.
    pub fn append(&self, block: RecordingBlock) -> Result<(), RecordingDropped> {
        let job = Job::Append { call: self.call.clone(), block };
        self.queue.try_send(job).map_err(|_| {
            self.interruptions.lost(&self.call);
            RecordingDropped
        })
    }
}

fn begin_to_finish(backlog: &Backlog, call: CallId, spool: &Path) -> LeftBehind {
    let (reply, finished) = oneshot::channel();
    let bytes = fs::metadata(spool).map_or(0, |file| file.len());
    backlog.end(&call, spool, bytes, reply);
    LeftBehind { call, finished }
}

fn adopt(theirs: &Path, ours: &Path) -> io::Result<()> {
    for entry in fs::read_dir(theirs)? {
        let entry = entry?;
        fs::rename(entry.path(), ours.join(entry.file_name()))?;
    }
    fs::remove_dir(theirs)
}

fn spools_in(folder: &Path) -> io::Result<Vec<(CallId, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_spool = path.extension().is_some_and(|ending| ending == SPOOL_ENDING);
        let call = path.file_stem().and_then(|stem| stem.to_str()).map(CallId::new);
        found.extend(call.filter(|_| is_spool).map(|call| (call, path.clone())));
    }
    Ok(found)
}
