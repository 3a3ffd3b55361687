//! Lays the sources over each other and remembers where each value came from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::error::nearest;
use super::variables::{ALIASES, Kind, PREFIX, setting_at, setting_of, value_of};
use super::{ConfigError, Origin, Settings, checks};
use crate::domain::VoiceAgentId;
use crate::keys::KeyPool;

/// Where settings may come from, strongest first.
#[derive(Default)]
pub struct Sources<'a> {
    /// Dotted path and value, as the command line gave them.
    pub overrides: &'a [(String, String)],
    pub environment: BTreeMap<String, String>,
    /// `None`: the `.env` beside `file`, if there is one.
    pub env_file: Option<&'a Path>,
    pub file: Option<&'a Path>,
}

type Variables = BTreeMap<String, (String, Origin)>;

pub fn load(sources: &Sources<'_>) -> Result<Settings, ConfigError> {
    let mut layers = Layers::default();
    if let Some(file) = sources.file {
        layers.lay_file(file)?;
    }
    let variables = variables(sources)?;
    for (name, (text, origin)) in &variables {
        layers.lay_variable(name, text, origin)?;
    }
    for (path, text) in sources.overrides {
        layers.lay(setting_at(path), path, text, Origin::CommandLine)?;
    }
    let mut settings = layers.read()?;
    let texts = variables.iter().map(|(name, (text, _))| (name.as_str(), text.as_str()));
    settings.google_keys = KeyPool::from_variables(texts)?;
    Ok(settings)
}

/// The environment over the `.env`; what is empty counts as unset.
fn variables(sources: &Sources<'_>) -> Result<Variables, ConfigError> {
    let beside = sources.file.and_then(Path::parent).map(|folder| folder.join(".env"));
    let mut variables = match (sources.env_file, beside.filter(|path| path.is_file())) {
        (Some(path), _) => read_env_file(path)?,
        (None, Some(path)) => read_env_file(&path)?,
        (None, None) => Variables::new(),
    };
    for (name, text) in sources.environment.iter().filter(|(_, text)| !text.trim().is_empty()) {
        variables.insert(name.clone(), (text.clone(), Origin::Variable(name.clone())));
    }
    Ok(variables)
}

/// The parser's own error would show the line, and with it a secret.
fn read_env_file(path: &Path) -> Result<Variables, ConfigError> {
    let text = read(path)?;
    let mut variables = Variables::new();
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        let (variable, value) = pair.map_err(|_| ConfigError::EnvFile { path: path.to_owned() })?;
        if !value.trim().is_empty() {
            let origin = Origin::EnvFile { file: path.to_owned(), variable: variable.clone() };
            variables.insert(variable, (value, origin));
        }
    }
    Ok(variables)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

#[derive(Default)]
pub(super) struct Layers {
    table: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn lay_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let text = read(file)?;
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            path: file.to_owned(),
            line: error.span().map_or(1, |span| line_at(&text, span.start)),
            problem: error.message().to_owned(),
        };
        let spanned = DeTable::parse(&text).map_err(syntax)?;
        note_lines("", spanned.get_ref(), &text, file, &mut self.origins);
        self.table = text.parse().map_err(syntax)?;
        Ok(())
    }

    fn lay_variable(&mut self, name: &str, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let alias = ALIASES.iter().any(|(alias, _)| *alias == name);
        if alias || name.starts_with(PREFIX) {
            self.lay(setting_of(name), name, text.trim(), origin.clone())?;
        }
        Ok(())
    }

    fn lay(
        &mut self,
        setting: Result<(String, Kind), Option<String>>,
        name: &str,
        text: &str,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let unknown =
            |nearest| ConfigError::Unknown { name: name.to_owned(), origin: origin.clone(), nearest };
        let (path, kind) = setting.map_err(unknown)?;
        let names: Vec<&str> = path.split('.').collect();
        if kind == Kind::Text && text.is_empty() {
            take_away(&mut self.table, &names);
            self.origins.insert(path, origin);
            return Ok(());
        }
        let wrong = |problem| ConfigError::Wrong { path: path.clone(), origin: origin.clone(), problem };
        let value = value_of(kind, text).map_err(wrong)?;
        put(&mut self.table, &names, value).ok_or_else(|| {
            wrong("has no place to stand; such blocks are numbered from 1 without gaps".to_owned())
        })?;
        self.origins.insert(path, origin);
        Ok(())
    }

    fn read(&self) -> Result<Settings, ConfigError> {
        let table = self.table.clone();
        let mut settings: Settings =
            serde_path_to_error::deserialize(table).map_err(|error| self.explain(&error))?;
        for agent in &mut settings.voice_agents {
            agent.id = VoiceAgentId::new(&agent.name);
        }
        match checks::first_fault(&settings) {
            Some((path, problem)) => Err(ConfigError::Wrong { origin: self.origin_of(&path), path, problem }),
            None => Ok(settings),
        }
    }

    /// Serde quotes the value it could not read, which a password must survive.
    fn explain(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> ConfigError {
        let path = counted_from_one(&error.path().to_string());
        let problem = error.inner().message().to_owned();
        let origin = self.origin_of(&path);
        let is_secret = path.ends_with(".password")
            || path.ends_with("secret")
            || path.contains(".secret_headers")
            || path.starts_with("secrets.")
            || ["store.url", "crm.api_token"].contains(&path.as_str());
        if is_secret {
            return ConfigError::Wrong { path, origin, problem: "must be a text in quotes".to_owned() };
        }
        if let Some(fields) = problem.strip_prefix("unknown field ") {
            return unknown_field(&path, origin, fields);
        }
        match missing_field(&problem) {
            Some(name) => {
                ConfigError::Wrong { path: format!("{path}.{name}"), origin, problem: MISSING.to_owned() }
            }
            None => ConfigError::Wrong { path, origin, problem: in_words(&problem) },
        }
    }

    /// A value's own place, else that of the section around it.
    fn origin_of(&self, path: &str) -> Origin {
        let found = self.origins.get(path);
        match (found, path.rsplit_once('.')) {
            (Some(origin), _) => origin.clone(),
            (None, Some((around, _))) => self.origin_of(around),
            (None, None) => Origin::Default,
        }
    }
}

const MISSING: &str = "is missing; write it";

fn missing_field(problem: &str) -> Option<&str> {
    problem.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Of a value of the wrong kind or size, in the words of somebody who writes TOML.
fn in_words(problem: &str) -> String {
    let told =
        problem.strip_prefix("invalid type: ").or_else(|| problem.strip_prefix("invalid value: integer "));
    let kind = told.and_then(|told| told.rsplit_once(", expected "));
    match kind.map(|(_, expected)| expected) {
        None => problem.to_owned(),
        Some("a map") => "must be a table, as { name = \"value\" }".to_owned(),
        Some(structure) if structure.starts_with("struct ") => "must be a table of its own".to_owned(),
        Some("a sequence") => "must be a list, as [\"one\", \"two\"]".to_owned(),
        Some("a string" | "string") => "must be a text in quotes".to_owned(),
        Some("a boolean") => "must be true or false".to_owned(),
        Some("f32" | "f64") => "must be a number".to_owned(),
        Some("u16") => format!("must be a whole number, 0 to {}", u16::MAX),
        Some("u8" | "u32" | "u64" | "usize") => "must be a whole number, 0 or more".to_owned(),
        Some(expected) => format!("must be {expected}"),
    }
}

/// Serde's text is: `` `lisen`, expected one of `listen`, `advertise` ``.
fn unknown_field(path: &str, origin: Origin, fields: &str) -> ConfigError {
    let mut names = fields.split('`').skip(1).step_by(2);
    let name = names.next().unwrap_or_default();
    let around = path.strip_suffix(name).unwrap_or(path).trim_end_matches('.');
    let full = |key: &str| if around.is_empty() { key.to_owned() } else { format!("{around}.{key}") };
    ConfigError::Unknown {
        name: full(name),
        origin,
        nearest: nearest(name, names).map(|nearest| full(&nearest)),
    }
}

/// `sip.gateways[0].user` is `sip.gateways.1.user` to people.
fn counted_from_one(path: &str) -> String {
    let mut parts = path.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(']').unwrap_or((part, ""));
        let number = number.parse::<usize>().map_or(0, |index| index.saturating_add(1));
        text.push_str(&format!(".{number}{rest}"));
    }
    text
}

fn put(table: &mut Table, names: &[&str], value: Value) -> Option<()> {
    let (name, rest) = names.split_first()?;
    if rest.is_empty() {
        table.insert((*name).to_owned(), value);
        return Some(());
    }
    let numbered = rest.first().is_some_and(|next| next.parse::<usize>().is_ok());
    let empty = if numbered { Value::Array(Vec::new()) } else { Value::Table(Table::new()) };
    match table.entry(*name).or_insert(empty) {
        Value::Table(inner) => put(inner, rest, value),
        Value::Array(items) => put(element(items, rest.first()?)?, rest.get(1..)?, value),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            None
        }
    }
}

/// What is set to nothing counts as unset, whatever a weaker source has said. `None`: there was nothing.
fn take_away(table: &mut Table, names: &[&str]) -> Option<()> {
    let (name, rest) = names.split_first()?;
    if rest.is_empty() {
        return table.remove(*name).map(drop);
    }
    let value = table.get_mut(*name)?;
    if value.is_table() {
        return take_away(value.as_table_mut()?, rest);
    }
    let (number, rest) = rest.split_first()?;
    let index = number.parse::<usize>().ok()?.checked_sub(1)?;
    take_away(value.as_array_mut()?.get_mut(index)?.as_table_mut()?, rest)
}

/// The numbered table of a list, appended if it is the next one.
fn element<'a>(items: &'a mut Vec<Value>, number: &str) -> Option<&'a mut Table> {
    let index = number.parse::<usize>().ok()?.checked_sub(1)?;
    if index == items.len() {
        items.push(Value::Table(Table::new()));
    }
    items.get_mut(index)?.as_table_mut()
}

fn note_lines(
    around: &str,
    table: &DeTable<'_>,
    text: &str,
    file: &Path,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if around.is_empty() { name.to_string() } else { format!("{around}.{name}") };
        let line = line_at(text, key.span().start);
        origins.insert(path.clone(), Origin::File { file: PathBuf::from(file), line });
        note_inside(&path, value.get_ref(), text, file, origins);
    }
}

fn note_inside(
    path: &str,
    value: &DeValue<'_>,
    text: &str,
    file: &Path,
    origins: &mut BTreeMap<String, Origin>,
) {
    if let Some(inner) = value.as_table() {
        return note_lines(path, inner, text, file, origins);
    }
    for (index, item) in value.as_array().into_iter().flat_map(|items| items.iter()).enumerate() {
        note_inside(&format!("{path}.{}", index + 1), item.get_ref(), text, file, origins);
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
