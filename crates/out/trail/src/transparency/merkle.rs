//! The Merkle tree of RFC 6962: hashes, the growing tree, proofs and how they are verified. Pure.
//!
//! A tree is kept as tlog-tiles has it: rows of 256 hashes (tiles), each row's hash an element of the row above. All that is needed
//! to go on is the rows that are not full yet, one for each level.

pub use crate::hash::{Hash, sha256};

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// The most levels of tiles that a tree has: 256^8 leaves are more than can be counted.
const LEVELS_MAX: u8 = 8;

/// The hash of a leaf: SHA-256 of a zero byte and its data (RFC 6962, 2.1).
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data].concat())
}

/// The hash of a node: SHA-256 of a one byte and the hashes of its children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    sha256(&bytes)
}

/// The root of the tree without leaves: the hash of nothing.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The hash over a row of subtrees of one size, of which the last may be smaller: `MTH` of RFC 6962.
pub fn row_hash(row: &[Hash]) -> Hash {
    match row {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = row.split_at(split(row.len() as u64) as usize);
            node_hash(&row_hash(left), &row_hash(right))
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// Which tile: its level, and its place in the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 holds the hashes of leaves.
    pub level: u8,
    /// From the left.
    pub index: u64,
}

impl TileId {
    /// How many hashes it holds in a tree of that size.
    pub fn width(self, size: u64) -> u64 {
        let row = row_width(self.level, size);
        row.saturating_sub(self.index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
    }
}

/// How many hashes a level of tiles has in a tree of that size.
fn row_width(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// A tree that grows at its right edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The tile of each level that is not full yet, from the leaves up.
    edge: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree from its size and the hashes at its right edge; `None` where these do not belong together.
    pub fn from_edge(size: u64, edge: Vec<Vec<Hash>>) -> Option<Tree> {
        let level_fits = |(level, row): (usize, &Vec<Hash>)| {
            let width = row_width(u8::try_from(level).ok()?, size) % TILE_WIDTH;
            (row.len() as u64 == width).then_some(())
        };
        let mut levels = edge.iter().enumerate().map(level_fits);
        let fits = levels.all(|fits| fits.is_some()) && row_width(edge.len().min(8) as u8, size) == 0;
        fits.then_some(Tree { size, edge })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of each level that are in no full tile yet, from the leaves up.
    pub fn edge(&self) -> &[Vec<Hash>] {
        &self.edge
    }

    /// Appends a leaf by its hash. Tiles that become full are handed over.
    pub fn append(&mut self, leaf: Hash, mut full: impl FnMut(TileId, Vec<Hash>)) {
        let mut hash = leaf;
        for level in 0..LEVELS_MAX {
            let at = usize::from(level);
            if self.edge.len() == at {
                self.edge.push(Vec::new());
            }
            let Some(row) = self.edge.get_mut(at) else { break };
            row.push(hash);
            if (row.len() as u64) < TILE_WIDTH {
                break;
            }
            let row = std::mem::replace(row, Vec::with_capacity(TILE_WIDTH as usize));
            hash = row_hash(&row);
            full(TileId { level, index: row_width(level + 1, self.size) }, row);
        }
        self.size += 1;
    }

    /// The tiles at the right edge that are not full, as they are now.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        let rows = (0u8..).zip(&self.edge).filter(|(_, row)| !row.is_empty());
        rows.map(|(level, row)| (TileId { level, index: row_width(level, self.size) / TILE_WIDTH }, row.as_slice()))
    }

    /// The hash of the whole tree.
    pub fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for row in &self.edge {
            let with_right: Vec<Hash> = row.iter().copied().chain(right).collect();
            right = (!with_right.is_empty()).then(|| row_hash(&with_right));
        }
        right.unwrap_or_else(empty_root)
    }
}

/// A tile that is needed to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs(pub TileId);

/// Hashes of a tree of a known size, by tile.
pub trait Tiles {
    /// The hashes of a tile, as many as it has in that tree or more; `None` while it is not at hand.
    fn tile(&self, tile: TileId) -> Option<&[Hash]>;
}

/// The hash over the leaves `from..to` of a tree, where `from` is a multiple of a power of two that is not below `to - from`.
///
/// # Errors
/// [`Needs`] for a tile that is not at hand.
pub fn range_hash(tiles: &impl Tiles, from: u64, to: u64) -> Result<Hash, Needs> {
    let size = to - from;
    if size == 0 {
        return Ok(empty_root());
    }
    if size.is_power_of_two() {
        let bits = size.trailing_zeros();
        let (level, within) = ((bits / 8) as u8, bits % 8);
        let (first, count) = (from >> (8 * u32::from(level)), 1u64 << within);
        let tile = TileId { level, index: first / TILE_WIDTH };
        let start = (first % TILE_WIDTH) as usize;
        let row = tiles.tile(tile).and_then(|row| row.get(start..start + count as usize));
        return row.map(row_hash).ok_or(Needs(tile));
    }
    let middle = from + split(size);
    Ok(node_hash(&range_hash(tiles, from, middle)?, &range_hash(tiles, middle, to)?))
}

/// The rows at the right edge of the first `size` leaves of a larger tree, to go on from there.
///
/// # Errors
/// [`Needs`] for a tile that is not at hand.
pub fn tree_at(tiles: &impl Tiles, size: u64) -> Result<Tree, Needs> {
    let mut edge = Vec::new();
    for level in 0..LEVELS_MAX {
        let row = row_width(level, size);
        if row == 0 {
            break;
        }
        let (tile, width) = (TileId { level, index: row / TILE_WIDTH }, (row % TILE_WIDTH) as usize);
        let hashes = if width == 0 { Some(&[][..]) } else { tiles.tile(tile).and_then(|row| row.get(..width)) };
        edge.push(hashes.ok_or(Needs(tile))?.to_vec());
    }
    Ok(Tree { size, edge })
}

/// The proof that leaf `index` is in the tree of `size` leaves: the hashes beside its path, from the leaf up
/// (RFC 6962, 2.1.1). `index` is below `size`.
///
/// # Errors
/// [`Needs`] for a tile that is not at hand.
pub fn inclusion_proof(tiles: &impl Tiles, index: u64, size: u64) -> Result<Vec<Hash>, Needs> {
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range_hash(tiles, middle, to)?);
            to = middle;
        } else {
            proof.push(range_hash(tiles, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `old` leaves is the beginning of that of `size` leaves (RFC 6962, 2.1.2). `old` is not above `size`.
///
/// # Errors
/// [`Needs`] for a tile that is not at hand.
pub fn consistency_proof(tiles: &impl Tiles, old: u64, size: u64) -> Result<Vec<Hash>, Needs> {
    if old == 0 || old >= size {
        return Ok(Vec::new());
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range_hash(tiles, middle, to)?);
            to = middle;
        } else {
            proof.push(range_hash(tiles, from, middle)?);
            from = middle;
        }
    }
    // The old tree itself needs no telling where it is one whole subtree at the left.
    if from > 0 {
        proof.push(range_hash(tiles, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether a proof leads from a leaf to a root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(proof: &[Hash], leaf: &Hash, index: u64, size: u64, root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for beside in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(beside, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether a proof shows that one tree is the beginning of the other (RFC 9162, 2.1.4.2).
pub fn verify_consistency(proof: &[Hash], old: u64, old_root: &Hash, size: u64, root: &Hash) -> bool {
    if old > size {
        return false;
    }
    if old == size {
        return proof.is_empty() && old_root == root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let whole = old.is_power_of_two();
    let mut rest = proof.iter();
    let Some(first) = (if whole { Some(old_root) } else { rest.next() }) else { return false };
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_hash, mut hash) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(beside, &old_hash);
            hash = node_hash(beside, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && hash == *root
}

#[cfg(test)]
mod tests;
