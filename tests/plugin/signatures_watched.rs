//! With `--watch`, a new version is taken up when its signature comes, however long after it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::common::minisign::Author;
use crate::common::versions::Versions;
use crate::watch_files::Host;

const STAYS: &str = "plugin witness is not reloaded, the running version stays: plugin witness: signature \
                     ./witness.wasm.minisig: ";
const RELOADED: &str = "plugin witness was reloaded: ./witness.wasm sha256=";

/// A host that takes up new versions that the author has signed, and has said `words`.
fn watching(versions: &Versions, author: &Author, words: &str) -> Host {
    let key = author.line();
    let options = [
        "--plugin",
        "./witness.wasm",
        "--verify-key",
        &key,
        "--watch",
    ];
    Host::begin_with(versions.directory(), &options, words)
}

#[test]
fn with_watch_a_signature_that_comes_after_its_plugin_is_noticed() {
    let (versions, author) = (Versions::begin(), Author::new());
    author.sign(&versions.path());
    let signed = format!(", signed with key {}: timestamp:", author.id());
    let mut host = watching(&versions, &author, &signed);
    host.events(100);
    versions.put('2');
    host.wait_for(STAYS);
    host.events(100);
    author.sign(&versions.path());
    host.wait_for(RELOADED);
    let (stdout, stderr) = host.end();
    assert_eq!(stdout, "version 2: seen 200, gaps 0");
    assert!(stderr.contains("reloads=1"), "{stderr}");
}

#[test]
fn with_watch_a_signature_in_another_directory_is_noticed() {
    let (versions, author) = (Versions::begin(), Author::new());
    author.sign(&versions.path());
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let beside = versions.directory().join("witness.wasm.minisig");
    let target = elsewhere.path().join("signature");
    fs::copy(&beside, &target).expect("a temporary file");
    fs::remove_file(&beside).expect("it is there");
    symlink(&target, &beside).expect("a temporary file");
    let mut host = watching(&versions, &author, ", signed with key ");
    host.events(100);
    versions.put('2');
    host.wait_for(STAYS);
    author.sign_with(&versions.path(), &["-x", target.to_str().expect("text")]);
    host.wait_for(RELOADED);
    assert_eq!(host.end().0, "version 2: seen 100, gaps 0");
}

#[test]
fn at_sighup_a_version_without_its_signature_does_not_take_over() {
    let (versions, author) = (Versions::begin(), Author::new());
    author.sign(&versions.path());
    let options = ["--plugin", "./witness.wasm", "--verify-key", &author.line()];
    let mut host = Host::begin_with(versions.directory(), &options, ", signed with key ");
    host.events(100);
    versions.put('2');
    for _ in 0..2 {
        host.hang_up();
        host.wait_for(STAYS);
    }
    author.sign(&versions.path());
    host.hang_up();
    host.wait_for(RELOADED);
    assert_eq!(host.end().0, "version 2: seen 100, gaps 0");
}
