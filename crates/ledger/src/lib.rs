//! The public ledger: who was allowed what, in a form that anyone can check without trusting the portal.
//!
//! The crate is pure: it hashes, encodes, signs and verifies bytes that others store and serve.
//!
//! | module | what | standard |
//! |---|---|---|
//! | [`hash`] | leaf and node hashes | RFC 6962 section 2.1 |
//! | [`frontier`] | append in O(log n) state | RFC 6962, compact range |
//! | [`proof`] | inclusion and consistency proofs | RFC 9162 section 2.1 |
//! | [`tile`] | hash tiles, entry bundles, their paths | C2SP tlog-tiles |
//! | [`note`], [`checkpoint`] | signed tree heads | C2SP signed-note, tlog-checkpoint |
//! | [`leaf`], [`commitment`] | what a record says, openly or sealed | RFC 8785 |
//! | [`receipt`] | the proof that a party to an act keeps | |
//! | [`verify`] | check of a whole log, live or mirrored | |
//!
//! # Life of an act
//! The act's transaction stores [`Leaf::to_bytes`](leaf::Leaf::to_bytes). Later one sequencer gives waiting
//! leaves their index, appends them to the [`Frontier`], writes the changed tiles
//! ([`tile::grow`]), and only then signs a [`Checkpoint`]. From then on a
//! [`Receipt`] is proven.

pub mod checkpoint;
pub mod commitment;
pub mod frontier;
pub mod hash;
pub mod leaf;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod tile;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitment::{Commitment, Nonce, Opening};
pub use frontier::Frontier;
pub use hash::Hash;
pub use leaf::{Act, Actor, Fact, Leaf, LeafBuilder, LeafError};
pub use note::{Note, NoteError, SigningKey, VerifierKey};
pub use proof::{NodeId, NodeReader, ProofError, ReadError};
pub use receipt::{Inclusion, Receipt, ReceiptError, Standing};
pub use tile::{LogReader, Resource, Tile, TileError};
pub use verify::{LogVerifier, VerifiedLog, VerifyError};

#[cfg(test)]
mod vectors;
