//! How a session's end reaches the supervisor: in order when the call is over, by `Drop` when the actor dies.

use actix::prelude::*;

use crate::call::{Checkpoint, Finish};
use crate::domain::{CallId, CallQuality};

use super::super::Directory;
use super::super::directory::Living;

/// The call has its outcome; everything it holds can be given back.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CallFinished {
    pub call: CallId,
    pub epoch: u32,
    pub finish: Finish,
    pub quality: CallQuality,
}

/// The durable state changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CheckpointTaken {
    pub call: CallId,
    pub epoch: u32,
    pub checkpoint: Box<Checkpoint>,
}

/// The actor is gone, whatever the reason. After [`CallFinished`] it means nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SessionGone {
    pub call: CallId,
    pub epoch: u32,
}

/// actix restarts nothing after a panic, but it drops the actor: this notice is what the supervisor hears.
pub(super) struct ExitNotice {
    call: CallId,
    epoch: u32,
    directory: Directory,
    /// Never read: its `Drop` is what the census sees.
    _living: Living,
}

impl ExitNotice {
    pub(super) fn new(call: CallId, epoch: u32, directory: Directory) -> Self {
        Self { call, epoch, _living: directory.session_lives(), directory }
    }
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        if let Some(supervisor) = self.directory.supervisor() {
            supervisor.do_send(SessionGone { call: self.call.clone(), epoch: self.epoch });
        }
    }
}
