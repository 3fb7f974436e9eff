//! The file of alerts contains whole lines only, whatever happens to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::stream::alert::Severity;
use crate::stream::alert::State;

fn alerts(names: &[&str]) -> Vec<Alert> {
    let alert = |name: &&str| Alert {
        plugin: "p".to_owned(),
        name: (*name).to_owned(),
        severity: Severity::Warning,
        state: State::Firing,
        summary: String::new(),
        labels: Vec::new(),
        connection: None,
        wall_time: std::time::Duration::from_secs(1_800_000_000),
    };
    names.iter().map(alert).collect()
}

fn deliver(file: &mut AlertsFile, names: &[&str]) -> u64 {
    file.deliver(Message::Alerts(alerts(names)))
}

/// The names of the alerts in a file, each on a line of its own.
#[track_caller]
fn names(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("text");
    let name = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).expect("a whole line");
        json["name"].as_str().expect("a name").to_owned()
    };
    text.lines().map(name).collect()
}

#[test]
fn alerts_are_appended_and_the_file_is_its_owners_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("alerts.jsonl");
    let mut file = AlertsFile::open(&path).expect("it is created");
    assert_eq!(deliver(&mut file, &["a", "b"]), 2);
    let mut again = AlertsFile::open(&path).expect("it exists");
    assert_eq!(deliver(&mut again, &["c"]), 1);
    assert_eq!(names(&path), ["a", "b", "c"]);
    let mode = path.metadata().expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_was_moved_away_is_followed_until_it_is_opened_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, old) = (directory.path().join("a"), directory.path().join("a.1"));
    let mut file = AlertsFile::open(&path).expect("it is created");
    deliver(&mut file, &["a"]);
    fs::rename(&path, &old).expect("moved");
    deliver(&mut file, &["b"]);
    file.reopen();
    deliver(&mut file, &["c"]);
    assert_eq!(
        (names(&old), names(&path)),
        (vec!["a".into(), "b".into()], vec!["c".into()])
    );
}

#[test]
fn a_file_that_was_deleted_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a");
    let mut file = AlertsFile::open(&path).expect("it is created");
    deliver(&mut file, &["a"]);
    fs::remove_file(&path).expect("deleted");
    assert_eq!(deliver(&mut file, &["b"]), 1);
    assert_eq!(names(&path), ["b"]);
}

#[test]
fn where_the_file_cannot_be_opened_anew_the_old_one_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, old) = (directory.path().join("a"), directory.path().join("a.1"));
    let mut file = AlertsFile::open(&path).expect("it is created");
    fs::rename(&path, &old).expect("moved");
    fs::create_dir(&path).expect("something else");
    file.reopen();
    assert_eq!(deliver(&mut file, &["a"]), 1);
    assert_eq!(names(&old), ["a"]);
}

#[test]
fn a_full_device_fails_each_alert_and_is_tried_again() {
    let mut file = AlertsFile::open(Path::new("/dev/full")).expect("a character device");
    assert_eq!(deliver(&mut file, &["a", "b"]), 0);
    assert_eq!(file.not_written, 2);
    let directory = tempfile::tempdir().expect("a directory");
    file.path = directory.path().join("a");
    file.reopen();
    assert_eq!(deliver(&mut file, &["c"]), 1);
    assert_eq!((names(&file.path), file.not_written), (vec!["c".into()], 0));
}

#[test]
fn half_a_line_is_taken_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a");
    let mut file = AlertsFile::open(&path).expect("it is created");
    deliver(&mut file, &["a"]);
    let open = file.file.as_mut().expect("it is open");
    let (written, result) = write_some(open, b"{\"half");
    assert!(result.is_ok());
    truncate_by(open, written as u64).expect("a regular file");
    assert_eq!(deliver(&mut file, &["b"]), 1);
    assert_eq!(names(&path), ["a", "b"]);
}

#[test]
fn half_a_line_that_cannot_be_taken_back_has_a_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a");
    fs::write(&path, "{\"half").expect("written");
    let mut file = AlertsFile::open(&path).expect("it exists");
    file.has_partial_line = true;
    assert_eq!(deliver(&mut file, &["a", "b"]), 2);
    assert!(!file.has_partial_line);
    let text = fs::read_to_string(&path).expect("text");
    assert_eq!(text.lines().count(), 3);
    assert!(text.starts_with("{\"half\n{"));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pipe");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &path,
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .expect("a pipe");
    let error = AlertsFile::open(&path).expect_err("refused").to_string();
    assert!(error.starts_with("cannot write alerts to "), "{error}");
    let _reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .expect("a reader");
    let error = AlertsFile::open(&path).expect_err("refused").to_string();
    assert!(
        error.ends_with("it is neither a regular file nor a character device"),
        "{error}"
    );
}
