//! Bytes of a running command made into lines.
//!
//! The engine cuts output wherever its buffer ends, in the middle of a line or of a character, and two streams interleave;
//! so each stream has its own unfinished line. A line has a largest length: a program that never writes a newline must
//! not fill our memory.

/// Which of a command's two outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line of output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was written to.
    pub stream: Stream,
    /// The text; bytes that are not UTF-8 are shown as U+FFFD.
    pub text: String,
}

/// Bytes of one line that are kept; what is beyond is counted and dropped.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// The two unfinished lines of a command.
#[derive(Debug, Default)]
pub(super) struct Lines {
    out: Partial,
    err: Partial,
}

#[derive(Debug, Default)]
struct Partial {
    kept: Vec<u8>,
    dropped: usize,
}

impl Lines {
    /// Takes what came and hands on each line that it ends.
    pub(super) fn push(&mut self, stream: Stream, mut bytes: &[u8], on_line: &mut impl FnMut(Line)) {
        let partial = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            partial.extend(&bytes[..end]);
            on_line(Line {
                stream,
                text: partial.take(),
            });
            bytes = &bytes[end + 1..];
        }
        partial.extend(bytes);
    }

    /// Hands on what was written without a newline at the end.
    pub(super) fn finish(&mut self, on_line: &mut impl FnMut(Line)) {
        for (stream, partial) in [(Stream::Out, &mut self.out), (Stream::Err, &mut self.err)] {
            if !partial.kept.is_empty() {
                on_line(Line {
                    stream,
                    text: partial.take(),
                });
            }
        }
    }
}

impl Partial {
    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.kept.len());
        let (fits, rest) = bytes.split_at(room.min(bytes.len()));
        self.kept.extend_from_slice(fits);
        self.dropped += rest.len();
    }

    fn take(&mut self) -> String {
        let mut kept = std::mem::take(&mut self.kept);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped == 0 {
            if kept.last() == Some(&b'\r') {
                kept.pop();
            }
            return String::from_utf8_lossy(&kept).into_owned();
        }
        // Cut between characters, not inside one.
        if let Err(error) = std::str::from_utf8(&kept)
            && error.error_len().is_none()
        {
            kept.truncate(error.valid_up_to());
        }
        format!("{} … [{dropped} more bytes cut]", String::from_utf8_lossy(&kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[(Stream, &[u8])]) -> Vec<(Stream, String)> {
        let mut got = Vec::new();
        let mut keep = |line: Line| got.push((line.stream, line.text));
        let mut lines = Lines::default();
        for (stream, bytes) in chunks {
            lines.push(*stream, bytes, &mut keep);
        }
        lines.finish(&mut keep);
        got
    }

    #[test]
    fn a_line_in_pieces_becomes_one_and_streams_do_not_mix() {
        let got = lines(&[
            (Stream::Out, b"Tests r"),
            (Stream::Err, b"WARN\r\n"),
            (Stream::Out, b"un: 3\n\nno"),
            (Stream::Out, b" newline"),
        ]);
        let expected = [
            (Stream::Err, "WARN"),
            (Stream::Out, "Tests run: 3"),
            (Stream::Out, ""),
            (Stream::Out, "no newline"),
        ];
        assert_eq!(got, expected.map(|(stream, text)| (stream, text.to_owned())));
    }

    #[test]
    fn a_character_in_two_pieces_survives_and_a_broken_one_shows() {
        let got = lines(&[(Stream::Out, b"\xc3"), (Stream::Out, b"\xa4\n\xff!\n")]);
        assert_eq!(
            got,
            [(Stream::Out, "ä".to_owned()), (Stream::Out, "\u{fffd}!".to_owned())]
        );
    }

    #[test]
    fn an_endless_line_is_cut_between_characters_and_says_so() {
        let mut text = "x".to_owned();
        text.push_str(&"ä".repeat(MAX_LINE));
        let got = lines(&[(Stream::Out, text.as_bytes()), (Stream::Out, b"\nnext\n")]);
        assert_eq!(got.len(), 2);
        let dropped = text.len() - MAX_LINE;
        assert!(
            got[0].1.ends_with(&format!("ä … [{dropped} more bytes cut]")),
            "{}",
            &got[0].1[got[0].1.len() - 40..]
        );
        assert_eq!(got[1].1, "next");
    }
}
