//! Tests of the screen. Standard output belongs to the process, so that each runs in a process of its own on a
//! terminal of its own.

use std::env;
use std::io::Read as _;
use std::process;
use std::process::Child;
use std::process::Command;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::open;
use rustix::pty::OpenptFlags;
use rustix::pty::grantpt;
use rustix::pty::openpt;
use rustix::pty::ptsname;
use rustix::pty::unlockpt;

use super::*;

/// A pseudo-terminal: its controlling side, and the terminal.
fn terminal() -> (File, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let controller = openpt(flags).expect("a pseudo-terminal");
    grantpt(&controller).expect("it is ours");
    unlockpt(&controller).expect("it is ours");
    let name = ptsname(&controller, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(name.as_c_str(), flags, Mode::empty()).expect("it is there");
    (controller.into(), terminal.into())
}

/// The modes of a terminal in a form that can be compared.
fn modes(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).expect("a terminal"))
}

/// Runs an ignored test of this file in a process of its own on this terminal.
fn run(test: &str, terminal: &File) -> Child {
    let stream = || terminal.try_clone().expect("a descriptor");
    let program = env::current_exe().expect("this program");
    let name = format!("system::stdio::screen::tests::{test}");
    let mut command = Command::new(program);
    command.args([&name, "--exact", "--ignored", "--nocapture"]);
    command.stdin(stream()).stdout(stream()).stderr(stream());
    command.spawn().expect("this program runs")
}

fn entered() -> Screen {
    let mut screen = Screen::find("xterm", false).expect("a terminal");
    screen.enter().expect("it takes its modes");
    screen
}

#[test]
#[ignore = "a test below runs it in a process of its own, because it changes the streams of its process"]
fn another_thread_panics() {
    let mut screen = entered();
    screen.write(b"drawn").expect("it takes it");
    let panicked = thread::spawn(|| panic!("as a bug would")).join();
    assert!(panicked.is_err());
    let drawn = screen.write(b"later").expect_err("the screen was left");
    assert_eq!(drawn.kind(), io::ErrorKind::NotConnected);
    process::exit(7);
}

#[test]
fn a_panic_of_any_thread_leaves_the_screen_before_its_message() {
    let (mut controller, terminal) = terminal();
    let before = modes(&terminal);
    let mut child = run("another_thread_panics", &terminal);
    let mut shown = String::new();
    let mut buffer = [0; 4_096];
    while !shown.contains("as a bug would") {
        let read = controller.read(&mut buffer).expect("the child writes");
        shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(7));
    let place = |text: &[u8]| {
        let text = std::str::from_utf8(text).expect("ASCII");
        shown
            .find(text)
            .unwrap_or_else(|| panic!("{text:?} is not in {shown:?}"))
    };
    let places = [ENTER, b"drawn", LEAVE, b"as a bug would"].map(place);
    assert!(places.is_sorted(), "{shown:?}");
    assert_eq!(modes(&terminal), before);
}

#[test]
#[ignore = "a test below runs it in a process of its own, because it changes the streams of its process"]
fn a_thread_draws_on_a_terminal_that_takes_nothing() {
    let mut screen = entered();
    thread::spawn(move || screen.write(&[b'#'; 1 << 20]));
    thread::sleep(Duration::from_millis(300));
    leave_screen();
    process::exit(7);
}

#[test]
fn a_terminal_that_takes_nothing_gets_its_modes_back() {
    let (_controller, terminal) = terminal();
    let before = modes(&terminal);
    let mut child = run("a_thread_draws_on_a_terminal_that_takes_nothing", &terminal);
    assert_eq!(child.wait().expect("it ends").code(), Some(7));
    assert_eq!(modes(&terminal), before);
}

#[test]
#[ignore = "a test below runs it in a process of its own, because it changes the streams of its process"]
fn keys_are_read_and_signals_stay() {
    let mut screen = entered();
    screen.write(b"ready").expect("it takes it");
    let mut key = [0; 8];
    let read = screen.read(&mut key).expect("a key");
    assert_eq!(&key[..read], b"\r", "not a line");
    let modes = tcgetattr(io::stdin()).expect("a terminal");
    assert!(modes.local_modes.contains(LocalModes::ISIG));
    assert!(
        !modes
            .local_modes
            .intersects(LocalModes::ECHO | LocalModes::ICANON)
    );
    // Entered twice, it is left once.
    screen.enter().expect("it takes its modes");
    leave_screen();
    leave_screen();
    process::exit(7);
}

#[test]
fn a_key_arrives_without_the_end_of_a_line() {
    let (mut controller, terminal) = terminal();
    let before = modes(&terminal);
    let mut child = run("keys_are_read_and_signals_stay", &terminal);
    let mut shown = String::new();
    let mut buffer = [0; 4_096];
    while !shown.contains("ready") {
        let read = controller.read(&mut buffer).expect("the child writes");
        shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    controller.write_all(b"\r").expect("it takes it");
    let drained = thread::spawn(move || {
        let mut shown = Vec::new();
        while let Ok(read @ 1..) = controller.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    assert_eq!(child.wait().expect("it ends").code(), Some(7));
    assert_eq!(modes(&terminal), before);
    drop(terminal);
    let shown = drained.join().expect("it is read");
    let leave = std::str::from_utf8(LEAVE).expect("ASCII");
    assert_eq!(shown.matches(leave).count(), 1, "{shown:?}");
}
