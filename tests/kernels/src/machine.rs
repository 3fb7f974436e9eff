//! One guest: boots a kernel in QEMU, without KVM, and reads its console until it turns itself off.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

use crate::console::Console;
use crate::console::Notes;
use crate::kernel::Architecture;
use crate::kernel::Kernel;
use crate::tools::Tools;

/// The guest's memory: the root file system is in it.
const MEMORY: &str = "2048";

/// Lines of the console that are shown of a guest that did not end.
const LAST_LINES: usize = 25;

/// What to boot.
pub struct Boot<'a> {
    /// QEMU.
    pub tools: &'a Tools,
    /// The kernel's name and number of processors.
    pub kernel: &'a Kernel,
    /// Its file.
    pub vmlinuz: &'a Path,
    /// Its root file system.
    pub initramfs: &'a Path,
    /// What the console begins with.
    pub notes: &'a Notes,
    /// Where the console is written to.
    pub log: &'a Path,
    /// The guest is ended after this time.
    pub limit: Duration,
}

impl Boot<'_> {
    /// Boots the kernel; what its console said. A guest that does not end in time is ended; the console says so.
    pub fn run(&self) -> Result<Console> {
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start QEMU (setpriv, of util-linux)")?;
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        let mut stderr = child.stderr.take().context("standard error is a pipe")?;
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line)
                    .trim_end_matches('\r')
                    .to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let log = File::create(self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut console = Logged {
            console: Console::default(),
            log,
        };
        for note in self.notes.lines() {
            console.read(&note)?;
        }
        let begin = Instant::now();
        loop {
            match lines.recv_timeout(self.limit.saturating_sub(begin.elapsed())) {
                Ok(line) => console.read(&line)?,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let limit = self.limit.as_secs();
                    console.read(&format!("@problem it did not end within {limit} s"))?;
                    break;
                }
            }
        }
        console.read(&format!("@seconds {}", begin.elapsed().as_secs()))?;
        let mut console = console.console;
        let _ = child.kill();
        let status = child.wait()?;
        let errors = errors.join().unwrap_or_default();
        if !console.has_ended() {
            console.fail(format!(
                "its console ends with:\n{}",
                console.last_lines(LAST_LINES)
            ));
            if !errors.trim().is_empty() {
                console.fail(format!("QEMU ({status}) said: {}", errors.trim()));
            }
        }
        Ok(console)
    }

    fn command(&self) -> Command {
        let mut qemu = self.tools.qemu(self.kernel.architecture);
        let console = match self.kernel.architecture {
            Architecture::Amd64 => {
                qemu.args(["-machine", "pc", "-cpu", "max", "-vga", "none"]);
                "ttyS0"
            }
            Architecture::Arm64 => {
                // Pointer authentication with QEMU's default algorithm takes half of the time.
                qemu.args(["-machine", "virt", "-cpu", "max,pauth-impdef=on"]);
                "ttyAMA0"
            }
        };
        qemu.args([
            "-accel",
            "tcg",
            "-m",
            MEMORY,
            "-smp",
            &self.kernel.cpus().to_string(),
        ])
        .args([
            "-display",
            "none",
            "-serial",
            "stdio",
            "-monitor",
            "none",
            "-net",
            "none",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(self.vmlinuz)
        .arg("-initrd")
        .arg(self.initramfs)
        // A panic ends QEMU, and is the only message of the kernel on the console: others would be in the middle
        // of the tests' lines.
        .args([
            "-append",
            &format!("console={console} panic=-1 quiet loglevel=1"),
        ]);
        qemu
    }
}

/// A console whose lines are also written to a file.
struct Logged {
    console: Console,
    log: File,
}

impl Logged {
    fn read(&mut self, line: &str) -> Result<()> {
        writeln!(self.log, "{line}").context("cannot write the console")?;
        self.console.read(line);
        Ok(())
    }
}
