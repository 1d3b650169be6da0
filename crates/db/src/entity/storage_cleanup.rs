//! The table `storage_cleanup`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "storage_cleanup")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub zone: String,
    pub path: String,
    pub not_before: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
