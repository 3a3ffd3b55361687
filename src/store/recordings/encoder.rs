//! The thread that makes Opus files of spool files: behind everything else, and within its budget of a core.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::backlog::{Backlog, Piece};
use super::{FILE_MODE, FINISHED_ENDING, RecordingSettings};
use crate::clock;
use crate::domain::{CallId, RecordingMade};
use crate::media::opus_file::{OpusFile, OpusFileError};
use crate::media::spool::file::{Found, SpoolError, SpoolHead, next_block};
use crate::telemetry::{Counter, count};

/// On the scale of `nice`: the last of all.
const NICENESS: i32 = 19;
/// What cannot be encoded is kept under this ending, for a person to look at.
const UNREADABLE_ENDING: &str = "spool.unreadable";

pub(super) struct Encoder {
    folder: PathBuf,
    core_percent: u32,
    backlog: Backlog,
    works: HashMap<CallId, Work>,
}

/// Why a piece was not encoded.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Opus(OpusFileError),
}

impl From<OpusFileError> for Failure {
    fn from(error: OpusFileError) -> Self {
        match error {
            OpusFileError::Io(error) => Self::Io(error),
            error @ (OpusFileError::Damaged(_) | OpusFileError::Codec(_)) => Self::Opus(error),
        }
    }
}

impl Encoder {
    pub(super) fn new(settings: &RecordingSettings, backlog: Backlog) -> Self {
        let core_percent = settings.encoder_core_percent.clamp(1, 100);
        Self { folder: settings.folder.clone(), core_percent, backlog, works: HashMap::new() }
    }

    pub(super) fn run(mut self) {
        // Linux takes the calling thread for the process whose number is not given.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::info!(%error, "recordings are encoded at the calls' own priority");
        }
        while let Some(piece) = self.backlog.next() {
            let before = clock::thread_cpu_time();
            self.take(&piece);
            let used = clock::thread_cpu_time().saturating_sub(before);
            thread::sleep(rest_after(used, self.core_percent));
        }
    }

    fn take(&mut self, piece: &Piece) {
        let encoded = catch_unwind(AssertUnwindSafe(|| self.encode(piece)));
        let call = &piece.call;
        match encoded {
            Ok(Ok(None)) if !piece.is_last => self.backlog.taken(piece),
            Ok(Ok(made)) => self.finished(piece, made),
            Ok(Err(Failure::Io(error))) => {
                count(Counter::RecordingEncodingFailures);
                tracing::error!(%call, %error, "the recording cannot be encoded now; its spool file is kept, and it is tried again");
                self.works.remove(call);
                self.backlog.failed(call);
            }
            Ok(Err(error)) => self.give_up(piece, &error.to_string()),
            Err(_) => {
                count(Counter::PanicsCaught);
                self.give_up(piece, "the encoder panicked");
            }
        }
    }

    fn encode(&mut self, piece: &Piece) -> Result<Option<RecordingMade>, Failure> {
        let work =
            self.works.entry(piece.call.clone()).or_insert_with(|| Work::new(&self.folder, &piece.call));
        work.read(piece)?;
        work.encode(piece)?;
        if !piece.is_last {
            return Ok(None);
        }
        match self.works.remove(&piece.call) {
            Some(work) => work.finish(),
            None => Ok(None),
        }
    }

    fn finished(&mut self, piece: &Piece, made: Option<RecordingMade>) {
        match &made {
            Some(_) => count(Counter::Recordings),
            // Cut off before its first second was whole: nobody will ask for it.
            None => drop(fs::remove_file(&piece.spool)),
        }
        self.backlog.finished(&piece.call, made);
    }

    /// Nothing will come of it, however often it is tried.
    fn give_up(&mut self, piece: &Piece, reason: &str) {
        count(Counter::RecordingEncodingFailures);
        self.works.remove(&piece.call);
        let kept = piece.spool.with_extension(UNREADABLE_ENDING);
        tracing::error!(call = %piece.call, reason, kept = %kept.display(), "no recording can be made of the call's spool file");
        if let Err(error) = fs::rename(&piece.spool, &kept) {
            tracing::error!(call = %piece.call, %error, "the spool file cannot be renamed");
        }
        self.backlog.finished(&piece.call, None);
    }
}

/// So that of the whole time no more than the budget was work.
fn rest_after(used: Duration, core_percent: u32) -> Duration {
    used * (100 - core_percent) / core_percent
}

/// One call's recording, half-way.
struct Work {
    call: CallId,
    finished_path: PathBuf,
    partial_path: PathBuf,
    /// Read, and not a whole block yet.
    unread: Vec<u8>,
    head: Option<SpoolHead>,
    opus: Option<OpusFile<BufWriter<File>>>,
}

impl Work {
    fn new(folder: &Path, call: &CallId) -> Self {
        let finished_path = folder.join(format!("{call}.{FINISHED_ENDING}"));
        let partial_path = folder.join(format!("{call}.{FINISHED_ENDING}.part"));
        Self { call: call.clone(), finished_path, partial_path, unread: Vec::new(), head: None, opus: None }
    }

    fn read(&mut self, piece: &Piece) -> io::Result<()> {
        let mut spool = File::open(&piece.spool)?;
        spool.seek(SeekFrom::Start(piece.from))?;
        spool.take(piece.to - piece.from).read_to_end(&mut self.unread).map(drop)
    }

    fn encode(&mut self, piece: &Piece) -> Result<(), Failure> {
        let mut offset = 0;
        if self.head.is_none() {
            let Some((head, bytes)) = SpoolHead::read(&self.unread)? else { return Ok(()) };
            self.opus = Some(OpusFile::begin(self.create_partial()?, &head)?);
            self.head = Some(head);
            offset = bytes;
        }
        let Some(opus) = &mut self.opus else { return Ok(()) };
        loop {
            match next_block(&self.unread[offset..], piece.is_last) {
                Found::Block { block, bytes } => {
                    block.heard().iter().try_for_each(|frame| opus.add(frame))?;
                    offset += bytes;
                }
                Found::Damaged { bytes } => {
                    count(Counter::RecordingBlocksDamaged);
                    tracing::warn!(call = %self.call, bytes, "a part of the recording's spool file is damaged; it will be silence");
                    offset += bytes;
                }
                Found::Nothing => break,
            }
        }
        self.unread.drain(..offset);
        Ok(())
    }

    fn create_partial(&self) -> io::Result<BufWriter<File>> {
        let mut options = OpenOptions::new();
        let file =
            options.create(true).truncate(true).write(true).mode(FILE_MODE).open(&self.partial_path)?;
        Ok(BufWriter::new(file))
    }

    /// `None`: the call ended before anything was recorded.
    fn finish(self) -> Result<Option<RecordingMade>, Failure> {
        let (Some(opus), Some(head)) = (self.opus, self.head) else { return Ok(None) };
        let duration = opus.duration();
        let file = opus.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        fs::rename(&self.partial_path, &self.finished_path)?;
        if let Some(folder) = self.finished_path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Some(RecordingMade {
            filename: self.finished_path.display().to_string(),
            start_time: head.started,
            duration_seconds: duration.as_secs_f64(),
            bytes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_rest_keep_to_the_budget() {
        let used = Duration::from_millis(30);
        assert_eq!(rest_after(used, 100), Duration::ZERO);
        assert_eq!(rest_after(used, 50), used);
        assert_eq!(rest_after(used, 10), 9 * used);
    }
}
