//! What a guest says on its console: lines of `guest/init`, which begin with "@", and those of Rust's test harness.

use std::collections::BTreeMap;

/// The results of a guest, from the lines of its console.
#[derive(Debug, Default)]
pub struct Console {
    /// As `uname -r` prints it; empty if the guest did not come so far.
    pub release: String,
    /// What the runner noted of this run.
    pub notes: Notes,
    /// Of each test, by its name.
    pub tests: BTreeMap<String, Verdict>,
    /// What tests could not check on this kernel: name of the test, and the reason.
    pub lacks: Vec<(String, String)>,
    /// Why tests failed, as the harness printed it.
    pub failures: Vec<String>,
    /// Why there are no results of the guest or of a part, or not all.
    pub problems: Vec<String>,
    lines: Vec<String>,
    /// The part that runs.
    part: Option<Part>,
    /// Between "failures:" and the list of names.
    in_failures: bool,
    ended: bool,
}

/// What the runner notes of a run, in lines of the same form as the guest's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Debian's version of the kernel.
    pub debian: String,
    /// Timer interrupts a second, or "–".
    pub hz: String,
    /// The day.
    pub date: String,
    /// The commit that was tested.
    pub commit: String,
    /// QEMU's version.
    pub qemu: String,
    /// From the start of QEMU to its end.
    pub seconds: String,
}

impl Notes {
    fn field(&mut self, word: &str) -> Option<&mut String> {
        Some(match word {
            "debian" => &mut self.debian,
            "hz" => &mut self.hz,
            "date" => &mut self.date,
            "commit" => &mut self.commit,
            "qemu" => &mut self.qemu,
            "seconds" => &mut self.seconds,
            _ => return None,
        })
    }

    /// The lines that a console begins with.
    pub fn lines(&self) -> Vec<String> {
        let notes = [
            ("debian", &self.debian),
            ("hz", &self.hz),
            ("date", &self.date),
            ("commit", &self.commit),
            ("qemu", &self.qemu),
        ];
        notes
            .map(|(word, value)| format!("@{word} {value}"))
            .to_vec()
    }
}

#[derive(Debug, Default)]
struct Part {
    name: String,
    /// Tests that the harness announced.
    expected: Option<usize>,
    seen: usize,
    failed: usize,
}

/// The result of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It does not apply to this kernel.
    NotApplicable,
}

impl Console {
    /// Reads all lines of a console.
    pub fn of(text: &str) -> Console {
        let mut console = Console::default();
        text.lines().for_each(|line| console.read(line));
        console
    }

    /// Reads a line.
    pub fn read(&mut self, line: &str) {
        self.lines.push(line.to_owned());
        if let Some(line) = line.strip_prefix('@') {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            self.read_init(word, rest);
        } else if let Some(line) = line.strip_prefix("test ") {
            self.read_test(line);
        } else if let Some(line) = line.strip_prefix("running ") {
            let count = line
                .split(' ')
                .next()
                .and_then(|count| count.parse::<usize>().ok());
            if let (Some(part), Some(count)) = (&mut self.part, count) {
                part.expected = Some(part.expected.unwrap_or(0) + count);
            }
        } else if line == "failures:" {
            // Twice: before the reasons, and before the names.
            self.in_failures = !self.in_failures;
        } else if self.in_failures {
            self.failures.push(line.to_owned());
        }
    }

    fn read_init(&mut self, word: &str, rest: &str) {
        match word {
            "release" => rest.clone_into(&mut self.release),
            "part" => {
                self.in_failures = false;
                self.part = Some(Part {
                    name: rest.to_owned(),
                    ..Part::default()
                });
            }
            "exit" => self.end_part(rest),
            "stderr" => self.read_reason(rest),
            "kernel" => self.fail(format!("the kernel logged: {rest}")),
            "missing" => self.fail(format!("{rest} is missing in the guest")),
            "end" => self.ended = true,
            "problem" => self.fail(rest.to_owned()),
            _ => {
                if let Some(note) = self.notes.field(word) {
                    rest.clone_into(note);
                }
            }
        }
    }

    fn read_test(&mut self, line: &str) {
        // "NAME ... ok". The summary is "test result: …".
        let Some((name, verdict)) = line.split_once(" ... ") else {
            return;
        };
        let verdict = match verdict {
            "ok" => Verdict::Passed,
            _ => Verdict::Failed,
        };
        if let Some(part) = &mut self.part {
            part.seen += 1;
            part.failed += usize::from(verdict == Verdict::Failed);
        }
        self.tests.insert(name.to_owned(), verdict);
    }

    /// "skipped: TEST: REASON" of a test that does not apply, "lacks: TEST: WHAT" of one that left something out.
    fn read_reason(&mut self, line: &str) {
        let mut words = line.splitn(3, ": ");
        let (Some(word), Some(test), Some(reason)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        let reason = (test.to_owned(), reason.to_owned());
        match word {
            "skipped" => {
                if let Some(verdict) = self.tests.get_mut(test) {
                    *verdict = Verdict::NotApplicable;
                }
            }
            "lacks" => {}
            _ => return,
        }
        if !self.lacks.contains(&reason) {
            self.lacks.push(reason);
        }
    }

    fn end_part(&mut self, status: &str) {
        let Some(part) = self.part.take() else {
            return;
        };
        if part.expected != Some(part.seen) || part.seen == 0 {
            let expected = part
                .expected
                .map_or("an unknown number".to_owned(), |count| count.to_string());
            self.fail(format!(
                "part {}: {} results of {expected} tests",
                part.name, part.seen
            ));
        }
        // The harness exits with 101 where tests failed.
        let expected = if part.failed == 0 { "0" } else { "101" };
        if status != expected {
            self.fail(format!(
                "part {}: the test program exited with {status}, not with {expected}",
                part.name
            ));
        }
    }

    /// Adds a problem.
    pub fn fail(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Returns whether the guest ran all parts.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Number of tests with this result.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tests
            .values()
            .filter(|found| **found == verdict)
            .count()
    }

    /// Returns whether every test that applies passed, and there is no problem.
    pub fn is_good(&self) -> bool {
        self.ended && self.problems.is_empty() && self.count(Verdict::Failed) == 0
    }

    /// The last lines.
    pub fn last_lines(&self, count: usize) -> String {
        self.lines[self.lines.len().saturating_sub(count)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
@release 6.1.0
@part main

running 2 tests
test causes::root_one ... ok
test causes::root_two ... ok

test result: ok. 2 passed; 0 failed
@exit 0
@stderr skipped: causes::root_two: this kernel has no such thing: none
@end";

    #[test]
    fn a_test_that_does_not_apply_is_told_from_one_that_passed() {
        let console = Console::of(GOOD);
        assert!(console.is_good(), "{console:?}");
        assert_eq!(console.release, "6.1.0");
        assert_eq!(console.count(Verdict::Passed), 1);
        assert_eq!(console.count(Verdict::NotApplicable), 1);
        let reason = "this kernel has no such thing: none".to_owned();
        assert_eq!(console.lacks, [("causes::root_two".to_owned(), reason)]);
    }

    #[test]
    fn whatever_is_missing_is_a_problem() {
        for (line, problem) in [
            ("test causes::root_two ... ok", "1 results of 2 tests"),
            ("running 2 tests", "2 results of an unknown number tests"),
            ("@exit 0", ""),
            ("@end", ""),
        ] {
            let shorter: String = GOOD
                .lines()
                .filter(|other| *other != line)
                .map(|line| format!("{line}\n"))
                .collect();
            let console = Console::of(&shorter);
            if !problem.is_empty() {
                let problems = console.problems.join("; ");
                assert!(problems.contains(problem), "{line}: {problems}");
            }
            assert_eq!(console.is_good(), line == "@exit 0", "{line}: {console:?}");
        }
    }

    #[test]
    fn a_crash_of_the_test_program_is_a_problem() {
        let console = Console::of(&GOOD.replace("@exit 0", "@exit 139"));
        assert_eq!(
            console.problems,
            ["part main: the test program exited with 139, not with 0"]
        );
    }

    #[test]
    fn notes_are_read_as_they_are_written() {
        let notes = Notes {
            debian: "6.1.192-2".to_owned(),
            hz: "250".to_owned(),
            date: "2026-11-26".to_owned(),
            commit: "0123abc".to_owned(),
            qemu: "QEMU emulator version 10.0.13".to_owned(),
            seconds: String::new(),
        };
        assert_eq!(Console::of(&notes.lines().join("\n")).notes, notes);
    }

    #[test]
    fn reasons_of_failures_are_kept() {
        let console = Console::of(
            "@part main\nrunning 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nleft: 1\n\n\
             failures:\n    a\n\ntest result: FAILED\n@exit 101\n@end",
        );
        assert!(console.problems.is_empty(), "{:?}", console.problems);
        assert!(!console.is_good());
        assert_eq!(console.failures, ["", "---- a stdout ----", "left: 1", ""]);
    }
}
