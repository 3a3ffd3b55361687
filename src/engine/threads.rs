//! The engine's own threads: each with a name that `top -H` and a profiler show, the media clock's ahead of the rest.

use std::ffi::CString;

use actix::Arbiter;

/// On the scale of `nice`. Ahead of every ordinary program, behind what the system keeps for itself.
const MEDIA_PRIORITY: i32 = -15;

/// The kernel shows fifteen bytes of a thread's name.
pub(super) fn named(name: String) -> Arbiter {
    let arbiter = Arbiter::new();
    arbiter.spawn_fn(move || name_this_thread(&name));
    arbiter
}

/// A frame that leaves late is heard; whatever else the machine does can wait for it.
pub(super) fn named_for_media(name: String) -> Arbiter {
    let arbiter = named(name);
    arbiter.spawn_fn(raise_this_thread);
    arbiter
}

fn name_this_thread(name: &str) {
    let set = CString::new(name).map(|name| rustix::thread::set_name(&name));
    if !matches!(set, Ok(Ok(()))) {
        tracing::debug!(name, "a thread keeps its old name");
    }
}

/// Linux takes the calling thread for the process whose number is not given.
fn raise_this_thread() {
    if let Err(error) = rustix::process::setpriority_process(None, MEDIA_PRIORITY) {
        tracing::info!(%error, "the media clock runs at ordinary priority; CAP_SYS_NICE would let it go ahead of other programs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arbiters_thread_can_be_told_from_the_others() {
        actix::System::new().block_on(async {
            let arbiter = named("call-7".into());
            let (tell, told) = tokio::sync::oneshot::channel();
            arbiter.spawn_fn(move || {
                tell.send(std::fs::read_to_string("/proc/thread-self/comm")).unwrap();
            });
            assert_eq!(told.await.unwrap().unwrap(), "call-7\n");
            arbiter.stop();
        });
    }
}
