//! The account of the loop's work: where it goes at the end.

use std::fs::File;
use std::io;
use std::path::Path;

use super::command_line;
use crate::coordinator::profile::{Order, Profile};
use crate::sys::file::{self, Mode};
use crate::sys::stdout;

/// An account that is wanted, and its file.
#[derive(Debug)]
pub struct Account {
    orders: Vec<Order>,
    file: Option<File>,
}

impl Account {
    /// Opens the file. What it holds stays until [`Account::write`].
    ///
    /// # Errors
    /// It can't be written.
    pub fn open(wanted: &command_line::Account) -> Result<Account, String> {
        let open = |path: &String| match file::open_append(Path::new(path), Mode::Usual) {
            Ok(opened) => Ok(opened.file),
            Err(error) => Err(format!("could not open the profile {path}: {error}")),
        };
        let file = wanted.file.as_ref().map(open).transpose()?;
        Ok(Account { orders: wanted.orders.clone(), file })
    }

    /// Writes what was measured over what the file held, or to stdout.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(self, profile: &Profile) -> io::Result<()> {
        let text = profile.report(&self.orders);
        match self.file {
            Some(file) => {
                // A pipe or a terminal holds nothing.
                let _ = file::empty(&file);
                file::write_whole(&file, text.as_bytes())
            }
            None => stdout::print(text.as_bytes()).map_err(|refused| refused.why),
        }
    }
}
