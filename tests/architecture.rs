//! The house's walls: who may import whom, what pure rooms may not touch, how long a file may grow.
//!
//! Reads `src/` as text, so a new arrow fails here even when it compiles. Paths are found in cleaned source (comments
//! and literals blanked) and spelled out from their groups: `use crate::{sip, media::rtp}` is two paths. The scanner's
//! own tests plant violations and expect them to be found.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, iter};

const PURE: [&str; 10] =
    ["domain", "sip", "media", "voice", "call", "keys", "access", "livekit", "crm", "campaign"];
const SHARED_BY_SHELLS: [&str; 3] = ["clock", "config", "telemetry"];
const COMPOSITION: [&str; 4] = ["engine", "cli", "main", "lib"];
const MAX_LINES: usize = 600;

/// DESIGN, "Who may import whom". `None`: the table does not know the room.
fn may_import(room: &str) -> Option<Vec<&'static str>> {
    let shell = |others: &[&'static str]| [&PURE[..], &SHARED_BY_SHELLS, others].concat();
    Some(match room {
        "domain" => vec![],
        "sip" | "media" | "voice" | "campaign" | "keys" | "access" | "livekit" | "crm" => vec!["domain"],
        "call" => vec!["media", "voice", "domain"],
        "clock" | "telemetry" => vec!["domain", "config"],
        "config" => PURE.to_vec(),
        "net" | "store" => shell(&[]),
        "actors" => shell(&["net", "store"]),
        "sandbox" => shell(&["net"]),
        "accounts" | "catalogue" => shell(&["store"]),
        "http" => {
            let others = ["actors", "accounts", "catalogue", "store", "access", "domain", "keys"];
            [&SHARED_BY_SHELLS[..], &others].concat()
        }
        composition if COMPOSITION.contains(&composition) => {
            shell(&["net", "store", "actors", "accounts", "catalogue", "http", "sandbox", "engine", "cli"])
        }
        _ => return None,
    })
}

/// What a pure room may not name: neighbouring segments of a path, and whether test code may. Tests read the clock to
/// have a moment to begin with, and use threads to prove what is shared between two of them.
const BANNED_IN_PURE: [(&[&str], bool); 16] = [
    (&["tokio"], false),
    (&["actix"], false),
    (&["actix_rt"], false),
    (&["actix_web"], false),
    (&["mongodb"], false),
    (&["rusqlite"], false),
    (&["UdpSocket"], false),
    (&["TcpStream"], false),
    (&["TcpListener"], false),
    (&["ToSocketAddrs"], false),
    (&["std", "thread"], true),
    (&["SystemTime"], false),
    (&["Instant", "now"], true),
    (&["rand", "rng"], false),
    (&["rand", "random"], false),
    (&["OsRng"], false),
];

#[test]
fn every_import_follows_the_table_and_pure_rooms_stay_pure() {
    let mut report = String::new();
    for file in source_files() {
        for (line, complaint) in complaints_about(&file.room, file.module_depth, file.is_test, &file.text) {
            writeln!(report, "{}:{line}: {complaint}", file.path.display()).expect("a String takes all");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// A proof on real sockets may slow its own process; no setting or command of the product may.
#[test]
fn nothing_in_the_product_slows_time() {
    for file in source_files().iter().filter(|file| file.room != "clock") {
        let slows = |path: &CodePath| path.segments.iter().any(|segment| segment == "slow_down");
        let found = paths_in(&file.text).into_iter().find(slows);
        let line = found.map(|path| path.line);
        assert_eq!(line, None, "{}: clock::slow_down is for tests alone", file.path.display());
    }
}

#[test]
fn no_file_grows_past_its_bound() {
    for file in source_files() {
        let lines = file.text.lines().count();
        let path = file.path.display();
        assert!(lines <= MAX_LINES, "{path}: {lines} lines, at most {MAX_LINES}: split it by subject");
    }
}

#[test]
fn every_folder_tells_its_story() {
    for file in source_files().iter().filter(|file| file.path.ends_with("mod.rs")) {
        let path = file.path.display();
        assert!(file.text.starts_with("//! "), "{path}: start it with module docs: what the folder is for");
    }
}

struct SourceFile {
    path: PathBuf,
    room: String,
    /// How many `super::` lead from the file to the crate's root.
    module_depth: usize,
    is_test: bool,
    text: String,
}

fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect_rust_files(&root, &mut paths);
    assert!(!paths.is_empty(), "no source below {}", root.display());
    paths.into_iter().map(|path| read_source(&root, path)).collect()
}

fn collect_rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be listed") {
        let path = entry.expect("an entry of src can be read").path();
        if path.is_dir() {
            collect_rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn read_source(root: &Path, path: PathBuf) -> SourceFile {
    let text = fs::read_to_string(&path).expect("source is UTF-8");
    let inside = path.strip_prefix(root).expect("found below src").with_extension("");
    let names: Vec<_> = inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let is_index = names.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str()));
    SourceFile {
        room: names[0].clone(),
        module_depth: names.len() - usize::from(is_index),
        is_test: names.iter().any(|name| name == "tests" || name.ends_with("_tests")),
        path,
        text,
    }
}

/// Every broken rule of one file, with its line.
fn complaints_about(room: &str, module_depth: usize, is_test: bool, text: &str) -> Vec<(usize, String)> {
    let Some(allowed) = may_import(room) else {
        return vec![(
            1,
            format!("room `{room}` is unknown: give it a line in tests/architecture.rs and DESIGN"),
        )];
    };
    let mut found = Vec::new();
    for path in paths_in(text) {
        let complaint = match room_entered(&path, module_depth) {
            Some(entered) if entered != room && !allowed.contains(&entered) => {
                Some(arrow(room, entered, &allowed))
            }
            _ if PURE.contains(&room) => impurity(room, &path, is_test || path.in_test_code),
            _ => None,
        };
        found.extend(complaint.map(|text| (path.line, text)));
    }
    found
}

fn arrow(room: &str, entered: &str, allowed: &[&str]) -> String {
    let allowed = if allowed.is_empty() { "nothing of ours".into() } else { allowed.join(", ") };
    format!(
        "`{room}` may not import `{entered}` (it may import: {allowed}). Move the shared word down into `domain`, or \
         translate between the two rooms in a room above both"
    )
}

fn impurity(room: &str, path: &CodePath, is_test: bool) -> Option<String> {
    let (banned, _) = BANNED_IN_PURE.iter().find(|(banned, tests_may)| {
        let is_there = path.segments.windows(banned.len()).any(|window| window == *banned);
        is_there && !(*tests_may && is_test)
    })?;
    let banned = banned.join("::");
    Some(format!(
        "`{room}` is a pure room and may not name `{banned}`: take bytes, `now: Instant` or `domain::Entropy` as \
         arguments, and leave the doing to `net`, `store` or `actors`"
    ))
}

/// The room a path leads into from the crate's root, by `crate::` or by enough `super::`.
fn room_entered(path: &CodePath, module_depth: usize) -> Option<&str> {
    let supers = path.segments.iter().take_while(|segment| *segment == "super").count();
    let rest = match path.segments.first()?.as_str() {
        "crate" => &path.segments[1..],
        "super" if supers >= module_depth + path.inline_modules => &path.segments[supers..],
        _ => return None,
    };
    rest.first().map(String::as_str).filter(|name| *name != "self")
}

/// One path as it stands in code, spelled out.
#[derive(Debug, PartialEq)]
struct CodePath {
    segments: Vec<String>,
    line: usize,
    inline_modules: usize,
    in_test_code: bool,
}

#[derive(Clone)]
struct Token {
    text: String,
    line: usize,
}

fn paths_in(text: &str) -> Vec<CodePath> {
    let tokens = tokens_of(&blank_comments_and_literals(text));
    let is = |index: usize, text: &str| tokens.get(index).is_some_and(|token| token.text == text);
    let (mut paths, mut index) = (Vec::new(), 0);
    let mut blocks: Vec<(bool, bool)> = Vec::new(); // (is an inline module, is test code) of each open brace
    let mut test_item_follows = false;
    while index < tokens.len() {
        if ["#", "[", "cfg", "(", "test", ")", "]"].iter().enumerate().all(|(n, text)| is(index + n, text)) {
            test_item_follows = true;
            index += 7;
            continue;
        }
        match tokens[index].text.as_str() {
            "{" => {
                let opens_module = index >= 2 && is(index - 2, "mod");
                blocks.push((opens_module, std::mem::take(&mut test_item_follows)));
            }
            "}" => drop(blocks.pop()),
            ";" => test_item_follows = false,
            name if is_name(name) && !(index > 0 && (is(index - 1, "::") || is(index - 1, "."))) => {
                let mut spelled = Vec::new();
                index = spell_out(&tokens, index, &[], &mut spelled);
                let inline_modules = blocks.iter().filter(|(is_module, _)| *is_module).count();
                let in_test_code = test_item_follows || blocks.iter().any(|(_, is_test)| *is_test);
                let path = |(segments, line)| CodePath { segments, line, inline_modules, in_test_code };
                paths.extend(spelled.into_iter().map(path));
                continue;
            }
            _ => {}
        }
        index += 1;
    }
    paths
}

/// Spells out the path that starts at `index`, groups included; returns the index behind it.
fn spell_out(
    tokens: &[Token],
    mut index: usize,
    prefix: &[String],
    out: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut segments = prefix.to_vec();
    let line = tokens[index].line;
    loop {
        segments.push(tokens[index].text.clone());
        index += 1;
        if text(index) != "::" {
            break;
        }
        if text(index + 1) == "{" {
            return spell_out_group(tokens, index + 2, &segments, out);
        }
        if !is_name(text(index + 1)) {
            break;
        }
        index += 1;
    }
    out.push((segments, line));
    index
}

fn spell_out_group(
    tokens: &[Token],
    mut index: usize,
    prefix: &[String],
    out: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            "}" => return index + 1,
            "as" => index += 2,
            name if is_name(name) => index = spell_out(tokens, index, prefix, out),
            _ => index += 1,
        }
    }
    index
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens_of(cleaned: &str) -> Vec<Token> {
    let (mut tokens, mut line, mut rest) = (Vec::new(), 1, cleaned);
    while let Some(first) = rest.chars().next() {
        let name_length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match first {
            _ if name_length > 0 => name_length,
            ':' if rest.starts_with("::") => 2,
            other => other.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(Token { text: rest[..length].to_string(), line });
        }
        line += usize::from(first == '\n');
        rest = &rest[length..];
    }
    tokens
}

/// Blanks comments, strings and character literals, and keeps the line breaks.
fn blank_comments_and_literals(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match length_of_unread(rest) {
            Some(length) => {
                cleaned.extend(iter::once(' ').chain(rest[..length].chars().filter(|c| *c == '\n')));
                length
            }
            None => {
                cleaned.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    cleaned
}

/// The length of the comment or literal at the start of `rest`.
fn length_of_unread(rest: &str) -> Option<usize> {
    let through =
        |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(through(2, "*/"));
    }
    if let Some(raw) = rest.strip_prefix("r#").or(rest.strip_prefix("r\"").map(|_| &rest[1..])) {
        let hashes = raw.len() - raw.trim_start_matches('#').len() + usize::from(rest.starts_with("r#"));
        let opens = rest[1 + hashes..].starts_with('"');
        return opens.then(|| through(hashes + 2, &format!("\"{}", "#".repeat(hashes))));
    }
    match rest.chars().next()? {
        '"' => Some(end_of_quoted(rest, '"')),
        '\'' if rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'') => {
            Some(end_of_quoted(rest, '\''))
        }
        _ => None,
    }
}

fn end_of_quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

mod the_scanner {
    use super::*;

    fn lines_blamed(room: &str, text: &str) -> Vec<usize> {
        complaints_about(room, 2, false, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn finds_a_forbidden_arrow_and_says_how_to_mend_it() {
        let complaints =
            complaints_about("sip", 2, false, "use crate::domain::CallId;\nuse crate::media::Rtp;\n");
        assert_eq!(complaints.len(), 1);
        assert_eq!(complaints[0].0, 2);
        assert!(complaints[0].1.starts_with("`sip` may not import `media` (it may import: domain)."));
    }

    #[test]
    fn looks_into_groups_inline_paths_and_climbing_paths() {
        assert_eq!(lines_blamed("sip", "use crate::{\n    domain,\n    voice::{A, B},\n};"), [3, 3]);
        assert_eq!(lines_blamed("sip", "fn f() -> crate::media::Rtp { todo() }"), [1]);
        assert_eq!(lines_blamed("sip", "use super::super::media::Rtp;"), [1]);
        assert_eq!(lines_blamed("sip", "mod inner { use super::super::dialog; }\nuse super::parse;"), []);
        assert_eq!(lines_blamed("sip", "mod inner { use super::super::super::net; }"), [1]);
        assert_eq!(lines_blamed("call", "use crate::media as m; use crate::sip as s;"), [1]);
    }

    #[test]
    fn finds_sockets_clocks_threads_and_runtimes_in_pure_rooms() {
        for planted in [
            "use tokio::time;",
            "use actix::prelude::*;",
            "use std::net::{IpAddr, UdpSocket};",
            "use std::net; fn f() { net::TcpStream::connect(a); }",
            "use std::{io, thread};",
            "let t = std::time::Instant::now();",
            "let t = Instant::now();",
            "let t = SystemTime::UNIX_EPOCH;",
            "let r = rand::rng();",
        ] {
            assert_eq!(lines_blamed("media", planted), [1], "{planted}");
        }
        assert_eq!(lines_blamed("media", "use std::net::{IpAddr, SocketAddr}; use std::time::Instant;"), []);
        assert_eq!(lines_blamed("net", "use tokio::net::UdpSocket;"), []);
    }

    #[test]
    fn lets_test_code_read_the_clock_but_open_no_socket() {
        let code = "#[cfg(test)]\nmod tests {\n  fn f() { Instant::now(); }\n  use tokio::time;\n}\nfn g() { Instant::now(); }";
        assert_eq!(lines_blamed("voice", code), [4, 6]);
        assert_eq!(lines_blamed("voice", "#[cfg(test)]\nmod tests;\nfn g() { Instant::now(); }"), [3]);
        assert!(complaints_about("voice", 2, true, "fn f() { Instant::now(); }").is_empty());
    }

    #[test]
    fn is_not_fooled_by_comments_strings_and_lifetimes() {
        let code = "// crate::media\n/* tokio::x */ const A: &str = \"crate::media \\\" tokio\";\n\
                    const B: &str = r#\"crate::\"media\"#; const C: char = '\"'; fn f<'a>(x: &'a str) {}\nuse crate::net;";
        assert_eq!(lines_blamed("sip", code), [4]);
    }

    #[test]
    fn wants_every_room_in_the_table() {
        assert_eq!(lines_blamed("cellar", "").len(), 1);
        assert_eq!(lines_blamed("sip", "use crate::cellar::Wine;"), [1]);
    }
}
