//! `seaworthy logs`: a build's log, to its present end or as it comes.
//!
//! Both read numbered lines, so a connection that breaks is made again behind the last line that was printed. Of what
//! the build wrote, a terminal gets colours alone, and a file or pipe gets text.

use std::io::{IsTerminal as _, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;

use super::client::{Client, Refused, Server};
use crate::ansi;
use crate::model::BuildState;
use crate::wire::{LogEntry, StateChange};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Print a build's log.
///
/// With --follow the exit code tells how the build ended: 0 passed, 1 failed (or the log could not be read), 3 errored,
/// 4 cancelled or superseded.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Number of the build.
    build: i64,
    /// Go on until the build ends.
    #[arg(short, long)]
    follow: bool,
    /// Without colours, also on a terminal.
    #[arg(long)]
    no_color: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let out = stdout();
    let coloured = !args.no_color && out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let mut printer = Printer { out, coloured, last: 0 };
    if args.follow {
        return follow(args.build, &client, &mut printer).await;
    }
    let response = client
        .open(&format!("/api/builds/{}/log?format=json", args.build), None)
        .await?;
    let mut bytes = response.bytes_stream();
    let mut buffer = Vec::new();
    while let Some(block) = bytes.next().await {
        buffer.extend_from_slice(&block.context("the log was cut off")?);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            printer.print(&serde_json::from_slice(&line)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn follow(build: i64, client: &Client, printer: &mut Printer<impl Write>) -> anyhow::Result<ExitCode> {
    let path = format!("/api/builds/{build}/log/stream");
    let mut connected = false;
    loop {
        match client.open(&path, Some(printer.last)).await {
            Ok(response) => {
                connected = true;
                let mut events = Events::default();
                let mut bytes = response.bytes_stream();
                while let Some(Ok(block)) = bytes.next().await {
                    events.push(&block);
                    while let Some((name, data)) = events.next() {
                        match name.as_str() {
                            "line" | "dropped" => printer.print(&serde_json::from_str(&data)?)?,
                            "end" => return Ok(exit_code(serde_json::from_str::<StateChange>(&data)?.state)),
                            _ => {}
                        }
                    }
                }
            }
            // Nobody is there, or he will not change his mind.
            Err(error) if !connected || error.downcast_ref::<Refused>().is_some_and(|no| no.for_good) => {
                return Err(error);
            }
            Err(error) => eprintln!("seaworthy: {error:#}; connecting again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn exit_code(state: BuildState) -> ExitCode {
    match state {
        BuildState::Passed => ExitCode::SUCCESS,
        BuildState::Errored => ExitCode::from(3),
        BuildState::Cancelled | BuildState::Superseded => ExitCode::from(4),
        _ => ExitCode::FAILURE,
    }
}

struct Printer<W> {
    out: W,
    coloured: bool,
    /// Number of the last line that was printed.
    last: i64,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, entry: &LogEntry) -> anyhow::Result<()> {
        match entry {
            LogEntry::Line(line) => {
                let text = if self.coloured {
                    ansi::to_terminal(&line.text)
                } else {
                    ansi::strip(&line.text)
                };
                writeln!(self.out, "{text}")?;
                self.last = line.seq;
            }
            LogEntry::Dropped(dropped) => {
                writeln!(self.out, "… {} lines dropped: the log was too long …", dropped.count())?;
                self.last = dropped.last_seq;
            }
        }
        Ok(())
    }
}

/// Server-sent events out of bytes (HTML standard, "Server-sent events", 9.2.6): name and data of each whole event.
#[derive(Default)]
struct Events {
    buffer: Vec<u8>,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<(String, String)> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
        let text = String::from_utf8_lossy(&event);
        let (mut name, mut data) = (String::new(), Vec::new());
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data.push(value.to_owned()),
                _ => {}
            }
        }
        Some((name, data.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_wherever_the_network_cuts_them() {
        let stream =
            b"retry: 1000\nevent: state\ndata: {}\n\n: keep-alive\n\nevent: line\nid: 7\ndata: a\ndata:b\n\nevent: en";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                events.push(part);
                seen.extend(std::iter::from_fn(|| events.next()));
            }
            let names: Vec<(&str, &str)> = seen.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
            assert_eq!(names, [("state", "{}"), ("", ""), ("line", "a\nb")], "cut at {cut}");
        }
    }

    #[test]
    fn a_file_gets_text_and_the_place_is_kept() {
        let mut printer = Printer {
            out: Vec::new(),
            coloured: false,
            last: 0,
        };
        for json in [
            r#"{"seq":1,"at":0,"stage":null,"text":"\u001b[31mred\u001b[m"}"#,
            r#"{"first_seq":2,"last_seq":9}"#,
        ] {
            printer
                .print(&serde_json::from_str(json).expect("an entry"))
                .expect("memory");
        }
        assert_eq!(printer.last, 9);
        let text = String::from_utf8(printer.out).expect("a text");
        assert_eq!(text, "red\n… 8 lines dropped: the log was too long …\n");
    }
}
