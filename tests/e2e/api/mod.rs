//! The API as programs use it, rightly and wrongly.

mod bad_file;
mod bad_input;
mod command;
mod dummy;
mod language;
mod open_data;
mod special;
mod story;
