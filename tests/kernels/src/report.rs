//! The table of a run, kernel × group of tests, for the terminal and for docs/kernels.md.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

use crate::console::Console;
use crate::console::Verdict;
use crate::kernel::Kernel;

/// What became of one kernel.
pub struct Outcome {
    /// The kernel.
    pub kernel: Kernel,
    /// The guest, or why there was none.
    pub guest: Result<Console, String>,
}

/// The outcomes of all kernels, in the order in which they are shown.
pub struct Report {
    /// One for each kernel.
    pub outcomes: Vec<Outcome>,
}

/// A module of the test program on one kernel.
#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    passed: usize,
    failed: usize,
    not_applicable: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Cell {
                passed: 0,
                failed: 0,
                not_applicable: 0,
            } => "not run".to_owned(),
            Cell {
                failed: 0,
                not_applicable: 0,
                passed,
            } => passed.to_string(),
            Cell {
                failed: 0,
                passed: 0,
                ..
            } => "–".to_owned(),
            Cell {
                failed: 0,
                passed,
                not_applicable,
            } => format!("{passed} of {}", passed + not_applicable),
            Cell {
                failed,
                passed,
                not_applicable,
            } => format!("{failed} FAILED of {}", failed + passed + not_applicable),
        };
        f.pad(&text)
    }
}

impl Report {
    /// Returns whether every kernel ran, and passed.
    pub fn is_good(&self) -> bool {
        self.outcomes
            .iter()
            .all(|outcome| outcome.guest.as_ref().is_ok_and(Console::is_good))
    }

    /// The table as Markdown: one row for each module of the test programs.
    pub fn table(&self) -> String {
        let groups: BTreeSet<&str> = self
            .guests()
            .flat_map(|(_, guest)| guest.tests.keys().map(|name| group(name)))
            .collect();
        let mut header = vec!["tests".to_owned()];
        header.extend(
            self.outcomes
                .iter()
                .map(|outcome| outcome.kernel.to_string()),
        );
        let mut rows = vec![header];
        for name in groups {
            let mut row = vec![name.to_owned()];
            row.extend(
                self.outcomes
                    .iter()
                    .map(|outcome| cell(outcome, name).to_string()),
            );
            rows.push(row);
        }
        let mut sum = vec!["all".to_owned()];
        sum.extend(self.outcomes.iter().map(|outcome| match &outcome.guest {
            Ok(guest) if guest.is_good() => guest.count(Verdict::Passed).to_string(),
            Ok(_) => "FAILED".to_owned(),
            Err(_) => "not run".to_owned(),
        }));
        rows.push(sum);
        aligned(&rows)
    }

    /// Versions, processors and times, as a Markdown table.
    pub fn versions(&self) -> String {
        let header = [
            "kernel",
            "Debian's version",
            "uname -r",
            "CPUs",
            "HZ",
            "QEMU",
            "seconds",
            "date",
            "commit",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for (kernel, guest) in self.guests() {
            let notes = &guest.notes;
            let version = notes
                .qemu
                .split(' ')
                .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            rows.push(vec![
                kernel.to_string(),
                notes.debian.clone(),
                guest.release.clone(),
                kernel.cpus().to_string(),
                notes.hz.clone(),
                version.unwrap_or_default().to_owned(),
                notes.seconds.clone(),
                notes.date.clone(),
                format!("`{}`", notes.commit),
            ]);
        }
        aligned(&rows)
    }

    /// What kernels lack, each with the tests that said so.
    pub fn lacks(&self) -> String {
        let mut reasons: BTreeMap<&str, (BTreeSet<String>, BTreeSet<&str>)> = BTreeMap::new();
        for (kernel, guest) in self.guests() {
            for (test, reason) in &guest.lacks {
                let (kernels, groups) = reasons.entry(reason).or_default();
                kernels.insert(kernel.to_string());
                groups.insert(group(test));
            }
        }
        // In the order of the columns, not of the alphabet.
        let order: Vec<String> = self
            .outcomes
            .iter()
            .map(|outcome| outcome.kernel.to_string())
            .collect();
        let mut text = String::new();
        for (reason, (kernels, groups)) in reasons {
            let kernels: Vec<&str> = order
                .iter()
                .filter(|name| kernels.contains(*name))
                .map(String::as_str)
                .collect();
            let groups: Vec<&str> = groups.into_iter().collect();
            let _ = writeln!(
                text,
                "- **{}:** {reason} ({}).",
                kernels.join(", "),
                groups.join(", ")
            );
        }
        text
    }

    /// Failures and problems, of each kernel that has any.
    fn failures(&self) -> String {
        let mut text = String::new();
        for outcome in &self.outcomes {
            let name = &outcome.kernel;
            match &outcome.guest {
                Err(reason) => {
                    let _ = writeln!(text, "{name}: not run: {reason}");
                }
                Ok(guest) => {
                    for problem in &guest.problems {
                        let _ = writeln!(text, "{name}: {problem}");
                    }
                    for line in &guest.failures {
                        let _ = writeln!(text, "{name}: {line}");
                    }
                }
            }
        }
        text
    }

    /// One line with the sums.
    fn sums(&self) -> String {
        let sum = |verdict| {
            self.guests()
                .map(|(_, guest)| guest.count(verdict))
                .sum::<usize>()
        };
        let bad = self
            .outcomes
            .iter()
            .filter(|outcome| !outcome.guest.as_ref().is_ok_and(Console::is_good))
            .count();
        format!(
            "kernels: {}, {bad} failed; tests: {} passed, {} failed, {} not applicable",
            self.outcomes.len(),
            sum(Verdict::Passed),
            sum(Verdict::Failed),
            sum(Verdict::NotApplicable)
        )
    }

    fn guests(&self) -> impl Iterator<Item = (&Kernel, &Console)> {
        self.outcomes
            .iter()
            .filter_map(|outcome| Some((&outcome.kernel, outcome.guest.as_ref().ok()?)))
    }
}

/// For the terminal: the tables, what kernels lack, failures, and the sums.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.table(), self.versions(), self.lacks())?;
        writeln!(f, "{}{}", self.failures(), self.sums())
    }
}

/// The module of a test.
fn group(test: &str) -> &str {
    test.split("::").next().unwrap_or(test)
}

fn cell(outcome: &Outcome, name: &str) -> Cell {
    let mut cell = Cell::default();
    let tests = outcome.guest.iter().flat_map(|guest| &guest.tests);
    for (_, verdict) in tests.filter(|(test, _)| group(test) == name) {
        match verdict {
            Verdict::Passed => cell.passed += 1,
            Verdict::Failed => cell.failed += 1,
            Verdict::NotApplicable => cell.not_applicable += 1,
        }
    }
    cell
}

/// A Markdown table that can also be read as text.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "| {:-<width$} ", "");
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kernel: &str, lines: &str) -> Outcome {
        Outcome {
            kernel: kernel.parse().expect("a name"),
            guest: Ok(Console::of(lines)),
        }
    }

    #[test]
    fn the_table_names_what_failed_what_did_not_apply_and_what_did_not_run() {
        let report = Report {
            outcomes: vec![
                outcome(
                    "5.10",
                    "@part main\nrunning 2 tests\ntest causes::a ... ok\ntest causes::b ... ok\n@exit 0\n\
                 @stderr skipped: causes::b: this kernel lacks it\n@end",
                ),
                outcome(
                    "7.3",
                    "@part main\nrunning 2 tests\ntest causes::a ... ok\ntest causes::b ... FAILED\n@exit 101\n@end",
                ),
                Outcome {
                    guest: Err("QEMU is missing".to_owned()),
                    ..outcome("6.1", "")
                },
            ],
        };
        assert_eq!(
            report.table(),
            "| tests  | 5.10   | 7.3           | 6.1     |\n\
             | ------ | ------ | ------------- | ------- |\n\
             | causes | 1 of 2 | 1 FAILED of 2 | not run |\n\
             | all    | 1      | FAILED        | not run |\n"
        );
        assert_eq!(
            report.lacks(),
            "- **5.10:** this kernel lacks it (causes).\n"
        );
        assert!(
            report.failures().contains("6.1: not run: QEMU is missing"),
            "{}",
            report.failures()
        );
        assert!(!report.is_good());
        let sums = "kernels: 3, 2 failed; tests: 2 passed, 1 failed, 1 not applicable";
        assert_eq!(report.sums(), sums);
    }
}
