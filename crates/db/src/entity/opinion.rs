//! The table `opinion`; its columns are explained in `migration/0001_initial.sql` and
//! `migration/0004_reason_nonce.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "opinion")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub request_id: Uuid,
    pub organization_id: Uuid,
    pub user_id: Uuid,
    pub opinion: String,
    pub reason: String,
    pub created_at: i64,
    pub reason_nonce: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
