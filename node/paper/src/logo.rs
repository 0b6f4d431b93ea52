//! The university's logo: a PNG within bounds.

use krilla::image::Image;

use crate::PaperError;
use crate::flow::{LOGO, PAGE_WIDTH};
use crate::limits::{LOGO_BYTES_MAX, LOGO_PIXELS_MAX};

/// Reads a PNG. Its size is looked at before it is inflated.
pub(crate) fn image(bytes: &[u8]) -> Result<Image, PaperError> {
    let refuse = |why: String| Err(PaperError::Logo(why));
    if bytes.len() > LOGO_BYTES_MAX {
        return refuse(format!("it has {} bytes, at most {LOGO_BYTES_MAX} can be used", bytes.len()));
    }
    // Signature, length and type of the first chunk (IHDR), then width and height.
    let Some(size) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").and_then(|rest| rest.get(..8)) else {
        return refuse("it is not a PNG".to_owned());
    };
    let side = |at: usize| u32::from_be_bytes([size[at], size[at + 1], size[at + 2], size[at + 3]]);
    let (width, height) = (side(0), side(4));
    if !(1..=LOGO_PIXELS_MAX).contains(&width) || !(1..=LOGO_PIXELS_MAX).contains(&height) {
        return refuse(format!(
            "it measures {width} by {height}, at most {LOGO_PIXELS_MAX} by {LOGO_PIXELS_MAX} pixels can be used"
        ));
    }
    Image::from_png(bytes.to_vec().into(), false).or_else(refuse)
}

/// Where it stands: in the middle of its box, as large as fits.
pub(crate) fn placed(image: &Image, top: f32) -> (f32, f32, f32, f32) {
    let (width, height) = image.size();
    let (width, height) = (width as f32, height as f32);
    let factor = (LOGO.0 / width).min(LOGO.1 / height);
    let (width, height) = (width * factor, height * factor);
    ((PAGE_WIDTH - width) / 2.0, top + (LOGO.1 - height) / 2.0, width, height)
}
