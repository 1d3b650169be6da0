//! What the repositories' statements end with.

use sea_orm::{EntityTrait, Select, UpdateMany};

use crate::connection::{Connection, Tx};
use crate::error::Error;

/// Ends a conditional update.
pub(crate) trait UpdateOne {
    /// Updates exactly one row; `otherwise` if the conditions fit none.
    async fn exec_one(self, tx: &Tx, otherwise: Error) -> Result<(), Error>;
}

impl<E: EntityTrait> UpdateOne for UpdateMany<E> {
    async fn exec_one(self, tx: &Tx, otherwise: Error) -> Result<(), Error> {
        one_row(self.exec(&tx.executor()).await?.rows_affected, otherwise)
    }
}

/// A JSON column read straight into what it holds.
pub(crate) struct JsonOf<T>(pub(crate) T);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for JsonOf<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: serde::de::DeserializeOwned> sea_orm::TryGetableFromJson for JsonOf<T> {}

/// Whether a statement touched its one row; `otherwise` if not.
pub(crate) fn one_row(rows: u64, otherwise: Error) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(otherwise) }
}

/// Ends a query whose rows become records.
pub(crate) trait ReadRows<M> {
    /// The first row as a record.
    async fn read_one<T>(
        self,
        connection: &Connection,
        read: impl Fn(M) -> Result<T, Error>,
    ) -> Result<Option<T>, Error>;

    /// All rows as records.
    async fn read_all<T>(
        self,
        connection: &Connection,
        read: impl Fn(M) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error>;
}

impl<E: EntityTrait> ReadRows<E::Model> for Select<E> {
    async fn read_one<T>(
        self,
        connection: &Connection,
        read: impl Fn(E::Model) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.one(&connection.executor()).await?.map(read).transpose()
    }

    async fn read_all<T>(
        self,
        connection: &Connection,
        read: impl Fn(E::Model) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.all(&connection.executor()).await?;
        rows.into_iter().map(read).collect()
    }
}
