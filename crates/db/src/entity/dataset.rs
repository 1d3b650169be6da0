//! The table `dataset`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub origin: Option<String>,
    pub organization_id: Uuid,
    pub created_by: Uuid,
    pub lineage_id: Uuid,
    pub level: Option<i64>,
    pub special: bool,
    pub state: String,
    pub metadata: Json,
    pub declared: Option<Json>,
    pub current_version_id: Option<Uuid>,
    pub revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
