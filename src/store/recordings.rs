//! Recordings on disk: one writer thread for all calls, so that no call ever waits for a file.
//!
//! Blocks of a second arrive with their place in the file. What is missing stays a hole of zeros, which is silence. The
//! header is written anew with every block, so a file that is cut off by a crash can still be read to its last second.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::domain::CallId;
use crate::media::codec::LEG_RATE_HZ;
use crate::media::spool::RecordingBlock;
use crate::media::wav;
use crate::telemetry::{Counter, count};

/// Blocks that may wait for the disk: some seconds of hundreds of calls.
const QUEUE_BLOCKS_MAX: usize = 2_048;
const CHANNELS: u16 = 2;
/// What people said on the telephone is for the engine's user alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The door to the writer thread; cheap to clone. The thread ends with its last door.
#[derive(Debug, Clone)]
pub struct Recordings {
    queue: SyncSender<Job>,
    running: Running,
}

/// The calls that are being recorded. A session that is not told at once that its call is over (its route was lost) still
/// records for a moment, and must not open the finished file again.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<HashSet<CallId>>>);

impl Running {
    fn with<R>(&self, work: impl FnOnce(&mut HashSet<CallId>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One call's way into the recordings.
#[derive(Debug, Clone)]
pub struct RecordingSink {
    call: CallId,
    queue: SyncSender<Job>,
}

#[derive(Debug)]
enum Job {
    Append { call: CallId, block: RecordingBlock },
    Finish { call: CallId, reply: oneshot::Sender<Option<String>> },
}

/// The disk is slower than the calls; the block is lost and must be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording's queue is full: the disk is too slow for this many calls")]
pub struct RecordingDropped;

impl Recordings {
    /// Makes the folder if it is missing, for its owner alone, and starts the writer.
    pub fn start(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let (queue, jobs) = sync_channel(QUEUE_BLOCKS_MAX);
        let running = Running::default();
        let writer = Writer { folder: folder.to_owned(), files: HashMap::new(), running: running.clone() };
        thread::Builder::new().name("recordings".into()).spawn(move || writer.run(&jobs))?;
        Ok(Self { queue, running })
    }

    /// From here until its end the call is recorded.
    pub fn sink(&self, call: &CallId) -> RecordingSink {
        self.running.with(|running| running.insert(call.clone()));
        RecordingSink { call: call.clone(), queue: self.queue.clone() }
    }

    /// Closes the call's file; its path, or `None` when nothing was recorded.
    pub async fn finish(&self, call: &CallId) -> Option<String> {
        let (reply, answer) = oneshot::channel();
        let mut job = Job::Finish { call: call.clone(), reply };
        // A full queue empties in milliseconds; the end of a call can wait for it, its audio could not.
        while let Err(std::sync::mpsc::TrySendError::Full(unsent)) = self.queue.try_send(job) {
            job = unsent;
            tokio::time::sleep(QUEUE_RETRY).await;
        }
        answer.await.ok().flatten()
    }
}

const QUEUE_RETRY: std::time::Duration = std::time::Duration::from_millis(20);

impl RecordingSink {
    /// Never waits.
    pub fn append(&self, block: RecordingBlock) -> Result<(), RecordingDropped> {
        let job = Job::Append { call: self.call.clone(), block };
        self.queue.try_send(job).map_err(|_| RecordingDropped)
    }
}

struct Writer {
    folder: PathBuf,
    files: HashMap<CallId, Open>,
    running: Running,
}

struct Open {
    file: File,
    path: PathBuf,
    data_bytes: u64,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Append { call, block } => {
                    if let Err(error) = self.append(&call, &block) {
                        count(Counter::RecordingBlocksUnwritten);
                        tracing::error!(%call, %error, "a second of the recording could not be written");
                    }
                }
                Job::Finish { call, reply } => {
                    let path = self.finish(&call);
                    // Nobody waits any more: the file is whole all the same.
                    drop(reply.send(path));
                }
            }
        }
    }

    fn append(&mut self, call: &CallId, block: &RecordingBlock) -> io::Result<()> {
        let open = match self.files.get_mut(call) {
            Some(open) => open,
            None if !self.running.with(|running| running.contains(call)) => return Ok(()),
            None => {
                let open = Open::create(&self.folder, call)?;
                self.files.entry(call.clone()).or_insert(open)
            }
        };
        open.write(block)
    }

    fn finish(&mut self, call: &CallId) -> Option<String> {
        self.running.with(|running| running.remove(call));
        self.files.remove(call).map(|open| open.path.display().to_string())
    }
}

impl Open {
    /// An existing file is continued: the call is the same, its session was rebuilt.
    fn create(folder: &Path, call: &CallId) -> io::Result<Self> {
        let path = folder.join(format!("{call}.wav"));
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(FILE_MODE).open(&path)?;
        let data_bytes = file.metadata()?.len().saturating_sub(wav::HEADER_BYTES as u64);
        Ok(Self { file, path, data_bytes })
    }

    fn write(&mut self, block: &RecordingBlock) -> io::Result<()> {
        let mut bytes = Vec::new();
        wav::append_samples(&block.samples, &mut bytes);
        self.file.seek(SeekFrom::Start(wav::HEADER_BYTES as u64 + block.byte_offset()))?;
        self.file.write_all(&bytes)?;
        self.data_bytes = self.data_bytes.max(block.byte_offset() + bytes.len() as u64);
        let data_bytes = u32::try_from(self.data_bytes).unwrap_or(u32::MAX);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&wav::header(LEG_RATE_HZ, CHANNELS, data_bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::media::wav::Wav;

    fn block(first_frame: u64, sample: i16) -> RecordingBlock {
        RecordingBlock { first_frame, samples: vec![sample; 50 * 320] }
    }

    #[tokio::test]
    async fn a_missing_second_is_silence_and_the_rest_stays_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings::start(folder.path()).unwrap();
        let call = CallId::new("call");
        let sink = recordings.sink(&call);
        sink.append(block(0, 1)).unwrap();
        sink.append(block(100, 3)).unwrap();
        let path = recordings.finish(&call).await.unwrap();
        let wav = Wav::parse(&fs::read(path).unwrap()).unwrap();
        let left = wav.channel(0);
        assert_eq!(left.len(), 3 * 8_000);
        assert_eq!((left[7_999], left[8_000], left[16_000]), (1, 0, 3));
    }

    #[tokio::test]
    async fn what_comes_after_the_end_of_a_recording_does_not_open_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings::start(folder.path()).unwrap();
        let call = CallId::new("call");
        let sink = recordings.sink(&call);
        sink.append(block(0, 1)).unwrap();
        let path = recordings.finish(&call).await.unwrap();
        let as_reported = fs::read(&path).unwrap();
        sink.append(block(50, 2)).unwrap();
        assert_eq!(recordings.finish(&call).await, None, "no file is left open");
        assert_eq!(fs::read(&path).unwrap(), as_reported);
    }

    #[tokio::test]
    async fn a_recording_and_its_folder_belong_to_their_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("recordings");
        let recordings = Recordings::start(&folder).unwrap();
        let call = CallId::new("call");
        recordings.sink(&call).append(block(0, 1)).unwrap();
        let path = recordings.finish(&call).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(Path::new(&path))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn a_call_without_audio_has_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings::start(folder.path()).unwrap();
        assert_eq!(recordings.finish(&CallId::new("nobody")).await, None);
    }
}
