//! The table `task`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub payload: Json,
    pub organization_id: Option<Uuid>,
    pub state: String,
    pub attempt: i64,
    pub max_attempts: i64,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<i64>,
    pub heartbeat_at: Option<i64>,
    pub progress: Option<Json>,
    pub result: Option<Json>,
    pub error: Option<Json>,
    pub created_at: i64,
    pub run_at: i64,
    pub finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
