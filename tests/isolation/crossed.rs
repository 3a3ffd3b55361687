//! The instrument can fail: a network that swaps one frame between two calls is found out. Both packets come from where
//! they should, under the SSRC and number that were due, so the engine cannot know.

use std::sync::{Arc, Mutex, PoisonError};

use clearline::media::codec::Codec;
use clearline::sandbox::network::{Impairment, Meddler, Relay, Towards};

use crate::caller::{Caller, callers_voice, models_voice};
use crate::hall::{Hall, LOOPBACK};
use crate::judge::Tally;
use crate::play;

const RTP_HEADER: usize = 12;
const FRAME: usize = 160;
/// The calls have found their pace by then.
const FRAMES_BEFORE: usize = 100;

/// What happens to one direction.
#[derive(Default)]
struct Crossing {
    frames_seen: usize,
    taken: Option<Vec<u8>>,
    is_done: bool,
}

impl Crossing {
    /// A frame of the one call is kept once it is full of voice …
    fn take(&mut self, frame: &[u8]) {
        self.frames_seen += 1;
        let is_voiced =
            frame.iter().filter(|byte| Codec::Pcmu.decode(**byte).unsigned_abs() > 500).count() > FRAME / 2;
        if self.frames_seen > FRAMES_BEFORE && is_voiced && self.taken.is_none() {
            self.taken = Some(frame.to_vec());
        }
    }

    /// … and put into the next packet of the other.
    fn put(&mut self, frame: &mut [u8]) {
        if let Some(taken) = self.taken.as_ref().filter(|_| !self.is_done) {
            frame.copy_from_slice(taken);
            self.is_done = true;
        }
    }
}

type Crossings = Arc<Mutex<[Crossing; 2]>>;

fn meddler(crossings: &Crossings, work: fn(&mut Crossing, &mut [u8])) -> Meddler {
    let crossings = Arc::clone(crossings);
    Box::new(move |towards, packet| {
        let mut crossings = crossings.lock().unwrap_or_else(PoisonError::into_inner);
        let direction = usize::from(towards == Towards::Engine);
        if packet.len() == RTP_HEADER + FRAME {
            work(&mut crossings[direction], &mut packet[RTP_HEADER..]);
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
fn one_frame_swapped_by_the_network_is_reported_in_each_direction() {
    play(async {
        let mut hall = Hall::with(2).await;
        let crossings = Crossings::default();
        let [robbed, betrayed] = hall.callers.as_mut_slice() else { panic!("two callers") };
        put_between(robbed, meddler(&crossings, |crossing, frame| crossing.take(frame))).await;
        put_between(betrayed, meddler(&crossings, |crossing, frame| crossing.put(frame))).await;
        hall.fill().await;
        hall.listen(5).await;
        let callers = hall.close().await;
        assert!(crossings.lock().unwrap().iter().all(|crossing| crossing.is_done), "two frames were swapped");
        let [robbed, betrayed] = [&callers[0], &callers[1]].map(|caller| caller.heard());
        assert_eq!((robbed.by_far_end.foreign, robbed.by_model.foreign), (0, 0), "{robbed:?}");
        let marker = |tally: Tally| tally.first_foreign.map(|foreign| foreign.marker);
        assert_eq!(marker(betrayed.by_far_end), Some(models_voice(0)), "{betrayed:?}");
        assert_eq!(marker(betrayed.by_model), Some(callers_voice(0)), "{betrayed:?}");
    });
}
