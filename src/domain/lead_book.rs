//! The leads of one call (SPEC U3). A model that is resumed asks for the same again; a model that has heard more tells
//! of the same person anew. Neither makes a second lead.
//!
//! - The same details once more: the same lead, unchanged, also when it was added to meanwhile.
//! - Other details of the same person (the same phone number or e-mail address, or, where they share none, the same
//!   name): the lead is changed. What is new replaces what was known, what is not repeated stays.
//! - Somebody else: another lead.
//!
//! A lead's id follows from its call and the details it began with, so that whoever asks twice for the same lead means
//! the same document, whatever died in between.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ids::id_born_with;
use super::number_forms::Dialed;
use super::{CallId, LeadId, PhoneNumber};

/// What a call brings at most; more than that is a model gone astray.
const LEADS_MAX: usize = 50;
/// Details that are known again.
const ASKED_MAX: usize = 200;
const DETAILS: &str = "details";

#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeadBook {
    leads: Vec<Entered>,
    /// Which details led to which lead.
    asked: Vec<([u8; 32], LeadId)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entered {
    id: LeadId,
    fields: Map<String, Value>,
    additions: u32,
}

/// What became of details that were handed in.
#[derive(Debug, Clone, PartialEq)]
pub enum LeadEntry {
    New(LeadId),
    /// With what is known of the person now.
    Changed(LeadId),
    /// Nothing new.
    Known(LeadId),
}

impl LeadEntry {
    pub fn id(&self) -> &LeadId {
        match self {
            Self::New(id) | Self::Changed(id) | Self::Known(id) => id,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this call has brought {LEADS_MAX} leads already; no more are taken")]
pub struct TooManyLeads;

impl LeadBook {
    pub fn enter(&mut self, call: &CallId, fields: &Map<String, Value>) -> Result<LeadEntry, TooManyLeads> {
        let hash = hash_of(call, fields);
        if let Some((_, id)) = self.asked.iter().find(|(asked, _)| *asked == hash) {
            return Ok(LeadEntry::Known(id.clone()));
        }
        let is_full = self.leads.len() == LEADS_MAX;
        let entry = match self.leads.iter_mut().find(|known| is_same_person(&known.fields, fields)) {
            Some(known) => {
                lay_over(&mut known.fields, fields);
                known.additions += 1;
                LeadEntry::Changed(known.id.clone())
            }
            None if is_full => return Err(TooManyLeads),
            None => {
                let id = LeadId::new(id_born_with(call, hash));
                self.leads.push(Entered { id: id.clone(), fields: fields.clone(), additions: 0 });
                LeadEntry::New(id)
            }
        };
        if self.asked.len() < ASKED_MAX {
            self.asked.push((hash, entry.id().clone()));
        }
        Ok(entry)
    }

    pub fn fields_of(&self, lead: &LeadId) -> Option<&Map<String, Value>> {
        self.leads.iter().find(|known| known.id == *lead).map(|known| &known.fields)
    }

    /// How often more was told of this one.
    pub fn additions_to(&self, lead: &LeadId) -> u32 {
        self.leads.iter().find(|known| known.id == *lead).map_or(0, |known| known.additions)
    }
}

fn is_same_person(known: &Map<String, Value>, told: &Map<String, Value>) -> bool {
    let both = |field: &str| Some((text_of(known, field)?, text_of(told, field)?));
    let contacts = [both("phone").map(|(a, b)| dialled(a) == dialled(b)), both("email").map(same_letters)];
    let mut contacts = contacts.into_iter().flatten().peekable();
    if contacts.peek().is_some() {
        return contacts.any(|is_same| is_same);
    }
    both("name").is_some_and(same_letters)
}

fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}

/// However it is written. What is no phone number is told by the digits in it.
fn dialled(number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect();
    match Dialed::read(&PhoneNumber::new(number)) {
        Some(Dialed::International(known) | Dialed::Digits(known)) => digits(known.expose()),
        None => digits(number),
    }
}

fn same_letters((one, other): (&str, &str)) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn lay_over(known: &mut Map<String, Value>, told: &Map<String, Value>) {
    for (name, value) in told {
        match (known.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if name == DETAILS => {
                old.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            _ => drop(known.insert(name.clone(), value.clone())),
        }
    }
}

/// serde_json keeps the members of an object in the order of their names.
fn hash_of(call: &CallId, fields: &Map<String, Value>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(call.as_str());
    hash.update([0]);
    hash.update(Value::Object(fields.clone()).to_string());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::birth_of;

    fn call() -> CallId {
        CallId::new("019ac0ff-ee12-7abc-8def-0123456789ab")
    }

    fn fields(fields: Value) -> Map<String, Value> {
        fields.as_object().cloned().expect("an object")
    }

    fn enter(book: &mut LeadBook, told: Value) -> LeadEntry {
        book.enter(&call(), &fields(told)).expect("room for it")
    }

    #[test]
    fn the_same_details_again_are_the_same_lead_also_in_a_book_that_was_lost() {
        let (mut book, mut other) = (LeadBook::default(), LeadBook::default());
        let ada = json!({ "name": "Ada", "phone": "+4930123" });
        let first = enter(&mut book, ada.clone());
        assert!(matches!(&first, LeadEntry::New(_)));
        assert_eq!(enter(&mut book, ada.clone()), LeadEntry::Known(first.id().clone()));
        assert_eq!(enter(&mut other, ada.clone()), first);
        let elsewhere =
            LeadBook::default().enter(&CallId::new("another"), &fields(ada)).expect("room for it");
        assert_ne!(elsewhere.id(), first.id());
    }

    #[test]
    fn more_about_the_same_person_changes_the_lead_and_forgets_nothing() {
        let mut book = LeadBook::default();
        let first = enter(&mut book, json!({ "name": "Ada", "details": { "age": 30 } }));
        let more = json!({ "name": "ada ", "email": "a@b.de", "details": { "city": "Berlin" } });
        assert_eq!(enter(&mut book, more), LeadEntry::Changed(first.id().clone()));
        let renamed = json!({ "name": "Ada Lovelace", "email": "A@b.de", "interest": "solar" });
        assert_eq!(enter(&mut book, renamed), LeadEntry::Changed(first.id().clone()));
        let known = book.fields_of(first.id()).expect("it is there");
        let all = json!({ "name": "Ada Lovelace", "email": "A@b.de", "interest": "solar",
                          "details": { "age": 30, "city": "Berlin" } });
        assert_eq!(Value::Object(known.clone()), all);
        assert_eq!(book.additions_to(first.id()), 2);
    }

    #[test]
    fn a_phone_number_is_the_same_however_it_is_written() {
        let mut book = LeadBook::default();
        let first = enter(&mut book, json!({ "name": "Ada", "phone": "+49 30 555 123" }));
        for phone in
            ["004930555123", "+49 (0)30 555123", "0049 (0) 30/555-123", "tel:+4930555123", "4930555123"]
        {
            let again = enter(&mut book, json!({ "name": "Lovelace", "phone": phone }));
            assert_eq!(again, LeadEntry::Changed(first.id().clone()), "{phone}");
        }
    }

    #[test]
    fn what_was_told_before_the_change_does_not_undo_it_when_it_is_told_again() {
        let mut book = LeadBook::default();
        let early = json!({ "name": "Ada", "phone": "0301" });
        let first = enter(&mut book, early.clone());
        enter(&mut book, json!({ "name": "Ida", "phone": "0301" }));
        assert_eq!(enter(&mut book, early), LeadEntry::Known(first.id().clone()));
        assert_eq!(book.fields_of(first.id()).expect("it is there")["name"], "Ida");
    }

    #[test]
    fn somebody_else_is_another_lead() {
        let mut book = LeadBook::default();
        let ada = enter(&mut book, json!({ "name": "Ada", "phone": "0301" }));
        for other in
            [json!({ "name": "Ben" }), json!({ "name": "Ada", "phone": "0302" }), json!({ "notes": "x" })]
        {
            assert!(matches!(enter(&mut book, other), LeadEntry::New(id) if id != *ada.id()));
        }
    }

    #[test]
    fn a_lead_is_as_old_as_its_call_and_a_call_brings_only_so_many() {
        let mut book = LeadBook::default();
        for number in 0..LEADS_MAX {
            let entry = enter(&mut book, json!({ "name": format!("person {number}") }));
            assert_eq!(birth_of(entry.id().as_str()), birth_of(call().as_str()));
        }
        assert_eq!(book.enter(&call(), &fields(json!({ "name": "one more" }))), Err(TooManyLeads));
    }
}
