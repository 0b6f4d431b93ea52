//! Unpacking a list: gzip (RFC 1952) and zlib (RFC 1950), never to more than is read (INV-TOKEN-1).

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};

use super::TokenFault;
use crate::limits::LIST_BYTES_MAX;

/// Magic, method "deflate" and no flags: what packs bytes in memory has no file name, comment or extra field to note, so a list
/// with one was made by something else than a list's issuer.
const GZIP_START: [u8; 4] = [0x1f, 0x8b, 8, 0];

pub(super) fn gzip(stream: &[u8]) -> Result<Vec<u8>, TokenFault> {
    let damaged = || TokenFault::malformed("the list is not gzip");
    let (body, trailer) = stream.split_last_chunk::<8>().ok_or_else(damaged)?;
    if body.len() < 10 || !body.starts_with(&GZIP_START) {
        return Err(damaged());
    }
    let [a, b, c, d, e, f, g, h] = *trailer;
    let (crc, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let bytes = decompress_to_vec_with_limit(&body[10..], LIST_BYTES_MAX).map_err(|error| fault(error.status))?;
    // The cap is far below 4 GiB, so the length is the whole length.
    if bytes.len() as u64 != u64::from(length) || crc32(&bytes) != crc {
        return Err(damaged());
    }
    Ok(bytes)
}

pub(super) fn zlib(stream: &[u8]) -> Result<Vec<u8>, TokenFault> {
    decompress_to_vec_zlib_with_limit(stream, LIST_BYTES_MAX).map_err(|error| fault(error.status))
}

fn fault(status: TINFLStatus) -> TokenFault {
    match status {
        TINFLStatus::HasMoreOutput => TokenFault::TooLarge,
        _ => TokenFault::malformed("the list does not unpack"),
    }
}

/// CRC-32 (RFC 1952 §8), four bits at a time.
fn crc32(bytes: &[u8]) -> u32 {
    const NIBBLES: [u32; 16] = [
        0x0000_0000,
        0x1db7_1064,
        0x3b6e_20c8,
        0x26d9_30ac,
        0x76dc_4190,
        0x6b6b_51f4,
        0x4db2_6158,
        0x5005_713c,
        0xedb8_8320,
        0xf00f_9344,
        0xd6d6_a3e8,
        0xcb61_b38c,
        0x9b64_c2b0,
        0x86d3_d2d4,
        0xa00a_e278,
        0xbdbd_f21c,
    ];
    let nibble = |crc: u32, value: u32| NIBBLES[((crc ^ value) & 15) as usize] ^ (crc >> 4);
    !bytes.iter().fold(!0, |crc, byte| nibble(nibble(crc, u32::from(*byte)), u32::from(*byte) >> 4))
}
