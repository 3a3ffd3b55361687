//! A small disk in memory, mounted for one test, which only root may do.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// None where it may not be mounted.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mount = Command::new("mount");
        let size = format!("size={megabytes}m");
        mount.args(["-t", "tmpfs", "-o", &size, "clearline-test"]).arg(folder.path());
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file of that size in the way, or of as much as there is space for.
    pub(crate) fn take_space(&self, bytes: usize) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("ours");
        let mut left = bytes;
        let mut piece = vec![b'x'; 64 * 1024];
        while left > 0 && !piece.is_empty() {
            piece.truncate(left);
            match ballast.write(&piece) {
                Ok(written) => left -= written,
                Err(error) if error.kind() == ErrorKind::StorageFull => piece.truncate(piece.len() / 2),
                Err(error) => panic!("the ballast cannot be written: {error}"),
            }
        }
    }

    pub(crate) fn make_space(&self) {
        std::fs::remove_file(self.ballast()).expect("it is ours");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    /// Lazily: an engine's threads may hold its files a moment longer.
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}
