//! A file of any size and any bytes, made fit for an XML reader: valid UTF-8 and no single token above a limit.
//!
//! A test that floods its output leaves a report of gigabytes in *one* CDATA section, and an XML reader holds each token
//! in memory. This filter stands before it: it follows the markup just far enough to know which token it is in, and drops
//! what is longer than [`TOKEN`] bytes. Bytes that are not UTF-8 become U+FFFD.

use std::io::{self, BufRead, Read};

/// Longest text, CDATA section, comment or attribute value that is let through, in bytes.
pub(super) const TOKEN: usize = 64 * 1024;

/// Longest tag with all its attributes. More than that is not a report.
const TAG: usize = 1024 * 1024;

/// The filter over a reader.
pub(super) struct Tame<R> {
    inner: R,
    chunk: Box<[u8]>,
    /// Bytes at the start of `chunk` that are the beginning of a character whose rest has not come yet.
    pending: usize,
    out: Vec<u8>,
    read: usize,
    token: Token,
    done: bool,
}

impl<R: Read> Tame<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            chunk: vec![0; 64 * 1024].into_boxed_slice(),
            pending: 0,
            out: Vec::new(),
            read: 0,
            token: Token::new(),
            done: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.read = 0;
        while self.out.is_empty() && !self.done {
            let got = match self.inner.read(&mut self.chunk[self.pending..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            self.done = got == 0;
            let filled = self.pending + got;
            self.pending = 0;
            let mut position = 0;
            for part in self.chunk[..filled].utf8_chunks() {
                self.token.pass(part.valid().as_bytes(), &mut self.out)?;
                let bad = part.invalid();
                position += part.valid().len() + bad.len();
                // At the very end it may be half of a character: `valid_up_to` of the rest says so by having no error length.
                let cut_off = position == filled
                    && !self.done
                    && std::str::from_utf8(bad).is_err_and(|error| error.error_len().is_none());
                if cut_off {
                    self.pending = bad.len();
                } else if !bad.is_empty() {
                    self.token.pass("\u{fffd}".as_bytes(), &mut self.out)?;
                }
            }
            self.chunk.copy_within(filled - self.pending..filled, 0);
        }
        Ok(())
    }
}

impl<R: Read> Read for Tame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}

impl<R: Read> BufRead for Tame<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.out.len() {
            self.refill()?;
        }
        Ok(&self.out[self.read..])
    }

    fn consume(&mut self, amount: usize) {
        self.read = (self.read + amount).min(self.out.len());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Text,
    Tag,
    Value(u8),
    Cdata,
    Comment,
}

/// Which token the stream is in and how long it is already.
struct Token {
    inside: Inside,
    length: usize,
    /// Length of the whole tag, values included.
    tag: usize,
    /// The first bytes behind `<`, enough to know `<![CDATA[` and `<!--`.
    head: Vec<u8>,
    /// The last two bytes of a CDATA section or comment.
    tail: [u8; 2],
    dropping: bool,
}

impl Token {
    fn new() -> Self {
        Self {
            inside: Inside::Text,
            length: 0,
            tag: 0,
            head: Vec::with_capacity(9),
            tail: [0; 2],
            dropping: false,
        }
    }

    fn enter(&mut self, inside: Inside) {
        self.inside = inside;
        self.length = 0;
        self.tail = [0; 2];
        self.dropping = false;
    }

    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        for &byte in bytes {
            match self.inside {
                Inside::Text if byte == b'<' => {
                    out.push(byte);
                    self.head.clear();
                    self.tag = 1;
                    self.enter(Inside::Tag);
                }
                Inside::Tag => {
                    out.push(byte);
                    self.in_tag(byte)?;
                }
                Inside::Value(quote) if byte == quote => {
                    out.push(byte);
                    self.enter(Inside::Tag);
                }
                Inside::Cdata | Inside::Comment if byte == b'>' && self.tail == self.closing() => {
                    if self.dropping {
                        out.extend_from_slice(&self.closing());
                    }
                    out.push(byte);
                    self.enter(Inside::Text);
                }
                _ => self.count(byte, out),
            }
        }
        Ok(())
    }

    fn closing(&self) -> [u8; 2] {
        match self.inside {
            Inside::Comment => *b"--",
            _ => *b"]]",
        }
    }

    fn in_tag(&mut self, byte: u8) -> io::Result<()> {
        self.tag += 1;
        if self.tag > TAG {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a tag is longer than {TAG} bytes"),
            ));
        }
        if self.head.len() < 8 {
            self.head.push(byte);
        }
        match byte {
            _ if self.head == b"![CDATA[" && self.tag == 9 => self.enter(Inside::Cdata),
            _ if self.head == b"!--" && self.tag == 4 => self.enter(Inside::Comment),
            b'"' | b'\'' => self.enter(Inside::Value(byte)),
            b'>' => self.enter(Inside::Text),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, byte: u8, out: &mut Vec<u8>) {
        let character_start = byte & 0b1100_0000 != 0b1000_0000;
        // An entity in text or a value may be cut; the reader keeps such a thing as it stands.
        if self.length >= TOKEN && character_start {
            self.dropping = true;
        }
        self.length += 1;
        self.tail = [self.tail[1], byte];
        if let Inside::Value(_) = self.inside {
            self.tag += usize::from(!self.dropping);
        }
        if !self.dropping {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tamed(input: &[u8]) -> String {
        let mut text = String::new();
        Tame::new(input)
            .read_to_string(&mut text)
            .expect("valid UTF-8 comes out");
        text
    }

    #[test]
    fn what_is_small_passes_unchanged() {
        let xml = "<?xml version='1.0'?><!-- a - b --><a b=\"1 > 2\">x<![CDATA[ <ü> ]] > ]]></a>";
        assert_eq!(tamed(xml.as_bytes()), xml);
    }

    #[test]
    fn a_long_section_is_cut_and_still_closed() {
        for (open, close) in [("<![CDATA[", "]]>"), ("<!--", "-->"), ("", ""), ("<b c='", "'/>")] {
            let long = "ü]".repeat(TOKEN);
            let out = tamed(format!("<a>{open}{long}{close}<d/></a>").as_bytes());
            assert!(out.len() < TOKEN + 64, "{open} let {} bytes through", out.len());
            assert!(
                out.ends_with(&format!("{close}<d/></a>")),
                "{open} lost its end: {}",
                &out[out.len() - 20..]
            );
        }
    }

    #[test]
    fn broken_characters_are_replaced_also_over_a_chunk_border() {
        assert_eq!(tamed(b"<a>\xff\xc3</a>"), "<a>\u{fffd}\u{fffd}</a>");
        // The first of two bytes is the last that fits into the first chunk.
        let mut input = vec![b'x'; 64 * 1024 - 1];
        input.extend_from_slice("ü".as_bytes());
        input[..10].copy_from_slice(b"<a></a><b>");
        input[40_000..40_004].copy_from_slice(b"</b>");
        assert!(tamed(&input).ends_with("xü"), "a character was torn");
    }

    #[test]
    fn a_tag_without_end_is_an_error_not_a_memory_hog() {
        let endless = format!("<a {}", "b='c' ".repeat(TAG / 4));
        let mut sink = Vec::new();
        assert!(Tame::new(endless.as_bytes()).read_to_end(&mut sink).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_utf8(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut out = Vec::new();
            Tame::new(&input[..]).read_to_end(&mut out).expect("small input has no long tag");
            prop_assert!(std::str::from_utf8(&out).is_ok());
        }
    }
}
