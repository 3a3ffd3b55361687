//! The file that a chart is drawn into: opened before the first step, for nobody wants to hear after half an hour that it
//! cannot be written.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
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
        let cannot = |why: &dyn Display| {
            let path = path.display();
            Failure::new(format!(
                "cannot write the chart {path}: {why}; name a file in a folder of yours (--svg FILE)"
            ))
        };
        let file = file.map_err(|error| cannot(&error))?;
        // What is no file, such as a device, takes no picture, or forgets it.
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(cannot(&"that is no file"));
        }
        let mut picture = Self { path: path.clone(), file, is_new_and_empty };
        if is_new_and_empty {
            picture.try_out().map_err(|error| cannot(&error))?;
        }
        Ok(picture)
    }

    /// There may be no room for a single octet.
    fn try_out(&mut self) -> io::Result<()> {
        self.file.write_all(b" ")?;
        self.file.set_len(0)?;
        self.file.rewind()
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
    fn a_device_is_no_place_for_a_chart() {
        let failure = Picture::open("/dev/full".into()).unwrap_err().to_string();
        assert!(failure.contains("/dev/full: that is no file"), "{failure}");
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
