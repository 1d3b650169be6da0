//! What somebody learns or does who should not. Each test says what the attacker gets.

mod at_rest;
mod authority;
mod dummy;
mod figures;
mod repeat;
mod route;
mod scope;
mod session;
mod slow;
mod table;
mod timing;
