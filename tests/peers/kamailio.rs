//! Kamailio as the registrar and proxy of a real trunk: it wants a password and stays in the path of every dialog.

use crate::bench::{Bench, ENGINE_IP, PEER_IP, Side};
use crate::process::Process;

pub(crate) const USER: &str = "4930555010";
pub(crate) const PASSWORD: &str = "not-a-real-password";

#[derive(Clone, Copy)]
pub(crate) enum Digest {
    Md5,
    Sha256,
}

pub(crate) struct Kamailio {
    process: Process,
}

impl Kamailio {
    pub(crate) fn start(bench: &Bench, digest: Digest) -> Self {
        let algorithm = match digest {
            Digest::Md5 => "MD5",
            Digest::Sha256 => "SHA-256",
        };
        let config = include_str!("kamailio.cfg")
            .replace("@PEER_IP@", PEER_IP)
            .replace("@ENGINE_IP@", ENGINE_IP)
            .replace("@PASSWORD@", PASSWORD)
            .replace("@ALGORITHM@", algorithm);
        let config = bench.write("kamailio.cfg", config);
        let folder = bench.file("");
        let arguments =
            ["-DD", "-E", "-m", "32", "-Y", &folder.to_string_lossy(), "-f", &config.to_string_lossy()];
        let kamailio = Self { process: bench.start(Side::Peer, "kamailio", &arguments) };
        bench.wait_until_sip_is_open(Side::Peer, "5060");
        kamailio
    }

    pub(crate) fn wait_for(&self, needle: &str) {
        self.process.wait_for(needle);
    }

    /// How often its script has said this.
    pub(crate) fn times_said(&self, needle: &str) -> usize {
        self.process.transcript().matches(needle).count()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.process.end_with_children();
    }
}
