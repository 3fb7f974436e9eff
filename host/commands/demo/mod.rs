//! The command `demo`: the host on a network of its own, whose link loses every eighth segment.
//!
//! Two network namespaces are all that it needs of the machine, and no other traffic is watched. They are gone when
//! this process has ended. The recording, the alerts and the report stay.

mod link;
mod namespace;
mod program;
mod seen;

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use tempfile::TempDir;

use self::link::Link;
use self::program::Watching;
use self::seen::Seen;
use super::print_result;
use crate::config::Demo;
use crate::config::Verbosity;
use crate::system::stdio;

/// The plugins that raise alerts.
const ALERTS: &[&str] = &[
    "--plugin",
    "threshold-alert",
    "--set",
    "threshold=5",
    "--set",
    "window=5s",
    "--plugin",
    "ratio-alert",
    "--set",
    "percent=5",
    "--set",
    "min_segments=100",
];

/// Files in the directory of the demo.
const CAPTURE: &str = "demo.rtc";
const ALERT_LINES: &str = "alerts.jsonl";
const REPORT: &str = "report.html";
const FILES: [&str; 3] = [CAPTURE, ALERT_LINES, REPORT];

/// Runs the demo.
///
/// # Errors
///
/// If the user is not root, a program is missing, the probe cannot be loaded, or what was seen is not what the kernel
/// counted.
pub fn demo(config: &Demo) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "the demo makes network namespaces and loads the probe: it must run as root, as in sudo retrans-host demo"
        );
    }
    namespace::find_programs()?;
    let directory = Directory::new(config.directory.as_deref())?;
    let path = directory.path();
    let link = Link::new()?;
    stdio::print(
        "A network of its own: two namespaces, and a link between them that loses every eighth segment. No other \
         traffic of this machine is watched.\n",
    );
    let netns = link.sender.inode().to_string();
    let quiet = match config.verbosity {
        Verbosity::Quiet => &["--quiet"][..],
        _ => &[],
    };
    let places = [
        "--netns",
        &netns,
        "--census",
        "1s",
        "--record",
        CAPTURE,
        "--alerts-file",
        ALERT_LINES,
    ];
    let watching = Watching::start(
        path,
        &[quiet, ALERTS, &["--plugin", "table-print"], &places].concat(),
    )?;
    let time = link.transfer()?;
    let counted = link.sender.retransmitted_segments()?;
    watching.end()?;
    let seen = Seen::read(&path.join(CAPTURE))?;
    seen.compare(counted)?;
    let alerts = compare_replay(path)?;
    let output = ["--output", REPORT, "--force"];
    program::run(
        path,
        &[quiet, &["report", CAPTURE], ALERTS, &output].concat(),
    )?;
    make_readable(path)?;
    let path = directory.keep();
    print_result(&format!(
        "\n{} {alerts} alerts were raised; the recording, replayed, raises the same.\n\n{}",
        seen.in_words(time),
        next_steps(&path)
    ))
}

/// Replays the recording, and compares the alerts with those of the live run. Returns how many were raised.
fn compare_replay(directory: &Path) -> Result<usize> {
    let live = directory.join(ALERT_LINES);
    let live =
        fs::read_to_string(&live).with_context(|| format!("cannot read {}", live.display()))?;
    let replay = ["replay", CAPTURE, "--quiet", "--alerts", "json"];
    let replayed = program::output(directory, &[&replay, ALERTS].concat())?;
    if live.is_empty() {
        bail!("no alert was raised, although more than 5 % of the segments were lost");
    }
    if live != replayed {
        bail!(
            "a replay of the recording raises other alerts than the live run; please report this as a bug"
        );
    }
    let firing = |line: &&str| line.contains("\"state\":\"firing\"");
    Ok(live.lines().filter(firing).count())
}

/// Lets every user read the files: root has made them, and they are about the demo alone.
fn make_readable(directory: &Path) -> Result<()> {
    for file in FILES {
        fs::set_permissions(directory.join(file), Permissions::from_mode(0o644))?;
    }
    Ok(())
}

fn next_steps(directory: &Path) -> String {
    let at = directory.display();
    format!(
        "The report is {at}/{REPORT}. Go on with:\n  \
         retrans-host top {at}/{CAPTURE} --speed 1x\n  \
         retrans-host inspect {at}/{CAPTURE} --by process --by peer,kind\n  \
         sudo retrans-host\n"
    )
}

/// Where the files of the demo are.
enum Directory {
    /// One that the user has named.
    Given(PathBuf),
    /// A new one, which is removed if the demo fails.
    New(TempDir),
}

impl Directory {
    /// Makes the directory, and removes the files of an earlier demo in it.
    fn new(given: Option<&Path>) -> Result<Directory> {
        let Some(given) = given else {
            let directory =
                TempDir::with_prefix("retrans-host-demo-").context("cannot make a directory")?;
            // See `make_readable`.
            fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
            return Ok(Directory::New(directory));
        };
        let name = given.display();
        fs::create_dir_all(given).with_context(|| format!("cannot make the directory {name}"))?;
        for file in FILES {
            match fs::remove_file(given.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).context(format!("cannot replace {name}/{file}"));
                }
                _ => {}
            }
        }
        let absolute = fs::canonicalize(given).with_context(|| format!("cannot use {name}"))?;
        Ok(Directory::Given(absolute))
    }

    fn path(&self) -> &Path {
        match self {
            Directory::Given(path) => path,
            Directory::New(directory) => directory.path(),
        }
    }

    /// The path of the directory, which stays.
    fn keep(self) -> PathBuf {
        match self {
            Directory::Given(path) => path,
            Directory::New(directory) => directory.keep(),
        }
    }
}
