//! What the engine does again and again, one piece at a time: `cargo bench`.
//!
//! A call costs fifty steps a second in each direction, so a microsecond a step is 0.005 % of a core a call. The
//! columns on the right count allocations: the packet path is to make none in steady state. Whole calls, with sockets,
//! threads and the kernel, are measured by `clearline loadtest`.

mod calls;
mod downlink;
mod media;
mod recording;
mod signalling;
mod uplink;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
