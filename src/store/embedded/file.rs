//! The file itself: readable by its owner alone from the first byte on.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::store::OpenError;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder or file that was there stays as it is.
pub(super) fn make(path: &Path) -> Result<(), OpenError> {
    try_make(path).map_err(|source| no_access(path, source))
}

/// SQLite gives its -wal and -shm the mode of the main file, so this comes before it makes them; and after the file
/// proved to be ours, because another program's must stay as it is.
pub(super) fn protect(path: &Path) -> Result<(), OpenError> {
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE)).map_err(|source| no_access(path, source))
}

fn try_make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path).map(drop)
}

fn no_access(path: &Path, source: io::Error) -> OpenError {
    OpenError::NoAccess { path: path.to_owned(), source }
}
