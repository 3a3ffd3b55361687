//! Where the demo's files go: nothing that is there already is touched, and the engine's own files do not stay.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::clock;

use super::super::common::Failure;

/// More demos than this do not begin in one second, and nobody keeps more of them in one folder.
const NUMBERS_TRIED_MAX: u32 = 1_000;

/// The folder a person looks into, and a private one beside it for the engine, gone when this is dropped.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    engine: PathBuf,
}

impl Folder {
    /// `wanted`, made if it is missing; else a new one in the current folder.
    pub(super) fn open(wanted: Option<&Path>) -> Result<Self, Failure> {
        let path = match wanted {
            Some(wanted) => fs::create_dir_all(wanted).map(|()| wanted.to_owned()),
            None => make_new(Path::new(&format!("demo-{}", time_stamp()))),
        };
        let failed = |error| Failure::cannot("make the demo's folder; name another one with --dir", error);
        let path = path.map_err(failed)?;
        let engine = make_new(&path.join(format!(".engine-{}", std::process::id()))).map_err(failed)?;
        Ok(Self { path, engine })
    }

    /// Database and recordings while the calls run.
    pub(super) fn engine(&self) -> &Path {
        &self.engine
    }

    /// Names for a person's recording and transcript that nobody has yet; the transcript is made, which claims both
    /// against a demo that ends at the same moment.
    pub(super) fn claim_names(&self, person: &str) -> io::Result<(PathBuf, PathBuf)> {
        for number in 1..NUMBERS_TRIED_MAX {
            let stem = if number == 1 { person.to_owned() } else { format!("{person}-{number}") };
            let (ogg, txt) = (self.path.join(format!("{stem}.ogg")), self.path.join(format!("{stem}.txt")));
            if ogg.exists() {
                continue;
            }
            match File::create_new(&txt) {
                Ok(_) => return Ok((ogg, txt)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is a few kilobytes in a folder with a telling name.
        fs::remove_dir_all(&self.engine).ok();
    }
}

/// Two demos that begin at the same moment get two folders.
fn make_new(wanted: &Path) -> io::Result<PathBuf> {
    for number in 1..NUMBERS_TRIED_MAX {
        let path = match number {
            1 => wanted.to_owned(),
            _ => PathBuf::from(format!("{}-{number}", wanted.display())),
        };
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn time_stamp() -> String {
    clock::unix_time().to_string().chars().filter(char::is_ascii_digit).take(14).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_demo_in_one_folder_touches_nothing_of_the_first() {
        let outer = tempfile::tempdir().unwrap();
        let first = Folder::open(Some(outer.path())).unwrap();
        fs::write(outer.path().join("ada.ogg"), "precious").unwrap();
        let second = Folder::open(Some(outer.path())).unwrap();
        assert_ne!(first.engine(), second.engine());
        assert_eq!(first.claim_names("ada").unwrap().0, outer.path().join("ada-2.ogg"));
        assert_eq!(second.claim_names("ada").unwrap().0, outer.path().join("ada-3.ogg"));
        drop((first, second));
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 3, "a recording and two claims");
    }
}
