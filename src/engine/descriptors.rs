//! Open files: each call needs some, and the usual limit of a shell is too low for hundreds of calls.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Two RTP sockets, the websocket, as many again for ports that rest after other calls, and its recording's two files.
const DESCRIPTORS_PER_CALL: u64 = 8;
const DESCRIPTORS_BESIDE_CALLS: u64 = 100;

/// Raises the soft limit to the hard one, and says so where even that is too low.
pub(super) fn raise_limit(calls_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let wanted = calls_max as u64 * DESCRIPTORS_PER_CALL + DESCRIPTORS_BESIDE_CALLS;
    if let Some(allowed) = allowed.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "this process may open too few files for calls.max_calls; raise the limit (ulimit -n, LimitNOFILE)"
        );
    }
}
