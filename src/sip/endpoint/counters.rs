/// What was dropped or refused, by name. Only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages beyond a source's rate, dropped unread.
    pub rate_limited: u64,
    pub malformed: u64,
    /// Requests of strangers that were answered with a refusal.
    pub strangers_refused: u64,
    /// Requests of strangers beyond the refusal rate: silence.
    pub strangers_ignored: u64,
    pub stray_responses: u64,
    pub stray_acks: u64,
    pub unknown_dialogs: u64,
    pub merged_requests: u64,
    pub out_of_order: u64,
    /// Calls refused because all places were taken.
    pub calls_full: u64,
    /// Requests refused, or sent without retransmission, because all transactions were taken.
    pub transactions_full: u64,
    pub refused_while_draining: u64,
    pub bodies_too_long: u64,
    /// Answers of further forks beyond the bound of one INVITE.
    pub forks_ignored: u64,
    /// Commands for calls that do not exist (any more).
    pub stale_commands: u64,
    /// Far ends of calls that an engine before this one has lost: they were told that it is over.
    pub lost_ended: u64,
    /// Dialogs kept by an engine before this one that cannot be read.
    pub lost_unreadable: u64,
    pub faults: u64,
}

/// How much is held right now; all zero when every call has ended and every timer has run out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    pub calls: usize,
    pub dialogs: usize,
    pub client_transactions: usize,
    pub server_transactions: usize,
    pub sources: usize,
    /// Timers of all these; registrations are not counted.
    pub timers: usize,
}
