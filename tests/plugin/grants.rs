//! A plugin has the grants that were given by name, and no others.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use retrans_host::plugin::Grants;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::StartError;
use retrans_host::stream::batch::Item;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;

use crate::common::chain::engine;
use crate::common::chain::spec;
use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::unimplemented;
use crate::common::fixtures::READER;
use crate::common::fixtures::fixture;
use crate::support::liar::allowed;
use crate::support::liar::labelled;

#[test]
fn a_granted_variable_is_seen_and_no_other() {
    let grants = Grants {
        env: vec!["PATH".to_owned()],
        ..Grants::default()
    };
    let path = env::var("PATH").expect("cargo was found");
    let expected = [format!("variables: PATH={path}")];
    assert_eq!(outcomes(&grants, "variables", ""), expected);
    assert_eq!(outcomes(&grants, "", "variables"), expected);
}

#[test]
fn without_a_grant_there_are_no_variables_and_no_files() {
    let files = networks();
    let read = at("read DIR/zones", &files);
    let found = outcomes(&Grants::default(), &format!("variables; {read}"), "");
    assert_eq!(found[0], "variables: ");
    assert!(found[1].ends_with(": entity not found"), "{found:?}");
}

#[test]
fn a_variable_that_is_not_there_is_a_start_error() {
    let grants = Grants {
        env: vec!["RETRANS_TEST_NO_SUCH".to_owned()],
        ..Grants::default()
    };
    assert_eq!(
        refused(&grants).to_string(),
        "plugin reader: grant env=RETRANS_TEST_NO_SUCH: no such variable in the environment of \
         the host; sudo passes it on with --preserve-env=RETRANS_TEST_NO_SUCH"
    );
}

#[test]
fn a_granted_directory_is_read_while_the_plugin_is_configured() {
    let files = networks();
    assert_eq!(
        configured(
            &files,
            "read DIR/zones; read DIR/deep/er/file; read DIR/deep/../zones; read DIR/inner; \
             list DIR; list DIR/deep; stat DIR/zones; stat DIR/inner; readlink DIR/inner; end DIR/zones; count DIR/large; read DIR/none"
        ),
        [
            "read DIR/zones: a zone",
            "read DIR/deep/er/file: deep down",
            "read DIR/deep/../zones: a zone",
            "read DIR/inner: deep down",
            "list DIR: directory deep, file large, file zones, link inner",
            "list DIR/deep: directory er",
            "stat DIR/zones: file of 7 bytes, 1000000000",
            "stat DIR/inner: file of 10 bytes, 1000000000",
            "readlink DIR/inner: deep/er/file",
            "end DIR/zones: ne",
            "count DIR/large: 1000000",
            "read DIR/none: entity not found",
        ]
    );
}

#[test]
fn a_link_is_told_from_what_it_leads_to() {
    let files = networks();
    let found = configured(&files, "stat DIR/inner; lstat DIR/inner; lstat DIR/deep");
    assert!(found[0].starts_with("stat DIR/inner: file of 10 bytes"));
    assert!(found[1].starts_with("lstat DIR/inner: link of 12 bytes"));
    assert!(found[2].starts_with("lstat DIR/deep: directory of "));
}

#[test]
fn a_directory_has_the_path_that_the_operator_wrote() {
    let grants = granted(&[Path::new("plugin-sdk/wit"), Path::new("./event/")]);
    let found = outcomes(
        &grants,
        "list plugin-sdk/wit; stat event/Cargo.toml; stat Cargo.toml",
        "",
    );
    assert_eq!(found[0], "list plugin-sdk/wit: file plugin.wit");
    assert!(found[1].starts_with("stat event/Cargo.toml: file of "));
    assert_eq!(found[2], "stat Cargo.toml: entity not found");
}

#[test]
fn a_large_directory_is_listed_to_its_end() {
    let files = Files::new();
    for number in 0..1_000 {
        files.write(&format!("{number:0200}"), "");
    }
    let found = configured(&files, "list DIR");
    assert_eq!(found[0].split(", ").count(), 1_000);
}

#[test]
fn with_events_there_are_no_files() {
    let files = networks();
    let steps = "keep DIR/zones; keep DIR";
    let later = "read DIR/zones; list DIR; stat DIR; write DIR/zones; use_kept";
    let found = outcomes(
        &granted(&[files.path()]),
        &at(steps, &files),
        &at(later, &files),
    );
    let expected = [
        "keep DIR/zones: done",
        "keep DIR: done",
        "read DIR/zones: permission denied",
        "list DIR: permission denied",
        "stat DIR: permission denied",
        "write DIR/zones: read-only filesystem or storage medium",
        "use_kept: file refused, directory refused",
    ];
    assert_eq!(without(&found, &files), expected);
}

#[test]
fn nothing_stays_open_for_a_plugin_that_is_configured() {
    let files = networks();
    let steps = at("keep DIR/zones; keep DIR; keep DIR/deep", &files);
    let grants = granted(&[files.path()]);
    let plugin = start(&grants, &steps, "").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(open_beneath(files.path()), Vec::<PathBuf>::new());
    drop(plugin);
}

#[test]
fn what_leads_out_of_the_directory_is_refused() {
    let files = networks();
    let elsewhere = Files::new();
    let secret = elsewhere.write("secret", "a secret");
    let beside = files.write("secret", "a secret");
    let directory = files.path().join("deep");
    symlink("/etc/passwd", directory.join("absolute")).expect("a link");
    symlink("../secret", directory.join("relative")).expect("a link");
    symlink("..", directory.join("above")).expect("a link");
    symlink(&directory, directory.join("round")).expect("a link");
    let paths = [
        "DIR/../secret",
        "DIR/er/../../secret",
        "DIR//../secret",
        "DIR/absolute",
        "DIR/relative",
        "DIR/above/secret",
        // It leads back into the directory, but links out of it are not followed.
        "DIR/round/er/file",
    ];
    for path in paths {
        let path = path.replace("DIR", &directory.display().to_string());
        let steps = format!("read {path}; stat {path}; keep {path}");
        for outcome in outcomes(&granted(&[&directory]), &steps, "") {
            assert!(outcome.ends_with(": permission denied"), "{outcome}");
        }
    }
    // No path outside of the directory is looked up.
    for path in [&secret, &beside, Path::new("/etc/passwd")] {
        let steps = format!("read {}; list /", path.display());
        for outcome in outcomes(&granted(&[&directory]), &steps, "") {
            assert!(outcome.ends_with(": entity not found"), "{outcome}");
        }
    }
    // Links and listings do not reveal what is outside.
    let links = at("readlink DIR/deep/absolute; list DIR/deep/above", &files);
    let found = outcomes(&granted(&[&directory]), &links, "");
    assert!(
        found
            .iter()
            .all(|found| found.ends_with(": permission denied"))
    );
}

#[test]
fn magic_links_of_proc_are_refused() {
    let grants = granted(&[Path::new("/proc")]);
    let steps = "read /proc/self/root/etc/passwd; list /proc/self/cwd; count /proc/self/exe; \
                 read /proc/self/fd/0; list /proc/self/fd/1/";
    for outcome in outcomes(&grants, steps, "") {
        let end = outcome.rsplit(": ").next();
        let refused = "filesystem loop or indirection limit (e.g. symlink loop)";
        assert_eq!(end, Some(refused), "{outcome}");
    }
}

#[test]
fn neither_devices_nor_fifos_are_opened() {
    let files = networks();
    let fifo = files.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    symlink("fifo", files.path().join("to_fifo")).expect("a link");
    let steps = "read DIR/fifo; count DIR/to_fifo; keep DIR/fifo; list DIR/fifo; stat DIR/fifo";
    let found = configured(&files, steps);
    for outcome in &found[..4] {
        assert!(outcome.ends_with(": permission denied"), "{outcome}");
    }
    assert!(found[4].starts_with("stat DIR/fifo: other of 0 bytes"));

    let grants = granted(&[Path::new("/dev")]);
    for outcome in outcomes(&grants, "read /dev/null; read /dev/tty; keep /dev/zero", "") {
        assert!(outcome.ends_with(": permission denied"), "{outcome}");
    }
}

#[test]
fn nothing_is_changed() {
    let files = networks();
    fs::create_dir(files.path().join("empty")).expect("a directory");
    let before = tree(files.path());
    let steps = "write DIR/zones; write DIR/new; append DIR/zones; open_for_both DIR/zones; \
                 write_as_read DIR/zones; set_length DIR/zones; set_time DIR/zones; set_time DIR; \
                 create_directory DIR/new; remove DIR/zones; remove_directory DIR/empty; \
                 rename DIR/zones; link DIR/zones; sync DIR/zones";
    let found = configured(&files, steps);
    let (sync, refused) = found.split_last().expect("steps were taken");
    assert_eq!(sync, "sync DIR/zones: done", "there was nothing to do");
    for outcome in refused {
        let read_only = ": read-only filesystem or storage medium";
        assert!(outcome.ends_with(read_only), "{outcome}");
    }
    assert_eq!(tree(files.path()), before);
}

#[test]
fn files_are_no_network() {
    let files = networks();
    let found = configured(&files, "read DIR/zones; connect 127.0.0.1:22");
    assert_eq!(found[0], "read DIR/zones: a zone");
    assert_eq!(found[1], "connect 127.0.0.1:22: permission denied");
}

#[test]
fn a_plugin_has_few_files_open_at_a_time() {
    let files = networks();
    assert_eq!(
        configured(&files, "hoard DIR/zones; hoard DIR; read DIR/zones"),
        [
            "hoard DIR/zones: 128 times, then quota exceeded",
            "hoard DIR: 128 times, then quota exceeded",
            "read DIR/zones: a zone",
        ]
    );
}

#[test]
fn a_directory_that_is_not_there_is_a_start_error() {
    let files = networks();
    let gone = files.path().join("gone");
    let expected = format!(
        "plugin reader: grant read={}: No such file or directory (os error 2)",
        gone.display()
    );
    assert_eq!(refused(&granted(&[&gone])).to_string(), expected);

    let file = files.path().join("zones");
    let expected = format!(
        "plugin reader: grant read={}: Not a directory (os error 20)",
        file.display()
    );
    assert_eq!(refused(&granted(&[&file])).to_string(), expected);
}

#[test]
fn every_function_of_the_interface_can_be_imported() {
    let wasi = include_str!("../fixtures/filesystem.wit");
    for version in ["0.2.0", "0.2.6"] {
        let wasi = wasi.replace("VERSION", version);
        let packages: Vec<&str> = wasi.split("---\n").collect();
        let world = format!(
            "{CONTRACT} world everything {{
                include plugin;
                import wasi:filesystem/types@{version};
                import wasi:filesystem/preopens@{version};
            }}"
        );
        let packages = [packages.as_slice(), &[&world]].concat();
        let component = unimplemented(&packages, "everything").expect("a component");
        let files = Files::new();
        let origin = Origin::File(files.write("everything.wasm", component));
        let grants = granted(&[files.path()]);
        let spec = Spec {
            grants: grants.clone(),
            ..Spec::new("everything", origin)
        };
        let error = Plugin::start(engine(), &spec).err();
        let error = error.expect("it traps").to_string();
        assert_eq!(
            error.lines().next(),
            Some(
                "plugin everything failed in describe: wasm trap: wasm `unreachable` instruction \
                 executed"
            )
        );
    }
}

/// A directory of files, and a link to one of them.
fn networks() -> Files {
    let files = Files::new();
    fs::create_dir_all(files.path().join("deep/er")).expect("directories");
    for (name, text) in [
        ("zones", "a zone\n"),
        ("deep/er/file", "deep down\n"),
        ("large", &"x".repeat(1_000_000)),
    ] {
        let path = files.write(name, text);
        let file = fs::File::options().write(true).open(path).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
            .expect("the time can be set");
    }
    symlink("deep/er/file", files.path().join("inner")).expect("a link");
    files
}

fn granted(directories: &[&Path]) -> Grants {
    Grants {
        read: directories.iter().map(|path| path.to_path_buf()).collect(),
        ..Grants::default()
    }
}

/// Replaces `DIR` in steps with this directory.
fn at(steps: &str, files: &Files) -> String {
    steps.replace("DIR", &files.path().display().to_string())
}

/// Replaces the directory in outcomes with `DIR`.
fn without(outcomes: &[String], files: &Files) -> Vec<String> {
    let directory = files.path().display().to_string();
    let outcomes = outcomes.iter();
    outcomes
        .map(|outcome| outcome.replace(&directory, "DIR"))
        .collect()
}

/// The outcomes of steps in `configure`, with this directory granted.
#[track_caller]
fn configured(files: &Files, steps: &str) -> Vec<String> {
    let found = outcomes(&granted(&[files.path()]), &at(steps, files), "");
    without(&found, files)
}

/// The outcomes of steps in `configure`, and of others in `process`.
#[track_caller]
fn outcomes(grants: &Grants, configure: &str, process: &str) -> Vec<String> {
    let plugin = start(grants, configure, process).unwrap_or_else(|error| panic!("{error}"));
    allowed(plugin, [Item::Events(labelled())]).said.lines
}

#[track_caller]
fn refused(grants: &Grants) -> StartError {
    match start(grants, "", "") {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

fn start(grants: &Grants, configure: &str, process: &str) -> Result<Plugin, StartError> {
    let origin = Origin::File(fixture(READER));
    let settings = [("configure", configure), ("process", process)];
    let spec = Spec {
        grants: grants.clone(),
        ..spec("reader", &origin, &settings)
    };
    Plugin::start(engine(), &spec)
}

/// The files that this process has open below a directory.
fn open_beneath(directory: &Path) -> Vec<PathBuf> {
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors are listed");
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter(|target| target.starts_with(directory))
        .collect()
}

/// Everything in a directory: path, time of modification, text.
fn tree(directory: &Path) -> Vec<(PathBuf, SystemTime, Option<String>)> {
    let found = fs::symlink_metadata(directory).expect("it is there");
    let modified = found.modified().expect("a time");
    let text = found
        .is_file()
        .then(|| fs::read_to_string(directory).expect("text"));
    let mut all = vec![(directory.to_owned(), modified, text)];
    if found.is_dir() {
        let entries = fs::read_dir(directory).expect("it is listed");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<PathBuf> = paths.collect();
        paths.sort();
        all.extend(paths.iter().flat_map(|path| tree(path)));
    }
    all
}
