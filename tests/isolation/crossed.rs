//! The instrument can fail: a network that puts one frame of every other call of a room into one call is found out, voice
//! by voice. All packets come from where they should, under the SSRC and number that were due, so the engine cannot know.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use clearline::media::codec::Codec;
use clearline::sandbox::model::Marker;
use clearline::sandbox::network::{Impairment, Meddler, Relay, Towards};

use crate::caller::{Caller, callers_voice, models_voice};
use crate::hall::{Hall, LOOPBACK};
use crate::play;

const CALLS: u16 = 6;
const RTP_HEADER: usize = 12;
const FRAME: usize = 160;
/// The calls have found their pace by then.
const FRAMES_BEFORE: usize = 100;
/// Between two that are put into the betrayed call.
const FRAMES_BETWEEN: usize = 10;

/// The frames that were taken from the other calls and are still to be put into one, for each direction.
type Loot = Arc<Mutex<[VecDeque<Vec<u8>>; 2]>>;

/// One frame of each direction is kept, once the call has found its pace and the frame is full of voice.
fn robber(loot: &Loot) -> Meddler {
    let (loot, mut frames_seen, mut is_done) = (Arc::clone(loot), [0; 2], [false; 2]);
    meddler(move |direction, frame| {
        frames_seen[direction] += 1;
        let is_loud = |byte: &&u8| Codec::Pcmu.decode(**byte).unsigned_abs() > 500;
        let is_voiced = frame.iter().filter(is_loud).count() > FRAME / 2;
        if is_voiced && frames_seen[direction] > FRAMES_BEFORE && !is_done[direction] {
            is_done[direction] = true;
            loot.lock().unwrap_or_else(PoisonError::into_inner)[direction].push_back(frame.to_vec());
        }
    })
}

/// What was kept goes into the packets of this call, one now and then.
fn traitor(loot: &Loot) -> Meddler {
    let (loot, mut frames_seen) = (Arc::clone(loot), [0; 2]);
    meddler(move |direction, frame| {
        frames_seen[direction] += 1;
        if frames_seen[direction] % FRAMES_BETWEEN == 0
            && let Some(taken) = loot.lock().unwrap_or_else(PoisonError::into_inner)[direction].pop_front()
        {
            frame.copy_from_slice(&taken);
        }
    })
}

fn meddler(mut work: impl FnMut(usize, &mut [u8]) + Send + 'static) -> Meddler {
    Box::new(move |towards, packet| {
        if packet.len() == RTP_HEADER + FRAME {
            work(usize::from(towards == Towards::Engine), &mut packet[RTP_HEADER..]);
        }
    })
}

/// A perfect network, but for the one who sits in it.
async fn put_between(caller: &mut Caller, meddler: Meddler) {
    let (phone, network) = (caller.rtp_address(), Impairment::default());
    let relay = Relay::start_with(LOOPBACK, phone, network, 0, meddler).await;
    caller.stand_behind(relay.expect("a free port"));
}

#[test]
fn one_frame_of_each_other_call_is_reported_in_each_direction() {
    play(async {
        let mut hall = Hall::with(CALLS).await;
        let loot = Loot::default();
        let (betrayed, robbed) = hall.callers.split_first_mut().expect("callers");
        put_between(betrayed, traitor(&loot)).await;
        for caller in robbed {
            put_between(caller, robber(&loot)).await;
        }
        hall.fill().await;
        hall.listen(5).await;
        let callers = hall.close().await;
        assert!(loot.lock().unwrap().iter().all(VecDeque::is_empty), "all that was taken was put");
        let others = |voice: fn(u16) -> Marker| (1..CALLS).map(voice).collect::<BTreeSet<_>>();
        assert_eq!(callers[0].strangers(), [&others(models_voice), &others(callers_voice)]);
        for caller in &callers[1..] {
            assert!(caller.strangers().iter().all(|strangers| strangers.is_empty()), "{:?}", caller.heard());
        }
    });
}
