//! The native REST API, `/api/v1/…`: wire types and handlers, one file per resource.

pub mod access;
pub mod check;
pub mod dataset;
pub mod dummy;
pub mod entry;
pub mod extract;
pub mod job;
pub mod loss;
pub mod openapi;
pub mod project;
pub mod review;
pub mod row;
pub mod token;
pub mod version;
