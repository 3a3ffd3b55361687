//! What could not be written into the store yet, in a file of this engine's own: it survives a crash and arrives later.
//!
//! Records are appended as lines (checksum, then id and body as JSON) by a thread of its own, and synced to the disk in
//! groups. Of one id only the newest counts. Once every id has arrived in the store, the file is emptied; until then what
//! has arrived may be written again, so whoever replays it must not let an older state replace a newer one.
//!
//! A last line that was cut off by a crash is dropped, and said so. The file has a bound: when it is reached, only the
//! newest line of each id is kept, and where that does not help, the record is not kept and that is said and counted.
//!
//! The file is written over zeros that are there from the start ([`RESERVE_BYTES`]), so a disk that has filled up takes what
//! calls report all the same, for a while. What is written ends with the first zero.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::telemetry::{Counter, count};

/// Records that may wait for the disk; beyond that they are offered again later.
const QUEUE_MAX: usize = 256;
/// Room that is the journal's before it needs it: some hundred calls.
const RESERVE_BYTES: u64 = 4 << 20;
/// It holds what people said on the telephone.
const FILE_MODE: u32 = 0o600;
const CHECKSUM_CHARACTERS: usize = 8;

/// The door to the journal's thread; cheap to clone. The thread ends with its last door.
#[derive(Clone)]
pub struct Journal {
    queue: SyncSender<Job>,
}

/// A record that waits for the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unwritten {
    pub id: String,
    pub body: Value,
}

enum Job {
    Append(Unwritten),
    Arrived(String),
    Flush(oneshot::Sender<BTreeSet<String>>),
}

pub struct OpenJournal {
    pub journal: Journal,
    /// What the store did not get before.
    pub unwritten: Vec<Unwritten>,
    /// Whether what was adopted is safe in this file too.
    pub adopted_all: bool,
}

/// The disk is slower than what is to be written.
#[derive(Debug, thiserror::Error)]
#[error("the journal's queue is full")]
pub struct JournalBusy;

impl Journal {
    /// Records that are `adopted` come from the file of an engine that is gone.
    pub fn open(path: &Path, max_bytes: u64, adopted: Vec<Unwritten>) -> io::Result<OpenJournal> {
        let (mut writer, mut unwritten) = Writer::open(path, max_bytes)?;
        writer.hold_room();
        let adopted_all = writer.append_all(&adopted);
        unwritten.extend(adopted);
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        thread::Builder::new().name("journal".into()).spawn(move || writer.run(&jobs))?;
        Ok(OpenJournal { journal: Self { queue }, unwritten, adopted_all })
    }

    /// What a file holds whose engine is gone.
    pub fn read(path: &Path) -> io::Result<Vec<Unwritten>> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        Writer::open(path, u64::MAX).map(|(_, unwritten)| unwritten)
    }

    /// Never waits.
    pub fn append(&self, record: Unwritten) -> Result<(), JournalBusy> {
        self.queue.try_send(Job::Append(record)).map_err(|_| JournalBusy)
    }

    /// This id is in the store. It does no harm if this cannot be said.
    pub fn arrived(&self, id: &str) {
        drop(self.queue.try_send(Job::Arrived(id.to_owned())));
    }

    /// Waits until everything so far is on the disk, or could not be brought there. Gives the ids whose newest record is
    /// not.
    pub async fn flush(&self) -> Result<BTreeSet<String>, JournalBusy> {
        let (reply, done) = oneshot::channel();
        self.queue.try_send(Job::Flush(reply)).map_err(|_| JournalBusy)?;
        // A thread that is gone writes nothing more.
        done.await.map_err(|_| JournalBusy)
    }
}

/// Where a line is in the file.
#[derive(Clone, Copy)]
struct Place {
    start: u64,
    length: u64,
}

struct Writer {
    path: PathBuf,
    file: File,
    length: u64,
    /// How much of the disk the file has, whatever of it is used.
    held: u64,
    max_bytes: u64,
    /// The newest line of each id that has not arrived.
    newest: BTreeMap<String, Place>,
    /// Whose newest record the disk did not take.
    missing: BTreeSet<String>,
    /// Said once, until it is over.
    complained: bool,
}

impl Writer {
    fn open(path: &Path, max_bytes: u64) -> io::Result<(Self, Vec<Unwritten>)> {
        let mut file = open_file(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Lines { lines, whole, damaged } = lines_of(written_of(&bytes));
        if damaged > 0 {
            tracing::warn!(path = %path.display(), damaged, "the journal has lines that a crash or the disk has damaged; they are left out");
        }
        let mut newest = BTreeMap::new();
        let mut unwritten = BTreeMap::new();
        for (place, line) in lines {
            newest.insert(line.id.clone(), place);
            unwritten.insert(line.id.clone(), line);
        }
        let path = path.to_owned();
        let (length, missing) = (whole, BTreeSet::new());
        let held = whole.max(RESERVE_BYTES.min(bytes.len() as u64));
        let mut writer = Self { path, file, length, held, max_bytes, newest, missing, complained: false };
        // What is appended must not continue a line that was cut off, nor be followed by what a crash left behind it.
        let left_to = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        writer.erase(whole, left_to)?;
        Ok((writer, unwritten.into_values().collect()))
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let (mut records, mut flushed) = (Vec::new(), Vec::new());
            for job in std::iter::once(first).chain(jobs.try_iter().take(QUEUE_MAX)) {
                match job {
                    Job::Append(record) => records.push(record),
                    Job::Arrived(id) => {
                        // In order: what came before is older than what has arrived.
                        self.append_all(&records);
                        records.clear();
                        self.arrived(&id);
                    }
                    Job::Flush(reply) => flushed.push(reply),
                }
            }
            self.append_all(&records);
            // Whoever asked may have gone away.
            flushed.into_iter().for_each(|reply| drop(reply.send(self.missing.clone())));
        }
    }

    /// One write and one sync for all. False: they are not there.
    fn append_all(&mut self, records: &[Unwritten]) -> bool {
        if records.is_empty() {
            return true;
        }
        let lines: serde_json::Result<Vec<_>> =
            records.iter().map(|record| Ok((record.id.clone(), line_of(record)?))).collect();
        match lines.map_err(io::Error::other).and_then(|lines| self.try_append(&lines)) {
            Ok(()) => {
                self.complained = false;
                for record in records {
                    self.missing.remove(&record.id);
                    count(Counter::JournalRecords);
                }
                true
            }
            Err(error) => {
                self.complain(&error);
                self.missing.extend(records.iter().map(|record| record.id.clone()));
                false
            }
        }
    }

    fn try_append(&mut self, lines: &[(String, Vec<u8>)]) -> io::Result<()> {
        let added: u64 = lines.iter().map(|(_, line)| line.len() as u64).sum();
        if self.length + added > self.max_bytes {
            self.compact(added)?;
        }
        let bytes: Vec<u8> = lines.iter().flat_map(|(_, line)| line).copied().collect();
        if let Err(error) = self.write_at(self.length, &bytes).and_then(|()| self.file.sync_data()) {
            // Half a line would spoil the next one.
            self.erase(self.length, self.length + bytes.len() as u64)?;
            return Err(error);
        }
        for (id, line) in lines {
            let place = Place { start: self.length, length: line.len() as u64 };
            self.newest.insert(id.clone(), place);
            self.length += place.length;
        }
        self.held = self.held.max(self.length);
        Ok(())
    }

    /// Zeros up to the reserve. A disk that has no room for them is told of when it has none for what is to be written.
    fn hold_room(&mut self) {
        let reserve = RESERVE_BYTES.min(self.max_bytes);
        let zeros = vec![0; usize::try_from(reserve.saturating_sub(self.held)).unwrap_or(0)];
        match self.write_at(self.held, &zeros) {
            Ok(()) => self.held = self.held.max(reserve),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "no room can be held for the journal");
                self.file.set_len(self.held).unwrap_or_default();
            }
        }
    }

    fn write_at(&mut self, start: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(start))?;
        self.file.write_all(bytes)
    }

    /// What is behind `end` is zeros again, as far as the file has room of its own; none of it is given back.
    fn erase(&mut self, end: u64, written_to: u64) -> io::Result<()> {
        self.file.set_len(self.held)?;
        let zeros = written_to.min(self.held).saturating_sub(end);
        self.write_at(end, &vec![0; usize::try_from(zeros).map_err(io::Error::other)?])
    }

    /// Keeps the newest line of each id, in a new file that takes the old one's place at once.
    fn compact(&mut self, room: u64) -> io::Result<()> {
        let needed: u64 = self.newest.values().map(|place| place.length).sum();
        if needed + room > self.max_bytes {
            return Err(io::Error::other(format!("it has reached its bound of {} bytes", self.max_bytes)));
        }
        let aside = self.path.with_extension("new");
        let mut file = open_file(&aside)?;
        file.set_len(0)?;
        let (mut newest, mut length) = (BTreeMap::new(), 0);
        for (id, place) in &self.newest {
            let mut line = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
            self.file.seek(SeekFrom::Start(place.start))?;
            self.file.read_exact(&mut line)?;
            file.write_all(&line)?;
            newest.insert(id.clone(), Place { start: length, length: place.length });
            length += place.length;
        }
        file.sync_data()?;
        fs::rename(&aside, &self.path)?;
        (self.file, self.newest, self.length, self.held) = (file, newest, length, length);
        self.hold_room();
        Ok(())
    }

    fn arrived(&mut self, id: &str) {
        self.missing.remove(id);
        if self.newest.remove(id).is_some() && self.newest.is_empty() {
            // Room beyond the reserve is given back.
            self.held = self.held.min(RESERVE_BYTES);
            match self.erase(0, self.length) {
                Ok(()) => self.length = 0,
                Err(error) => self.complain(&error),
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        count(Counter::JournalFailures);
        if !std::mem::replace(&mut self.complained, true) {
            tracing::error!(
                path = %self.path.display(), %error,
                "the journal cannot be written: what calls report is in memory only until the store answers; look at disk \
                 space, and at node.journal_max_mb"
            );
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

fn line_of(record: &Unwritten) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_string(record)?;
    Ok(format!("{} {json}\n", checksum(json.as_bytes())).into_bytes())
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(CHECKSUM_CHARACTERS / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// Without the room that is held behind it.
fn written_of(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

struct Lines {
    lines: Vec<(Place, Unwritten)>,
    /// Where the last whole line ends.
    whole: u64,
    damaged: usize,
}

fn lines_of(bytes: &[u8]) -> Lines {
    let mut found = Lines { lines: Vec::new(), whole: 0, damaged: 0 };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let place = Place { start: found.whole, length: line.len() as u64 };
        let Some(text) = line.strip_suffix(b"\n") else {
            found.damaged += 1;
            break;
        };
        found.whole += place.length;
        match record_in(text) {
            Some(record) => found.lines.push((place, record)),
            None => found.damaged += 1,
        }
    }
    found
}

fn record_in(line: &[u8]) -> Option<Unwritten> {
    let (sum, rest) = line.split_at_checked(CHECKSUM_CHARACTERS)?;
    let json = rest.strip_prefix(b" ")?;
    (sum == checksum(json).as_bytes()).then_some(())?;
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
