//! The table `ledger_leaf`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_leaf")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub leaf_index: Option<i64>,
    pub entry: Vec<u8>,
    pub leaf_hash: Vec<u8>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
