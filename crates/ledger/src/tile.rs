//! The log as static resources: hash tiles of height 8 and entry bundles (C2SP tlog-tiles).
//!
//! Tile `n` of level `l` holds the nodes of height `8·l` numbered `256·n ..`, 32 bytes each. The last tile of
//! a level may be partial (1 to 255 hashes) and is then superseded, never changed, when the tree grows.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::hash::{HASH_BYTES, Hash, leaf_hash, node_hash};
use crate::proof::{NodeId, NodeReader, ReadError};

/// Tree levels within a tile.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;
/// The largest entry that a bundle can hold, in bytes: its length is a 16-bit number.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Highest tile level that a tree of fewer than 2⁶⁴ leaves can have.
const MAX_LEVEL: u8 = 7;

/// A resource whose path or content breaks the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not the path of a tile, a bundle or the checkpoint.
    #[error("\"{0}\" is not the path of a ledger resource, such as tile/0/x001/234.p/5")]
    Path(String),
    /// A tile whose length does not fit its width.
    #[error("{tile} has {found} bytes, not {expected}")]
    TileLength {
        /// The tile.
        tile: Resource,
        /// Bytes that its width asks for.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// An entry bundle that ends inside an entry, or holds more or fewer entries than its width.
    #[error("the entry bundle is broken at entry {entry}: {reason}")]
    Bundle {
        /// Entry within the bundle, from 0.
        entry: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// An entry that is longer than a bundle can hold.
    #[error("an entry of {0} bytes does not fit a bundle; the most is {MAX_ENTRY_BYTES}")]
    EntryTooLong(usize),
    /// A tile that is needed was not readable.
    #[error("cannot read the tree: {0}")]
    Read(#[from] ReadError),
}

/// Position and width of a hash tile, or of the bundle beside a tile of level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// Everything that a log serves, by its path below the log's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `checkpoint`: the newest signed tree head.
    Checkpoint,
    /// `tile/<level>/<index>[.p/<width>]`.
    Tile(Tile),
    /// `tile/entries/<index>[.p/<width>]`; the tile is of level 0.
    Entries(Tile),
}

/// Reads the resources of a log: over HTTP, from a mirror's folder, or from the portal's own storage.
pub trait LogReader {
    /// The bytes of a resource.
    ///
    /// # Errors
    /// [`ReadError`] when the log does not have the resource or cannot be reached.
    fn read(&mut self, resource: Resource) -> Result<Vec<u8>, ReadError>;
}

impl<F: FnMut(Resource) -> Result<Vec<u8>, ReadError>> LogReader for F {
    fn read(&mut self, resource: Resource) -> Result<Vec<u8>, ReadError> {
        self(resource)
    }
}

impl Tile {
    /// A tile of `level` 0 to 7 with 1 to 256 hashes; `None` for other values or beyond the largest tree.
    #[must_use]
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        let fits = level <= MAX_LEVEL
            && (1..=TILE_WIDTH).contains(&width)
            && index
                <= u64::MAX
                    .checked_shr(TILE_HEIGHT * (u32::from(level) + 1))
                    .unwrap_or(0);
        fits.then_some(Self { level, index, width })
    }

    /// The tile of `level` numbered `index` as it is in a tree of `size` leaves: full, partial, or `None`
    /// when the tree does not reach it.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_in_level(level, size)?;
        let begin = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(begin)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?)
    }

    /// The tile's level: its lowest row holds nodes of height 8 × level.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The tile's position within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in the tile.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile has all its 256 hashes and so will never be superseded.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile at the same place.
    #[must_use]
    pub const fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// The tile as a resource.
    #[must_use]
    pub const fn resource(self) -> Resource {
        Resource::Tile(self)
    }

    /// The bundle with the entries of the same leaves; `None` above level 0.
    #[must_use]
    pub fn entries(self) -> Option<Resource> {
        (self.level == 0).then_some(Resource::Entries(self))
    }

    /// The nodes in the tile, left to right.
    pub fn nodes(self) -> impl Iterator<Item = NodeId> {
        let first = self.index * u64::from(TILE_WIDTH);
        let level = self.level * TILE_HEIGHT as u8;
        (0..u64::from(self.width)).map(move |offset| NodeId {
            level,
            index: first + offset,
        })
    }

    /// Makes the tile's bytes from a store of nodes.
    ///
    /// # Errors
    /// [`ReadError`] when a node is missing.
    pub fn build(self, mut reader: impl NodeReader) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * HASH_BYTES);
        for node in self.nodes() {
            bytes.extend_from_slice(reader.read_node(node)?.as_bytes());
        }
        Ok(bytes)
    }

    /// Splits the tile's bytes into hashes. Bytes of the full tile are accepted for a partial one: a log may
    /// drop partial tiles once the full one is there.
    ///
    /// # Errors
    /// [`TileError::TileLength`].
    pub fn parse_hashes(self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let expected = usize::from(self.width) * HASH_BYTES;
        if bytes.len() != expected && bytes.len() != usize::from(TILE_WIDTH) * HASH_BYTES {
            return Err(TileError::TileLength {
                tile: self.resource(),
                expected,
                found: bytes.len(),
            });
        }
        Ok(bytes[..expected]
            .chunks_exact(HASH_BYTES)
            .filter_map(Hash::from_slice)
            .collect())
    }
}

/// Hashes that a tree of `size` leaves has in the lowest row of tiles of `level`.
fn hashes_in_level(level: u8, size: u64) -> Option<u64> {
    size.checked_shr(TILE_HEIGHT * u32::from(level))
}

/// Every tile of a tree that grew from `old` to `new` leaves which is new or wider than before.
#[must_use]
pub fn changed_tiles(old: u64, new: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for level in 0..=MAX_LEVEL {
        let (Some(before), Some(after)) = (hashes_in_level(level, old), hashes_in_level(level, new)) else {
            break;
        };
        if after > before {
            let width = u64::from(TILE_WIDTH);
            let indices = before / width..after.div_ceil(width);
            tiles.extend(indices.filter_map(|index| Tile::in_tree(level, index, new)));
        }
    }
    tiles
}

/// Appends leaf hashes to a tree of `old` leaves that is kept as tiles alone: reads at most one partial tile
/// per level, returns the bytes of every tile that is new or wider.
///
/// # Errors
/// [`TileError`] when a partial tile cannot be read or has the wrong length.
pub fn grow(
    old: u64,
    leaf_hashes: &[Hash],
    reader: &mut dyn LogReader,
) -> Result<Vec<(Tile, Vec<u8>)>, TileError> {
    let new = old + leaf_hashes.len() as u64;
    let mut grown = Vec::new();
    let mut added = leaf_hashes.to_vec();
    for level in 0..=MAX_LEVEL {
        if added.is_empty() {
            break;
        }
        let Some(before) = hashes_in_level(level, old) else {
            break;
        };
        let first = before / u64::from(TILE_WIDTH);
        let mut row = match Tile::in_tree(level, first, old) {
            Some(partial) => partial.parse_hashes(&reader.read(partial.resource())?)?,
            None => Vec::new(),
        };
        row.append(&mut added);
        for (offset, hashes) in row.chunks(usize::from(TILE_WIDTH)).enumerate() {
            let Some(tile) = Tile::in_tree(level, first + offset as u64, new) else {
                break;
            };
            if tile.is_full() {
                added.push(subtree_root(hashes));
            }
            grown.push((tile, hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()));
        }
    }
    Ok(grown)
}

/// The root over a power of two of hashes of one height.
pub(crate) fn subtree_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    row[0]
}

/// Reads nodes of a tree of `size` leaves out of its tiles, each tile at most once.
pub struct TileNodes<'a> {
    size: u64,
    reader: &'a mut dyn LogReader,
    read: HashMap<Tile, Vec<Hash>>,
}

impl fmt::Debug for TileNodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TileNodes")
            .field("size", &self.size)
            .field("read", &self.read.len())
            .finish()
    }
}

impl<'a> TileNodes<'a> {
    /// Nodes of the tree of `size` leaves. Its tiles are believed: check what is made from them against the
    /// root of a signed checkpoint.
    #[must_use]
    pub fn new(size: u64, reader: &'a mut dyn LogReader) -> Self {
        Self {
            size,
            reader,
            read: HashMap::new(),
        }
    }
}

impl NodeReader for TileNodes<'_> {
    fn read_node(&mut self, node: NodeId) -> Result<Hash, ReadError> {
        let outside = || {
            ReadError(format!(
                "node {} of level {} is not in the tree",
                node.index, node.level
            ))
        };
        let height = TILE_HEIGHT as u8;
        let (level, above) = (node.level / height, u32::from(node.level % height));
        let first = node
            .index
            .checked_shl(above)
            .filter(|first| first >> above == node.index);
        let first = first.ok_or_else(outside)?;
        let width = u64::from(TILE_WIDTH);
        let tile = Tile::in_tree(level, first / width, self.size).ok_or_else(outside)?;
        if !self.read.contains_key(&tile) {
            let hashes = tile
                .parse_hashes(&read_or_full(self.reader, tile.resource())?)
                .map_err(|error| ReadError(error.to_string()))?;
            self.read.insert(tile, hashes);
        }
        let begin = usize::try_from(first % width).map_err(|_| outside())?;
        let hashes = self
            .read
            .get(&tile)
            .and_then(|hashes| hashes.get(begin..begin + (1 << above)));
        hashes.map(subtree_root).ok_or_else(outside)
    }
}

/// Reads a tile or bundle; where a partial one is gone, the full one that has taken its place.
pub(crate) fn read_or_full(reader: &mut dyn LogReader, resource: Resource) -> Result<Vec<u8>, ReadError> {
    let full = match resource {
        Resource::Tile(tile) if !tile.is_full() => Resource::Tile(tile.full()),
        Resource::Entries(tile) if !tile.is_full() => Resource::Entries(tile.full()),
        _ => return reader.read(resource),
    };
    reader
        .read(resource)
        .or_else(|error| reader.read(full).map_err(|_| error))
}

/// Encodes up to 256 entries as a bundle: each behind its length, 16 bits big-endian.
///
/// # Errors
/// [`TileError::EntryTooLong`].
pub fn encode_entries<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Decodes the first `width` entries of a bundle, which must hold exactly these or be a full one.
///
/// # Errors
/// [`TileError::Bundle`] saying at which entry the bundle breaks.
pub fn decode_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    while !rest.is_empty() {
        let broken = |reason| TileError::Bundle {
            entry: entries.len(),
            reason,
        };
        let (length, after) = rest
            .split_first_chunk::<2>()
            .ok_or_else(|| broken("half a length"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after
            .split_at_checked(length)
            .ok_or_else(|| broken("it ends too early"))?;
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(broken("more than 256 entries"));
        }
        entries.push(entry);
        rest = after;
    }
    let found = entries.len();
    if found != usize::from(width) && found != usize::from(TILE_WIDTH) {
        return Err(TileError::Bundle {
            entry: found,
            reason: "not as many entries as its path says",
        });
    }
    entries.truncate(usize::from(width));
    Ok(entries)
}

/// The leaf hashes of a bundle's entries.
pub fn leaf_hashes<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<Hash> {
    entries.into_iter().map(leaf_hash).collect()
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Tile(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile
            }
            Self::Entries(tile) => {
                f.write_str("tile/entries/")?;
                tile
            }
        };
        let mut groups = vec![tile.index % 1000];
        let mut rest = tile.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if tile.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", tile.width)
        }
    }
}

impl FromStr for Resource {
    type Err = TileError;

    /// Parses a path as [`Resource`] displays it; every other spelling is refused.
    fn from_str(path: &str) -> Result<Self, Self::Err> {
        parse_resource(path)
            .filter(|resource| resource.to_string() == path)
            .ok_or_else(|| TileError::Path(path.chars().take(80).collect()))
    }
}

/// Reads a path generously; the caller compares with the canonical spelling.
fn parse_resource(path: &str) -> Option<Resource> {
    if path == "checkpoint" {
        return Some(Resource::Checkpoint);
    }
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut number: u64 = 0;
    for group in index.split('/') {
        let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(digits)?;
    }
    if level == "entries" {
        Some(Resource::Entries(Tile::new(0, number, width)?))
    } else {
        Some(Resource::Tile(Tile::new(level.parse().ok()?, number, width)?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::frontier::Frontier;
    use crate::proof::{plan_consistency, plan_inclusion, plan_root, verify_consistency, verify_inclusion};
    use crate::vectors::{entries, naive_root};

    #[test]
    fn paths_follow_the_specification() {
        let tile = |level, index, width| Tile::new(level, index, width).unwrap();
        let table = [
            (Resource::Checkpoint, "checkpoint"),
            (tile(0, 0, 256).resource(), "tile/0/000"),
            (tile(0, 999, 1).resource(), "tile/0/999.p/1"),
            (tile(1, 1000, 256).resource(), "tile/1/x001/000"),
            (tile(0, 1_234_067, 256).resource(), "tile/0/x001/x234/067"),
            (
                tile(0, 1_234_067, 112).entries().unwrap(),
                "tile/entries/x001/x234/067.p/112",
            ),
        ];
        for (resource, path) in table {
            assert_eq!(resource.to_string(), path);
            assert_eq!(path.parse::<Resource>().unwrap(), resource);
        }
        assert_eq!(tile(1, 0, 256).entries(), None);
    }

    #[test]
    fn other_spellings_are_no_paths() {
        for path in [
            "",
            "tile",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/x001",
            "tile/8/000",
            "tile/-1/000",
            "tile/0/+01",
            "tile/0/../000",
            "/tile/0/000",
            "tile/0/000/",
            "tile/entries/000.p/300",
            "tile/7/x001/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/0/000.p/5.p/6",
            "checkpoint/",
            "tile/0/０００",
        ] {
            assert!(path.parse::<Resource>().is_err(), "{path}");
        }
    }

    #[test]
    fn widths_of_the_specification_s_example() {
        // A tree of 70,000: 273 full tiles and one of 112; one full and one of 17; one of 1.
        let all = changed_tiles(0, 70_000);
        assert_eq!(all.len(), 274 + 2 + 1);
        assert_eq!(Tile::in_tree(0, 273, 70_000).unwrap().width(), 112);
        assert_eq!(Tile::in_tree(1, 1, 70_000).unwrap().width(), 17);
        assert_eq!(Tile::in_tree(2, 0, 70_000).unwrap().width(), 1);
        assert_eq!(Tile::in_tree(3, 0, 70_000), None);
        assert_eq!(Tile::in_tree(0, 274, 70_000), None);
        assert_eq!(
            changed_tiles(0, 256).last().unwrap().resource().to_string(),
            "tile/1/000.p/1"
        );
        assert!(changed_tiles(300, 300).is_empty());
    }

    #[test]
    fn bundles_round_trip_and_breaks_are_located() {
        let bundle = encode_entries(&["".as_bytes(), b"ab", b"c"]).unwrap();
        assert_eq!(bundle, [0, 0, 0, 2, b'a', b'b', 0, 1, b'c']);
        assert_eq!(decode_entries(&bundle, 3).unwrap(), [b"".as_slice(), b"ab", b"c"]);
        let at = |bytes: &[u8], width| match decode_entries(bytes, width) {
            Err(TileError::Bundle { entry, .. }) => Some(entry),
            _ => None,
        };
        assert_eq!(at(&bundle[..8], 3), Some(2));
        assert_eq!(at(&bundle[..7], 3), Some(2));
        assert_eq!(at(&bundle, 2), Some(3));
        assert_eq!(at(&bundle, 4), Some(3));
        let many = encode_entries(&vec![b"x"; 257]).unwrap();
        assert_eq!(at(&many, 256), Some(256));
        let full = encode_entries(&vec![b"x"; 256]).unwrap();
        assert_eq!(decode_entries(&full, 7).unwrap().len(), 7);
        assert_eq!(
            encode_entries(&[vec![0; 65_536]]),
            Err(TileError::EntryTooLong(65_536))
        );
        assert!(encode_entries(&[vec![0; 65_535]]).is_ok());
    }

    /// A log that keeps every tile it ever wrote, by path.
    #[derive(Default)]
    struct Tiles(HashMap<String, Vec<u8>>);

    impl Tiles {
        fn append(&mut self, old: u64, hashes: &[Hash]) -> Vec<Tile> {
            let grown = grow(old, hashes, &mut |r: Resource| self.get(r)).unwrap();
            let changed = grown.iter().map(|(tile, _)| *tile).collect();
            for (tile, bytes) in grown {
                self.0.insert(tile.resource().to_string(), bytes);
            }
            changed
        }

        fn get(&self, resource: Resource) -> Result<Vec<u8>, ReadError> {
            let path = resource.to_string();
            self.0
                .get(&path)
                .cloned()
                .ok_or(ReadError(format!("{path} is missing")))
        }
    }

    #[test]
    fn growing_in_steps_equals_growing_at_once() {
        let entries = entries(66_000);
        let hashes: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
        let mut stepwise = Tiles::default();
        let mut size = 0;
        for step in [1, 1, 253, 1, 1, 255, 3, 700, 64_321, 464] {
            let changed = stepwise.append(size as u64, &hashes[size..size + step]);
            assert_eq!(changed, changed_tiles(size as u64, (size + step) as u64));
            size += step;
        }
        assert_eq!(size, hashes.len());
        let mut at_once = Tiles::default();
        at_once.append(0, &hashes);
        for (path, bytes) in &at_once.0 {
            assert_eq!(stepwise.0.get(path), Some(bytes), "{path}");
        }
        let mut frontier = Frontier::new();
        let nodes: HashMap<NodeId, Hash> = hashes.iter().flat_map(|h| frontier.append_hash(*h)).collect();
        for tile in changed_tiles(0, size as u64) {
            assert_eq!(at_once.get(tile.resource()).unwrap(), tile.build(&nodes).unwrap());
        }
        let mut reader = |r: Resource| at_once.get(r);
        let root = plan_root(size as u64)
            .build(TileNodes::new(size as u64, &mut reader))
            .unwrap();
        assert_eq!(root, [frontier.root()]);
    }

    #[test]
    fn proofs_from_tiles_hold() {
        let entries = entries(1000);
        let hashes = leaf_hashes(entries.iter().map(Vec::as_slice));
        let mut tiles = Tiles::default();
        tiles.append(0, &hashes);
        tiles.0.retain(|path, _| path != "tile/0/001");
        let root = naive_root(&entries);
        let mut reader = |r: Resource| tiles.get(r);
        for index in [0, 1, 255, 511 + 1, 767, 768, 999] {
            let plan = plan_inclusion(index, 1000).unwrap();
            let result = plan.build(TileNodes::new(1000, &mut reader));
            // Leaves of other tiles need nothing of the missing one but its root, one level above.
            let proof = result.unwrap();
            verify_inclusion(&hashes[index as usize], index, 1000, &proof, &root).unwrap();
        }
        assert!(
            plan_inclusion(300, 1000)
                .unwrap()
                .build(TileNodes::new(1000, &mut reader))
                .is_err()
        );
        for old in [1, 255, 256, 257, 512, 700, 999] {
            let plan = plan_consistency(old, 1000).unwrap();
            let result = plan.build(TileNodes::new(1000, &mut reader));
            assert_eq!(result.is_err(), old == 257, "{old}");
            if let Ok(proof) = result {
                let old_root = naive_root(&entries[..old as usize]);
                verify_consistency(old, 1000, &proof, &old_root, &root).unwrap();
            }
        }
    }

    #[test]
    fn a_partial_tile_may_be_read_from_the_full_one() {
        let entries = entries(256);
        let hashes = leaf_hashes(entries.iter().map(Vec::as_slice));
        let mut tiles = Tiles::default();
        tiles.append(0, &hashes);
        let mut reader = |r: Resource| tiles.get(r);
        let root = plan_root(100).build(TileNodes::new(100, &mut reader)).unwrap();
        assert_eq!(root, [naive_root(&entries[..100])]);
        let tile = Tile::new(0, 0, 100).unwrap();
        assert!(matches!(
            tile.parse_hashes(&[0; 64]),
            Err(TileError::TileLength { found: 64, .. })
        ));
    }

    proptest! {
        #[test]
        fn every_tile_has_one_path(level in 0..=MAX_LEVEL, index in any::<u64>(), width in 1..=TILE_WIDTH) {
            let index = index.checked_shr(TILE_HEIGHT * (u32::from(level) + 1)).unwrap_or(0);
            let tile = Tile::new(level, index, width).unwrap();
            let path = tile.resource().to_string();
            prop_assert_eq!(path.parse::<Resource>().unwrap(), tile.resource());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, width in 1..=TILE_WIDTH, path: String) {
            let _ = decode_entries(&bytes, width);
            let _ = path.parse::<Resource>();
        }
    }
}
