//! The folder for a measured engine's files: gone when it is dropped, or when the next load test starts, unless it is kept
//! because the engine died.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

const PREFIX: &str = "clearline-loadtest-";
/// No process has such a number: nobody takes it for left behind.
const KEPT: &str = "clearline-loadtest-kept-";

pub(super) struct Scratch {
    pub(super) path: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{}", std::process::id(), crate::clock::new_id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// For whoever wants to know what happened: under a name that outlives us. Where the folder is now.
    pub(super) fn keep(self) -> io::Result<PathBuf> {
        let kept = self.path.with_file_name(format!("{KEPT}{}", crate::clock::new_id()));
        fs::rename(&self.path, &kept)?;
        Ok(kept)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now lies where the system cleans up.
        fs::remove_dir_all(&self.path).ok();
    }
}

/// A load test that is killed cannot remove its folders: the next one does.
pub(super) fn remove_left_behind() {
    remove_left_behind_in(&std::env::temp_dir());
}

/// Folders of our own user, and of our own form of name, whose process is gone. Errors are others' folders, or others
/// that remove them at this moment.
fn remove_left_behind_in(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let maker = entry.file_name().to_str().and_then(maker_of);
        // Of a link this is what it is itself, not what it points at.
        let is_ours = |metadata: fs::Metadata| metadata.is_dir() && metadata.uid() == geteuid().as_raw();
        if maker.is_some_and(is_gone) && entry.metadata().is_ok_and(is_ours) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// The process that made a folder of this name.
fn maker_of(name: &str) -> Option<u32> {
    let (pid, id) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_number && is_id { pid.parse().ok() } else { None }
}

fn is_gone(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Above what Linux gives (`PID_MAX_LIMIT`).
    const NOBODY: u32 = 4_200_000;

    #[test]
    fn only_folders_of_load_tests_that_are_gone_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let left = format!("{PREFIX}{NOBODY}-0190a5");
        let kept = [
            format!("{PREFIX}{}-0190a5", std::process::id()),
            format!("{PREFIX}notes-0190a5"),
            format!("{PREFIX}{NOBODY}"),
            format!("other-{NOBODY}-0190a5"),
        ];
        for name in kept.iter().chain([&left]) {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        fs::write(parent.path().join(&left).join("engine.log"), "x").unwrap();
        let link = parent.path().join(format!("{PREFIX}{NOBODY}-link"));
        std::os::unix::fs::symlink(parent.path().join(&kept[0]), &link).unwrap();

        remove_left_behind_in(parent.path());
        assert!(!parent.path().join(&left).exists());
        assert!(kept.iter().all(|name| parent.path().join(name).exists()) && link.exists());
    }

    #[test]
    fn a_folder_that_is_kept_is_nobody_s_to_remove() {
        let kept = Scratch::new().unwrap().keep().unwrap();
        let is_there = kept.is_dir();
        fs::remove_dir(&kept).unwrap();
        assert!(is_there && maker_of(kept.file_name().unwrap().to_str().unwrap()).is_none());
    }

    #[test]
    fn a_folder_goes_with_its_owner() {
        let path = Scratch::new().unwrap().path.clone();
        assert!(!path.exists() && maker_of(path.file_name().unwrap().to_str().unwrap()).is_some());
    }
}
