//! Who may do what, walked (SPEC O2): every route of the description is asked by everybody about everybody's things, and
//! `docs/ROLES.md` is the table of what is answered. After each answer nothing of somebody else's stands in it.
//!
//! A new route makes this test fail until it has a row, a body in `requests.rs` if it wants one, and, where its path names
//! a thing of a new kind, a line in `things.rs`; the failure says which.

mod requests;
mod spy;
mod table;
mod things;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::bench::play;
use requests::Operation;
use spy::Viewer;
use table::{Column, Row};
use world::World;

/// What was answered to each column, where a route has a row that says something else, or none.
#[derive(Default)]
struct Findings {
    lines: Vec<String>,
}

#[test]
fn o2_every_route_answers_everybody_as_docs_roles_md_says_and_shows_nothing_of_anybody_else() {
    play(async {
        let rows = table::read();
        let operations = requests::described();
        let mut findings = Findings::default();
        findings.rows_without_route(&rows, &operations);
        let mut world = World::made().await;
        let streams = world.listen().await;
        for operation in &operations {
            let mut answered = BTreeMap::new();
            for column in Column::ALL {
                answered.insert(column, world.ask(operation, column).await);
            }
            findings.compare(operation, rows.get(&operation.route()), &answered);
        }
        findings.unseen(&world, &operations);
        findings.lines.append(&mut world.stop(streams).await);
        assert!(findings.lines.is_empty(), "{}", findings.lines.join("\n"));
    });
}

impl Findings {
    fn rows_without_route(&mut self, rows: &BTreeMap<String, Row>, operations: &[Operation]) {
        for route in rows.keys().filter(|route| operations.iter().all(|known| known.route() != **route)) {
            self.lines.push(format!("{route}: docs/ROLES.md has a row for it, but there is no such route"));
        }
    }

    fn compare(&mut self, operation: &Operation, row: Option<&Row>, answered: &BTreeMap<Column, u16>) {
        let route = operation.route();
        let Some(row) = row else {
            let mut line =
                format!("{route}: no row in docs/ROLES.md; if this is right, add: | {}", operation.cells());
            for status in answered.values() {
                write!(line, " | {status}").expect("a String takes all");
            }
            self.lines.push(line + " |");
            return;
        };
        for (column, status) in answered.iter().filter(|(column, status)| row[*column] != **status) {
            let wanted = row[column];
            self.lines
                .push(format!("{route}: {column} is answered {status}, but docs/ROLES.md says {wanted}"));
        }
    }

    /// A test that looks for what must not be seen proves nothing where nothing is ever seen.
    fn unseen(&mut self, world: &World, operations: &[Operation]) {
        for kind in things::KINDS.iter().filter(|kind| operations.iter().any(|known| known.path == kind.path))
        {
            if !world.spy.was_seen_by_its_own(kind.name) {
                self.lines.push(format!("{}: nobody saw what was planted there as {}", kind.path, kind.name));
            }
        }
    }
}

#[test]
fn what_must_not_be_seen_is_found_where_it_stands() {
    let mut spy = spy::Spy::default();
    spy.plant("call", "word-of-ben", Some("tenant-a"), Some("ben"));
    let may = |user: &str, tenant: &str, is_admin| Viewer::member(user, tenant, is_admin);
    spy.look("its owner", &may("ben", "tenant-a", false), "it says word-of-ben");
    spy.look("its admin", &may("mira", "tenant-a", true), "it says word-of-ben");
    assert!(spy.leaks.is_empty() && spy.was_seen_by_its_own("call"));
    let others = [
        ("a colleague", may("cleo", "tenant-a", false)),
        ("a stranger", may("zoe", "tenant-b", true)),
        ("a superadmin", Viewer::Superadmin),
        ("nobody", Viewer::Nobody),
    ];
    for (who, viewer) in others {
        spy.look(who, &viewer, "it says word-of-ben");
        let leak = spy.leaks.pop().unwrap_or_else(|| panic!("{who} saw it and nothing was found"));
        assert!(leak.contains(who) && leak.contains("word-of-ben"), "{leak}");
    }
}
