//! The way down: groups stop one after another, the last of the order first.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Effect, Member, ProcessId, World};
use crate::event::payload;
use crate::process::machine::Input;
use crate::process::state::{ProcessState, SupervisorState};
use crate::process::time::{Mono, Now};

/// How often the daemon's own wait for the last processes is told.
const SHUTDOWN_REPORT: Duration = Duration::from_secs(3);

/// How long a pool of listeners may take, before it is stopped with the daemon, to hear what has
/// happened until then. Not longer than Supervisor's pause between two groups.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How far the daemon is on its way down.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Names of the groups that are still to be stopped, the next one last.
    groups: Vec<String>,
    /// The next one is a pool that has not heard everything: when it is stopped nevertheless.
    pub(super) hearing_until: Option<Mono>,
    pub(super) report_at: Mono,
    pub(super) finished: bool,
}

impl World {
    pub(super) fn leave(&mut self, now: Now, state: SupervisorState, out: &mut Vec<Effect>) {
        if self.state == SupervisorState::Shutdown {
            return;
        }
        let overruled = self.state != state;
        self.state = state;
        self.bouncing.clear();
        if self.leaving.as_ref().is_some_and(|leaving| leaving.finished) && overruled {
            // The restart waits for what is still being prepared, and will not come.
            out.push(Effect::Finished(state));
        }
        if self.leaving.is_none() {
            let groups = self.groups.iter().map(|group| group.options.name.clone()).collect();
            self.leaving =
                Some(Leaving { groups, hearing_until: None, report_at: now.mono, finished: false });
            let all: Vec<ProcessId> = self.members.keys().copied().collect();
            for id in all {
                self.schedule(id);
            }
            self.events.offer(payload::Event::supervisor_stopping(), now, out);
            self.settle_sockets(now, self.sockets.ids(), out);
            self.turn_to_next_group(now, out);
        }
    }

    /// Groups stop one after another, the last of the order first.
    pub(super) fn go_on_leaving(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.leaving.as_ref().is_none_or(|leaving| leaving.finished) {
            return;
        }
        if self.has_heard(now) {
            self.stop_next_group(now, out);
        }
        while self.current_group_is_down() {
            if let Some(leaving) = &mut self.leaving {
                leaving.groups.pop();
            }
            self.turn_to_next_group(now, out);
        }
        self.report_shutdown(now, out);
    }

    /// The pool whose turn it is to stop has heard everything, or had its time.
    fn has_heard(&self, now: Now) -> bool {
        let Some(leaving) = &self.leaving else { return false };
        let Some(until) = leaving.hearing_until else { return false };
        now.mono >= until || !leaving.groups.last().is_some_and(|name| self.events.owes(name))
    }

    /// Stops the next group, a pool of listeners only once it has heard what has happened: they
    /// are stopped last to hear of the end of the others.
    fn turn_to_next_group(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leaving) = &mut self.leaving else { return };
        let owes = leaving.groups.last().is_some_and(|name| self.events.owes(name));
        leaving.hearing_until = owes.then(|| now.mono + LAST_WORDS);
        if !owes {
            self.stop_next_group(now, out);
        }
    }

    fn current_group_is_down(&self) -> bool {
        let Some(name) = self.leaving.as_ref().and_then(|l| l.groups.last()) else { return false };
        let Ok(group) = self.group(name) else { return true };
        let mut members = group.members.iter().filter_map(|id| self.members.get(id));
        members.all(|member| member.process.state().is_stopped())
    }

    fn stop_next_group(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leaving) = &mut self.leaving else { return };
        leaving.hearing_until = None;
        let Some(name) = leaving.groups.last().cloned() else { return };
        let Ok(group) = self.group(&name) else { return };
        let mut members: Vec<(i64, ProcessId)> = group
            .members
            .iter()
            .filter_map(|id| Some((self.members.get(id)?.process.program.priority, *id)))
            .collect();
        members.sort_by_key(|(priority, _)| *priority);
        for (_, id) in members.into_iter().rev() {
            let state = self.members.get(&id).map(|member| member.process.state());
            match state {
                Some(ProcessState::Running | ProcessState::Starting) => {
                    self.input(now, id, Input::Stop, out);
                }
                Some(ProcessState::Backoff) => self.input(now, id, Input::GiveUp, out),
                Some(
                    ProcessState::Stopped
                    | ProcessState::Stopping
                    | ProcessState::Exited
                    | ProcessState::Fatal
                    | ProcessState::Unknown,
                )
                | None => {}
            }
        }
    }

    fn unstopped(&self) -> impl Iterator<Item = &Member> {
        let all = self.groups.iter().flat_map(|group| &group.members);
        let all = all.filter_map(|id| self.member(*id));
        all.filter(|member| !member.process.state().is_stopped())
    }

    fn report_shutdown(&mut self, now: Now, out: &mut Vec<Effect>) {
        let is_due = self.leaving.as_ref().is_some_and(|leaving| leaving.report_at <= now.mono);
        let finished = self.unstopped().next().is_none();
        if finished {
            let all: Vec<ProcessId> = self.members.keys().copied().collect();
            self.forget_sockets(&all, out);
            self.events.finish(out);
            out.push(Effect::Finished(self.state));
        } else if is_due {
            let named =
                |member: &Member| (member.process.program.name.clone(), member.process.state());
            out.push(Effect::WaitingToDie(self.unstopped().map(named).collect()));
        }
        let Some(leaving) = &mut self.leaving else { return };
        leaving.finished = finished;
        if is_due {
            leaving.report_at = now.mono + SHUTDOWN_REPORT;
        }
    }
}
