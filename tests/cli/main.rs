//! The program as its user meets it: command lines, standard streams, signals, terminals, and the build.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod layout;
mod prerequisites;
mod signals;
mod statistics;
mod streams;
mod terminals;
