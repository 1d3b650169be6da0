//! One module per table: its row type, and nothing else. Joins are written out in the repositories.
#![expect(
    unreachable_pub,
    reason = "sea-orm's derives want public items; this module is private"
)]

pub(crate) mod allocation;
pub(crate) mod charge;
pub(crate) mod dataset;
pub(crate) mod dataset_alias;
pub(crate) mod decision;
pub(crate) mod idempotency_key;
pub(crate) mod job;
pub(crate) mod job_check;
pub(crate) mod job_vote;
pub(crate) mod ledger_checkpoint;
pub(crate) mod ledger_leaf;
pub(crate) mod ledger_node;
pub(crate) mod ledger_state;
pub(crate) mod lineage;
pub(crate) mod opinion;
pub(crate) mod organization;
pub(crate) mod outbox;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod project_dataset;
pub(crate) mod request;
pub(crate) mod request_dataset;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod sign_in_throttle;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod usage_count;
pub(crate) mod user;
pub(crate) mod user_role;
pub(crate) mod version;
pub(crate) mod version_key;
