//! What becomes of files that exist when a recording begins.

use super::*;

#[test]
fn the_capture_of_an_earlier_run_is_moved_like_any_older_one() {
    for existing in [
        ExistingFile::Refuse,
        ExistingFile::MoveAside,
        ExistingFile::Replace,
    ] {
        let mut folder = Folder::with_rotation();
        folder.config.existing = existing;
        folder.earlier_run("a.rtc", 7);
        folder.earlier_run("a.rtc.1", 8);
        let mut recorder = folder.begun();
        recorder.item(&events(1));
        recorder.item(&end(1));
        finished(recorder);
        assert_eq!(folder.names(), ["a.rtc", "a.rtc.1", "a.rtc.2"]);
        let contents = ["a.rtc", "a.rtc.1", "a.rtc.2"].map(|name| folder.contents(name).0);
        assert_eq!(contents, [1, 7, 8]);
    }
}

#[test]
fn no_more_captures_of_earlier_runs_are_kept_than_there_may_be_older_ones() {
    let mut folder = Folder::with_rotation();
    folder.config.keep = 1;
    folder.earlier_run("a.rtc", 7);
    folder.earlier_run("a.rtc.1", 8);
    finished(folder.begun());
    assert_eq!(folder.names(), ["a.rtc", "a.rtc.1"]);
    assert_eq!(folder.contents("a.rtc.1").0, 7);
    folder.config.keep = 0;
    finished(folder.begun());
    assert_eq!(
        (folder.contents("a.rtc").0, folder.contents("a.rtc.1").0),
        (0, 7)
    );
}

#[test]
fn older_files_of_an_earlier_run_alone_are_not_in_the_way() {
    let folder = Folder::rotating();
    folder.earlier_run("a.rtc.1", 7);
    let mut recorder = folder.begun();
    recorder.item(&events(1));
    finished(recorder);
    let contents = ["a.rtc.1", "a.rtc.2"].map(|name| folder.contents(name).0);
    assert_eq!(contents, [1, 7]);
}

#[test]
fn what_is_no_capture_is_neither_moved_nor_replaced_unless_asked_for() {
    for name in ["a.rtc", "a.rtc.2"] {
        let mut folder = Folder::with_rotation();
        fs::write(folder.path(name), OTHER_CONTENT).expect("a file");
        let refused = folder
            .begin()
            .err()
            .expect("the file is protected")
            .to_string();
        assert!(refused.contains(name), "{refused}");
        assert_eq!(folder.names(), [name]);
        folder.config.existing = ExistingFile::Replace;
        finished(folder.begun());
        assert_eq!(folder.contents("a.rtc").0, 0);
    }
    // Files with numbers beyond `keep` do not matter.
    let folder = Folder::with_rotation();
    fs::write(folder.path("a.rtc.4"), OTHER_CONTENT).expect("a file");
    finished(folder.begun());
}

/// The service of an earlier version ran as root, this one runs as a user.
#[test]
fn a_capture_that_may_not_be_read_is_refused_for_that_reason() {
    without_privileges(|| {
        for name in ["a.rtc", "a.rtc.2"] {
            let folder = Folder::with_rotation();
            folder.earlier_run(name, 7);
            let path = folder.path(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("it is ours");
            let refused = folder.begin().err().expect("the file is protected");
            let text = refused.to_string();
            let place = path.to_string_lossy();
            for words in [&*place, "cannot be read", "Permission denied"] {
                assert!(text.contains(words), "{words}: {text}");
            }
            assert_eq!(folder.names(), [name]);
        }
    });
}

#[test]
fn a_link_to_a_capture_is_no_capture() {
    let folder = Folder::with_rotation();
    folder.earlier_run("elsewhere", 7);
    symlink(folder.path("elsewhere"), folder.path("a.rtc")).expect("a link");
    assert!(matches!(folder.begin(), Err(RecordError::NotACapture(_))));
}

/// A service begins again, as after each crash: nothing that was recorded is lost, and no name is taken from a file that
/// is no capture.
#[test]
fn without_rotation_captures_of_earlier_runs_are_moved_aside_and_none_is_overwritten() {
    let mut folder = Folder::new();
    folder.config.existing = ExistingFile::MoveAside;
    // As many as a rotation would keep, and more.
    for run in 0..6 {
        folder.earlier_run("a.rtc", run + 1);
        let mut recorder = folder.begun();
        recorder.item(&events(9));
        finished(recorder);
        assert_eq!(folder.contents("a.rtc").0, 9);
        assert_eq!(folder.contents("a.rtc.1").0, run + 1);
    }
    let names = folder.names();
    assert_eq!(names.len(), 7, "{names:?}");
    let events = (1..=6).map(|number| folder.contents(&format!("a.rtc.{number}")).0);
    assert_eq!(events.collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);

    for name in ["a.rtc", "a.rtc.5"] {
        fs::write(folder.path(name), OTHER_CONTENT).expect("a file");
        let refused = folder.begin().err().expect("the file is protected");
        assert!(refused.to_string().contains(name), "{refused}");
        assert_eq!(folder.names(), names);
        fs::remove_file(folder.path(name)).expect("it was there");
        folder.earlier_run(name, 1);
    }
    fs::remove_file(folder.path("a.rtc")).expect("it was there");
    symlink(folder.path("a.rtc.1"), folder.path("a.rtc")).expect("a link");
    assert!(matches!(folder.begin(), Err(RecordError::NotACapture(_))));
}

/// What a machine leaves that lost its power before the first write reached the disk.
#[test]
fn an_empty_file_is_a_capture_that_was_cut_off() {
    let mut folder = Folder::new();
    folder.config.existing = ExistingFile::MoveAside;
    fs::write(folder.path("a.rtc"), "").expect("a file");
    finished(folder.begun());
    assert_eq!(folder.names(), ["a.rtc", "a.rtc.1"]);
    assert_eq!(fs::read(folder.path("a.rtc.1")).expect("a file"), b"");
}

#[test]
fn a_capture_is_refused_where_that_is_asked_for() {
    let folder = Folder::new();
    folder.earlier_run("a.rtc", 7);
    let refused = folder
        .begin()
        .err()
        .expect("the file is protected")
        .to_string();
    for words in ["a.rtc", "exists"] {
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(folder.contents("a.rtc").0, 7);
}
