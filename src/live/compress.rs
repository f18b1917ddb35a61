//! Compressing what everybody is given: once for all who ask, and never with a lock held. A compressor for each socket
//! would cost it tens of kilobytes for life; one shared answer costs nothing.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Measured with a full board (1,000 orders, 298 kB, release build):
///
/// | level | 1 | 2 | 3 | 4 | 5 | 6 |
/// |---|---|---|---|---|---|---|
/// | kB | 53 | 45 | 38 | 37 | 36 | 35 |
/// | ms | 0.55 | 0.93 | 1.4 | 1.6 | 2.1 | 3.7 |
///
/// Beyond 3 the time buys next to nothing, and up to it the work is short enough for any thread.
const LEVEL: Compression = Compression::new(3);

/// The same bytes for the same input, on every node: no time is written into the header.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 6), LEVEL);
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(compressed.expect("a vector takes whatever is written to it"))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::gzip;

    #[test]
    fn what_was_compressed_comes_back() {
        for text in [String::new(), "x".to_owned(), r#"{"title":"Починить «принтер» 🖨"}"#.repeat(10_000)] {
            let compressed = gzip(text.as_bytes());
            let mut back = String::new();
            flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut back).expect("gzip");
            assert_eq!(back, text);
            assert_eq!(gzip(text.as_bytes()), compressed, "the same bytes each time");
        }
    }
}
