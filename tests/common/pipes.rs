//! Standard streams other than a shell's: non-blocking pipes, sockets, terminals.

use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fcntl_getfl;
use rustix::fs::fcntl_setfl;
use rustix::fs::open;
use rustix::pipe::PipeFlags;
use rustix::pipe::pipe_with;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::pty::OpenptFlags;
use rustix::pty::grantpt;
use rustix::pty::openpt;
use rustix::pty::ptsname;
use rustix::pty::unlockpt;

/// The longest that a test waits. Generous, because loaded machines are slow.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// A pipe: the read end and the write end.
pub fn pipe() -> (File, File) {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    (read.into(), write.into())
}

/// Makes the file description non-blocking, as an event loop that shares it does.
pub fn no_waiting(file: impl AsFd) {
    let flags = fcntl_getfl(&file).expect("flags");
    fcntl_setfl(&file, flags | OFlags::NONBLOCK).expect("they can be set");
}

/// A pipe whose write end, which is for the child, is non-blocking.
pub fn pipe_that_refuses_writers() -> (File, File) {
    let (read, write) = pipe();
    no_waiting(&write);
    (read, write)
}

/// Fills a pipe until it accepts nothing more, and returns the number of bytes.
pub fn fill(write: &File) -> usize {
    let mut filled = 0;
    let before = fcntl_getfl(write).expect("flags");
    no_waiting(write);
    loop {
        match (&mut &*write).write(&[b'#'; 4096]) {
            Ok(written) => filled += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    fcntl_setfl(write, before).expect("they can be set");
    filled
}

/// Reads to the end in a thread, which starts after `delay`.
pub fn read_later(mut from: File, delay: Duration) -> JoinHandle<String> {
    thread::spawn(move || {
        thread::sleep(delay);
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("it can be read");
        String::from_utf8(bytes).expect("text")
    })
}

/// The lines of a stream, as they arrive. A thread reads them.
pub fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut read = BufReader::new(stream).lines().map_while(Result::ok);
        read.try_for_each(|line| sender.send(line))
    });
    lines
}

/// A pair of connected stream sockets: one stays here, the other goes to a child.
pub fn sockets() -> (UnixStream, OwnedFd) {
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    (ours, theirs.into())
}

/// A pseudo-terminal: its controlling side, which reads what is written, and the terminal.
pub fn terminal() -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
    let controller = controller.expect("a pseudo-terminal");
    grantpt(&controller).expect("it is ours");
    unlockpt(&controller).expect("it is ours");
    let name = ptsname(&controller, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(name.as_c_str(), flags, Mode::empty()).expect("it is there");
    (controller.into(), terminal.into())
}

/// Collects what is written to a terminal until every program has closed it.
pub fn shown_on(mut controller: File) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        // EIO: no program has the terminal open any more.
        while let Ok(read @ 1..) = controller.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8(bytes).expect("text")
    })
}

/// Sends a signal to a process that this test has started.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it was not waited for");
}

/// Waits until the child ends, at most for `limit`. Kills it and panics after that.
#[track_caller]
pub fn ends_within(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        if begun.elapsed() > limit {
            child.kill().expect("it is our child");
            child.wait().expect("it was killed");
            panic!("it did not end within {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a writer has filled a pipe that is not read.
#[track_caller]
pub fn wait_until_stuck(read: &File) {
    let mut held = 0;
    wait_until("the pipe to be full", || {
        let before = held;
        thread::sleep(Duration::from_millis(200));
        held = rustix::io::ioctl_fionread(read).expect("a pipe");
        held > 0 && held == before
    });
}

/// Waits until `condition` holds. Panics after [`WAIT_TIMEOUT`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < WAIT_TIMEOUT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads to the end.
pub fn text(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("text");
    text
}

/// Starts the host with standard error in a pipe.
pub fn spawn(command: &mut Command) -> Child {
    let command = command.stderr(Stdio::piped());
    command.spawn().expect("the host runs")
}

/// Waits for the end; returns the exit code and standard error.
#[track_caller]
pub fn ended(mut child: Child) -> (Option<i32>, String) {
    let stderr = child.stderr.take().expect("it is piped");
    let stderr = thread::spawn(move || text(stderr));
    let status = ends_within(&mut child, WAIT_TIMEOUT);
    (status.code(), stderr.join().expect("it is read"))
}
