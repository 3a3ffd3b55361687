//! 2: numbers that another program wrote are found by dialling.
//!
//! A call looks for a number by its normalised forms, which we write with each change of ours. Other programs do not
//! know them, and may leave the `id` to the document. Two documents that turn out to be one number stop the migration:
//! whose call it would be is for the operator to say.

use serde_json::Value;

use super::backfill::{Backfill, Fault, lacking_id};
use super::{Back, Migration};
use crate::domain::VoiceAgentNumber;
use crate::store::records::Record;
use crate::store::{Collection, Document, NUMBERS};

pub(super) const MIGRATION: Migration = Migration {
    number: 2,
    name: "number_forms",
    purpose: "numbers that another program wrote get the forms by which dialling finds them",
    up: |work| Box::pin(work.backfill(&NumberForms)),
    back: Back::Nothing {
        because: "the version before writes the same members with every change of a number",
    },
};

struct NumberForms;

impl Backfill for NumberForms {
    fn collection(&self) -> &'static Collection {
        &NUMBERS
    }

    fn action(&self) -> &'static str {
        "number.migrate"
    }

    fn name_of(&self, document: &Document) -> String {
        document.body.get("number").and_then(Value::as_str).unwrap_or(&document.id).to_owned()
    }

    fn lacks(&self, document: &Document) -> Result<Value, Fault> {
        let mut lacking = lacking_id(document);
        let mut whole = document.clone();
        if let (Value::Object(members), Value::Object(id)) = (&mut whole.body, lacking.clone()) {
            members.extend(id);
        }
        let number: VoiceAgentNumber = whole.parse(&NUMBERS)?;
        number.forms().map_err(|error| Fault::new(format!("its {} {error}", error.field())))?;
        for (member, wanted) in number.derived() {
            if document.body.get(&member) != Some(&wanted) {
                lacking[member] = wanted;
            }
        }
        Ok(lacking)
    }
}
