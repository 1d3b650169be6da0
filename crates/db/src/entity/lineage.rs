//! The table `lineage`; its columns are explained in `migration/0001_initial.sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lineage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub unit_type: Option<String>,
    pub rho_lifetime_cap_nano: i64,
    pub rho_lifetime_spent_nano: i64,
    pub delta_lifetime_cap_atto: i64,
    pub delta_lifetime_spent_atto: i64,
    pub rho_window_cap_nano: i64,
    pub rho_remaining_nano: i64,
    pub rho_reserved_nano: i64,
    pub window_days: i64,
    pub window_start: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
