//! The portal from outside: every test starts the real program with a data folder of its own and talks to it over
//! HTTP, its command line or a browser.
//!
//! | module | asks |
//! |---|---|
//! | [`api`] | does the whole story work, and is bad input told from good |
//! | [`attacks`] | what does somebody learn or do who should not |
//! | [`faults`] | what is left when the process is killed |
//! | [`browser`] | can people do it by the pages |
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod api;
mod app;
mod attacks;
mod browser;
mod faults;
mod fixture;
mod flow;
