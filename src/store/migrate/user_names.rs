//! 4: users are found by their name however it is written.
//!
//! The version before took `Mira` and `mira` for two users. Whoever has two of them keeps both, each under its own
//! spelling; a name that is new must differ in more than case from then on.

use serde_json::{Value, json};

use super::backfill::{Backfill, Fault};
use super::user_records::name_of;
use super::{Back, Migration};
use crate::access::folded;
use crate::domain::User;
use crate::store::users::FOLDED_NAME;
use crate::store::{Collection, Document, USERS};

pub(super) const MIGRATION: Migration = Migration {
    number: 4,
    name: "user_names",
    purpose: "users get the form of their name by which any spelling finds them",
    up: |work| Box::pin(work.backfill(&FoldedNames)),
    back: Back::Nothing {
        because: "the version before keeps what it does not know, and names do not change",
    },
};

struct FoldedNames;

impl Backfill for FoldedNames {
    fn collection(&self) -> &'static Collection {
        &USERS
    }

    fn action(&self) -> &'static str {
        "user.migrate"
    }

    fn name_of(&self, document: &Document) -> String {
        name_of(document)
    }

    fn lacks(&self, document: &Document) -> Result<Value, Fault> {
        let user: User = document.parse(&USERS)?;
        let wanted = json!(folded(&user.name));
        let is_there = document.body.get(FOLDED_NAME) == Some(&wanted);
        Ok(if is_there { json!({}) } else { json!({ FOLDED_NAME: wanted }) })
    }
}
