//! Makes lines for the build's log out of what a fetch tells: the server's own words, which redraw one line over and over, and
//! libgit2's counters, which change with each object.

/// Longest line that is kept of what the server says.
const LINE: usize = 500;

/// Turns a fetch's progress into few lines.
pub(super) struct Progress {
    emit: Box<dyn FnMut(String) + Send>,
    line: Vec<u8>,
    tenths: usize,
}

impl Progress {
    pub(super) fn new(emit: impl FnMut(String) + Send + 'static) -> Self {
        Self {
            emit: Box::new(emit),
            line: Vec::new(),
            tenths: 0,
        }
    }

    /// A line of our own.
    pub(super) fn say(&mut self, line: String) {
        (self.emit)(line);
    }

    /// Words of the server: only the last state of each redrawn line gets through.
    pub(super) fn server(&mut self, words: &[u8]) {
        for &byte in words {
            match byte {
                b'\r' => self.line.clear(),
                b'\n' => self.flush(),
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// Objects that came, of how many: a line at each tenth.
    pub(super) fn objects(&mut self, done: usize, total: usize, bytes: u64) {
        let tenths = (done * 10).checked_div(total).unwrap_or(0);
        if tenths > self.tenths {
            self.tenths = tenths;
            let line = format!("received {done} of {total} objects, {} KiB", bytes.div_ceil(1024));
            (self.emit)(line);
        }
    }

    /// The same counters begin anew, for a second try.
    pub(super) fn restart(&mut self) {
        self.tenths = 0;
        self.line.clear();
    }

    fn flush(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim();
        if !text.is_empty() {
            (self.emit)(format!("remote: {text}"));
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn redrawn_lines_come_once_and_counters_by_tenths() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let mut progress = Progress::new(move |line| sink.lock().expect("unshared").push(line));
        // A server may redraw with the return at the end, and may cut anywhere.
        progress.server(b"Counting objects:  50% (1/2)\rCounting obj");
        progress.server(b"ects: 100% (2/2), done.\n\n");
        for done in 0..=40 {
            progress.objects(done, 40, done as u64 * 512);
        }
        progress.objects(0, 0, 0);
        let lines = lines.lock().expect("unshared");
        assert_eq!(lines[0], "remote: Counting objects: 100% (2/2), done.");
        assert_eq!(lines[1], "received 4 of 40 objects, 2 KiB");
        assert_eq!(lines.len(), 11);
    }
}
