//! `clearline number set` and `remove`.

use clap::Args;

use crate::store::Opening;

use super::super::CommandResult;
use super::super::common::JsonAndSettings;
use super::list::{Shown, show};
use super::{Desk, Purpose, by_this_person, refused};

pub(super) const EXAMPLES: &str = "Examples:
  clearline number set +4930123456 --owner ben
  clearline number set 030123456 --voice-agent none --livekit-config none    what is called none is taken away";

#[derive(Args)]
pub(super) struct Set {
    /// In any form in which it is dialled, or the id of its record
    number: String,
    #[command(flatten)]
    purpose: Purpose,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
pub(super) struct Remove {
    /// In any form in which it is dialled, or the id of its record
    number: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

impl Set {
    pub(super) async fn run(self) -> CommandResult {
        let desk = Desk::open(&self.common).await?;
        let found = desk.number(&self.number).await?;
        let owner = desk.owner(self.purpose.owner.as_deref()).await?;
        let (id, purpose) = (&found.record.id, self.purpose);
        let decide = |number| purpose.apply(owner.as_ref(), number);
        let changed = desk
            .catalogue
            .change_number(by_this_person(), id, Some(found.version), decide)
            .await
            .map_err(refused)?;
        show(&[Shown::of(&desk, changed.record).await?], self.common.json)
    }
}

impl Remove {
    pub(super) async fn run(self) -> CommandResult {
        let desk = Desk::open_for(Opening::ToMend, &self.common).await?;
        let found = desk.number(&self.number).await?.record;
        desk.catalogue.remove_number(by_this_person(), &found.id, None).await.map_err(refused)?;
        show(&[Shown::of(&desk, found).await?], self.common.json)
    }
}
