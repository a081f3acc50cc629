//! The methods of XML-RPC, pure: names, signatures, decoding, faults.
#![forbid(unsafe_code)]

pub mod fault;
pub mod method;
pub mod shown;
pub mod table;
pub mod touched;
