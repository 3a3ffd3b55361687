//! What a process has used, as Linux tells in `/proc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::common::Failure;

const PROGRAM: &str = "clearline";

/// Another program, named by mistake, would be measured as if it were the engine.
pub(super) fn expect_engine(pid: u32) -> Result<(), Failure> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let refused = |why: String| Failure::wrong_arguments(format!("--pid {pid}: {why}"));
    let name = fs::read_to_string(folder.join("comm")).map_err(|_| refused("no such process".into()))?;
    // Of others' processes only the name can be read.
    let program = fs::read_link(folder.join("exe")).ok();
    let program = program.as_ref().and_then(|path| path.file_name()?.to_str()).unwrap_or_default();
    if !name.starts_with(PROGRAM) && !program.starts_with(PROGRAM) {
        return Err(refused(format!("that is {}, no {PROGRAM}", name.trim_end())));
    }
    let command = fs::read(folder.join("cmdline")).unwrap_or_default();
    match stand_in_of(&String::from_utf8_lossy(&command)) {
        Some(service) => Err(refused(format!("that is `{PROGRAM} sandbox {service}`, no engine"))),
        None => Ok(()),
    }
}

/// What a `clearline sandbox` is that is no engine, by its command line, whose words end with a zero each.
fn stand_in_of(command: &str) -> Option<&str> {
    let mut words = command.split('\0').skip_while(|word| *word != "sandbox").skip(1);
    words.next().filter(|service| *service != "engine")
}

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// CPU time of all its threads since it began.
    pub(super) cpu: Duration,
    pub(super) resident_bytes: u64,
    pub(super) descriptors: usize,
    pub(super) threads: usize,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self, Failure> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        Self::read(&folder).ok_or_else(|| {
            Failure::new(format!("cannot read {}: is process {pid} there, and ours?", folder.display()))
        })
    }

    fn read(folder: &Path) -> Option<Self> {
        let ticks = cpu_of_stat(&fs::read_to_string(folder.join("stat")).ok()?)?;
        let tasks: Vec<_> =
            fs::read_dir(folder.join("task")).ok()?.flatten().map(|task| task.path()).collect();
        let precise = tasks
            .iter()
            .filter_map(|task| cpu_of_schedstat(&fs::read_to_string(task.join("schedstat")).ok()?));
        Some(Self {
            // Both are below the truth: the one is cut to 10 ms, the other knows nothing of threads that have ended.
            cpu: precise.sum::<Duration>().max(ticks),
            resident_bytes: resident_of_status(&fs::read_to_string(folder.join("status")).ok()?)?,
            descriptors: fs::read_dir(folder.join("fd")).ok()?.count(),
            threads: tasks.len(),
        })
    }
}

/// Linux counts in hundredths of a second here, whatever its own clock (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// Fields behind the name in brackets, which may hold anything.
const USER_FIELD: usize = 11;
const SYSTEM_FIELD: usize = 12;

fn cpu_of_stat(text: &str) -> Option<Duration> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    Some(TICK * (ticks(USER_FIELD)? + ticks(SYSTEM_FIELD)?))
}

fn cpu_of_schedstat(text: &str) -> Option<Duration> {
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn resident_of_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_whatever_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 200";
        assert_eq!(cpu_of_stat(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of_stat("7 (x) S 1"), None);
        assert_eq!(cpu_of_schedstat("1500000 20 3\n"), Some(Duration::from_micros(1_500)));
    }

    #[test]
    fn resident_memory_is_told_in_bytes() {
        assert_eq!(resident_of_status("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
    }

    /// Cargo names a test's binary after the library it tests.
    #[test]
    fn only_a_process_of_our_own_name_is_an_engine() {
        expect_engine(std::process::id()).unwrap();
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let refused = expect_engine(other.id()).unwrap_err().to_string();
        other.kill().unwrap();
        other.wait().unwrap();
        // The kernel gives a new program its name a little after its file.
        assert!(refused.ends_with(", no clearline"), "{refused}");
        assert!(expect_engine(0).is_err());
    }

    #[test]
    fn a_stand_in_is_told_from_an_engine_by_its_command_line() {
        let stand_in = |words: &[&str]| stand_in_of(&words.join("\0")).map(str::to_owned);
        assert_eq!(stand_in(&["clearline", "sandbox", "model", "--load", ""]).as_deref(), Some("model"));
        assert_eq!(stand_in(&["clearline", "sandbox", "engine", "--dir", "/tmp", ""]), None);
        assert_eq!(stand_in(&["clearline", "serve", "--set", "voice.url=ws://127.0.0.1:9090", ""]), None);
    }

    #[test]
    fn a_process_can_look_at_itself() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 0 && usage.threads > 0 && usage.descriptors > 0);
        assert!(Usage::of(0).is_err());
    }
}
