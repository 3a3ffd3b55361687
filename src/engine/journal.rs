//! The journal of this engine, and what is left in the journals of others that ran here and are gone.

use std::fs;
use std::path::PathBuf;

use crate::config::Settings;
use crate::store::{Journal, NodeFolder, OpenJournal, Unwritten};

use super::StartError;

const FILE: &str = "books.journal";

/// What others left is in our own file before theirs is removed.
pub(super) fn open(
    settings: &Settings,
    folder: &NodeFolder,
) -> Result<(Journal, Vec<Unwritten>), StartError> {
    let failed = |path: PathBuf| |error| StartError::Journal { path, error };
    let parent = settings.node_dir();
    let left = NodeFolder::left_behind(&parent).map_err(failed(parent))?;
    let mut adopted = Vec::new();
    for folder in &left {
        let path = folder.path.join(FILE);
        adopted.extend(Journal::read(&path).map_err(failed(path))?);
    }
    let path = folder.path.join(FILE);
    let opened = Journal::open(&path, settings.node.journal_max_bytes(), adopted);
    let OpenJournal { journal, unwritten, adopted_all } = opened.map_err(failed(path))?;
    for folder in left.iter().filter(|_| adopted_all) {
        let path = folder.path.join(FILE);
        if path.exists() {
            fs::remove_file(&path).map_err(failed(path))?;
        }
    }
    Ok((journal, unwritten))
}
