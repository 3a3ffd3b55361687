//! The router's side of its messages.

use actix::prelude::*;

use crate::clock::now;

use super::super::guard::guarded;
use super::UdpRouter;
use super::messages::{
    AskRouterSizes, AttachSession, CloseRoute, ExpectMedia, MediaConnected, OpenRoute, OpenedRoute,
    RouteRefused, RouterSizes, SendDigits,
};

impl Handler<OpenRoute> for UdpRouter {
    type Result = Result<OpenedRoute, RouteRefused>;

    fn handle(&mut self, ask: OpenRoute, _: &mut Context<Self>) -> Self::Result {
        let call = ask.call.clone();
        guarded(call, || self.open(ask, now())).unwrap_or(Err(RouteRefused::NoRouter))
    }
}

impl Handler<AttachSession> for UdpRouter {
    type Result = ();

    fn handle(&mut self, AttachSession { call, session, playout }: AttachSession, _: &mut Context<Self>) {
        if let Some(line) = self.lines.get_mut(&call) {
            line.attach(session, playout);
        }
    }
}

impl Handler<ExpectMedia> for UdpRouter {
    type Result = ();

    fn handle(&mut self, ExpectMedia { call, media }: ExpectMedia, _: &mut Context<Self>) {
        let (Some(line), Some(route)) = (self.lines.get_mut(&call), self.table.route_mut(&call)) else {
            return;
        };
        if guarded(&call, || line.expect(route, media)).is_err() {
            self.lose(call, now());
        }
    }
}

impl Handler<MediaConnected> for UdpRouter {
    type Result = ();

    fn handle(&mut self, MediaConnected { call }: MediaConnected, _: &mut Context<Self>) {
        if let Some(route) = self.table.route_mut(&call) {
            route.answered();
        }
    }
}

impl Handler<SendDigits> for UdpRouter {
    type Result = ();

    fn handle(&mut self, SendDigits { call, digits }: SendDigits, _: &mut Context<Self>) {
        if let Some(line) = self.lines.get_mut(&call) {
            line.press(&digits);
        }
    }
}

impl Handler<CloseRoute> for UdpRouter {
    type Result = ();

    fn handle(&mut self, CloseRoute { call }: CloseRoute, _: &mut Context<Self>) {
        if guarded(&call, || self.close(&call, now())).is_err() {
            self.lines.remove(&call);
        }
    }
}

impl Handler<AskRouterSizes> for UdpRouter {
    type Result = RouterSizes;

    fn handle(&mut self, _: AskRouterSizes, _: &mut Context<Self>) -> RouterSizes {
        RouterSizes {
            routes: self.table.len(),
            ports_held: self.table.ports().held(),
            ports_resting: self.resting.len(),
            packets: *self.table.counters(),
        }
    }
}
