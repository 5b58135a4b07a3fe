//! A program beside a build whose words are logged and understood: a service, or the application that is tried.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Run, StageError};
use crate::clients::engine::{Line, Program, ProgramSpec};
use crate::tomcat::Console;

/// A started program and what it has printed.
#[derive(Debug)]
pub(super) struct Watched {
    /// It.
    pub program: Program,
    console: Arc<Mutex<Console>>,
}

impl Watched {
    /// Starts it; its lines go into the build's log behind `prefix`, up to the pipeline's limit of output.
    pub async fn start(run: &Run, spec: &ProgramSpec, prefix: &str) -> Result<Self, StageError> {
        let console = Arc::new(Mutex::new(Console::default()));
        let (seen, mut tell) = (Arc::clone(&console), run.teller());
        let (prefix, host) = (prefix.to_owned(), spec.host.clone());
        let mut room = run.pipeline.limits.log;
        let on_line = move |line: Line| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).line(&line.text);
            match room.checked_sub(line.text.len() as u64 + 1) {
                Some(left) => {
                    room = left;
                    tell(format!("{prefix}{}", line.text));
                }
                None if room > 0 => {
                    room = 0;
                    tell(format!(
                        "{host} prints more than the limit of the log (limits.log): the rest is dropped"
                    ));
                }
                None => {}
            }
        };
        let program = run.parts.engine.start_program(spec, &run.owner(), on_line).await?;
        Ok(Self { program, console })
    }

    /// What it has printed so far, understood.
    pub fn console<T>(&self, look: impl FnOnce(&Console) -> T) -> T {
        look(&self.console.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
