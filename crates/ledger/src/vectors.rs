//! Published test vectors and reference implementations that share no code with what they check.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::hash::{Hash, leaf_hash, node_hash};

/// The eight entries of Certificate Transparency's reference tree.
pub(crate) const CT_ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of that tree for the sizes 0 to 8.
pub(crate) const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// The reference tree's entries as bytes.
pub(crate) fn ct_entries() -> Vec<Vec<u8>> {
    CT_ENTRIES.iter().map(|text| hex::decode(text).unwrap()).collect()
}

/// `count` different entries.
pub(crate) fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("entry {i}").into_bytes()).collect()
}

/// The Merkle tree hash exactly as RFC 6962 section 2.1 defines it: recursive, over all entries.
pub(crate) fn naive_root(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => crate::hash::empty_root(),
        [only] => leaf_hash(only),
        _ => {
            let split = entries.len().next_power_of_two() / 2;
            node_hash(&naive_root(&entries[..split]), &naive_root(&entries[split..]))
        }
    }
}
