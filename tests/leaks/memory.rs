//! What a process holds: heap, resident memory, descriptors, threads.

use std::alloc::System;
use std::fmt;
use std::time::Duration;

use cap::Cap;
use clearline::actors::EngineSizes;

use crate::watched::SAFETY_LIMIT;
use crate::world::World;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Less than the smallest thing a call has: its id and the node of a table that holds it.
pub(crate) const BYTES_A_CALL_MAX: usize = 64;
/// Counters that grew a digit, a table that doubled late: they do not come again with the next thousand calls.
const BYTES_ONCE_MAX: usize = 64 * 1024;
/// The heap is what proves; the resident size has pages the allocator keeps, SQLite's cache, and the threads' stacks.
const RESIDENT_BYTES_ONCE_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holdings {
    heap_bytes: usize,
    resident_bytes: usize,
    descriptors: usize,
    threads: usize,
}

impl Holdings {
    /// Waits until the engine holds nothing of any call: SIP's timers take half a minute, ports rest. Then, if it is
    /// known how much that is, until every descriptor is back.
    pub(crate) async fn once_idle(world: &World, before: Option<&Self>) -> Self {
        let (mut sizes, mut holdings) = (EngineSizes::default(), Self::now());
        let looking = async {
            loop {
                (sizes, holdings) = (world.sizes().await, Self::now());
                let all_back = before.is_none_or(|before| holdings.descriptors <= before.descriptors);
                if sizes == EngineSizes::default() && all_back {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let idle = tokio::time::timeout(2 * SAFETY_LIMIT, looking).await.is_ok();
        assert!(idle, "still held: {sizes:#?}; {holdings}, before: {before:?}");
        holdings
    }

    pub(crate) fn judge(&self, before: &Self, calls: usize) {
        assert_eq!(self.descriptors, before.descriptors, "every descriptor is back");
        assert_eq!(self.threads, before.threads, "every thread is back");
        let heap = self.heap_bytes.saturating_sub(before.heap_bytes);
        assert!(
            heap <= BYTES_ONCE_MAX + calls * BYTES_A_CALL_MAX,
            "{calls} calls left {heap} bytes on the heap"
        );
        let resident = self.resident_bytes.saturating_sub(before.resident_bytes);
        assert!(
            resident <= RESIDENT_BYTES_ONCE_MAX,
            "{calls} calls left the process {resident} bytes larger"
        );
    }

    fn now() -> Self {
        Self {
            heap_bytes: HEAP.allocated(),
            resident_bytes: status("VmRSS:") * 1024,
            descriptors: std::fs::read_dir("/proc/self/fd").expect("Linux tells").count(),
            threads: status("Threads:"),
        }
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heap_bytes, resident_bytes, descriptors, threads } = self;
        let resident_kib = resident_bytes / 1024;
        write!(
            f,
            "{heap_bytes} bytes of heap, {resident_kib} KiB resident, {descriptors} descriptors, {threads} threads"
        )
    }
}

fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let value =
        status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {status}"))
}
