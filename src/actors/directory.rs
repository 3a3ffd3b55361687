//! Where the services live. An address dies with its actor, so nobody keeps one: look it up at each use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use actix::Addr;

use super::{Books, CallSupervisor, KeyPool, Notifier, SipEndpoint, UdpRouter, Uploader};

/// A table of addresses, written at start and when a service is rebuilt, read everywhere.
#[derive(Clone, Default)]
pub struct Directory {
    slots: Arc<RwLock<Slots>>,
    sessions: Arc<AtomicUsize>,
}

/// One living session of a call, from its actor's birth to its drop: kept by the actor, counted here.
pub(super) struct Living(Arc<AtomicUsize>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Slots {
    sip: Option<Addr<SipEndpoint>>,
    routers: Vec<Addr<UdpRouter>>,
    supervisor: Option<Addr<CallSupervisor>>,
    keys: Option<Addr<KeyPool>>,
    books: Option<Addr<Books>>,
    uploader: Option<Addr<Uploader>>,
    notifier: Option<Addr<Notifier>>,
}

macro_rules! slot {
    ($get:ident, $set:ident, $actor:ty) => {
        pub fn $get(&self) -> Option<Addr<$actor>> {
            self.read(|slots| slots.$get.clone())
        }

        pub fn $set(&self, address: Addr<$actor>) {
            self.write(|slots| slots.$get = Some(address));
        }
    };
}

impl Directory {
    slot!(sip, set_sip, SipEndpoint);
    slot!(supervisor, set_supervisor, CallSupervisor);
    slot!(keys, set_keys, KeyPool);
    slot!(books, set_books, Books);
    slot!(uploader, set_uploader, Uploader);
    slot!(notifier, set_notifier, Notifier);

    pub fn routers(&self) -> Vec<Addr<UdpRouter>> {
        self.read(|slots| slots.routers.clone())
    }

    pub fn router(&self, index: usize) -> Option<Addr<UdpRouter>> {
        self.read(|slots| slots.routers.get(index).cloned())
    }

    pub fn add_router(&self, address: Addr<UdpRouter>) {
        self.write(|slots| slots.routers.push(address));
    }

    /// Sessions have no slot: there are many, and whoever talks to one was given its address.
    pub(super) fn session_lives(&self) -> Living {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Living(Arc::clone(&self.sessions))
    }

    pub fn living_sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    fn read<T>(&self, look: impl FnOnce(&Slots) -> T) -> T {
        look(&self.slots.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Slots)) {
        change(&mut self.slots.write().unwrap_or_else(PoisonError::into_inner));
    }
}
