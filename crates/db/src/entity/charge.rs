//! The table `charge`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "charge")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub job_id: Uuid,
    pub project_id: Uuid,
    pub allocation_id: Uuid,
    pub lineage_id: Uuid,
    pub rho_nano: i64,
    pub delta_atto: i64,
    pub lineage_charged: bool,
    pub created_at: i64,
    pub subset_version_id: Option<Uuid>,
    pub subset_field: Option<String>,
    pub subset_values: Option<String>,
    pub subset_rho_nano: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
