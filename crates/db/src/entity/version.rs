//! The table `version`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub dataset_id: Uuid,
    pub number: i64,
    pub state: String,
    pub created_by: Uuid,
    pub source_name: String,
    pub options: Json,
    pub declared: Option<Json>,
    pub manifest: Option<Json>,
    pub profile: Option<Json>,
    pub failure: Option<Json>,
    pub checksum: Option<String>,
    pub created_at: i64,
    pub ready_at: Option<i64>,
    pub published_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
