//! Clearline against software that we did not write: SIPp, baresip, Kamailio, and tshark as the witness.
//!
//! The *bench* is two network namespaces joined by a veth pair. In `Side::Engine` run the engine and the stand-in
//! model, in `Side::Peer` runs the peer, so every packet crosses a real link and a capture there is evidence. All that
//! a test starts is a guarded [`process::Process`], ended by its id; namespaces and files go with the [`bench::Bench`],
//! also after a panic (then the files stay, for the autopsy). One bench is open at a time: a load test that shares two
//! cores with another one measures its neighbour.
//!
//! Where namespaces cannot be made or a program is missing, a test says so in one line and passes.
//! `the_bench_itself` runs peer against peer: when it fails, the engine is not to blame.

mod audio;
mod baresip;
mod bench;
mod capture;
mod engine;
mod kamailio;
mod model;
mod process;
mod scenario;
mod sipp;
mod voices;

mod baresip_talks_with_us;
mod hostile_sip;
mod odd_callees;
mod odd_callers;
mod registrar;
mod sipp_calls_us;
mod sipp_is_called;
mod the_bench_itself;
