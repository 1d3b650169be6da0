//! The table `job_vote`; its columns are explained in `migration/0007_job_check.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_vote")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub check_id: Uuid,
    pub seat: String,
    pub user_id: Uuid,
    pub organization_id: Uuid,
    pub verdict: String,
    pub reason: String,
    pub check_nonce: String,
    pub verdict_nonce: String,
    pub reason_nonce: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
