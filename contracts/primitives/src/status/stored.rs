//! Gzip (RFC 1952) and zlib (RFC 1950) streams of *stored* DEFLATE blocks (RFC 1951 §3.2.4).
//!
//! Verifiers expect a compressed list inside the token, and the issuer signs the token. Compressed bytes depend on the
//! compressor, its version and level; two nodes could derive different tokens from the same list, and the signature
//! would fit only one. Stored blocks leave no choice: the same bits give the same bytes, now and in fifty years, by any
//! implementation. What that costs is won back on the way: HTTP compresses the whole token.
//!
//! ```text
//! gzip = 1f8b08 00 00000000 00 ff ‖ blocks ‖ CRC-32 (little-endian) ‖ length (little-endian)
//! zlib = 7801 ‖ blocks ‖ Adler-32 (big-endian)
//! block = 00, or 01 for the last ‖ length (2, little-endian) ‖ its complement ‖ bytes;   65,535 bytes in all but the last
//! ```

/// Bytes of a stored block: its length has 16 bits.
const BLOCK_BYTES: usize = 65_535;
/// Magic, method "deflate", no flags, no time, no hint, operating system "unknown".
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Method "deflate" with a window of 32 KiB, fastest level, no dictionary.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x01];

/// The one gzip stream of some bytes.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut stream = GZIP_HEADER.to_vec();
    push_blocks(&mut stream, bytes);
    stream.extend(crc32(bytes).to_le_bytes());
    stream.extend((bytes.len() as u32).to_le_bytes());
    stream
}

/// The one zlib stream of some bytes.
pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = ZLIB_HEADER.to_vec();
    push_blocks(&mut stream, bytes);
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn push_blocks(stream: &mut Vec<u8>, bytes: &[u8]) {
    let last = bytes.len().saturating_sub(1) / BLOCK_BYTES;
    for number in 0..=last {
        let block = &bytes[number * BLOCK_BYTES..bytes.len().min((number + 1) * BLOCK_BYTES)];
        let length = u16::try_from(block.len()).expect("a block has at most 65,535 bytes");
        stream.push(u8::from(number == last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
}

/// CRC-32 of RFC 1952 §8.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Adler-32 of RFC 1950 §8.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1, 0);
    for byte in bytes {
        a = (a + u32::from(*byte)) % MODULUS;
        b = (b + a) % MODULUS;
    }
    b << 16 | a
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A reader written from the RFCs alone, without the code above: bit by bit, checksums bit by bit.
    pub(in crate::status) fn inflate(stream: &[u8]) -> Vec<u8> {
        let is_gzip = stream.starts_with(&[0x1f, 0x8b]);
        let mut at = if is_gzip {
            assert_eq!(&stream[2..4], [8, 0], "deflate, no optional header fields");
            10
        } else {
            assert_eq!((u16::from(stream[0]) << 8 | u16::from(stream[1])) % 31, 0, "RFC 1950: FCHECK");
            assert_eq!((stream[0] & 15, stream[1] & 32), (8, 0), "deflate, no dictionary");
            2
        };
        let mut bytes = Vec::new();
        loop {
            let header = stream[at];
            assert_eq!(header >> 1, 0, "a stored block; the rest of its byte is padding");
            let length = usize::from(stream[at + 1]) | usize::from(stream[at + 2]) << 8;
            let complement = usize::from(stream[at + 3]) | usize::from(stream[at + 4]) << 8;
            assert_eq!(length ^ complement, 0xffff);
            bytes.extend(&stream[at + 5..at + 5 + length]);
            at += 5 + length;
            if header & 1 == 1 {
                break;
            }
        }
        let number = |at: usize, order: [usize; 4]| order.iter().fold(0u32, |n, i| n << 8 | u32::from(stream[at + i]));
        if is_gzip {
            let mut crc = 0xffff_ffff_u32;
            for bit in bytes.iter().flat_map(|byte| (0..8).map(move |n| u32::from(byte >> n) & 1)) {
                crc = if (crc ^ bit) & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            }
            assert_eq!(number(at, [3, 2, 1, 0]), !crc);
            assert_eq!(number(at + 4, [3, 2, 1, 0]) as usize, bytes.len());
            assert_eq!(stream.len(), at + 8);
        } else {
            let a = (1 + bytes.iter().map(|b| u64::from(*b)).sum::<u64>()) % 65_521;
            let length = bytes.len() as u64;
            let b = (length + bytes.iter().zip(0..).map(|(b, i)| u64::from(*b) * (length - i)).sum::<u64>()) % 65_521;
            assert_eq!(u64::from(number(at, [0, 1, 2, 3])), b << 16 | a);
            assert_eq!(stream.len(), at + 4);
        }
        bytes
    }

    #[test]
    fn checksums_meet_their_published_check_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!((crc32(b""), adler32(b"")), (0, 1));
    }

    #[test]
    fn streams_read_back_at_every_block_boundary() {
        for length in [0, 1, 2, 16_384, 65_534, 65_535, 65_536, 131_070, 131_071, 262_144, 524_288] {
            let bytes: Vec<u8> = (0..length).map(|n: usize| ((n * n) >> 3) as u8).collect();
            assert_eq!(inflate(&gzip(&bytes)), bytes, "gzip of {length}");
            assert_eq!(inflate(&zlib(&bytes)), bytes, "zlib of {length}");
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        assert_eq!(hex::encode(gzip(b"a")), "1f8b08000000000000ff010100feff6143beb7e801000000");
        assert_eq!(hex::encode(zlib(b"a")), "7801010100feff6100620062");
    }
}
