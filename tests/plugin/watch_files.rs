//! The host loads new versions of its plugins at SIGHUP, and with `--watch` by itself.

use std::fs;
use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

use crate::common::captures::host;
use crate::common::captures::least;
use crate::common::components::Files;
use crate::common::components::instances_in_instances;
use crate::common::components::with_inner;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::versions::Versions;

/// The longest wait for one line, on a busy machine.
pub const LINE_TIMEOUT: Duration = Duration::from_secs(60);

/// A host with the witness that replays what the test writes.
pub struct Host {
    child: Child,
    stdin: ChildStdin,
    stdout: Receiver<String>,
    printed: Vec<String>,
    stderr: Receiver<String>,
    said: Vec<String>,
    sent: u64,
}

impl Host {
    fn begin(directory: &Path, options: &[&str], plugin: &str) -> Host {
        let arguments = [&["--plugin", plugin], options].concat();
        Host::begin_with(directory, &arguments, "retrans-host: plugin ")
    }

    /// Replays with these options, and waits for a line with these words.
    pub fn begin_with(directory: &Path, options: &[&str], words: &str) -> Host {
        let mut command = host(directory, &[&["replay", "-"], options].concat());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let mut host = Host {
            stdin: child.stdin.take().expect("it is piped"),
            stdout: lines(child.stdout.take().expect("it is piped")),
            printed: Vec::new(),
            stderr: lines(child.stderr.take().expect("it is piped")),
            said: Vec::new(),
            child,
            sent: 0,
        };
        host.wait_for(words);
        host
    }

    /// Writes `count` events.
    pub fn events(&mut self, count: u64) {
        for _ in 0..count {
            let line = least(self.sent, "192.0.2.7");
            self.stdin.write_all(line.as_bytes()).expect("it reads");
            self.sent += 1;
        }
    }

    /// Waits until standard error has a line with these words.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        loop {
            let line = self.stderr.recv_timeout(LINE_TIMEOUT);
            let line = line.unwrap_or_else(|_| panic!("no {words:?}: {:#?}", self.said));
            let found = line.contains(words);
            self.said.push(line);
            if found {
                return;
            }
        }
    }

    /// Waits for the next line on standard output.
    #[track_caller]
    pub fn next_line(&mut self) -> &str {
        let line = self.stdout.recv_timeout(LINE_TIMEOUT);
        let line = line.unwrap_or_else(|_| panic!("no line: {:#?}", self.said));
        self.printed.push(line);
        self.printed.last().expect("one was just added")
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a pid");
        kill_process(pid, Signal::HUP).expect("it runs");
    }

    /// Ends the stream; all of standard output and of standard error.
    #[track_caller]
    pub fn end(mut self) -> (String, String) {
        drop(self.stdin);
        self.printed.extend(self.stdout.iter());
        self.said.extend(self.stderr.iter());
        let status = self.child.wait().expect("it ends");
        let stderr = self.said.join("\n");
        assert!(status.success(), "{stderr}");
        (self.printed.join("\n"), stderr)
    }
}

/// The lines of a stream, which a thread reads until it ends.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        let text = BufReader::new(from).lines().map_while(Result::ok);
        text.for_each(|text| drop(line.send(text)));
    });
    lines
}

const RELOADED: &str = "plugin witness was reloaded: ";

#[test]
fn at_sighup_a_new_version_takes_over_and_one_that_is_not_new_does_not() {
    let versions = Versions::begin();
    let mut host = Host::begin(versions.directory(), &[], "./witness.wasm");
    host.events(100);
    host.hang_up();
    host.wait_for("plugin witness: ./witness.wasm has not changed");
    versions.put('2');
    host.hang_up();
    host.wait_for(RELOADED);
    host.events(100);
    let (stdout, stderr) = host.end();
    assert_eq!(stdout, "version 2: seen 200, gaps 0");
    assert!(
        stderr.contains("ledger: faults witness restarts=0 reloads=1"),
        "{stderr}"
    );
}

/// Compiling and configuring a plugin takes time; SIGHUP must not end the host meanwhile.
#[test]
fn at_sighup_a_host_that_is_still_starting_goes_on() {
    let files = Files::new();
    let plugin = format!("liar={}", fixture(LIAR).display());
    let arguments = [
        "replay",
        "-",
        "--plugin",
        &plugin,
        "--set",
        "act=configure_loops",
    ];
    // Its start takes as long as the limit allows, and then fails.
    let limit = ["--limit", "start-time=2s"];
    let mut command = host(files.path(), &[&arguments[..], &limit].concat());
    let command = command.stdin(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let begin = Instant::now();
    let catches = |status: &str| {
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_some_and(|caught| {
            let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
            caught >> (Signal::HUP.as_raw() - 1) & 1 == 1
        })
    };
    while !catches(&fs::read_to_string(&status).expect("it is there")) {
        assert!(begin.elapsed() < LINE_TIMEOUT);
        thread::sleep(Duration::from_millis(1));
    }
    let pid = Pid::from_raw(child.id() as i32).expect("a pid");
    kill_process(pid, Signal::HUP).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("failed in configure: took more than 2s"),
        "{stderr}"
    );
}

#[test]
fn with_watch_a_file_that_is_replaced_at_one_stroke_is_taken_up() {
    let versions = Versions::begin();
    let mut host = Host::begin(versions.directory(), &["--watch"], "./witness.wasm");
    for version in ['2', '3'] {
        host.events(100);
        versions.put(version);
        host.wait_for(RELOADED);
    }
    assert_eq!(host.end().0, "version 3: seen 200, gaps 0");
}

#[test]
fn with_watch_a_file_that_is_written_in_place_is_taken_up_when_it_is_whole() {
    let versions = Versions::begin();
    // A name without a directory: the host's working directory is watched.
    let mut host = Host::begin(versions.directory(), &["--watch"], "witness.wasm");
    host.events(100);
    let new = versions.bytes('2');
    let mut file = File::create(versions.path()).expect("a temporary file");
    file.write_all(&new[..new.len() / 2])
        .expect("a temporary file");
    // The writer pauses until the host has looked at the incomplete file.
    host.wait_for(
        "plugin witness is not reloaded, the running version stays: plugin witness: not a valid",
    );
    host.events(100);
    file.write_all(&new[new.len() / 2..])
        .expect("a temporary file");
    drop(file);
    host.wait_for(RELOADED);
    let (stdout, stderr) = host.end();
    assert_eq!(stdout, "version 2: seen 200, gaps 0");
    assert!(stderr.contains("reloads=1"), "{stderr}");
}

#[test]
fn with_watch_a_pipe_or_what_the_host_cannot_hold_is_not_taken_up_and_holds_nothing_up() {
    let versions = Versions::begin();
    let mut host = Host::begin(
        versions.directory(),
        &["--watch", "--limit", "footprint=16MiB,memory=2MiB"],
        "./witness.wasm",
    );
    host.events(100);
    let beside = versions.directory().join("new");
    mknodat(CWD, &beside, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
    fs::rename(&beside, versions.path()).expect("in the same directory");
    host.wait_for("plugin witness: cannot read ./witness.wasm: not a regular file; the running");
    host.events(100);

    let stays = "plugin witness is not reloaded, the running version stays: plugin witness: ";
    let large = with_inner(versions.bytes('2'), &instances_in_instances(2));
    fs::write(&beside, large.expect("a component")).expect("a temporary file");
    fs::rename(&beside, versions.path()).expect("in the same directory");
    host.wait_for(&format!(
        "{stays}the host needs more than 16.0 MiB of memory"
    ));
    host.events(100);

    versions.put('3');
    host.wait_for(RELOADED);
    let (stdout, stderr) = host.end();
    assert_eq!(stdout, "version 3: seen 300, gaps 0");
    assert!(stderr.contains("reloads=1"), "{stderr}");
}

#[test]
fn with_watch_a_link_that_leads_elsewhere_is_taken_up() {
    // As Kubernetes mounts a ConfigMap: the file is a link through a directory that is a link, and
    // the latter is replaced.
    let versions = Versions::begin();
    let files = Files::new();
    let at = |name: &str| files.path().join(name);
    for (directory, version) in [("first", '1'), ("second", '2')] {
        fs::create_dir(at(directory)).expect("a temporary directory");
        let path = at(directory).join("witness.wasm");
        fs::write(path, versions.bytes(version)).expect("a temporary file");
    }
    symlink("first", at("..data")).expect("a temporary directory");
    symlink("..data/witness.wasm", at("witness.wasm")).expect("a temporary directory");
    let mut host = Host::begin(files.path(), &["--watch"], "./witness.wasm");
    host.events(100);
    symlink("second", at("..new")).expect("a temporary directory");
    fs::rename(at("..new"), at("..data")).expect("in one directory");
    host.wait_for(RELOADED);
    assert_eq!(host.end().0, "version 2: seen 100, gaps 0");
}

#[test]
fn with_watch_files_that_change_all_the_time_beside_it_hold_nothing_up() {
    let versions = Versions::begin();
    let mut host = Host::begin(versions.directory(), &["--watch"], "./witness.wasm");
    host.events(100);
    let busy = versions.directory().join("busy.log");
    let (done, stop) = mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        while stop.recv_timeout(Duration::from_millis(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
            fs::write(&busy, "busy").expect("a temporary file");
        }
    });
    versions.put('2');
    host.wait_for(RELOADED);
    drop(done);
    writer.join().expect("no panic");
    assert_eq!(host.end().0, "version 2: seen 100, gaps 0");
}

#[test]
fn with_watch_a_directory_that_is_made_anew_is_watched_again() {
    let versions = Versions::begin();
    let files = Files::new();
    let dist = files.path().join("dist");
    let build = |version| {
        fs::create_dir(&dist).expect("a temporary directory");
        fs::write(dist.join("witness.wasm"), versions.bytes(version)).expect("a temporary file");
    };
    build('1');
    let mut host = Host::begin(files.path(), &["--watch"], "dist/witness.wasm");
    for version in ['2', '3'] {
        host.events(100);
        fs::remove_dir_all(&dist).expect("it is there");
        build(version);
        host.wait_for(RELOADED);
    }
    assert_eq!(host.end().0, "version 3: seen 200, gaps 0");
}

#[test]
fn a_terminal_that_is_closed_ends_the_run_wherever_output_goes() {
    let versions = Versions::begin();
    let fifo = versions.directory().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
    // The FIFO has a writer and no data: the host waits for events.
    let stdin = File::options()
        .read(true)
        .write(true)
        .open(&fifo)
        .expect("just made");
    // script(1) is the terminal: when it is killed, its child gets SIGHUP.
    let command = format!("exec {BINARY} replay - --plugin ./witness.wasm < fifo > out 2> err.txt");
    let mut script = std::process::Command::new("setsid")
        .args(["script", "--quiet", "--command", &command, "/dev/null"])
        .current_dir(versions.directory())
        .env("XDG_CACHE_HOME", versions.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let errors = versions.directory().join("err.txt");
    let begun = std::time::Instant::now();
    while !fs::read_to_string(&errors).is_ok_and(|text| text.contains("sha256=")) {
        assert!(begun.elapsed() < LINE_TIMEOUT, "it does not begin");
        thread::sleep(Duration::from_millis(50));
    }
    script.kill().expect("it runs");
    script.wait().expect("it ends");
    let text = || fs::read_to_string(&errors).unwrap_or_default();
    while !text().contains("ledger: plugin witness") {
        assert!(begun.elapsed() < LINE_TIMEOUT, "it goes on: {}", text());
        thread::sleep(Duration::from_millis(50));
    }
    drop(stdin);
}

#[test]
fn the_digest_is_printed_at_the_start_and_refuses_another_file() {
    let versions = Versions::begin();
    let digest = retrans_host::plugin::Digest::of(&versions.bytes('1'));
    let named = format!("./witness.wasm#sha256={digest}");
    let mut running = Host::begin(versions.directory(), &[], &named);
    let printed = format!("retrans-host: plugin witness: ./witness.wasm sha256={digest}");
    assert_eq!(running.said, [printed]);
    running.events(1);
    running.end();

    versions.put('2');
    let refused = host(versions.directory(), &["replay", "-", "--plugin", &named])
        .output()
        .expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        stderr.contains("the file is not the expected one"),
        "{stderr}"
    );
}
