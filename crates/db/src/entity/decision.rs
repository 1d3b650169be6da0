//! The table `decision`; its columns are explained in `migration/0001_initial.sql` and
//! `migration/0004_reason_nonce.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub request_id: Uuid,
    pub user_id: Uuid,
    pub decision: String,
    pub reason: String,
    pub budget: Option<Json>,
    pub policy_id: Option<Uuid>,
    pub created_at: i64,
    pub reason_nonce: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
