//! A test generated from the option table, `minder::config::table::ROWS`: whatever is in it must
//! have a good value, a bad one with its literal error where its type has any, and an effect. The
//! same probe, with the option and without it, has to see different things of a real daemon. A
//! row that nobody has written an effect for fails, and so does an effect without a row.
//!
//! The effects stand in the tables of the modules below; bad values come from a row's type, so
//! that a new row has them by itself. A word of `section.key` in `MINDER_OPTION` chooses the rows
//! whose effects are tried. `MINDER_COMPAT=theirs` asks the original for
//! its errors, which have to be the same; it is asked for nothing else here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test ends by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod child;
mod client;
mod effect;
mod errors;
mod fcgi;
mod files;
mod listeners;
mod logs;
mod look;
mod restarts;
mod servers;
mod stops;
mod supervisord;
mod syslog;

use std::{env, fmt};

use minder::config::table::{ROWS, Row, Section};

use crate::{
    effect::{Effect, Probe, Table},
    support::Side,
};

/// The effects. Those of one table that share a daemon must not disturb each other.
const TABLES: &[Table] = &[
    supervisord::TABLE,
    servers::TABLE,
    client::TABLE,
    files::TABLE,
    child::TABLE,
    restarts::TABLE,
    stops::TABLE,
    logs::TABLE,
    syslog::TABLE,
    listeners::TABLE,
    fcgi::TABLE,
];

/// How a row is named here: `program.umask`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(Section, &'static str);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", title(self.0), self.1)
    }
}

/// The word that a section of this kind begins with.
fn title(section: Section) -> &'static str {
    match section {
        Section::Supervisord => "supervisord",
        Section::UnixHttpServer => "unix_http_server",
        Section::InetHttpServer => "inet_http_server",
        Section::Supervisorctl => "supervisorctl",
        Section::Include => "include",
        Section::Program => "program",
        Section::Group => "group",
        Section::EventListener => "eventlistener",
        Section::FcgiProgram => "fcgi-program",
        Section::RpcInterface => "rpcinterface",
        Section::CtlPlugin => "ctlplugin",
    }
}

fn effects() -> impl Iterator<Item = &'static Effect> {
    TABLES.iter().flat_map(|table| table.effects)
}

/// The effect of a row; a row without one has failed elsewhere.
fn of_row(row: &Row) -> Option<&'static Effect> {
    effects().find(|effect| effect.name() == Name(row.section, row.key))
}

#[test]
fn every_row_has_an_effect_and_every_effect_a_row() {
    let mut faults = Vec::new();
    for row in ROWS {
        let name = Name(row.section, row.key);
        match effects().filter(|effect| effect.name() == name).count() {
            0 => faults.push(format!("{name} has no effect: add it to a table of tests/options")),
            1 => {}
            more => faults.push(format!("{name} has {more} effects")),
        }
    }
    let is_row = |name: Name| ROWS.iter().any(|row| Name(row.section, row.key) == name);
    for effect in effects() {
        let name = effect.name();
        if !is_row(name) {
            faults.push(format!("the effect of {name} has no row in config::table"));
        }
        if matches!(effect.probe, Probe::ToCome) {
            faults.push(format!("{name} has no probe"));
        }
        if effect.with == effect.without {
            faults.push(format!("{name} is to show the same with and without"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_bad_value_is_told_in_the_known_words() {
    let mut faults = Vec::new();
    for row in ROWS {
        let bare = effect::option(row.section, row.key, "");
        let effect = of_row(row).unwrap_or(&bare);
        for (key, value, error) in errors::of_row(row) {
            if Side::under_test() == Side::Theirs && errors::is_ours_alone(key) {
                continue;
            }
            let text = effect.section_with(key, &value);
            let output = errors::refusal(row.section, &text);
            if let Err(fault) = errors::tells(&output, &error) {
                faults.push(format!("{} as {key}={value}: {fault}", effect.name()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_good_value_is_taken() {
    if !Side::ours_only("the good values of options") {
        return;
    }
    let mut faults = Vec::new();
    for row in ROWS {
        let Some(effect) = of_row(row) else { continue };
        for key in errors::keys(row) {
            let text = effect.section_with(key, effect.good);
            if let Err(fault) = errors::is_taken(row.section, &text) {
                faults.push(format!("{} as {key}={}: {fault}", effect.name(), effect.good));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_option_has_its_effect() {
    if !Side::ours_only("the effects of options") {
        return;
    }
    assert!(support::root(), "only root can become another user");
    let chosen = env::var("MINDER_OPTION").ok();
    let is_chosen = |effect: &Effect| match &chosen {
        Some(word) => effect.name().to_string().contains(word),
        None => true,
    };
    effect::try_all(TABLES, is_chosen);
}
