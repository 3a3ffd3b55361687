//! Has the model's tools carried out: what is to be kept goes to Books, what is a web service of the operator's is called
//! on the runtime `io`. The call does not wait meanwhile.

use actix::prelude::*;
use serde_json::Value;

use crate::call::tools::{self, Deed};
use crate::call::{Input, ToolCall};
use crate::clock;
use crate::domain::Webhook;
use crate::net::webhook::WebhookCall;

use super::super::books::{self, KeepDeed};
use super::CallSession;

impl CallSession {
    pub(super) fn run_tool(&mut self, ToolCall { id, name, args }: ToolCall, ctx: &mut Context<Self>) {
        if let Some(webhook) = self.webhooks.iter().find(|webhook| webhook.name == name) {
            return match tools::arguments_for(webhook, &args) {
                Ok(arguments) => self.call_webhook(id, webhook.clone(), arguments, ctx),
                Err(why) => self.tool_done(id, Err(why)),
            };
        }
        match tools::understand(&name, &args, clock::unix_time()) {
            Ok(Deed::Noted(answer)) => self.tool_done(id, Ok(answer)),
            Ok(Deed::Lead { fields, shortened }) => self.keep(id, books::Deed::Lead(fields), shortened, ctx),
            Ok(Deed::Callback(wish)) => self.keep(id, books::Deed::Callback(wish), Vec::new(), ctx),
            Err(why) => self.tool_done(id, Err(why)),
        }
    }

    fn keep(&self, id: String, deed: books::Deed, shortened: Vec<String>, ctx: &mut Context<Self>) {
        let (books, call) = (self.directory.books(), self.call.clone());
        let keeping = async move {
            let missing = || "it cannot be stored now; try once more in a moment".to_owned();
            books.ok_or_else(missing)?.send(KeepDeed { call, deed }).await.unwrap_or_else(|_| Err(missing()))
        };
        ctx.spawn(keeping.into_actor(self).map(move |result, session, ctx| {
            let result = result.map(|mut answer| {
                if !shortened.is_empty() {
                    answer["shortened"] = shortened.into();
                }
                answer
            });
            session.handle_input(Input::ToolDone { id, result }, ctx);
        }));
    }

    fn call_webhook(&self, id: String, webhook: Webhook, arguments: Value, ctx: &mut Context<Self>) {
        let (client, call) = (self.webhook_client.clone(), self.call.clone());
        let asking = {
            let id = id.clone();
            async move { client.call(WebhookCall { webhook, call, id, arguments }).await }
        };
        ctx.spawn(asking.into_actor(self).map(move |result, session, ctx| {
            session.handle_input(Input::ToolDone { id, result }, ctx);
        }));
    }

    fn tool_done(&mut self, id: String, result: Result<Value, String>) {
        self.machine.handle(Input::ToolDone { id, result }, clock::now());
    }
}
