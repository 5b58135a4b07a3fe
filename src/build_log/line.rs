//! One line, and how many lines become a piece.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::model::Stage;
use crate::store::logs::Chunk;

/// A line of a build's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number, counted from 1 over the whole log.
    pub seq: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The stage that wrote it; none for what the worker itself says between stages.
    pub stage: Option<Stage>,
    /// The text without its line break; may hold ANSI escapes.
    pub text: String,
}

/// What a reader of a log meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A line.
    Line(LogLine),
    /// Lines that were thrown away because the log was too long.
    Dropped {
        /// Number of the first of them.
        first_seq: i64,
        /// Number of the last of them.
        last_seq: i64,
        /// Their size in bytes.
        bytes: i64,
    },
}

impl Entry {
    /// The number that a reader goes on from.
    pub fn last_seq(&self) -> i64 {
        match self {
            Self::Line(line) => line.seq,
            Self::Dropped { last_seq, .. } => *last_seq,
        }
    }
}

/// Lines with consecutive numbers → a piece. Format: gzip of `<at>\t<stage or ->\t<text>\n` for each line.
pub(super) fn encode(lines: &[LogLine]) -> io::Result<Chunk> {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a piece has at least one line",
        ));
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut bytes = 0;
    for line in lines {
        let stage = line.stage.map_or("-", Stage::as_str);
        writeln!(gzip, "{}\t{stage}\t{}", line.at, line.text)?;
        bytes += line.text.len() as i64 + 1;
    }
    Ok(Chunk {
        first_seq: first.seq,
        last_seq: last.seq,
        bytes,
        dropped: false,
        data: gzip.finish()?,
    })
}

/// A piece → its lines.
///
/// # Errors
/// The piece is damaged.
pub fn decode(chunk: &Chunk) -> io::Result<Vec<Entry>> {
    if chunk.dropped {
        return Ok(vec![Entry::Dropped {
            first_seq: chunk.first_seq,
            last_seq: chunk.last_seq,
            bytes: chunk.bytes,
        }]);
    }
    let mut text = String::new();
    GzDecoder::new(&chunk.data[..]).read_to_string(&mut text)?;
    let damaged = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the log piece from line {} is damaged", chunk.first_seq),
        )
    };
    text.split_terminator('\n')
        .zip(chunk.first_seq..)
        .map(|(line, seq)| {
            let mut fields = line.splitn(3, '\t');
            let (Some(at), Some(stage), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
                return Err(damaged());
            };
            Ok(Entry::Line(LogLine {
                seq,
                at: at.parse().map_err(|_| damaged())?,
                stage: if stage == "-" {
                    None
                } else {
                    Some(stage.parse().map_err(|_| damaged())?)
                },
                text: text.to_owned(),
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let lines: Vec<LogLine> = ["", "a\tb", "\u{1b}[31mred\u{1b}[0m", "ünïcode"]
            .iter()
            .zip(5..)
            .map(|(text, seq)| LogLine {
                seq,
                at: 1_700_000_000_000 + seq,
                stage: (seq != 5).then_some(Stage::UnitTest),
                text: (*text).to_owned(),
            })
            .collect();
        let chunk = encode(&lines).expect("encoded");
        assert_eq!((chunk.first_seq, chunk.last_seq), (5, 8));
        let back = decode(&chunk).expect("decoded");
        assert_eq!(back, lines.into_iter().map(Entry::Line).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_piece_is_an_error() {
        let mut chunk = encode(&[LogLine {
            seq: 1,
            at: 1,
            stage: None,
            text: "x".into(),
        }])
        .expect("encoded");
        chunk.data.truncate(5);
        assert!(decode(&chunk).is_err());
    }
}
