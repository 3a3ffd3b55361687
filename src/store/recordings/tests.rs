use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::domain::Timestamp;
use crate::media::codec::Codec;
use crate::media::opus_file::Listened;
use crate::media::spool::Spool;
use crate::media::spool::file::{SpoolHead, block_bytes};

const NOON: Timestamp = Timestamp::from_millis(43_200_000);
const NODE: &str = "node-1";
const SECOND: usize = 8_000;

fn settings(folder: &Path) -> RecordingSettings {
    let (folder, node) = (folder.to_owned(), NodeId::new(NODE));
    RecordingSettings { folder, node, encoder_core_percent: 100 }
}

/// The call may be longer than a piece that the encoder takes at once.
fn blocks(seconds: u64) -> Vec<RecordingBlock> {
    let mut spool = Spool::default();
    let mut blocks = Vec::new();
    for frame in 0..seconds * 50 {
        let caller = std::array::from_fn(|n| if n % 16 < 8 { 9_000 } else { -9_000 });
        let played = [Codec::Pcmu.silence(); 160];
        blocks.extend(spool.push(frame, &caller, (Codec::Pcmu, &played), || NOON));
    }
    blocks.extend(spool.finish());
    blocks
}

fn call() -> CallId {
    CallId::new("call-1")
}

struct Bench {
    folder: TempDir,
    recordings: Recordings,
    left: Vec<LeftBehind>,
}

impl Bench {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(folder: TempDir) -> Self {
        let (recordings, left) = Recordings::start(&settings(folder.path())).unwrap();
        Self { folder, recordings, left }
    }

    fn spool(&self) -> PathBuf {
        spool_in(&self.folder)
    }

    /// The engine's process is gone and comes again; `meanwhile` something happens to its files.
    fn start_again(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { folder, recordings, .. } = self;
        drop(recordings);
        meanwhile(&spool_in(&folder));
        Self::on(folder)
    }

    async fn of_former_run(&mut self) -> Option<RecordingMade> {
        let LeftBehind { call: named, finished } = self.left.pop().expect("a recording was left");
        assert_eq!((named, self.left.len()), (call(), 0));
        finished.await.unwrap()
    }

    /// As Books does once the record is written.
    async fn told(&self) {
        self.recordings.told(&call());
        assert_eq!(self.recordings.finish(&CallId::new("another")).await, None, "answered in order");
    }

    /// Names of all files, wherever they lie.
    fn files(&self) -> Vec<String> {
        let folders = [self.folder.path().to_owned(), self.spool().parent().unwrap().to_owned()];
        let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
        let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }
}

fn spool_in(folder: &TempDir) -> PathBuf {
    folder.path().join("spools").join(NODE).join("call-1.spool")
}

fn left_by_a_crash(spool: &Path, blocks: &[RecordingBlock]) -> Vec<u8> {
    let mut bytes = SpoolHead::of(&call(), &blocks[0]).to_bytes();
    blocks.iter().for_each(|block| bytes.extend(block_bytes(block)));
    fs::write(spool, &bytes).unwrap();
    bytes
}

fn listen(made: &RecordingMade) -> Listened {
    Listened::to(fs::File::open(&made.filename).unwrap()).unwrap()
}

fn loudest(samples: &[i16]) -> i32 {
    samples.iter().map(|sample| i32::from(*sample).abs()).max().unwrap_or(0)
}

#[tokio::test]
async fn a_recording_has_its_name_once_it_is_whole_and_says_what_it_is() {
    let bench = Bench::new();
    let sink = bench.recordings.sink(&call());
    blocks(30).into_iter().for_each(|block| sink.append(block).unwrap());
    let made = bench.recordings.finish(&call()).await.unwrap();
    assert_eq!((made.start_time, made.duration_seconds), (NOON, 30.0));
    assert_eq!(made.bytes, fs::metadata(&made.filename).unwrap().len());
    bench.told().await;
    assert_eq!(bench.files(), ["call-1.ogg"], "neither half a file nor its spool stays");
    let heard = listen(&made);
    assert_eq!((heard.call, heard.caller.len()), (Some(call()), 30 * SECOND));
    assert!(loudest(&heard.caller) > 5_000 && loudest(&heard.model[400..]) < 100);
}

#[tokio::test]
async fn a_missing_second_is_silence_and_the_rest_stays_in_its_place() {
    let bench = Bench::new();
    let sink = bench.recordings.sink(&call());
    let [first, _, third] = blocks(3).try_into().unwrap();
    sink.append(first).unwrap();
    sink.append(third).unwrap();
    let heard = listen(&bench.recordings.finish(&call()).await.unwrap());
    assert_eq!(heard.caller.len(), 3 * SECOND);
    assert!(loudest(&heard.caller[..SECOND]) > 5_000 && loudest(&heard.caller[2 * SECOND..]) > 5_000);
    assert!(loudest(&heard.caller[SECOND + 400..2 * SECOND - 400]) < 100);
}

#[tokio::test]
async fn what_comes_after_the_end_of_a_recording_does_not_open_it_again() {
    let bench = Bench::new();
    let sink = bench.recordings.sink(&call());
    let [first, second] = blocks(2).try_into().unwrap();
    sink.append(first).unwrap();
    let made = bench.recordings.finish(&call()).await.unwrap();
    let as_reported = fs::read(&made.filename).unwrap();
    sink.append(second).unwrap();
    assert_eq!(bench.recordings.finish(&call()).await, None, "no file is left open");
    assert_eq!(fs::read(&made.filename).unwrap(), as_reported);
    bench.told().await;
    assert_eq!(bench.files(), ["call-1.ogg"]);
}

#[tokio::test]
async fn recordings_their_spools_and_their_folders_belong_to_their_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("recordings");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (recordings, _) = Recordings::start(&settings(&folder)).unwrap();
    let spools = folder.join("spools").join(NODE);
    let sink = recordings.sink(&call());
    blocks(1).into_iter().for_each(|block| sink.append(block).unwrap());
    // Another call's end is written after this block.
    assert_eq!(recordings.finish(&CallId::new("another")).await, None);
    assert_eq!(mode(&spools.join("call-1.spool")), 0o600);
    let made = recordings.finish(&call()).await.unwrap();
    assert_eq!((mode(&folder), mode(&spools), mode(Path::new(&made.filename))), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn a_call_without_audio_has_no_recording() {
    let bench = Bench::new();
    bench.recordings.sink(&call());
    assert_eq!(bench.recordings.finish(&call()).await, None);
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn what_a_crash_left_is_finished_at_the_next_start_to_its_last_whole_second() {
    let mut bench = Bench::new().start_again(|spool| {
        let whole = left_by_a_crash(spool, &blocks(10));
        fs::write(spool, &whole[..whole.len() - 100]).unwrap();
    });
    let made = bench.of_former_run().await.unwrap();
    assert_eq!((made.start_time, made.duration_seconds), (NOON, 9.0));
    assert_eq!(listen(&made).caller.len(), 9 * SECOND);
    bench.told().await;
    assert_eq!(bench.files(), ["call-1.ogg"]);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_encoding_costs_nothing() {
    let mut bench = Bench::new().start_again(|spool| {
        left_by_a_crash(spool, &blocks(3));
        let recordings = spool.parent().and_then(Path::parent).and_then(Path::parent).unwrap();
        fs::write(recordings.join("call-1.ogg.part"), "OggS, and then the power failed").unwrap();
    });
    let made = bench.of_former_run().await.unwrap();
    assert_eq!(listen(&made).caller.len(), 3 * SECOND);
    bench.told().await;
    assert_eq!(bench.files(), ["call-1.ogg"]);
}

#[tokio::test]
async fn a_recording_that_no_record_tells_of_yet_is_found_again_after_a_crash() {
    let bench = Bench::new();
    let sink = bench.recordings.sink(&call());
    blocks(3).into_iter().for_each(|block| sink.append(block).unwrap());
    let made = bench.recordings.finish(&call()).await.unwrap();
    let mut bench = bench.start_again(|_| {});
    assert_eq!(bench.of_former_run().await, Some(made));
    bench.told().await;
    assert!(bench.start_again(|_| {}).left.is_empty());
}

#[tokio::test]
async fn a_damaged_second_is_silence() {
    let mut bench = Bench::new().start_again(|spool| {
        let mut bytes = left_by_a_crash(spool, &blocks(3));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        fs::write(spool, bytes).unwrap();
    });
    let heard = listen(&bench.of_former_run().await.unwrap());
    assert_eq!(heard.caller.len(), 3 * SECOND);
    assert!(loudest(&heard.caller[2 * SECOND + 400..]) > 5_000);
    assert!(loudest(&heard.caller[SECOND + 400..2 * SECOND - 400]) < 100);
}

#[tokio::test]
async fn a_file_that_is_no_spool_is_put_aside_and_stops_nothing() {
    let mut bench = Bench::new().start_again(|spool| fs::write(spool, [7; 500]).unwrap());
    assert_eq!(bench.of_former_run().await, None);
    assert_eq!(bench.files(), ["call-1.spool.unreadable"]);
    let sink = bench.recordings.sink(&CallId::new("next"));
    blocks(1).into_iter().for_each(|block| sink.append(block).unwrap());
    assert!(bench.recordings.finish(&CallId::new("next")).await.is_some());
    bench.recordings.told(&CallId::new("next"));
    bench.told().await;
    let again = bench.start_again(|_| {});
    assert_eq!(again.left.len(), 0, "it is not tried again and again");
}

#[tokio::test]
async fn another_engine_s_spools_are_left_alone() {
    let bench = Bench::new();
    left_by_a_crash(&bench.spool(), &blocks(1));
    let others = RecordingSettings { node: NodeId::new("node-2"), ..settings(bench.folder.path()) };
    let (_recordings, left) = Recordings::start(&others).unwrap();
    assert!(left.is_empty() && bench.spool().exists());
}

#[tokio::test]
async fn the_spools_of_an_engine_that_is_gone_are_finished_by_another() {
    let bench = Bench::new();
    left_by_a_crash(&bench.spool(), &blocks(2));
    let nodes = bench.folder.path().join("nodes");
    drop(NodeFolder::take(&nodes, || NODE.to_owned()).unwrap());
    fs::write(bench.folder.path().join(SPOOLS).join("a file of somebody's"), "").unwrap();
    let other = RecordingSettings { node: NodeId::new("node-2"), ..settings(bench.folder.path()) };
    let (recordings, _) = Recordings::start(&other).unwrap();
    let mut left = recordings.take_over_left(nodes).await.unwrap();
    let made = left.pop().unwrap().finished.await.unwrap().unwrap();
    assert_eq!((made.duration_seconds, left.len()), (2.0, 0));
    assert!(!bench.spool().exists());
}

#[tokio::test]
async fn the_spools_of_an_engine_that_goes_meanwhile_are_finished_by_one_that_runs() {
    let bench = Bench::new();
    let nodes = bench.folder.path().join("nodes");
    let theirs = NodeFolder::take(&nodes, || NODE.to_owned()).unwrap();
    let others = RecordingSettings { node: NodeId::new("node-2"), ..settings(bench.folder.path()) };
    let (recordings, _) = Recordings::start(&others).unwrap();
    left_by_a_crash(&bench.spool(), &blocks(2));
    assert!(recordings.take_over_left(nodes.clone()).await.unwrap().is_empty(), "it runs");
    drop(theirs);
    let elsewhere = bench.folder.path().join("of another machine");
    assert!(recordings.take_over_left(elsewhere).await.unwrap().is_empty(), "nobody knows whether it runs");
    let mut left = recordings.take_over_left(nodes.clone()).await.unwrap();
    let LeftBehind { call: named, finished } = left.pop().unwrap();
    let made = finished.await.unwrap().unwrap();
    assert_eq!((named, made.duration_seconds, left.len()), (call(), 2.0, 0));
    assert!(!bench.spool().exists());
    assert!(recordings.take_over_left(nodes).await.unwrap().is_empty(), "once");
}

#[tokio::test]
async fn a_long_recording_is_followed_while_the_call_goes_on() {
    let bench = Bench::new();
    let sink = bench.recordings.sink(&call());
    blocks(120).into_iter().for_each(|block| sink.append(block).unwrap());
    let made = bench.recordings.finish(&call()).await.unwrap();
    assert_eq!((made.duration_seconds, listen(&made).caller.len()), (120.0, 120 * SECOND));
}
