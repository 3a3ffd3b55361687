//! Faults that no machine of ours has, put in on purpose: a simulation that never fails proves nothing.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The calls take what their routes refuse.
    RoutesAreBypassed,
    /// On the way, the audio of one phone is put into the packets of another: only an ear can tell.
    AudioIsExchanged,
    /// A model says another call's words.
    ModelsAreExchanged,
    LeaseIsKept,
    CallStaysRegistered,
    RouteStaysOpen,
    /// A port is taken for a route that is never opened.
    PortIsKept,
    /// No goodbye reaches the engine's signalling, from either side.
    DialogIsKept,
    /// A call ends a second time.
    EndsTwice,
    /// The outgoing stream begins anew with each session.
    NumberingBeginsAnew,
}
