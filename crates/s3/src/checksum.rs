//! The digests of an object: the MD5 behind every ETag, and the one additional checksum that a client may ask for.
//!
//! Pure. The arithmetic of multipart objects lives here too: the MD5-of-MD5s ETag, composite checksums, and the
//! whole-object CRC computed from the CRCs of the parts without reading a byte again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::crypto::{Checksum as Digest, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use serde::{Deserialize, Serialize};

/// The additional checksum of an object or part, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// Base64 of the big-endian digest; for a composite checksum followed by `-` and the number of parts.
    pub value: String,
    /// Whether it covers the bytes of the object or the checksums of its parts.
    pub kind: ChecksumKind,
}

/// The checksum algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC).
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32C (Castagnoli).
    #[serde(rename = "CRC32C")]
    Crc32c,
    /// CRC-64/NVME.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// The bytes of the whole object.
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// The concatenated digests of the parts.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl ChecksumKind {
    /// The name on the wire: `FULL_OBJECT` or `COMPOSITE`.
    pub fn name(self) -> &'static str {
        match self {
            ChecksumKind::FullObject => "FULL_OBJECT",
            ChecksumKind::Composite => "COMPOSITE",
        }
    }
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// The name on the wire, e.g. `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// The header and trailer that carries it, lower case.
    pub fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32c => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The algorithm of that wire name.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| a.name() == name)
    }

    /// The kind that a multipart upload gets when the client names none (S3 user guide, "Checking object integrity").
    pub fn default_multipart_kind(self) -> ChecksumKind {
        match self {
            Algorithm::Crc64Nvme => ChecksumKind::FullObject,
            _ => ChecksumKind::Composite,
        }
    }

    /// Whether a multipart upload may ask for this kind: SHA digests cannot be combined, CRC64NVME is never composite.
    pub fn allows_multipart_kind(self, kind: ChecksumKind) -> bool {
        match kind {
            ChecksumKind::FullObject => !matches!(self, Algorithm::Sha1 | Algorithm::Sha256),
            ChecksumKind::Composite => self != Algorithm::Crc64Nvme,
        }
    }
}

/// The running digests of a body.
pub(crate) struct Hasher {
    md5: Md5,
    additional: Option<Additional>,
}

enum Additional {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(additional: Option<Algorithm>) -> Hasher {
        let additional = additional.map(|algorithm| match algorithm {
            Algorithm::Crc32 => Additional::Crc32(Crc32::new()),
            Algorithm::Crc32c => Additional::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Additional::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Additional::Sha1(Sha1::new()),
            Algorithm::Sha256 => Additional::Sha256(Sha256::new()),
        });
        Hasher { md5: Md5::new(), additional }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        match &mut self.additional {
            None => {}
            Some(Additional::Crc32(h)) => h.update(data),
            Some(Additional::Crc32c(h)) => h.update(data),
            Some(Additional::Crc64Nvme(h)) => h.update(data),
            Some(Additional::Sha1(h)) => h.update(data),
            Some(Additional::Sha256(h)) => h.update(data),
        }
    }

    /// The MD5, and the additional checksum over the whole body.
    pub(crate) fn finish(self) -> ([u8; 16], Option<Checksum>) {
        let additional = self.additional.map(|h| match h {
            Additional::Crc32(h) => full(Algorithm::Crc32, &h.finalize()),
            Additional::Crc32c(h) => full(Algorithm::Crc32c, &h.finalize()),
            Additional::Crc64Nvme(h) => full(Algorithm::Crc64Nvme, &h.finalize()),
            Additional::Sha1(h) => full(Algorithm::Sha1, &h.finalize()),
            Additional::Sha256(h) => full(Algorithm::Sha256, &h.finalize()),
        });
        (self.md5.finalize(), additional)
    }
}

fn full(algorithm: Algorithm, digest: &[u8]) -> Checksum {
    Checksum { algorithm, value: BASE64.encode(digest), kind: ChecksumKind::FullObject }
}

/// The ETag of a multipart object: the MD5 of the parts' MD5s, a dash and their number. `None` if a part's ETag is
/// not the hexadecimal MD5 that this store makes.
pub(crate) fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let count = parts.len();
    let mut md5 = Md5::new();
    for etag in parts {
        md5.update(&hex::decode(etag).ok()?);
    }
    Some(format!("{}-{count}", hex::encode(md5.finalize())))
}

/// The checksum of an object from those of its parts, each with the part's size in bytes. `None` if a part has none
/// of this algorithm, or the algorithm cannot make this kind.
pub(crate) fn multipart_checksum<'a>(
    algorithm: Algorithm,
    kind: ChecksumKind,
    parts: impl ExactSizeIterator<Item = (Option<&'a Checksum>, u64)>,
) -> Option<Checksum> {
    let count = parts.len();
    let mut digests = Vec::with_capacity(count);
    for (checksum, size) in parts {
        let checksum = checksum.filter(|c| c.algorithm == algorithm)?;
        digests.push((BASE64.decode(&checksum.value).ok()?, size));
    }
    match kind {
        ChecksumKind::Composite => {
            let mut hasher = Hasher::new(Some(algorithm));
            digests.iter().for_each(|(digest, _)| hasher.update(digest));
            let mut checksum = hasher.finish().1?;
            checksum.value = format!("{}-{count}", checksum.value);
            checksum.kind = ChecksumKind::Composite;
            Some(checksum)
        }
        ChecksumKind::FullObject => {
            let crc = Crc::of(algorithm)?;
            let mut whole = 0;
            for (digest, size) in &digests {
                whole = crc.combine(whole, crc.value(digest)?, *size);
            }
            Some(full(algorithm, &crc.digest(whole)))
        }
    }
}

/// A reflected CRC whose register starts and ends inverted: the shape of all three CRCs of S3.
struct Crc {
    width: u32,
    /// The polynomial, bit-reversed.
    polynomial: u64,
}

impl Crc {
    fn of(algorithm: Algorithm) -> Option<Crc> {
        match algorithm {
            Algorithm::Crc32 => Some(Crc { width: 32, polynomial: 0xEDB8_8320 }),
            Algorithm::Crc32c => Some(Crc { width: 32, polynomial: 0x82F6_3B78 }),
            Algorithm::Crc64Nvme => Some(Crc { width: 64, polynomial: 0x9A6C_9329_AC4B_C9B5 }),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    /// The CRC of `a` followed by `b`, whose length is `b_len` bytes: `a · x^(8·b_len) + b` over GF(2).
    fn combine(&self, a: u64, b: u64, b_len: u64) -> u64 {
        let mut shift = 1 << (self.width - 1); // the polynomial 1
        let mut square = 1 << (self.width - 9); // x^8: one byte
        let mut bytes = b_len;
        while bytes != 0 {
            if bytes & 1 == 1 {
                shift = self.multiply(square, shift);
            }
            square = self.multiply(square, square);
            bytes >>= 1;
        }
        self.multiply(shift, a) ^ b
    }

    /// The product of two polynomials modulo ours, bit-reversed.
    fn multiply(&self, a: u64, mut b: u64) -> u64 {
        let mut product = 0;
        for bit in (0..self.width).rev() {
            if a >> bit & 1 == 1 {
                product ^= b;
            }
            b = if b & 1 == 1 { (b >> 1) ^ self.polynomial } else { b >> 1 };
        }
        product
    }

    fn value(&self, digest: &[u8]) -> Option<u64> {
        if digest.len() != self.width as usize / 8 {
            return None;
        }
        Some(digest.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn digest(&self, value: u64) -> Vec<u8> {
        value.to_be_bytes()[8 - self.width as usize / 8..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checksum(algorithm: Algorithm, data: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(Some(algorithm));
        hasher.update(data);
        hasher.finish().1.unwrap()
    }

    #[test]
    fn check_values_are_those_of_the_crc_catalogue() {
        let value = |algorithm| hex::encode(BASE64.decode(checksum(algorithm, b"123456789").value).unwrap());
        assert_eq!(value(Algorithm::Crc32), "cbf43926");
        assert_eq!(value(Algorithm::Crc32c), "e3069283");
        assert_eq!(value(Algorithm::Crc64Nvme), "ae8b14860a799888");
    }

    #[test]
    fn multipart_etag_is_md5_of_md5s() {
        // md5("a") and md5("b"); the expected value is md5 over their 32 raw bytes.
        let parts = ["0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"];
        let mut md5 = Md5::new();
        parts.iter().for_each(|p| md5.update(&hex::decode(p).unwrap()));
        let expected = format!("{}-2", hex::encode(md5.finalize()));
        assert_eq!(multipart_etag(parts.into_iter()), Some(expected));
        assert_eq!(multipart_etag(["not hex"].into_iter()), None);
    }

    #[test]
    fn composite_names_its_number_of_parts() {
        let parts = [checksum(Algorithm::Sha256, b"one"), checksum(Algorithm::Sha256, b"two")];
        let whole =
            multipart_checksum(Algorithm::Sha256, ChecksumKind::Composite, parts.iter().map(|p| (Some(p), 3))).unwrap();
        assert!(whole.value.ends_with("-2"), "{}", whole.value);
        assert_eq!(whole.kind, ChecksumKind::Composite);
        let none = multipart_checksum(Algorithm::Crc32, ChecksumKind::Composite, parts.iter().map(|p| (Some(p), 3)));
        assert_eq!(none, None, "a part without this checksum makes no whole");
    }

    proptest! {
        #[test]
        fn combined_crcs_equal_the_crc_of_the_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6)) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let sums: Vec<_> = parts.iter().map(|p| (checksum(algorithm, p), p.len() as u64)).collect();
                let combined =
                    multipart_checksum(algorithm, ChecksumKind::FullObject, sums.iter().map(|(c, n)| (Some(c), *n)));
                prop_assert_eq!(combined, Some(checksum(algorithm, &parts.concat())));
            }
        }
    }
}
