//! The journal of systemd as standard output or standard error. It splits a stream at line ends, gives each line its
//! time, and reads a priority from the beginning of each (sd-daemon(3)).

use std::env;
use std::fmt::Write as _;
use std::os::fd::BorrowedFd;

use rustix::fs::fstat;
use tracing::Level;

/// How important a line is, with the numbers of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// What needs a person now.
    Critical = 2,
    /// What has failed.
    Error = 3,
    /// What may be wrong.
    Warning = 4,
    /// What is over, such as an alert that was resolved.
    Notice = 5,
    /// What happens in any run.
    Info = 6,
    /// What developers want to know.
    Debug = 7,
}

impl From<&Level> for Priority {
    fn from(level: &Level) -> Priority {
        match *level {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Info,
            Level::DEBUG | Level::TRACE => Priority::Debug,
        }
    }
}

/// Returns whether this stream is the journal: systemd names the device and the inode of its socket in
/// `JOURNAL_STREAM`. A stream that was redirected afterwards has others.
pub fn is_journal(stream: BorrowedFd<'_>) -> bool {
    let Some(named) = env::var("JOURNAL_STREAM").ok().as_deref().and_then(parse) else {
        return false;
    };
    fstat(stream).is_ok_and(|status| named == (status.st_dev, status.st_ino))
}

fn parse(variable: &str) -> Option<(u64, u64)> {
    let (device, inode) = variable.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// Puts the priority before each line. A line that begins with another priority, as one of a plugin may, keeps that as
/// text: the journal reads one.
pub(super) fn with_priority(text: &str, priority: Priority) -> String {
    let mut lines = String::with_capacity(text.len() + 4);
    for line in text.split_inclusive('\n') {
        // Into memory: it cannot fail.
        let _ = write!(lines, "<{}>{line}", priority as u8);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_priority_whatever_it_begins_with() {
        let text = "one\n<0>two\n\n    in three";
        let expected = "<4>one\n<4><0>two\n<4>\n<4>    in three";
        assert_eq!(with_priority(text, Priority::Warning), expected);
        assert_eq!(with_priority("", Priority::Info), "");
    }

    #[test]
    fn a_stream_is_named_by_two_numbers() {
        assert_eq!(parse("9:34567"), Some((9, 34_567)));
        for other in ["", "9", "9:", ":9", "9:a", "9:1:2", "-9:1"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
