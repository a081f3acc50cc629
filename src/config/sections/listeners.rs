//! `[eventlistener:x]`: what makes its processes a pool.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Context, plugins};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::event_kind::Kind;
use crate::config::options::Pool;
use crate::config::values;

/// Reads what a pool takes, in Supervisor's order.
///
/// # Errors
/// Those of its options; none of them names the file, as in Supervisor.
pub(super) fn read(context: &Context<'_>, section: &Section) -> Result<Arc<Pool>, ConfigError> {
    let reader = context.reader(section);
    let names = context.names_here();
    let name = || section.name.clone();
    let buffer_size = reader.get("buffer_size", &names, |text| {
        let size = values::integer(text)?;
        let valid = usize::try_from(size).ok().filter(|size| *size > 0);
        valid.ok_or_else(|| ConfigError::BufferSize(name(), size))
    })?;
    plugins::handler(context, section)?;
    let events =
        reader.need("events", &names, |text| events(text, section), ConfigError::NoEvents)?;
    reader.get("redirect_stderr", &names, |text| match values::boolean(text)? {
        true => Err(ConfigError::RedirectedListener(name())),
        false => Ok(()),
    })?;
    let ack_timeout = reader.find("ack_timeout", &names, values::seconds)?;
    Ok(Arc::new(Pool {
        events,
        buffer_size,
        event_length: reader.get("event_length", &names, values::event_length)?,
        listener_error: reader.get("listener_error", &names, values::listener_error)?,
        ack_timeout: ack_timeout.filter(|time| !time.is_zero()),
    }))
}

/// A comma list of types in any case; the order means nothing.
fn events(text: &str, section: &Section) -> Result<Vec<Kind>, ConfigError> {
    let section = || section.name.clone();
    let kind = |name: String| {
        Kind::parse(&name).ok_or_else(|| ConfigError::EventType(section(), name.to_uppercase()))
    };
    let mut events =
        values::strings(text).into_iter().map(kind).collect::<Result<Vec<Kind>, _>>()?;
    events.sort_unstable();
    events.dedup();
    if events.is_empty() { Err(ConfigError::NoEvents(section())) } else { Ok(events) }
}
