//! The QR code: the compact credential as it is, in byte mode.

use krilla::geom::{Path, PathBuilder, Rect, Transform};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

use crate::PaperError;

/// The largest symbol that is printed: 117 modules, with the quiet zone 125. On the 52 mm that the page gives it a module is
/// 0.42 mm, five dots of a 300 dpi printer, and phones read it at arm's length.
const VERSION_MAX: u8 = 25;
/// What that symbol holds at error correction level L.
const BYTES_MAX: usize = 1_273;
/// Light modules around the symbol, as ISO/IEC 18004 demands.
const QUIET: i32 = 4;

/// A symbol.
pub(crate) struct Code(QrCode);

impl Code {
    /// Level M (15 % of the symbol may be lost) if it fits, else L.
    pub(crate) fn of(text: &str) -> Result<Self, PaperError> {
        let segments = [QrSegment::make_bytes(text.as_bytes())];
        let at = |level| {
            QrCode::encode_segments_advanced(&segments, level, Version::MIN, Version::new(VERSION_MAX), None, false)
                .ok()
        };
        if text.is_empty() {
            return Err(PaperError::Missing { field: "the compact credential".to_owned() });
        }
        at(QrCodeEcc::Medium)
            .or_else(|| at(QrCodeEcc::Low))
            .map(Self)
            .ok_or(PaperError::Code { bytes: text.len(), most: BYTES_MAX })
    }

    /// Its dark modules, one unit each, the quiet zone left out: one path of one rectangle a run, so that no seams show. Whole
    /// numbers pack three times better than points.
    pub(crate) fn path(&self) -> Path {
        let size = self.0.size();
        let mut path = PathBuilder::new();
        for row in 0..size {
            let mut column = 0;
            while column < size {
                let begin = column;
                while self.0.get_module(column, row) {
                    column += 1;
                }
                if column > begin {
                    let run = Rect::from_xywh(begin as f32, row as f32, (column - begin) as f32, 1.0);
                    path.push_rect(run.expect("a module has a size"));
                }
                column += 1;
            }
        }
        path.finish().expect("a symbol has dark modules")
    }

    /// From modules to a square of `side` points with the quiet zone within.
    pub(crate) fn place(&self, left: f32, top: f32, side: f32) -> Transform {
        let module = side / (self.0.size() + 2 * QUIET) as f32;
        let quiet = QUIET as f32 * module;
        Transform::from_row(module, 0.0, 0.0, module, left + quiet, top + quiet)
    }
}
