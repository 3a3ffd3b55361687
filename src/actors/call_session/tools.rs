//! Has the model's tools carried out: what is to be kept goes to Books. The call does not wait meanwhile.

use actix::prelude::*;
use serde_json::Value;

use crate::call::tools::{self, Deed};
use crate::call::{Input, ToolCall};
use crate::clock;

use super::super::books::{self, KeepDeed};
use super::CallSession;

impl CallSession {
    pub(super) fn run_tool(&mut self, ToolCall { id, name, args }: ToolCall, ctx: &mut Context<Self>) {
        match tools::understand(&name, &args, clock::unix_time()) {
            Ok(Deed::Noted(answer)) => self.tool_done(id, Ok(answer)),
            Ok(Deed::Lead(fields)) => self.keep(id, books::Deed::Lead(fields), ctx),
            Ok(Deed::Callback { due, number, reason }) => {
                self.keep(id, books::Deed::Callback { due, number, reason }, ctx);
            }
            Err(why) => self.tool_done(id, Err(why)),
        }
    }

    fn keep(&self, id: String, deed: books::Deed, ctx: &mut Context<Self>) {
        let (books, call) = (self.directory.books(), self.call.clone());
        let keeping = async move {
            let missing = || "it cannot be stored now; try once more in a moment".to_owned();
            books.ok_or_else(missing)?.send(KeepDeed { call, deed }).await.unwrap_or_else(|_| Err(missing()))
        };
        ctx.spawn(keeping.into_actor(self).map(move |result, session, ctx| {
            session.handle_input(Input::ToolDone { id, result }, ctx);
        }));
    }

    fn tool_done(&mut self, id: String, result: Result<Value, String>) {
        self.machine.handle(Input::ToolDone { id, result }, clock::now());
    }
}
