//! Secrets that a person types or a program pipes in: never an argument, which other users of the machine can read.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::access::password;
use crate::domain::Secret;

use super::common::Failure;
use super::signals::Signals;

/// Longer than any secret; a whole file piped in by mistake is refused instead of taken.
const SECRET_BYTES_MAX: u64 = 65_536;

/// Everything that standard input holds, without the line break at its end.
pub(super) fn all_of_standard_input() -> Result<Secret, Failure> {
    read_secret(|input, text| input.read_to_string(text))
}

/// A new password: asked for twice at a terminal, where it is not shown, else the first line of standard input.
pub(super) async fn ask_for_password(user_name: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return first_line().and_then(|password| fit(password, user_name));
    }
    let password = fit(ask(format_args!("New password for {user_name}: ")).await?, user_name)?;
    let again = ask(format_args!("The same again: ")).await?;
    if password == again { Ok(password) } else { Err(Failure::new("these were two different passwords")) }
}

fn fit(password: Secret, user_name: &str) -> Result<Secret, Failure> {
    match password::fit(&password, user_name) {
        Ok(()) => Ok(password),
        Err(unfit) => Err(Failure::new(unfit.to_string())),
    }
}

/// The terminal is as it was in the end, also when the person presses Ctrl-C instead.
async fn ask(question: fmt::Arguments<'_>) -> Result<Secret, Failure> {
    let no_terminal = |error| Failure::cannot("ask at the terminal", error);
    let mut signals = Signals::listen().map_err(no_terminal)?;
    let hidden = Hidden::start().map_err(no_terminal)?;
    super::common::tell_unfinished(question);
    let typed = type_line();
    let typed = tokio::select! {
        typed = typed => typed.unwrap_or_else(|_| Err(Failure::interrupted())),
        () = signals.stop() => Err(Failure::interrupted()),
    };
    drop(hidden);
    super::common::tell("");
    typed
}

/// On a thread of its own, which an interrupted command does not wait for.
fn type_line() -> oneshot::Receiver<Result<Secret, Failure>> {
    let (typed, line) = oneshot::channel();
    std::thread::spawn(move || drop(typed.send(first_line())));
    line
}

fn first_line() -> Result<Secret, Failure> {
    read_secret(|input, text| input.read_line(text))
}

fn read_secret(
    read: impl FnOnce(&mut io::Take<io::StdinLock<'static>>, &mut String) -> io::Result<usize>,
) -> Result<Secret, Failure> {
    let mut text = Zeroizing::new(String::new());
    let length = read(&mut io::stdin().lock().take(SECRET_BYTES_MAX + 1), &mut text);
    let value = Secret::new(text.trim_end_matches(['\r', '\n']));
    match length {
        Err(error) => Err(Failure::cannot("read the value from standard input", error)),
        Ok(length) if length as u64 > SECRET_BYTES_MAX => {
            Err(Failure::new(format!("a secret has at most {SECRET_BYTES_MAX} bytes")))
        }
        Ok(_) if value.is_empty() => Err(Failure::new("there is no value: name one, or pipe it in")),
        Ok(_) => Ok(value),
    }
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn start() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has gone away has nothing to be restored.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}
