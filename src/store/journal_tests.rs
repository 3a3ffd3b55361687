use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

const ROOMY: u64 = 1 << 20;

fn record(id: &str, state: u64) -> Unwritten {
    Unwritten { id: id.to_owned(), body: json!({ "state": state, "said": "a line\nand another" }) }
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("books.journal")
    }

    fn open(&self, max_bytes: u64) -> (Journal, Vec<Unwritten>) {
        let opened = Journal::open(&self.path(), max_bytes, Vec::new()).unwrap();
        (opened.journal, opened.unwritten)
    }

    /// As the next process finds it, while this one's last words are still in memory.
    fn after_a_kill(&self) -> Vec<Unwritten> {
        let copy = self.folder.path().join("copy");
        fs::copy(self.path(), &copy).unwrap();
        Journal::read(&copy).unwrap()
    }

    fn written(&self) -> Vec<u8> {
        written_of(&fs::read(self.path()).unwrap()).to_vec()
    }

    fn bytes(&self) -> u64 {
        self.written().len() as u64
    }
}

#[tokio::test]
async fn what_was_flushed_is_there_after_a_kill_with_the_newest_state_of_each() {
    let bench = Bench::new();
    let (journal, left) = bench.open(ROOMY);
    assert!(left.is_empty());
    for (id, state) in [("a", 1), ("b", 1), ("a", 2), ("a", 3)] {
        journal.append(record(id, state)).unwrap();
    }
    journal.flush().await.unwrap();
    assert_eq!(bench.after_a_kill(), [record("a", 3), record("b", 1)]);
    assert_eq!(fs::metadata(bench.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_file_is_emptied_once_everything_has_arrived() {
    let bench = Bench::new();
    let (journal, _) = bench.open(ROOMY);
    for id in ["a", "b"] {
        journal.append(record(id, 1)).unwrap();
    }
    journal.arrived("a");
    journal.flush().await.unwrap();
    assert!(bench.bytes() > 0);
    journal.arrived("b");
    journal.arrived("never heard of");
    journal.flush().await.unwrap();
    assert_eq!(bench.bytes(), 0);
    journal.append(record("c", 1)).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(bench.after_a_kill(), [record("c", 1)]);
}

#[tokio::test]
async fn a_last_line_that_was_cut_off_is_dropped_and_the_next_one_is_whole() {
    let bench = Bench::new();
    let (journal, _) = bench.open(ROOMY);
    for state in [1, 2] {
        journal.append(record("a", state)).unwrap();
    }
    journal.flush().await.unwrap();
    drop(journal);
    let whole = bench.written();
    for cut in [1, 2, 30, whole.len() / 2 - 1] {
        fs::write(bench.path(), &whole[..whole.len() - cut]).unwrap();
        let (journal, left) = bench.open(ROOMY);
        assert_eq!(left, [record("a", 1)], "{cut} bytes less");
        journal.append(record("b", 1)).unwrap();
        journal.flush().await.unwrap();
        assert_eq!(bench.after_a_kill(), [record("a", 1), record("b", 1)]);
    }
}

/// An engine of a version that held no room, and a crash that left something behind what was written.
#[tokio::test]
async fn what_lies_behind_the_end_is_never_read() {
    let bench = Bench::new();
    let line = |state| line_of(&record("a", state)).unwrap();
    fs::write(bench.path(), [line(2), vec![0; 40], line(1)].concat()).unwrap();
    let (journal, left) = bench.open(ROOMY);
    assert_eq!(left, [record("a", 2)]);
    assert_eq!(fs::metadata(bench.path()).unwrap().len(), ROOMY);
    journal.append(record("b", 1)).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(bench.after_a_kill(), [record("a", 2), record("b", 1)]);
    journal.arrived("a");
    journal.arrived("b");
    journal.flush().await.unwrap();
    assert_eq!((bench.bytes(), fs::metadata(bench.path()).unwrap().len()), (0, ROOMY));
}

#[test]
fn a_damaged_line_costs_no_other() {
    let bench = Bench::new();
    let lines: Vec<u8> = ["a", "b", "c"].iter().flat_map(|id| line_of(&record(id, 1)).unwrap()).collect();
    let mut damaged = lines.clone();
    damaged[lines.len() / 2] ^= 1;
    fs::write(bench.path(), &damaged).unwrap();
    assert_eq!(Journal::read(&bench.path()).unwrap(), [record("a", 1), record("c", 1)]);
}

#[tokio::test]
async fn at_its_bound_only_the_newest_states_are_kept_and_what_has_no_room_is_left_out() {
    let bench = Bench::new();
    let line = line_of(&record("a", 1)).unwrap().len() as u64;
    let (journal, _) = bench.open(3 * line);
    for state in 1..=9 {
        journal.append(record("a", state)).unwrap();
        journal.flush().await.unwrap();
        assert!(bench.bytes() <= 3 * line);
    }
    assert_eq!(bench.after_a_kill(), [record("a", 9)]);
    let mut missing = BTreeSet::new();
    for id in ["b", "c", "d"] {
        journal.append(record(id, 1)).unwrap();
        missing = journal.flush().await.unwrap();
    }
    assert_eq!(missing, ["d".to_owned()].into());
    assert_eq!(bench.after_a_kill(), [record("a", 9), record("b", 1), record("c", 1)]);
    journal.arrived("a");
    journal.append(record("d", 1)).unwrap();
    assert!(journal.flush().await.unwrap().is_empty());
    assert_eq!(bench.after_a_kill(), [record("b", 1), record("c", 1), record("d", 1)]);
}

#[test]
fn what_is_adopted_from_elsewhere_is_in_the_file_before_anybody_works_with_it() {
    let bench = Bench::new();
    let theirs = vec![record("theirs", 4)];
    let opened = Journal::open(&bench.path(), ROOMY, theirs.clone()).unwrap();
    assert_eq!((opened.unwritten, opened.adopted_all, bench.after_a_kill()), (theirs.clone(), true, theirs));
    let too_small = Journal::open(&bench.folder.path().join("small"), 9, vec![record("theirs", 4)]).unwrap();
    assert!(!too_small.adopted_all && too_small.unwritten.len() == 1);
    assert!(Journal::read(&bench.folder.path().join("missing")).unwrap().is_empty());
}
