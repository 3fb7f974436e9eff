//! Captures that a host records, their contents, and the output of their replay.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use retrans_event::Event;
use retrans_host::capture::CaptureError;
use retrans_host::capture::Head;
use retrans_host::capture::Reader;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use tempfile::TempDir;

use super::Root;
use super::netns::Namespace;
use super::netns::command;
use crate::common::refusal::BINARY;

/// The user `nobody`, by the same number on every distribution.
pub const NOBODY: u32 = 65_534;

/// Runs a command as the user nobody, without capabilities, with no_new_privs and an empty
/// /sys: no BTF.
const AS_NOBODY: &str = "mount -t tmpfs none /sys && exec setpriv --reuid=65534 --regid=65534 \
    --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \"$0\" \"$@\"";

/// A temporary directory for captures, deleted when it is dropped.
pub struct Directory(TempDir);

impl Directory {
    /// Makes an empty one.
    pub fn new() -> Result<Directory> {
        Ok(Directory(tempfile::tempdir()?))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// The names of its files, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let names = fs::read_dir(self.path())?.map(|entry| {
            let name = entry?.file_name();
            Ok(name.to_string_lossy().into_owned())
        });
        let mut names = names.collect::<Result<Vec<String>>>()?;
        names.sort();
        Ok(names)
    }

    /// The files of a recording, the oldest first: FILE.2, FILE.1, FILE.
    pub fn rotated(&self, name: &str) -> Vec<String> {
        let older = (1..)
            .map(|number| self.file(&format!("{name}.{number}")))
            .take_while(|file| Path::new(file).exists());
        let mut files: Vec<String> = older.collect();
        files.reverse();
        files.push(self.file(name));
        files
    }
}

/// The contents of a capture.
#[derive(Debug)]
pub struct Held {
    /// Its head.
    pub head: Head,
    /// Number of events.
    pub events: u64,
    /// The number of events by network namespace.
    by_namespace: BTreeMap<u64, u64>,
    /// Number of events lost.
    pub lost: u64,
    /// Whether it has no end.
    pub is_cut: bool,
    /// The most by which an event is older than a mark before it.
    pub late: Duration,
}

impl Held {
    /// Reads a file; an error where it is damaged.
    pub fn by(file: impl AsRef<Path>) -> Result<Held> {
        let file = file.as_ref();
        let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        let mut reader = Reader::new(BufReader::new(opened))?;
        let mut held = Held {
            head: reader.head().clone(),
            events: 0,
            by_namespace: BTreeMap::new(),
            lost: 0,
            is_cut: false,
            late: Duration::ZERO,
        };
        let mut marked = Duration::ZERO;
        loop {
            match reader.item(Batch::new) {
                Ok(Some(Item::Events(batch))) => {
                    held.events += batch.len() as u64;
                    let late = batch
                        .events()
                        .map(|event| marked.saturating_sub(event.time()));
                    held.late = held.late.max(late.max().unwrap_or_default());
                    for inode in batch.events().filter_map(Event::netns_inode) {
                        *held.by_namespace.entry(inode.into()).or_default() += 1;
                    }
                    held.lost += batch.lost;
                }
                Ok(Some(Item::Census(_))) => {}
                Ok(Some(Item::Mark(mark) | Item::End(mark))) => {
                    held.lost += mark.lost;
                    marked = marked.max(mark.time);
                }
                Ok(None) => return Ok(held),
                Err(CaptureError::Cut { .. }) => {
                    held.is_cut = true;
                    return Ok(held);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Number of events of a network namespace.
    pub fn events_of(&self, namespace: &Namespace) -> u64 {
        let events = self.by_namespace.get(&namespace.inode());
        events.copied().unwrap_or_default()
    }
}

/// The output of a replay.
pub struct Replayed {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Replays captures, which must succeed.
pub fn replay(files: &[String], arguments: &[&str]) -> Result<Replayed> {
    let mut command = Command::new(BINARY);
    command.arg("replay").args(files).args(arguments);
    run(&mut command)
}

/// The same as a user without privileges, where BPF cannot be used, with copies of the file and of the
/// host.
pub fn replay_other_user_launcher(_: &Root, capture: &str, arguments: &[&str]) -> Result<Replayed> {
    let directory = Directory::new()?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    chown(directory.path(), Some(NOBODY), Some(NOBODY))?;
    let copy = |file: &str, name: &str| -> Result<PathBuf> {
        let copy = directory.path().join(name);
        fs::copy(file, &copy)?;
        chown(&copy, Some(NOBODY), Some(NOBODY))?;
        Ok(copy)
    };
    let host = copy(BINARY, "retrans-host")?;
    let capture = copy(capture, "capture.rtc")?;
    let mut command = command("unshare");
    command
        .args(["--mount", "--net", "sh", "-c", AS_NOBODY])
        .arg(host)
        .arg("replay")
        .arg(capture)
        .args(arguments)
        .current_dir("/");
    run(&mut command)
}

fn run(command: &mut Command) -> Result<Replayed> {
    let output = command.stdin(Stdio::null()).output()?;
    let stderr = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "the replay failed: {stderr}");
    let stdout = String::from_utf8(output.stdout)?;
    Ok(Replayed { stdout, stderr })
}

/// Compares byte for byte. Shows the first difference, not everything.
#[track_caller]
pub fn assert_same(printed: &str, replayed: &str) {
    let mut lines = printed.split('\n').zip(replayed.split('\n'));
    if let Some((live, again)) = lines.find(|(live, again)| live != again) {
        assert_eq!(live, again, "live, and replayed");
    }
    assert_eq!(printed.len(), replayed.len(), "one has more lines");
}
