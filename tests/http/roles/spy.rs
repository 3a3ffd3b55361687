//! What was planted, who may see it, and whether it stands where it must not.

/// Whom an answer was for.
pub(crate) enum Viewer {
    Nobody,
    Superadmin,
    Member { user: String, tenant: String, is_admin: bool },
}

/// An id or a word that is nowhere but in what was planted.
struct Mark {
    kind: &'static str,
    word: String,
    tenant: Option<String>,
    /// Of a call or lead: an agent's own, an admin's whole tenant's, never a superadmin's.
    owner_of_record: Option<String>,
    was_seen: bool,
}

#[derive(Default)]
pub(crate) struct Spy {
    marks: Vec<Mark>,
    pub(crate) leaks: Vec<String>,
}

impl Viewer {
    pub(crate) fn member(user: &str, tenant: &str, is_admin: bool) -> Self {
        Self::Member { user: user.to_owned(), tenant: tenant.to_owned(), is_admin }
    }

    fn may_see(&self, mark: &Mark) -> bool {
        match self {
            Self::Nobody => false,
            Self::Superadmin => mark.owner_of_record.is_none(),
            Self::Member { user, tenant, is_admin } => {
                let is_theirs = mark.tenant.as_ref() == Some(tenant);
                is_theirs && (*is_admin || mark.owner_of_record.as_ref().is_none_or(|owner| owner == user))
            }
        }
    }
}

impl Spy {
    pub(crate) fn plant(
        &mut self,
        kind: &'static str,
        word: &str,
        tenant: Option<&str>,
        owner_of_record: Option<&str>,
    ) {
        self.marks.push(Mark {
            kind,
            word: word.to_owned(),
            tenant: tenant.map(str::to_owned),
            owner_of_record: owner_of_record.map(str::to_owned),
            was_seen: false,
        });
    }

    /// `text` is all that came back: body and headers.
    pub(crate) fn look(&mut self, asked: &str, viewer: &Viewer, text: &str) {
        for mark in self.marks.iter_mut().filter(|mark| text.contains(&mark.word)) {
            if viewer.may_see(mark) {
                mark.was_seen = true;
            } else {
                let Mark { kind, word, .. } = mark;
                self.leaks.push(format!("{asked}: shows {word} of somebody else's {kind}: {text}"));
            }
        }
    }

    pub(crate) fn was_seen_by_its_own(&self, kind: &str) -> bool {
        self.marks.iter().any(|mark| mark.kind == kind && mark.was_seen)
    }
}
