//! The cache returns exactly the code that was stored, or nothing.

use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;

use super::*;

#[test]
fn a_directory_that_others_may_write_to_is_not_used() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let directory = home.path().join("cache/retrans-host");
    assert!(open_in(&directory).is_ok());

    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(home.path().join("cache"), open).expect("permissions of our own");
    let error = open_in(&directory).expect_err("other users can write to its parent");
    assert!(
        error
            .to_string()
            .ends_with("cache is writable by other users"),
        "{error}"
    );
}

#[test]
fn the_directory_of_a_service_is_the_first_choice() {
    let directory = |variables: &[(&str, &str)]| {
        let value = |name: &str| {
            let mut variables = variables.iter();
            let found = variables.find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        directory_by(value).map(|path| path.display().to_string())
    };
    let service = ("CACHE_DIRECTORY", "/var/cache/one:/var/cache/two");
    let user = [("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
    let found = directory(&[service, user[0], user[1]]);
    assert_eq!(found.expect("a directory"), "/var/cache/one");
    for other in ["", "relative", ":/var/cache/two"] {
        let found = directory(&[("CACHE_DIRECTORY", other), user[0], user[1]]);
        assert_eq!(found.expect("a directory"), "/x/retrans-host", "{other}");
    }
    let found = directory(&[("XDG_CACHE_HOME", "x"), user[1]]);
    assert_eq!(found.expect("a directory"), "/h/.cache/retrans-host");
    assert!(matches!(directory(&[]), Err(CacheError::NoHome)));
}

/// Returns a cache that contains `code`, its key, and the path of its file.
fn cached(home: &Path, code: &[u8]) -> (Cache, Key, PathBuf) {
    let cache = open_in(home).expect("it belongs to this user");
    let key = Key {
        digest: Digest::of(b"component"),
        engine: 1,
        footprint: 1,
    };
    let mut memory = sealed_memory::create().expect("memory");
    memory.write_all(code).expect("memory");
    cache.store(&key, &memory);
    let path = cache.path(&key);
    (cache, key, path)
}

#[test]
fn what_is_found_is_what_was_kept_and_cannot_be_changed() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (cache, key, _) = cached(home.path(), b"code");
    let found = cache.find(&key).expect("it was stored");
    assert_eq!(
        fs::read(found.path()).expect("it belongs to this user"),
        b"code"
    );
    let mut writable = File::options().write(true).open(found.path());
    let written = writable.as_mut().map(|file| file.write_all(b"x"));
    assert!(!matches!(written, Ok(Ok(()))), "{written:?}");
}

#[test]
fn no_byte_of_a_file_can_change_unnoticed_and_none_can_be_missing_or_too_many() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let code: Vec<u8> = (0..=255).cycle().take(300).collect();
    let (cache, key, path) = cached(home.path(), &code);
    let whole = fs::read(&path).expect("it belongs to this user");
    let finds = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("it belongs to this user");
        cache.find(&key).is_some()
    };
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(!finds(&damaged), "byte {at}");
        assert!(!finds(&whole[..at]), "cut off at {at}");
    }
    assert!(!finds(&[&whole[..], &[0]].concat()));
    assert!(finds(&whole));
}

#[test]
fn the_code_of_one_plugin_under_the_name_of_another_is_damage() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (cache, key, path) = cached(home.path(), b"code");
    let digest = Digest::of(b"other");
    let other = Key { digest, ..key };
    fs::copy(path, cache.path(&other)).expect("they belong to this user");
    assert!(cache.find(&other).is_none());
}

#[test]
fn a_pipe_in_the_cache_holds_nothing_up() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (cache, key, path) = cached(home.path(), b"code");
    fs::remove_file(&path).expect("it belongs to this user");
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a temporary file");
    assert!(cache.find(&key).is_none());
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let cache = open_in(home.path()).expect("it belongs to this user");
    let second = std::time::Duration::from_secs(1);
    for (age, name) in ["new", "old", "oldest"].into_iter().enumerate() {
        let path = home.path().join(format!("{name}{SUFFIX}"));
        fs::write(&path, [0; 100]).expect("a file of our own");
        let file = File::options().append(true).open(&path).expect("just made");
        let time = SystemTime::now() - second * age as u32;
        file.set_modified(time).expect("a file of our own");
    }
    fs::write(home.path().join("other"), [0; 1_000]).expect("a file of our own");

    cache.evict(200).expect("the directory can be read");

    let left = |name: &str| home.path().join(name).exists();
    assert!(left("new.compiled") && left("old.compiled") && left("other"));
    assert!(!left("oldest.compiled"));
}
