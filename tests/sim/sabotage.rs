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
    /// Nobody is told that a call has ended.
    EndIsNotTold,
    /// Whatever ended a call, it is told as a machine that answered.
    EndsAsAnother,
    /// The outgoing stream begins anew with each session.
    NumberingBeginsAnew,
    /// From some seconds on no audio of the far end is let in …
    PhoneIsCutOff,
    /// … and none is sent to it.
    CallerIsCutOff,
    /// What is sent to a phone is sent to its neighbour too.
    AudioIsCopied,
    /// Of what is sent to a phone every second word is silence …
    HalfOfTheModelIsSilent,
    /// … and of what the model is sent.
    HalfOfTheCallerIsSilent,
    /// Noise now and then where the model speaks.
    AudioIsGarbled,
    /// A session that was rebuilt does not know that the greeting is over.
    GreetsAgain,
    /// … or does not know that it owes the caller anything.
    OwesNothing,
    /// What signalling tells a session is never read.
    SignalsPileUp,
    /// More is to be played than could ever be.
    PlayoutPilesUp,
}
