//! A bad network between a phone and the engine, for tests, load and curiosity: packets are lost, late and overtake
//! each other, all from one seed, so that a run can be repeated. Not every kernel has `tc netem`, and none has a seed.
//!
//! A [`Relay`] stands where the far end claims to be: the engine sends its audio there, the phone too, and each gets
//! what the other said after the [`Impairment`] had its way. Every relay is one socket, one task and a bounded number
//! of packets in flight. What is to happen to a packet is decided by `Lane`, which is pure.
//!
//! Whoever tests a judge of audio needs a network that betrays him: a [`Meddler`] sees each packet in passing and may
//! change it.
//!
//! Left out: bandwidth limits, duplicates, bursts of loss; the simulation (`tests/sim`) has those.

mod impairment;
mod in_flight;
mod relay;

pub use impairment::{Impairment, LaneReport};
pub use relay::{Meddler, Relay, Towards};
