//! Open files: engine, stand-in and callers each need some for each call. They inherit the limit that is set here.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::common::Failure;

/// The engine needs most: RTP and RTCP, the websocket, and as many again for ports that rest after other calls.
const DESCRIPTORS_PER_CALL: u64 = 6;
const DESCRIPTORS_BESIDE_CALLS: u64 = 100;

/// Raises the soft limit to what so many calls need, or tells how.
pub(super) fn raise_limit(calls: usize) -> Result<(), Failure> {
    let wanted = calls as u64 * DESCRIPTORS_PER_CALL + DESCRIPTORS_BESIDE_CALLS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        let most = limit.maximum.map_or("unlimited".into(), |most| most.to_string());
        Failure::new(format!(
            "{calls} calls need {wanted} open files a process, and the hard limit (RLIMIT_NOFILE) is {most}; raise it \
             (ulimit -Hn {wanted}, LimitNOFILE), or make fewer calls (--calls, --max-calls)"
        ))
    })
}
