//! What an engine keeps for itself on its machine: its name among the engines of one store, in a folder that no other
//! process uses at the same time.
//!
//! Engines on one machine share the folder above: each takes the first numbered one that is free, and holds it by a lock
//! which the operating system lets go when the process ends, however it ends. So an engine that starts again has the
//! name it had.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::domain::NodeId;

/// Engines on one machine.
const MAX_ENGINES: u32 = 64;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const LOCK: &str = "lock";
const NAME: &str = "name";

/// Ours until this is dropped.
pub struct NodeFolder {
    pub path: PathBuf,
    pub node: NodeId,
    _lock: File,
}

impl NodeFolder {
    /// `new_name` is asked for when this folder was never used.
    pub fn take(parent: &Path, new_name: impl FnOnce() -> String) -> io::Result<Self> {
        for number in 1..=MAX_ENGINES {
            let path = parent.join(number.to_string());
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&path)?;
            if let Some(lock) = lock(&path)? {
                let node = NodeId::new(name_in(&path, new_name)?);
                return Ok(Self { path, node, _lock: lock });
            }
        }
        Err(io::Error::other(format!("{MAX_ENGINES} engines use it already")))
    }

    /// Folders of engines that do not run: ours too until they are dropped.
    pub fn left_behind(parent: &Path) -> io::Result<Vec<PathLock>> {
        let mut left = Vec::new();
        for number in 1..=MAX_ENGINES {
            let path = parent.join(number.to_string());
            if !path.is_dir() {
                break;
            }
            if let Some(lock) = lock(&path)? {
                left.push(PathLock { node: node_of(&path), path, _lock: lock });
            }
        }
        Ok(left)
    }

    /// The folder of this engine, if it ran here and does not run; nobody else's is touched.
    pub fn left_by(parent: &Path, node: &NodeId) -> io::Result<Option<PathLock>> {
        let paths = (1..=MAX_ENGINES).map(|number| parent.join(number.to_string()));
        let Some(path) = paths.take_while(|path| path.is_dir()).find(|path| node_of(path) == *node) else {
            return Ok(None);
        };
        Ok(lock(&path)?.map(|lock| PathLock { node: node.clone(), path, _lock: lock }))
    }
}

fn node_of(path: &Path) -> NodeId {
    NodeId::new(fs::read_to_string(path.join(NAME)).unwrap_or_default().trim())
}

/// A folder that nobody else uses as long as this is there.
pub struct PathLock {
    pub path: PathBuf,
    /// Empty where the engine died before it had a name.
    pub node: NodeId,
    _lock: File,
}

fn lock(folder: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Written aside and then moved, so that there is never half a name.
fn name_in(folder: &Path, new_name: impl FnOnce() -> String) -> io::Result<String> {
    let path = folder.join(NAME);
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let (name, aside) = (new_name(), folder.join("name.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&aside)?;
    writeln!(file, "{name}")?;
    fs::rename(&aside, &path)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn take(folder: &Path, new_name: &str) -> NodeFolder {
        NodeFolder::take(folder, || new_name.to_owned()).unwrap()
    }

    #[test]
    fn s6_engines_on_one_machine_have_different_names_and_keep_them_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (take(folder.path(), "a"), take(folder.path(), "b"));
        assert_eq!((first.node.as_str(), second.node.as_str()), ("a", "b"));
        let modes =
            ["name", "lock"].map(|file| fs::metadata(first.path.join(file)).unwrap().permissions().mode());
        assert_eq!(modes.map(|mode| mode & 0o777), [0o600; 2], "they are nobody else's business");
        assert_ne!(first.path, second.path);
        drop(first);
        assert_eq!(take(folder.path(), "c").node.as_str(), "a");
        drop(second);
        let both = (take(folder.path(), "d"), take(folder.path(), "e"));
        assert_eq!((both.0.node.as_str(), both.1.node.as_str()), ("a", "b"));
    }

    #[test]
    fn folders_of_engines_that_do_not_run_can_be_looked_after_by_those_that_do() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, running) = (take(folder.path(), "a"), take(folder.path(), "b"));
        assert!(NodeFolder::left_behind(folder.path()).unwrap().is_empty());
        let left_by = |node| NodeFolder::left_by(folder.path(), &NodeId::new(node)).unwrap().is_some();
        assert!(!left_by("a"), "it runs");
        drop(gone);
        assert!(left_by("a") && !left_by("b") && !left_by("of another machine"));
        let left = NodeFolder::left_behind(folder.path()).unwrap();
        let found: Vec<_> = left.iter().map(|left| (&left.path, left.node.as_str())).collect();
        assert_eq!(found, [(&folder.path().join("1"), "a")]);
        assert_eq!(take(folder.path(), "c").path, folder.path().join("3"));
        drop(running);
    }

    #[test]
    fn a_folder_without_a_name_in_it_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        drop(take(folder.path(), "a"));
        fs::write(folder.path().join("1/name"), "\n").unwrap();
        assert_eq!(take(folder.path(), "b").node.as_str(), "b");
    }
}
