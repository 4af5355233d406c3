//! Where the parts of a log lie, and what its tiles and bundles are made of: C2SP tlog-tiles. Pure.

use super::merkle::{Hash, TILE_WIDTH, TileId};

/// The name of the newest checkpoint in a log's folder.
pub const CHECKPOINT: &str = "checkpoint";

/// The path of a tile in a log's folder; `width` below 256 makes it that of a partial one.
pub fn tile_path(tile: TileId, width: u64) -> String {
    format!("tile/{}/{}", tile.level, place(tile.index, width))
}

/// The path of a bundle of entries; `width` as for tiles.
pub fn bundle_path(index: u64, width: u64) -> String {
    format!("tile/entries/{}", place(index, width))
}

/// An index in groups of three digits, all but the last after an `x`: `x001/x234/067`.
fn place(index: u64, width: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    if width < TILE_WIDTH {
        text.push_str(&format!(".p/{width}"));
    }
    text
}

/// The bytes of a tile.
pub fn tile_bytes(row: &[Hash]) -> Vec<u8> {
    row.concat()
}

/// The hashes of a tile; `None` where the bytes are none.
pub fn tile_of(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && !hashes.is_empty() && hashes.len() as u64 <= TILE_WIDTH).then(|| hashes.to_vec())
}

/// Appends an entry to a bundle: its length in two bytes, the most significant first, and itself. Entries are never longer than 65535
/// bytes; one that were would be cut.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry.get(..usize::from(length)).unwrap_or_default());
}

/// The entries of a bundle, in order; ends with `None` in the place of one that is cut off.
pub fn entries(mut bundle: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if bundle.is_empty() {
            return None;
        }
        let entry = bundle.split_first_chunk::<2>().and_then(|(length, rest)| {
            let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            bundle = rest;
            Some(entry)
        });
        if entry.is_none() {
            bundle = &[];
        }
        Some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile_path(TileId { level: 0, index: 1_234_067 }, 256), "tile/0/x001/x234/067");
        assert_eq!(tile_path(TileId { level: 1, index: 0 }, 17), "tile/1/000.p/17");
        assert_eq!(bundle_path(273, 112), "tile/entries/273.p/112");
        assert_eq!(bundle_path(1000, 256), "tile/entries/x001/000");
    }

    proptest! {
        #[test]
        fn entries_come_out_of_a_bundle_as_they_went_in(
            all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bundle = Vec::new();
            all.iter().for_each(|entry| push_entry(&mut bundle, entry));
            let out: Option<Vec<&[u8]>> = entries(&bundle).collect();
            prop_assert_eq!(out.unwrap(), all.iter().map(Vec::as_slice).collect::<Vec<_>>());
            if !bundle.is_empty() {
                // A bundle that was cut off is noticed, or ends between two entries.
                let cut = cut.index(bundle.len());
                let out: Option<Vec<&[u8]>> = entries(&bundle[..cut]).collect();
                prop_assert!(out.is_none_or(|out| out.len() < all.len()));
            }
        }

        #[test]
        fn any_bytes_are_a_tile_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
            if let Some(row) = tile_of(&bytes) {
                prop_assert_eq!(&tile_bytes(&row), &bytes);
            }
            let _ = entries(&bytes).count();
        }
    }
}
