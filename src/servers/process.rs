//! Processes of the operating system, told apart for certain.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// Time between looks at a process that is stopping.
const LOOK: Duration = Duration::from_millis(20);

/// A process, by its id and by when it was started: ids are used again, the pair is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    /// The process id.
    pub(super) pid: u32,
    /// When it was started, in clock ticks since the machine was.
    pub(super) started: u64,
}

impl ProcessId {
    /// The process that has this id now; nothing if there is none or it is a zombie.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = state_and_start(&stat)?;
        (state != 'Z').then_some(Self { pid, started })
    }

    /// Whether it still runs.
    pub(super) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Whether it still runs, in this folder or one below it. Servers work in their data folder.
    pub(super) fn is_alive_in(self, folder: &Path) -> bool {
        let works_there = std::fs::read_link(format!("/proc/{}/cwd", self.pid)).is_ok_and(|cwd| cwd.starts_with(folder));
        works_there && self.is_alive()
    }

    /// Asks it to stop, waits, then kills it. Returns when it is gone.
    pub(super) fn stop(self, patience: Duration) {
        self.ask_to_stop();
        if !self.wait_gone(patience) {
            self.signal(Signal::KILL);
            self.wait_gone(Duration::from_secs(5));
        }
    }

    /// Asks it to stop.
    pub(super) fn ask_to_stop(self) {
        self.signal(Signal::TERM);
    }

    fn signal(self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive()) {
            // It may end between the look and the signal, which is what is wanted.
            let _ = kill_process(pid, signal);
        }
    }

    fn wait_gone(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

/// The state and the start time from a line of `/proc/<pid>/stat` (proc(5): fields 3 and 22). The second field, the program's name in
/// parentheses, may itself hold blanks and parentheses.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1 1";
        assert_eq!(state_and_start(stat), Some(('S', 987_654)));
    }

    #[test]
    fn a_process_that_works_in_the_folder_is_recognised_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let folder_path = folder.path().canonicalize().unwrap();
        let mut child = Command::new("sleep").arg("600").current_dir(&folder_path).spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(process.is_alive_in(&folder_path));
        assert!(!process.is_alive_in(&folder_path.join("other")));
        process.stop(Duration::from_secs(5));
        assert!(!process.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn a_process_with_the_same_id_but_another_start_is_not_touched() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let now = ProcessId::of(child.id()).unwrap();
        let earlier = ProcessId {
            started: now.started - 1,
            ..now
        };
        assert!(!earlier.is_alive());
        earlier.stop(Duration::from_millis(50));
        assert!(now.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ProcessId::of(child.id()), None);
    }
}
