//! The tree against the definitions of RFC 6962, written down as they stand there.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// `MTH(D[n])`, RFC 6962, 2.1.
pub(crate) fn mth(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => sha256(&[]),
        1 => leaves[0],
        n => {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// `PATH(m, D[n])`, RFC 6962, 2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, beside) =
        if m < k { (path(m, &leaves[..k]), mth(&leaves[k..])) } else { (path(m - k, &leaves[k..]), mth(&leaves[..k])) };
    proof.push(beside);
    proof
}

/// `SUBPROOF(m, D[n], b)`, RFC 6962, 2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, beside) = if m <= k {
        (subproof(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(beside);
    proof
}

#[derive(Default)]
struct Kept(HashMap<TileId, Vec<Hash>>);

impl Tiles for Kept {
    fn tile(&self, tile: TileId) -> Option<&[Hash]> {
        self.0.get(&tile).map(Vec::as_slice)
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

fn grow(tree: &mut Tree, kept: &mut Kept, leaves: &[Hash]) {
    for leaf in leaves {
        tree.append(*leaf, |tile, row| assert!(kept.0.insert(tile, row).is_none_or(|row| row.len() < 256)));
    }
    for (tile, row) in tree.partial() {
        kept.0.insert(tile, row.to_vec());
    }
}

#[test]
fn hashes_are_those_of_rfc_6962() {
    // The published vectors of Certificate Transparency's Merkle tests.
    assert_eq!(hex::encode(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hex::encode(leaf_hash(&[])), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(input)).collect();
    let root = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
    assert_eq!(hex::encode(row_hash(&leaves)), root);
    assert_eq!(hex::encode(row_hash(&leaves[..3])), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
}

#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_that_the_specification_counts() {
    let (mut tree, mut kept) = (Tree::default(), Kept::default());
    grow(&mut tree, &mut kept, &leaves(70_000));
    let full = |level| kept.0.iter().filter(|(tile, row)| tile.level == level && row.len() == 256).count();
    let partial: Vec<(u8, u64, usize)> =
        tree.partial().map(|(tile, row)| (tile.level, tile.index, row.len())).collect();
    assert_eq!((full(0), full(1), full(2)), (273, 1, 0));
    assert_eq!(partial, [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
    assert_eq!(tree.root(), mth(&leaves(70_000)));
    assert_eq!(range_hash(&kept, 0, 70_000), Ok(tree.root()));
    assert_eq!(TileId { level: 0, index: 273 }.width(70_000), 112);
    assert_eq!(TileId { level: 1, index: 0 }.width(70_000), 256);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_rounds_give_the_tree_of_rfc_6962_and_every_proof_of_it(
        rounds in proptest::collection::vec(1usize..400, 1..7),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        let all = leaves(rounds.iter().sum());
        let (mut tree, mut kept, mut done) = (Tree::default(), Kept::default(), 0);
        let mut roots = vec![(0, empty_root())];
        for round in rounds {
            // A state that is put away and taken out again is the same tree.
            tree = Tree::from_edge(tree.size(), tree.edge().to_vec()).unwrap();
            grow(&mut tree, &mut kept, &all[done..done + round]);
            done += round;
            prop_assert_eq!(tree.size(), done as u64);
            prop_assert_eq!(tree.root(), mth(&all[..done]));
            roots.push((done, tree.root()));
        }
        let (size, root) = (done as u64, tree.root());
        for pick in &picks {
            let index = pick.index(done);
            let proof = inclusion_proof(&kept, index as u64, size).unwrap();
            prop_assert_eq!(&proof, &path(index, &all));
            prop_assert!(verify_inclusion(&proof, &all[index], index as u64, size, &root));
            prop_assert!(!verify_inclusion(&proof, &leaf_hash(b"another"), index as u64, size, &root));
            prop_assert!(!verify_inclusion(&proof, &all[index], index as u64, size, &all[index]) || size == 1);
            prop_assert!(!verify_inclusion(&proof, &all[index], size, size, &root));
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][7] ^= 1;
                prop_assert!(!verify_inclusion(&bad, &all[index], index as u64, size, &root));
            }
            if !proof.is_empty() {
                prop_assert!(!verify_inclusion(&proof[1..], &all[index], index as u64, size, &root));
            }
            let longer = [&proof[..], &[root]].concat();
            prop_assert!(!verify_inclusion(&longer, &all[index], index as u64, size, &root));

            let old = pick.index(done) + 1;
            let old_root = mth(&all[..old]);
            prop_assert_eq!(tree_at(&kept, old as u64).unwrap().root(), old_root);
            let proof = consistency_proof(&kept, old as u64, size).unwrap();
            let expected = if old == done { Vec::new() } else { subproof(old, &all, true) };
            prop_assert_eq!(&proof, &expected);
            prop_assert!(verify_consistency(&proof, old as u64, &old_root, size, &root));
            prop_assert!(!verify_consistency(&proof, old as u64, &leaf_hash(b"x"), size, &root));
            prop_assert!(!verify_consistency(&proof, old as u64, &old_root, size, &leaf_hash(b"x")));
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][0] ^= 0x80;
                prop_assert!(!verify_consistency(&bad, old as u64, &old_root, size, &root));
            }
        }
        for (old, old_root) in roots.iter().filter(|(old, _)| *old > 0) {
            let proof = consistency_proof(&kept, *old as u64, size).unwrap();
            prop_assert!(verify_consistency(&proof, *old as u64, old_root, size, &root));
        }
    }

    #[test]
    fn no_proof_makes_a_verifier_panic(
        proof in proptest::collection::vec(any::<Hash>(), 0..70),
        index in any::<u64>(),
        size in any::<u64>(),
    ) {
        let _ = verify_inclusion(&proof, &[0; 32], index, size, &[1; 32]);
        let _ = verify_consistency(&proof, index, &[0; 32], size, &[1; 32]);
    }
}

#[test]
fn an_edge_that_is_not_of_its_size_is_refused() {
    let mut tree = Tree::default();
    leaves(300).into_iter().for_each(|leaf| tree.append(leaf, |_, _| {}));
    assert_eq!(Tree::from_edge(300, tree.edge().to_vec()), Some(tree.clone()));
    assert_eq!(Tree::from_edge(301, tree.edge().to_vec()), None);
    assert_eq!(Tree::from_edge(300, tree.edge()[..1].to_vec()), None);
    assert_eq!(Tree::from_edge(0, Vec::new()).map(|tree| tree.root()), Some(empty_root()));
}
