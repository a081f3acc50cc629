//! tail of several processes: each line behind the name of its process.

use super::super::client::{StreamEnd, Tail};
use super::super::output::{name_of, split_name};
use super::super::prefixed::Prefixed;
use super::logs::{Channel, Much, escaped, fail, from_end, much, unreadable};
use super::names::{is_exactly, is_pattern, matching};
use super::{Done, Session};
use crate::xml_rpc::Value;

/// A request for several logs.
pub(super) struct Tails {
    much: Much,
    channel: Channel,
    /// Processes, and words that name none, in the order asked for.
    names: Vec<Result<String, String>>,
}

impl Tails {
    /// Reads the words; none: they ask for one log, or are wrong. Wrong they are where Supervisor
    /// has an error for them and they don't name processes: then the error is Supervisor's.
    pub(super) fn of(session: &mut Session, words: &[&str]) -> Option<Tails> {
        let (much, words) = match words {
            [modifier, rest @ ..] if modifier.starts_with('-') => (much(modifier), rest),
            words => (Some(Much::default()), words),
        };
        let (channel, words) = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => match Channel::of(last) {
                Some(channel) => (channel, rest),
                None => (Channel::Stdout, words),
            },
            _ => (Channel::Stdout, words),
        };
        let is_plural = |word: &&str| is_pattern(word) || split_name(word).1.is_none();
        let plural = words.iter().any(is_plural);
        let much = much.filter(|_| plural || words.len() > 1)?;
        // Without an answer it is left to what asks for one log to say why.
        let Ok(infos) = session.call_list("getAllProcessInfo", &[]) else {
            return None;
        };
        let is_name = |word: &str| {
            split_name(word).1.is_some() && infos.iter().any(|info| is_exactly(word, info))
        };
        let plural = words.iter().any(|word| is_plural(word) && !is_name(word));
        let mut names = Vec::new();
        for word in words {
            let found = matching(word, &infos);
            if found.is_empty() {
                names.push(Err((*word).to_owned()));
            }
            for name in found.into_iter().map(name_of).map(Ok) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let found = names.iter().filter(|name| name.is_ok()).count();
        let is_several = found > 1 || (found == 1 && plural);
        is_several.then_some(Tails { much, channel, names })
    }

    /// Shows the logs.
    pub(super) fn show(self, session: &mut Session) -> Done {
        let found: Vec<&String> = self.names.iter().flatten().collect();
        let width = found.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let color = session.color;
        let prefix = |number: usize, name: &str| {
            let padding = " ".repeat(width - name.chars().count().min(width));
            format!("{}{padding} | ", color.numbered(name, number))
        };
        for word in self.names.iter().filter_map(|name| name.as_ref().err()) {
            fail(session, &format!("{word}: ERROR (no such process name)"))?;
        }
        match self.much {
            Much::Last(bytes) => {
                for (number, name) in found.into_iter().enumerate() {
                    let [offset, length] = from_end(bytes);
                    let params = [Value::from(name.as_str()), offset, length];
                    match session.call(self.channel.method(), &params) {
                        Ok(text) => {
                            let text = session.shown.text(text.as_bytes().unwrap_or_default());
                            let lines = Prefixed::text(&prefix(number, name), &text);
                            session.out.bytes(&lines);
                        }
                        Err(error) => unreadable(session, name, error)?,
                    }
                }
                Ok(())
            }
            Much::Follow => {
                let channel = self.channel.name();
                let tail = |(number, name): (usize, &String)| Tail {
                    path: format!("/logtail/{}/{channel}", escaped(name)),
                    prefix: prefix(number, name),
                };
                let tails: Vec<Tail> = found.into_iter().enumerate().map(tail).collect();
                session.out.line("==> Press Ctrl-C to exit <==");
                session.out.flush();
                match session.transport.follow(&session.server, &tails, session.shown)? {
                    StreamEnd::Closed => {}
                    StreamEnd::Interrupted => session.out.line(""),
                    StreamEnd::Failed => session.exit = super::Exit::FAILURE,
                }
                Ok(())
            }
        }
    }
}
