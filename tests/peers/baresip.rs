//! baresip as a phone: it answers by itself, plays a WAV file, hangs up when the file ends, and records what it hears.

use std::path::{Path, PathBuf};

use crate::audio::{Law, Sound};
use crate::bench::{Bench, ENGINE_IP, LINK, PEER_IP, Side};
use crate::process::Process;

pub(crate) const NUMBER: &str = "4930555001";

/// No audio device, no console: `aufile` speaks, `sndfile` records what was decoded, before any playing clock bends it.
const CONFIG: &str = "\
poll_method epoll
sip_listen @IP@:5060
net_interface @LINK@
rtp_ports 20000-20100
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
audio_source aufile,@SAY@
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 40-160
jitter_buffer_type off
snd_path @FOLDER@
";

pub(crate) struct Baresip {
    process: Process,
    folder: PathBuf,
}

impl Baresip {
    /// Waits for a call and answers it.
    pub(crate) fn answer(bench: &Bench, law: Law, say: &Path) -> Self {
        Self::start(bench, law, say, &[])
    }

    pub(crate) fn call(bench: &Bench, law: Law, say: &Path, number: &str) -> Self {
        Self::start(bench, law, say, &["-e", &format!("/dial sip:{number}@{ENGINE_IP}:5060")])
    }

    fn start(bench: &Bench, law: Law, say: &Path, commands: &[&str]) -> Self {
        let folder = bench.file("baresip");
        let codec = law.codec();
        bench.write("baresip/contacts", "");
        bench.write(
            "baresip/accounts",
            format!("<sip:{NUMBER}@{PEER_IP}:5060>;regint=0;answermode=auto;audio_codecs={codec}/8000/1\n"),
        );
        let folder_name = folder.to_string_lossy();
        let config =
            CONFIG.replace("@IP@", PEER_IP).replace("@LINK@", LINK).replace("@FOLDER@", &folder_name);
        let config = config.replace("@SAY@", &say.to_string_lossy());
        bench.write("baresip/config", config);
        // Line by line, or nothing would be heard of it before it ends.
        let arguments = [&["-oL", "-eL", "baresip", "-4", "-f", &*folder_name], commands].concat();
        let process = bench.start(Side::Peer, "stdbuf", &arguments);
        process.wait_for("baresip is ready.");
        Self { process, folder }
    }

    /// Waits until the call is over and returns what baresip heard in it.
    pub(crate) fn heard(self) -> Sound {
        self.process.wait_for("terminated (duration");
        let transcript = self.process.end_by("TERM").transcript;
        let files = std::fs::read_dir(&self.folder).expect("we made the folder");
        let mut recordings = files.filter_map(|file| Some(file.ok()?.path()));
        let recording = recordings.find(|path| path.to_string_lossy().ends_with("-dec.wav"));
        Sound::of_wav(&recording.unwrap_or_else(|| panic!("nothing recorded:\n{transcript}")))
    }
}
