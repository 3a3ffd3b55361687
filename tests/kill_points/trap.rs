//! The library that kills an engine at a chosen write of it: built here, and told by shared memory when (`trap.c`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What is counted, and may be what an engine dies of.
pub(crate) const KINDS: [&str; 5] =
    ["store", "spool files", "recordings", "requests to the CRM", "answers of the CRM"];
/// As `trap.c` has it.
const KINDS_MAX: usize = 8;

pub(crate) type Counts = [u64; KINDS.len()];

pub(crate) struct Trap {
    memory: File,
    path: PathBuf,
    set_for: Option<(usize, u64)>,
}

impl Trap {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("trap");
        std::fs::write(&path, [0; (KINDS_MAX + 2) * size_of::<u64>()]).expect("a writable folder");
        let memory = File::options().read(true).write(true).open(&path).expect("just made");
        Self { memory, path, set_for: None }
    }

    /// `kinds` in the order of [`KINDS`], as `trap.c` reads them.
    pub(crate) fn load_into(&self, command: &mut Command, kinds: &[String]) {
        command
            .env("LD_PRELOAD", library())
            .env("TRAP_MEMORY", &self.path)
            .env("TRAP_KINDS", kinds.join(";"));
    }

    pub(crate) fn counts(&self) -> Counts {
        std::array::from_fn(|kind| self.read(kind))
    }

    /// From now on so many of a kind are let pass.
    pub(crate) fn set(&mut self, kind: usize, let_pass: u64) {
        let all = self.read(kind) + let_pass;
        self.set_for = Some((kind, all));
        self.write(KINDS_MAX + 1, all);
        self.write(KINDS_MAX, kind as u64 + 1);
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.set_for.is_some_and(|(kind, let_pass)| self.read(kind) > let_pass)
    }

    fn read(&self, place: usize) -> u64 {
        let mut bytes = [0; size_of::<u64>()];
        self.memory.read_exact_at(&mut bytes, offset(place)).expect("a file of this length");
        u64::from_ne_bytes(bytes)
    }

    fn write(&self, place: usize, value: u64) {
        self.memory.write_all_at(&value.to_ne_bytes(), offset(place)).expect("a writable file");
    }
}

fn offset(place: usize) -> u64 {
    (place * size_of::<u64>()) as u64
}

/// Made by the C compiler that SQLite was built with.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kill_points_trap.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill_points/trap.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source);
        let built = compiler.output().expect("a C compiler, as SQLite needs one too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    })
}
