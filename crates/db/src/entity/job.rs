//! The table `job`; its columns are explained in `migration/0001_initial.sql`,
//! `migration/0007_job_check.sql` and `migration/0008_top_up.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub project_id: Uuid,
    pub submitted_by: Uuid,
    pub kind: String,
    pub plan_hash: Vec<u8>,
    pub state: String,
    pub sql: Option<String>,
    pub plan: Json,
    pub cost: Json,
    pub policy_id: Option<Uuid>,
    pub reuse_of: Option<Uuid>,
    pub created_at: i64,
    pub due_at: i64,
    pub answer_due_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub result: Option<Json>,
    pub receipt: Option<Json>,
    pub revision: i64,
    pub answer_hash: Option<Vec<u8>>,
    pub answer_rho_nano: Option<i64>,
    pub tops_up: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
