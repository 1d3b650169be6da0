//! The stored ledger: leaves as they wait and as they stand, the tree over them, signed checkpoints.
//!
//! [`append`] is part of an act's transaction and takes no lock, so acts do not wait for one another. One
//! process at a time runs [`sequence`]: it gives waiting leaves the next indices. A transaction that sequenced
//! and found a larger tree signs its head and calls [`insert_checkpoint`] before it commits; so no head is ever
//! published whose nodes are not durable.

use std::collections::HashMap;
use std::fmt::Write as _;

use ledger::proof::{ProofPlan, plan_consistency, plan_inclusion};
use ledger::{Frontier, Hash, Leaf, NodeId, Tile};
use model::Timestamp;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::{ledger_checkpoint, ledger_leaf, ledger_node, ledger_state};
use crate::error::Error;

/// A leaf as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Its place in the tree; none while it waits for the sequencer.
    pub index: Option<u64>,
    /// The canonical bytes.
    pub entry: Vec<u8>,
    /// The hash of the leaf.
    pub hash: Hash,
    /// When the act was.
    pub created_at: Timestamp,
}

/// A head of the tree, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of leaves that have an index.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// How many of them were added just now.
    pub added: u64,
}

/// A signed head, as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub created_at: Timestamp,
}

/// Adds the leaf of an act, in the act's own transaction, and gives the hash by which its receipt finds it.
///
/// # Errors
/// If the database fails.
pub async fn append(tx: &Tx, leaf: &Leaf, now: Timestamp) -> Result<Hash, Error> {
    let entry = leaf
        .to_bytes()
        .map_err(|e| Error::CheckViolation(e.to_string()))?;
    let hash = ledger::hash::leaf_hash(&entry);
    let row = ledger_leaf::ActiveModel {
        id: NotSet,
        leaf_index: Set(None),
        entry: Set(entry),
        leaf_hash: Set(hash.as_bytes().to_vec()),
        created_at: Set(now.as_micros()),
    };
    ledger_leaf::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(hash)
}

/// Gives up to `limit` waiting leaves the next indices and stores the nodes that become complete. Other
/// sequencers wait for this transaction.
///
/// # Errors
/// [`Error::Corrupt`] if the stored frontier is none.
pub async fn sequence(tx: &Tx, limit: u64) -> Result<Head, Error> {
    let state = ledger_state::Entity::find_by_id(1)
        .lock_exclusive()
        .one(&tx.executor())
        .await?
        .ok_or(Error::NotFound("ledger state"))?;
    let mut frontier: Frontier =
        serde_json::from_value(state.frontier).map_err(|e| Error::corrupt("ledger_state.frontier", e))?;
    let waiting: Vec<(i64, Vec<u8>)> = ledger_leaf::Entity::find()
        .select_only()
        .columns([ledger_leaf::Column::Id, ledger_leaf::Column::LeafHash])
        .filter(ledger_leaf::Column::LeafIndex.is_null())
        .order_by_asc(ledger_leaf::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(&tx.executor())
        .await?;
    if !waiting.is_empty() {
        let mut places = String::new();
        let mut nodes = Vec::new();
        for (id, hash) in &waiting {
            let separator = if places.is_empty() { "" } else { ", " };
            // Numbers of our own, no text of anybody.
            let _ = write!(places, "{separator}({id}, {})", frontier.size());
            nodes.extend(frontier.append_hash(read_hash(hash)?));
        }
        tx.execute(
            format!(
                "WITH place (id, leaf_index) AS (VALUES {places}) \
                 UPDATE ledger_leaf SET leaf_index = place.leaf_index FROM place WHERE ledger_leaf.id = place.id"
            ),
            [],
        )
        .await?;
        let rows = nodes.iter().map(|(node, hash)| {
            Ok(ledger_node::ActiveModel {
                level: Set(i64::from(node.level)),
                node_index: Set(to_i64(node.index)?),
                hash: Set(hash.as_bytes().to_vec()),
            })
        });
        let rows = rows.collect::<Result<Vec<_>, Error>>()?;
        for some in rows.chunks(1000) {
            ledger_node::Entity::insert_many(some.to_vec())
                .exec_without_returning(&tx.executor())
                .await?;
        }
        let stored =
            serde_json::to_value(&frontier).map_err(|e| Error::corrupt("ledger_state.frontier", e))?;
        ledger_state::Entity::update_many()
            .col_expr(ledger_state::Column::Size, Expr::value(to_i64(frontier.size())?))
            .col_expr(ledger_state::Column::Frontier, Expr::value(stored))
            .filter(ledger_state::Column::Id.eq(1))
            .exec(&tx.executor())
            .await?;
    }
    Ok(Head {
        size: frontier.size(),
        root: frontier.root(),
        added: waiting.len() as u64,
    })
}

/// Stores a signed head, in the transaction that made the tree so large.
///
/// # Errors
/// [`Error::UniqueViolation`] if there is one of this size: a log never signs two.
pub async fn insert_checkpoint(tx: &Tx, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
    let row = ledger_checkpoint::ActiveModel {
        size: Set(to_i64(checkpoint.size)?),
        root: Set(checkpoint.root.as_bytes().to_vec()),
        note: Set(checkpoint.note.clone()),
        created_at: Set(checkpoint.created_at.as_micros()),
    };
    ledger_checkpoint::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// The newest signed head.
///
/// # Errors
/// If the database fails.
pub async fn find_checkpoint(connection: &Connection) -> Result<Option<StoredCheckpoint>, Error> {
    let row = ledger_checkpoint::Entity::find()
        .order_by_desc(ledger_checkpoint::Column::Size)
        .limit(1)
        .one(&connection.executor())
        .await?;
    let read = |row: ledger_checkpoint::Model| {
        Ok(StoredCheckpoint {
            size: to_u64(row.size)?,
            root: read_hash(&row.root)?,
            note: row.note,
            created_at: Timestamp::from_micros(row.created_at),
        })
    };
    row.map(read).transpose()
}

/// The bytes of a hash tile; `None` if the tree has not all of its nodes.
///
/// # Errors
/// If the database fails.
pub async fn find_tile(connection: &Connection, tile: Tile) -> Result<Option<Vec<u8>>, Error> {
    let Some(first) = tile.nodes().next() else {
        return Ok(None);
    };
    let begin = to_i64(first.index)?;
    let rows = ledger_node::Entity::find()
        .filter(ledger_node::Column::Level.eq(i64::from(first.level)))
        .filter(ledger_node::Column::NodeIndex.gte(begin))
        .filter(ledger_node::Column::NodeIndex.lt(begin + i64::from(tile.width())))
        .order_by_asc(ledger_node::Column::NodeIndex)
        .all(&connection.executor())
        .await?;
    let whole = rows.len() == usize::from(tile.width());
    Ok(whole.then(|| rows.into_iter().flat_map(|row| row.hash).collect()))
}

/// Up to `limit` leaves with an index from `first` on, in order.
///
/// # Errors
/// If the database fails.
pub async fn list_leaves(connection: &Connection, first: u64, limit: u64) -> Result<Vec<StoredLeaf>, Error> {
    let rows = ledger_leaf::Entity::find()
        .filter(ledger_leaf::Column::LeafIndex.gte(to_i64(first)?))
        .order_by_asc(ledger_leaf::Column::LeafIndex)
        .limit(limit)
        .all(&connection.executor())
        .await?;
    rows.into_iter().map(read_leaf).collect()
}

/// Up to `limit` leaves with an index, newest first, before the one at `before`.
///
/// # Errors
/// If the database fails.
pub async fn list_newest_leaves(
    connection: &Connection,
    before: Option<u64>,
    limit: u64,
) -> Result<Vec<StoredLeaf>, Error> {
    let mut query = ledger_leaf::Entity::find()
        .filter(ledger_leaf::Column::LeafIndex.is_not_null())
        .order_by_desc(ledger_leaf::Column::LeafIndex)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(ledger_leaf::Column::LeafIndex.lt(to_i64(before)?));
    }
    query
        .all(&connection.executor())
        .await?
        .into_iter()
        .map(read_leaf)
        .collect()
}

/// The first leaf with this hash, waiting or not.
///
/// # Errors
/// If the database fails.
pub async fn find_leaf(connection: &Connection, hash: &Hash) -> Result<Option<StoredLeaf>, Error> {
    let row = ledger_leaf::Entity::find()
        .filter(ledger_leaf::Column::LeafHash.eq(hash.as_bytes().to_vec()))
        .order_by_asc(ledger_leaf::Column::Id)
        .limit(1)
        .one(&connection.executor())
        .await?;
    row.map(read_leaf).transpose()
}

/// The hashes that prove the leaf at `index` to be in the tree of `size` leaves (RFC 9162 section 2.1.3).
///
/// # Errors
/// [`Error::NotFound`] for an index or size beyond the tree.
pub async fn prove_inclusion(connection: &Connection, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    let plan = plan_inclusion(index, size).map_err(|_| Error::NotFound("leaf"))?;
    build(connection, &plan).await
}

/// The hashes that prove the tree of `old` leaves to be a beginning of the one of `new` (RFC 9162 section 2.1.4).
///
/// # Errors
/// [`Error::NotFound`] for sizes beyond the tree.
pub async fn prove_consistency(connection: &Connection, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    let plan = plan_consistency(old, new).map_err(|_| Error::NotFound("tree"))?;
    build(connection, &plan).await
}

async fn build(connection: &Connection, plan: &ProofPlan) -> Result<Vec<Hash>, Error> {
    let mut levels: HashMap<u8, Vec<i64>> = HashMap::new();
    for node in plan.nodes() {
        levels.entry(node.level).or_default().push(to_i64(node.index)?);
    }
    let mut nodes: HashMap<NodeId, Hash> = HashMap::new();
    for (level, indices) in levels {
        let rows = ledger_node::Entity::find()
            .filter(ledger_node::Column::Level.eq(i64::from(level)))
            .filter(ledger_node::Column::NodeIndex.is_in(indices))
            .all(&connection.executor())
            .await?;
        for row in rows {
            nodes.insert(
                NodeId {
                    level,
                    index: to_u64(row.node_index)?,
                },
                read_hash(&row.hash)?,
            );
        }
    }
    plan.build(&nodes)
        .map_err(|_| Error::NotFound("tree of this size"))
}

fn read_leaf(row: ledger_leaf::Model) -> Result<StoredLeaf, Error> {
    Ok(StoredLeaf {
        index: row.leaf_index.map(to_u64).transpose()?,
        hash: read_hash(&row.leaf_hash)?,
        entry: row.entry,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

fn read_hash(bytes: &[u8]) -> Result<Hash, Error> {
    Hash::from_slice(bytes).ok_or_else(|| Error::corrupt("ledger hash", "not 32 bytes"))
}

fn to_i64(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::NotFound("leaf"))
}

fn to_u64(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|e| Error::corrupt("ledger number", e))
}
