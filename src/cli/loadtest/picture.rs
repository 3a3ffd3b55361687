//! The file that a chart is drawn into: opened before the first step, for nobody wants to hear after half an hour that it
//! cannot be written.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::super::common::Failure;

/// An older picture stays until there is a new one; a new file goes if nothing is drawn into it.
#[derive(Debug)]
pub(super) struct Picture {
    path: PathBuf,
    file: File,
    is_new_and_empty: bool,
}

impl Picture {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let is_new_and_empty = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| {
            Failure::new(format!(
                "cannot write the chart {}: {error}; name a file in a folder of yours (--svg FILE)",
                path.display()
            ))
        })?;
        Ok(Self { path, file, is_new_and_empty })
    }

    pub(super) fn draw(mut self, svg: &str) -> Result<(), Failure> {
        self.is_new_and_empty = false;
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(svg.as_bytes()));
        written.map_err(|error| Failure::cannot(format!("draw {}", self.path.display()), error))
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        if self.is_new_and_empty {
            // An error: somebody else has removed it.
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_that_cannot_be_written_is_named() {
        let failure = Picture::open("/no/such/folder/a.svg".into()).unwrap_err().to_string();
        assert!(failure.contains("/no/such/folder/a.svg") && failure.contains("--svg"), "{failure}");
    }

    #[test]
    fn an_older_picture_stays_until_it_is_drawn_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        fs::write(&path, "an older and longer one").unwrap();
        drop(Picture::open(path.clone()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "an older and longer one");
        Picture::open(path.clone()).unwrap().draw("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn no_empty_file_is_left_where_nothing_was_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        let picture = Picture::open(path.clone()).unwrap();
        assert!(path.exists());
        drop(picture);
        assert!(!path.exists());
    }
}
