//! The threads that compute password hashes: never one that calls live on, and never more at once than they are.
//!
//! Each hash takes 19 MiB and some 20 ms of a core, so what bounds them bounds memory. They are few, stand behind
//! everything else (`nice`), and each has a short queue: who finds all full is refused at once, instead of waiting for
//! an answer that nobody will read. Who has gone away meanwhile is passed over. A queue is full for whoever guesses before
//! it is full for others ([`Standing`]).

use std::io;
use std::thread;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::access::Standing;
use crate::access::password::{self, Checked};
use crate::clock;
use crate::domain::Secret;
use crate::telemetry::{Counter, count};

const THREADS_MAX: usize = 4;
/// On the scale of `nice`: log-ins wait for calls and not the other way round.
const NICENESS: i32 = 10;
/// Half a second of work.
const QUEUE_MAX: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many passwords are waiting to be looked at; try again in a moment")]
pub struct Overloaded;

type Job = Box<dyn FnOnce() + Send>;

/// A handle; the threads end with the last one.
#[derive(Clone)]
pub struct Passwords {
    queues: Vec<mpsc::Sender<Job>>,
}

impl Passwords {
    /// One thread for every four cores.
    pub fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 4).clamp(1, THREADS_MAX);
        Ok(Self { queues: (0..threads).map(start_thread).collect::<io::Result<_>>()? })
    }

    pub(super) async fn hash(&self, password: Secret) -> Result<Secret, super::AccountError> {
        let salt = clock::random_bytes()?;
        // Whoever sets a password has been let in already.
        Ok(self.compute(Standing::AtHome, move || password::hash(&password, &salt)).await?)
    }

    /// `None`: this user has no password, or there is no such user. It takes as long all the same.
    pub(super) async fn check(
        &self,
        standing: Standing,
        password: Secret,
        stored: Option<Secret>,
    ) -> Result<Checked, Overloaded> {
        self.compute(standing, move || check(&password, stored)).await
    }

    async fn compute<T: Send + 'static>(
        &self,
        standing: Standing,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            if !reply.is_closed() {
                drop(reply.send(work()));
            }
        });
        let emptiest = self.queues.iter().max_by_key(|queue| queue.capacity());
        let Some(place) = emptiest.and_then(|queue| place_in(queue, standing)) else {
            count(Counter::LogInsOverloaded);
            return Err(Overloaded);
        };
        place.send(job);
        answer.await.map_err(|_| Overloaded)
    }
}

/// Taken before the rest is counted: what is kept for others stays free however many ask at this very moment.
fn place_in(queue: &mpsc::Sender<Job>, standing: Standing) -> Option<mpsc::Permit<'_, Job>> {
    let place = queue.try_reserve().ok()?;
    (queue.capacity() >= standing.places_kept_from_it(QUEUE_MAX)).then_some(place)
}

fn check(password: &Secret, stored: Option<Secret>) -> Checked {
    let stored = stored.unwrap_or_else(password::decoy);
    password::check(password, &stored).unwrap_or_else(|error| {
        tracing::error!(%error, "somebody cannot log in");
        // Nothing fits the decoy: this only takes its time.
        password::check(password, &password::decoy()).unwrap_or(Checked::Wrong)
    })
}

fn start_thread(index: usize) -> io::Result<mpsc::Sender<Job>> {
    let (queue, mut waiting) = mpsc::channel::<Job>(QUEUE_MAX);
    let work = move || {
        stand_back();
        while let Some(job) = waiting.blocking_recv() {
            job();
        }
    };
    thread::Builder::new().name(format!("passwords-{index}")).spawn(work)?;
    Ok(queue)
}

/// Linux takes the calling thread for the process whose number is not given.
fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "passwords are computed at ordinary priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc as blocking};

    use futures_util::FutureExt;
    use tokio::task::JoinHandle;

    use super::*;

    fn one_thread() -> Passwords {
        Passwords { queues: vec![start_thread(0).unwrap()] }
    }

    /// Keeps the only thread busy until the sender is dropped.
    fn occupy(passwords: &Passwords) -> blocking::SyncSender<()> {
        let (release, held) = blocking::sync_channel::<()>(0);
        let (tell, begun) = blocking::sync_channel(0);
        let hold = Box::new(move || {
            tell.send(()).unwrap();
            held.recv().ok();
        });
        passwords.queues[0].try_send(hold).unwrap();
        begun.recv().unwrap();
        release
    }

    /// As many as find a place; gives what they wait for.
    async fn fill(passwords: &Passwords, standing: Standing) -> Vec<JoinHandle<Result<(), Overloaded>>> {
        let mut waiting = Vec::new();
        loop {
            let (before, asking) = (passwords.queues[0].capacity(), passwords.clone());
            let asked = tokio::spawn(async move { asking.compute(standing, || ()).await });
            while passwords.queues[0].capacity() == before && !asked.is_finished() {
                tokio::task::yield_now().await;
            }
            if asked.is_finished() {
                assert_eq!(asked.await.unwrap(), Err(Overloaded));
                return waiting;
            }
            waiting.push(asked);
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_serves_those_who_are_in_it() {
        let passwords = one_thread();
        let release = occupy(&passwords);
        let waiting = fill(&passwords, Standing::AtHome).await;
        assert_eq!(waiting.len(), QUEUE_MAX);
        drop(release);
        for answer in waiting {
            assert_eq!(answer.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn o3_whoever_guesses_fills_no_place_that_is_kept_for_those_who_did_not() {
        let passwords = one_thread();
        let release = occupy(&passwords);
        let mut waiting = Vec::new();
        for (standing, places) in [
            (Standing::HasFailed, QUEUE_MAX / 2),
            (Standing::Clean, QUEUE_MAX / 4),
            (Standing::AtHome, QUEUE_MAX / 4),
        ] {
            let found = fill(&passwords, standing).await;
            assert_eq!(found.len(), places, "{standing:?}");
            waiting.extend(found);
        }
        drop(release);
        for answer in waiting {
            assert_eq!(answer.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn who_has_gone_away_is_not_computed_for() {
        let passwords = one_thread();
        let release = occupy(&passwords);
        let computed = Arc::new(AtomicUsize::new(0));
        for _ in 0..5 {
            let computed = computed.clone();
            let asked = passwords.compute(Standing::Clean, move || computed.fetch_add(1, Ordering::Relaxed));
            assert_eq!(asked.now_or_never(), None);
        }
        drop(release);
        assert_eq!(passwords.compute(Standing::Clean, || "the last").await, Ok("the last"));
        assert_eq!(computed.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_s_password_is_right_for_who_has_none_or_a_broken_hash() {
        let passwords = one_thread();
        for stored in [None, Some(Secret::new("")), Some(Secret::new("hunter2"))] {
            let checked = passwords.check(Standing::Clean, Secret::new("hunter2"), stored).await;
            assert_eq!(checked, Ok(Checked::Wrong));
        }
    }
}
