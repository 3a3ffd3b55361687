//! What the model's tools ask to be kept: leads and call-backs. Whoever asks is answered when it is safe, which is when
//! the store has it or, while the store is away, the journal.

use actix::prelude::*;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::clock;
use crate::domain::{Agreement, CallId, CallbackWish, Lead, LeadEntry};

use super::Books;
use super::page::Page;

/// What is to be kept.
#[derive(Debug, Clone)]
pub enum Deed {
    Lead(Map<String, Value>),
    Callback(CallbackWish),
}

/// Keep this with the call, and say what the model is to be told. An error is in words for the model.
#[derive(Message)]
#[rtype(result = "Result<Value, String>")]
pub struct KeepDeed {
    pub call: CallId,
    pub deed: Deed,
}

impl Handler<KeepDeed> for Books {
    type Result = ResponseFuture<Result<Value, String>>;

    fn handle(&mut self, KeepDeed { call, deed }: KeepDeed, ctx: &mut Context<Self>) -> Self::Result {
        let (told, kept) = oneshot::channel();
        self.guarded(&call, |books| books.keep_deed(&call, deed, told, ctx));
        Box::pin(async move {
            kept.await
                .unwrap_or_else(|_| Err("it could not be stored; write it down in your own words".to_owned()))
        })
    }
}

impl Books {
    fn keep_deed(
        &mut self,
        call: &CallId,
        deed: Deed,
        told: oneshot::Sender<Result<Value, String>>,
        ctx: &mut Context<Self>,
    ) {
        let Some(page) = self.pages.get_mut(call) else { return };
        match page.enter(deed) {
            // Whoever asked may be gone.
            Ok(answer) => page.promise(move || drop(told.send(Ok(answer)))),
            Err(why) => return drop(told.send(Err(why))),
        }
        self.make_safe(call, ctx);
    }
}

impl Page {
    fn enter(&mut self, deed: Deed) -> Result<Value, String> {
        match deed {
            Deed::Lead(fields) => self.enter_lead(&fields),
            Deed::Callback(wish) => self.enter_callback(wish),
        }
    }

    fn enter_lead(&mut self, fields: &Map<String, Value>) -> Result<Value, String> {
        let call = self.record.session_id.clone();
        let entry = self.leads.enter(&call, fields).map_err(|error| error.to_string())?;
        let id = entry.id().clone();
        match &entry {
            LeadEntry::Known(_) => {}
            LeadEntry::Changed(_) => tracing::info!(%call, lead = %id, "a lead was added to"),
            LeadEntry::New(_) => {
                tracing::info!(%call, "Lead created with ID: {id}");
                self.record.leads.push(id.clone());
            }
        }
        if !matches!(entry, LeadEntry::Known(_)) {
            self.changed();
            let lead = self.lead(&entry);
            self.record.pending_leads.retain(|pending| pending.id != id);
            self.record.pending_leads.push(lead);
        }
        Ok(json!({ "status": "stored", "lead_id": id.as_str() }))
    }

    fn lead(&self, entry: &LeadEntry) -> Lead {
        let record = &self.record;
        Lead {
            id: entry.id().clone(),
            session_id: record.session_id.clone(),
            tenant_id: record.tenant_id.clone(),
            owner_id: record.owner_id.clone(),
            voice_agent_id: record.voice_agent_id.clone(),
            campaign_id: record.campaign_id.clone(),
            revision: record.revision,
            additions: self.leads.additions_to(entry.id()),
            fields: self.leads.fields_of(entry.id()).cloned().unwrap_or_default(),
        }
    }

    fn enter_callback(&mut self, wish: CallbackWish) -> Result<Value, String> {
        let (call, due) = (self.record.session_id.clone(), wish.due);
        let agreement = self.record.agree_on_callback(wish, clock::unix_time());
        let mut answer = json!({ "status": "scheduled", "time": due.to_string() });
        match agreement.map_err(|error| error.to_string())? {
            Agreement::Known => return Ok(answer),
            Agreement::New => tracing::info!(%call, %due, "a call-back was agreed on"),
            Agreement::Changed { before } => {
                tracing::info!(%call, %due, "a call-back was changed");
                answer["status"] = "changed".into();
                answer["instead_of"] = before.to_string().into();
            }
        }
        self.changed();
        Ok(answer)
    }
}
