//! Configuration: text → options. Pure: no file is opened, no user looked up here.
//!
//! The way of the data: [`dialect`] turns the lines of a file into canonical text and spans,
//! [`document`] merges files, [`sections`] makes [`options`] of them with the help of [`table`]
//! (the rows), [`expand`] (`%(name)s`), [`values`] and [`pairs`] (the data types) and [`host`]
//! (all that must be asked of the machine). [`reread`] compares two results.
#![forbid(unsafe_code)]

pub mod command_line;
pub mod dialect;
pub mod document;
pub mod error;
pub mod event_kind;
pub mod expand;
pub mod host;
pub mod options;
pub mod pairs;
pub mod paths;
pub mod quote;
pub mod reread;
pub mod sample;
pub mod sections;
pub mod signal;
pub mod table;
pub mod values;
