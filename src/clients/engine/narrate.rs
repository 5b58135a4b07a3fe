//! What the builder does, as lines that a person reads.
//!
//! BuildKit tells of a graph: steps that begin, end, were cached or failed, several at once, and bytes of output that name
//! their step. Each step gets a number in the order of its first sign of life, as `docker build --progress=plain` does.
//! The old builder sends text.

use std::collections::HashMap;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};

use super::output::{Line, Lines, Stream};

/// Steps seen so far and their unfinished lines.
#[derive(Default)]
pub(super) struct Narrator {
    steps: HashMap<String, Step>,
    text: Lines,
}

#[derive(Default)]
struct Step {
    number: usize,
    announced: bool,
    ended: bool,
    output: Lines,
}

impl Narrator {
    /// Takes a message of BuildKit.
    pub(super) fn steps(&mut self, status: StatusResponse, on_line: &mut impl FnMut(String)) {
        for vertex in status.vertexes {
            let step = self.step(&vertex.digest);
            let number = step.number;
            if !step.announced && (vertex.started.is_some() || vertex.cached) {
                step.announced = true;
                on_line(format!("#{number} {}", vertex.name));
            }
            if step.ended {
                continue;
            }
            if let Some(how) = end(&vertex) {
                step.ended = true;
                step.output
                    .finish(&mut |line: Line| on_line(format!("#{number} {}", line.text)));
                on_line(format!("#{number} {how}"));
            }
        }
        for log in status.logs {
            let step = self.step(&log.vertex);
            let number = step.number;
            let stream = if log.stream == 2 { Stream::Err } else { Stream::Out };
            step.output.push(stream, &log.msg, &mut |line: Line| {
                on_line(format!("#{number} {}", line.text))
            });
        }
    }

    /// Takes text of the old builder.
    pub(super) fn text(&mut self, text: &str, on_line: &mut impl FnMut(String)) {
        self.text.push(Stream::Out, text.as_bytes(), &mut |line: Line| {
            // It puts an empty line after each message.
            if !line.text.is_empty() {
                on_line(line.text);
            }
        });
    }

    /// Hands on lines without an end.
    pub(super) fn finish(&mut self, on_line: &mut impl FnMut(String)) {
        self.text.finish(&mut |line: Line| on_line(line.text));
        let mut steps: Vec<&mut Step> = self.steps.values_mut().collect();
        steps.sort_by_key(|step| step.number);
        for step in steps {
            let number = step.number;
            step.output
                .finish(&mut |line: Line| on_line(format!("#{number} {}", line.text)));
        }
    }

    fn step(&mut self, digest: &str) -> &mut Step {
        let number = self.steps.len() + 1;
        self.steps.entry(digest.to_owned()).or_insert_with(|| Step {
            number,
            ..Step::default()
        })
    }
}

/// How a step ended, if it has.
fn end(vertex: &Vertex) -> Option<String> {
    if !vertex.error.is_empty() {
        return Some(format!("ERROR: {}", vertex.error));
    }
    let completed = vertex.completed.as_ref()?;
    if vertex.cached {
        return Some("CACHED".to_owned());
    }
    let started = vertex.started.as_ref().unwrap_or(completed);
    let millis = (completed.seconds - started.seconds) * 1000 + i64::from(completed.nanos - started.nanos) / 1_000_000;
    Some(format!("DONE {}.{} s", millis / 1000, millis % 1000 / 100))
}

#[cfg(test)]
mod tests {
    use bollard::moby::buildkit::v1::VertexLog;

    use super::*;

    fn log(vertex: &str, msg: &[u8]) -> StatusResponse {
        let log = VertexLog {
            vertex: vertex.to_owned(),
            msg: msg.to_vec(),
            stream: 1,
            ..VertexLog::default()
        };
        StatusResponse {
            logs: vec![log],
            ..StatusResponse::default()
        }
    }

    #[test]
    fn steps_are_numbered_and_their_output_stays_with_them() {
        let mut narrator = Narrator::default();
        let mut lines = Vec::new();
        let mut keep = |line| lines.push(line);
        let vertex = |digest: &str, name: &str| Vertex {
            digest: digest.to_owned(),
            name: name.to_owned(),
            ..Vertex::default()
        };
        let begun = |v: Vertex| Vertex {
            started: Some(Default::default()),
            ..v
        };
        let status = |vertexes| StatusResponse {
            vertexes,
            ..StatusResponse::default()
        };
        let done = |v: Vertex, seconds| {
            let mut v = Vertex {
                completed: Some(Default::default()),
                ..v
            };
            v.completed.as_mut().expect("just set").seconds = seconds;
            v
        };
        narrator.steps(
            status(vec![vertex("a", "[1/3] FROM base"), vertex("b", "[2/3] RUN x")]),
            &mut keep,
        );
        narrator.steps(
            status(vec![done(
                Vertex {
                    cached: true,
                    ..begun(vertex("a", "[1/3] FROM base"))
                },
                0,
            )]),
            &mut keep,
        );
        narrator.steps(status(vec![begun(vertex("b", "[2/3] RUN x"))]), &mut keep);
        narrator.steps(log("b", b"hel"), &mut keep);
        narrator.steps(log("b", b"lo\nlast"), &mut keep);
        narrator.steps(status(vec![done(begun(vertex("b", "[2/3] RUN x")), 3)]), &mut keep);
        narrator.steps(status(vec![done(begun(vertex("b", "[2/3] RUN x")), 3)]), &mut keep);
        assert_eq!(
            lines,
            [
                "#1 [1/3] FROM base",
                "#1 CACHED",
                "#2 [2/3] RUN x",
                "#2 hello",
                "#2 last",
                "#2 DONE 3.0 s"
            ]
        );
    }

    #[test]
    fn the_old_builders_text_loses_its_empty_lines() {
        let mut narrator = Narrator::default();
        let mut lines = Vec::new();
        narrator.text("Step 1/2 : FROM scr", &mut |line| lines.push(line));
        narrator.text("atch\n\nok", &mut |line| lines.push(line));
        narrator.finish(&mut |line| lines.push(line));
        assert_eq!(lines, ["Step 1/2 : FROM scratch", "ok"]);
    }
}
