//! The finished recordings of the folder, and how much room its disk has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::FINISHED_ENDING;
use crate::clock;
use crate::domain::CallId;

/// How much of the disk is to stay free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskLimits {
    pub warn_free_bytes: u64,
    pub min_free_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskState {
    Roomy,
    /// Somebody should make room before recordings must end.
    Low,
    /// Nothing more is recorded.
    Full,
}

impl DiskLimits {
    pub fn judge(&self, free_bytes: u64) -> DiskState {
        if free_bytes < self.min_free_bytes {
            DiskState::Full
        } else if free_bytes < self.warn_free_bytes {
            DiskState::Low
        } else {
            DiskState::Roomy
        }
    }
}

/// A finished recording as it lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    pub call: CallId,
    pub path: PathBuf,
    pub bytes: u64,
    /// How long it has been lying there.
    pub age: Duration,
}

/// Oldest first. What other programs have put there is none of ours.
pub(super) fn finished_in(folder: &Path) -> io::Result<Vec<Shelved>> {
    let now = Duration::from_millis(clock::unix_time().as_millis());
    let mut shelved = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_finished = path.extension().is_some_and(|ending| ending == FINISHED_ENDING);
        let call = path.file_stem().and_then(|stem| stem.to_str()).map(CallId::new);
        let (Some(call), true) = (call, is_finished) else { continue };
        // Somebody may just have deleted it.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let age = now.saturating_sub(modified.unwrap_or(now));
        shelved.push(Shelved { call, bytes: metadata.len(), age, path });
    }
    shelved.sort_by(|one, other| other.age.cmp(&one.age).then_with(|| one.call.cmp(&other.call)));
    Ok(shelved)
}

/// What users without privileges may still fill.
pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_told_to_be_low_before_it_is_full() {
        let limits = DiskLimits { warn_free_bytes: 500, min_free_bytes: 100 };
        let judged = [501, 500, 499, 100, 99, 0].map(|free| limits.judge(free));
        use DiskState::{Full, Low, Roomy};
        assert_eq!(judged, [Roomy, Roomy, Low, Low, Full, Full]);
        assert_eq!(DiskLimits { warn_free_bytes: 0, min_free_bytes: 0 }.judge(0), Roomy, "0: nobody looks");
    }

    #[test]
    fn only_finished_recordings_count_and_the_oldest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (name, modified) in
            [("b.ogg", 2_000), ("a.ogg", 3_000), ("c.ogg", 1_000), ("d.ogg.part", 1), ("e.txt", 1)]
        {
            let path = folder.path().join(name);
            fs::write(&path, name).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(at(modified)).unwrap();
        }
        let found = finished_in(folder.path()).unwrap();
        assert_eq!(found.iter().map(|one| one.call.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert_eq!((found[0].bytes, found[0].age - found[1].age), (5, Duration::from_secs(1_000)));
        assert!(free_bytes(folder.path()).unwrap() > 0);
    }
}
