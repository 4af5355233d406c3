//! What a round of a log writes: a pure function of the tree before it and the entries that it takes.

use super::layout::{bundle_path, entries, push_entry, tile_bytes, tile_path};
use super::merkle::{Hash, TILE_WIDTH, Tree, leaf_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use registry::LogTree;

/// A tree, and the entries that fill no bundle yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) tree: Tree,
    bundle: Vec<u8>,
}

/// Objects of a log, by their paths in its folder.
pub(crate) type Objects = Vec<(String, Vec<u8>)>;

impl Edge {
    /// The tree as it is saved; `None` where that is damaged.
    pub(crate) fn load(saved: &LogTree) -> Option<Edge> {
        let row = |text: &String| {
            let bytes = BASE64.decode(text).ok()?;
            let (hashes, rest) = bytes.as_chunks::<32>();
            rest.is_empty().then(|| hashes.to_vec())
        };
        let edge: Option<Vec<Vec<Hash>>> = saved.edge.iter().map(row).collect();
        let (tree, bundle) = (Tree::from_edge(saved.size, edge?)?, BASE64.decode(&saved.bundle).ok()?);
        let leaves = tree.edge().first().map_or(&[][..], Vec::as_slice);
        let hashes: Option<Vec<Hash>> = entries(&bundle).map(|entry| entry.map(leaf_hash)).collect();
        (hashes.as_deref() == Some(leaves)).then_some(Edge { tree, bundle })
    }

    /// The tree as it is to be saved.
    pub(crate) fn save(&self) -> LogTree {
        LogTree {
            size: self.tree.size(),
            edge: self.tree.edge().iter().map(|row| BASE64.encode(row.concat())).collect(),
            bundle: BASE64.encode(&self.bundle),
        }
    }

    /// Appends one entry; what becomes full is handed over.
    pub(crate) fn append(&mut self, entry: &[u8], full: &mut Objects) {
        push_entry(&mut self.bundle, entry);
        let index = self.tree.size() / TILE_WIDTH;
        self.tree.append(leaf_hash(entry), |tile, row| full.push((tile_path(tile, TILE_WIDTH), tile_bytes(&row))));
        if self.tree.size().is_multiple_of(TILE_WIDTH) {
            // The next one will be about as long: growing costs new memory each time.
            let next = Vec::with_capacity(self.bundle.len());
            full.push((bundle_path(index, TILE_WIDTH), std::mem::replace(&mut self.bundle, next)));
        }
    }

    /// Appends the entries of a bundle of any length.
    pub(crate) fn append_all(&mut self, bundle: &[u8], full: &mut Objects) {
        for entry in entries(bundle).flatten() {
            self.append(entry, full);
        }
    }

    /// What is not full, as it is now.
    pub(crate) fn partial(&self) -> Objects {
        let tiles = self.tree.partial().map(|(tile, row)| (tile_path(tile, row.len() as u64), tile_bytes(row)));
        let mut objects: Objects = tiles.collect();
        let (index, width) = (self.tree.size() / TILE_WIDTH, self.tree.size() % TILE_WIDTH);
        if width > 0 {
            objects.push((bundle_path(index, width), self.bundle.clone()));
        }
        objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_a_round_writes_does_not_depend_on_how_entries_came_together(
            sizes in proptest::collection::vec(0usize..300, 1..6),
        ) {
            let total: usize = sizes.iter().sum();
            let all: Vec<Vec<u8>> = (0..total).map(|number| format!("entry {number}").into_bytes()).collect();
            let (mut once, mut at_once) = (Edge::default(), Vec::new());
            all.iter().for_each(|entry| once.append(entry, &mut at_once));
            let (mut edge, mut written, mut rest) = (Edge::default(), Vec::new(), &all[..]);
            for size in sizes {
                let (now, later) = rest.split_at(size);
                let mut bundle = Vec::new();
                now.iter().for_each(|entry| push_entry(&mut bundle, entry));
                // Put away and taken out again, as between two rounds.
                edge = Edge::load(&edge.save()).unwrap();
                edge.append_all(&bundle, &mut written);
                rest = later;
            }
            prop_assert_eq!(edge.partial(), once.partial());
            prop_assert_eq!(&edge, &once);
            prop_assert_eq!(written, at_once);
        }
    }

    #[test]
    fn a_saved_tree_that_is_damaged_is_not_gone_on_with() {
        let mut edge = Edge::default();
        (0..300u32).for_each(|number| edge.append(&number.to_be_bytes(), &mut Vec::new()));
        let good = edge.save();
        assert!(Edge::load(&good).is_some());
        let mut bundle = BASE64.decode(&good.bundle).unwrap();
        bundle[3] ^= 1;
        assert!(Edge::load(&LogTree { bundle: BASE64.encode(bundle), ..good.clone() }).is_none());
        assert!(Edge::load(&LogTree { size: 299, ..good }).is_none());
    }
}
