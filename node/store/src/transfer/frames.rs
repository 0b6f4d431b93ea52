//! Frames over readers and writers: buffered, one frame in memory at a time.

use std::io::{self, Read, Write};

use testamur_primitives::stream::{Decoder, Encoder, FRAME_HEAD_BYTES, Frame, MAGIC, StreamError, StreamFault};

use super::ImportError;

/// Bytes collected before they are written or read in one go.
const BUFFER_BYTES: usize = 256 * 1024;

/// Writes frames.
pub(crate) struct FrameWriter<W> {
    out: W,
    encoder: Encoder,
    buffer: Vec<u8>,
    written: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        let mut buffer = Vec::with_capacity(2 * BUFFER_BYTES);
        let encoder = Encoder::begin(&mut buffer);
        Self { out, encoder, buffer, written: 0 }
    }

    pub(crate) fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.encoder.frame(frame, &mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Bytes of the stream so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes the end; returns the bytes of the stream.
    pub(crate) fn end(mut self) -> io::Result<u64> {
        self.encoder.clone().end(&mut self.buffer);
        self.flush()?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Reads frames.
pub(crate) struct FrameReader<R> {
    input: io::BufReader<R>,
    decoder: Decoder,
    payload: Vec<u8>,
}

impl<R: Read> FrameReader<R> {
    /// Reads how the stream begins.
    pub(crate) fn new(input: R) -> Result<Self, ImportError> {
        let mut input = io::BufReader::with_capacity(BUFFER_BYTES, input);
        let mut magic = [0; MAGIC.len()];
        let decoder = match input.read_exact(&mut magic) {
            Ok(()) => Decoder::begin(&magic)?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(StreamError { number: 0, offset: 0, fault: StreamFault::NotAStream }.into());
            }
            Err(error) => return Err(ImportError::Read(error)),
        };
        Ok(Self { input, decoder, payload: Vec::new() })
    }

    /// Number of the frame that comes next.
    pub(crate) fn number(&self) -> u64 {
        self.decoder.number()
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.decoder.offset()
    }

    /// The next frame; `None` after the end, when nothing follows it.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, ImportError> {
        if self.decoder.is_complete() {
            return match self.input.read(&mut [0]).map_err(ImportError::Read)? {
                0 => Ok(None),
                _ => Err(self.decoder.error(StreamFault::Trailing).into()),
            };
        }
        let mut head = [0; FRAME_HEAD_BYTES];
        self.read(&mut head)?;
        let (_, bytes) = self.decoder.head(&head)?;
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(bytes, 0);
        self.read(&mut payload)?;
        self.payload = payload;
        Ok(Some(self.decoder.frame(&head, &self.payload)?))
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ImportError> {
        self.input.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.decoder.error(StreamFault::Cut).into(),
            _ => ImportError::Read(error),
        })
    }
}
