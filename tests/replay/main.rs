//! Captures and their replay: the file format; what a replay prints, records and refuses; and generated
//! captures.

#[path = "../common/mod.rs"]
mod common;

mod bad_capture;
mod bad_lines;
mod capture;
mod causes;
mod census;
mod end;
mod export;
mod files;
mod filters;
mod generate;
mod inspect;
mod record;
mod report;
mod times;
