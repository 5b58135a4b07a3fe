//! Between the tar library, which blocks, and the engine's streams, which do not: a bounded channel of byte blocks with a
//! blocking end. A few blocks are on their way at any time, whatever the size of the archive.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Blocks on their way at once.
pub(super) const BLOCKS: usize = 8;

/// The blocking reader of what an async task sends.
pub(super) struct BlockReader {
    source: mpsc::Receiver<io::Result<Bytes>>,
    block: Bytes,
}

impl BlockReader {
    pub(super) fn new(source: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            source,
            block: Bytes::new(),
        }
    }
}

impl Read for BlockReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            match self.source.blocking_recv() {
                Some(block) => self.block = block?,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.block.len());
        buffer[..n].copy_from_slice(&self.block.split_to(n));
        Ok(n)
    }
}

/// The blocking writer for an async task that receives.
pub(super) struct BlockWriter(pub(super) mpsc::Sender<io::Result<Bytes>>);

impl Write for BlockWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let block = Bytes::copy_from_slice(buffer);
        match self.0.blocking_send(Ok(block)) {
            Ok(()) => Ok(buffer.len()),
            Err(_) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
