//! The table of `docs/ROLES.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Who asks, and about whose things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Nobody,
    Superadmin,
    Admin,
    AgentOfItsOwn,
    AgentOfAColleagues,
    ForeignAdmin,
    ForeignAgent,
}

/// The status for each column.
pub(crate) type Row = BTreeMap<Column, u16>;

impl Column {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nobody,
        Self::Superadmin,
        Self::Admin,
        Self::AgentOfItsOwn,
        Self::AgentOfAColleagues,
        Self::ForeignAdmin,
        Self::ForeignAgent,
    ];
}

/// As the page heads it.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody",
            Self::Superadmin => "superadmin",
            Self::Admin => "admin",
            Self::AgentOfItsOwn => "agent: its own",
            Self::AgentOfAColleagues => "agent: a colleague's",
            Self::ForeignAdmin => "other tenant's admin",
            Self::ForeignAgent => "other tenant's agent",
        })
    }
}

/// Rows by route, as `GET /api/users`.
pub(crate) fn read() -> BTreeMap<String, Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ROLES.md");
    parse(&std::fs::read_to_string(path).expect("docs/ROLES.md is there"))
}

fn parse(page: &str) -> BTreeMap<String, Row> {
    let mut lines = page.lines().map(cells).filter(|cells| !cells.is_empty());
    let mut heads = vec!["method".to_owned(), "path".to_owned()];
    heads.extend(Column::ALL.iter().map(ToString::to_string));
    assert_eq!(lines.next().as_ref(), Some(&heads), "docs/ROLES.md: the table's head");
    let mut rows = BTreeMap::new();
    for cells in lines.filter(|cells| !cells[0].starts_with('-')) {
        assert_eq!(cells.len(), heads.len(), "docs/ROLES.md: a cell for each column: {cells:?}");
        let route = format!("{} {}", cells[0], cells[1]);
        let status = |text: &String| {
            text.parse().unwrap_or_else(|_| panic!("docs/ROLES.md: {route}: {text} is no status"))
        };
        let row = Column::ALL.into_iter().zip(cells[2..].iter().map(status)).collect();
        assert!(rows.insert(route.clone(), row).is_none(), "docs/ROLES.md: {route} has two rows");
    }
    rows
}

/// Of a table's line; nothing of any other.
fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
        return Vec::new();
    };
    inner.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}
