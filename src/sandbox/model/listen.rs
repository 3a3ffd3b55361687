//! Accepting: a task for each connection, never more than there are places, none left when the listener ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// After an error such as too many open files, trying again at once would only burn time.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

/// Serves for ever; who comes when all places are taken is hung up on.
pub(super) async fn accept_each<S>(listener: TcpListener, places: usize, serve: impl Fn(TcpStream) -> S)
where
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match (accepted, Arc::clone(&places).try_acquire_owned()) {
                (Ok((stream, _)), Ok(place)) => {
                    let served = serve(stream);
                    connections.spawn(async move {
                        // A peer that breaks off has nobody to tell.
                        served.await.ok();
                        drop(place);
                    });
                }
                (Ok(_), Err(_)) => {}
                (Err(_), _) => sleep(PAUSE_AFTER_ERROR).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
