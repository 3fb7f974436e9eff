//! Plugins go to a real registry and come back, with their signatures.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;
use crate::common::minisign::Author;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refused;
use crate::common::registry::LOGIN;
use crate::common::registry::Registry;
use crate::receivers::tls::Certificates;

/// The host, without the logins of the user who runs the tests.
pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = host(directory, arguments);
    command.env_remove("REGISTRY_AUTH_FILE");
    command.env("DOCKER_CONFIG", directory.join("docker"));
    command
}

/// Standard output of a command that succeeds.
#[track_caller]
fn printed(directory: &Path, arguments: &[&str]) -> String {
    let (stdout, stderr) = ran(&mut command(directory, arguments));
    assert_eq!(stderr, "");
    stdout
}

#[track_caller]
fn json(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(directory, arguments)).expect("JSON")
}

/// A directory with `witness.wasm`, and the name of that file there.
fn plugin() -> (Files, &'static str) {
    let files = Files::new();
    let bytes = fs::read(fixture(WITNESS)).expect("it was built");
    files.write("witness.wasm", bytes);
    (files, "witness.wasm")
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum")
        .arg(file)
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text[..64].to_owned()
}

#[test]
fn a_plugin_and_its_signature_come_back_as_they_went() {
    let (registry, author) = (Registry::start(), Author::new());
    let (files, file) = plugin();
    let path = files.path().join(file);
    author.sign(&path);
    let address = registry.oci("team/witness:1.2");
    let push = ["plugin", "push", file, &address, "--plain-http", "--json"];
    let pushed = json(files.path(), &push);
    assert_eq!(pushed["signature"], true);
    assert_eq!(pushed["sha256"], sha256(&path).as_str());
    // The same plugin makes the same artifact.
    assert_eq!(json(files.path(), &push), pushed);
    let pinned = pushed["address"].as_str().expect("text").to_owned();
    let digest = pinned
        .strip_prefix(&registry.oci("team/witness@"))
        .expect("it is pinned");
    let manifest = registry.blob(digest);
    assert_eq!(
        format!("sha256:{}", sha256(&manifest)),
        digest,
        "what sha256sum says"
    );

    let there = Files::new();
    let key = author.line();
    let text = printed(
        there.path(),
        &[
            "plugin",
            "pull",
            &address,
            "--plain-http",
            "--verify-key",
            &key,
        ],
    );
    let signature = fs::read(files.path().join("witness.wasm.minisig")).expect("it was made");
    let got = |name: &str| fs::read(there.path().join(name)).expect(name);
    assert_eq!(got("witness.wasm"), fs::read(&path).expect("it is there"));
    assert_eq!(got("witness.wasm.minisig"), signature);
    let lines: Vec<_> = text.lines().collect();
    let [size, signed, again, run] = lines[..] else {
        panic!("{text}");
    };
    assert!(size.starts_with("witness.wasm: "), "{size}");
    let expected = format!(
        "signature: witness.wasm.minisig, made with key {}: timestamp:",
        author.id()
    );
    assert!(signed.starts_with(&expected), "{signed}");
    assert_eq!(
        again,
        format!("to get it again: retrans-host plugin pull {pinned}")
    );
    let sha256 = sha256(&path);
    assert_eq!(
        run,
        format!("to run exactly this file: --plugin witness.wasm#sha256={sha256}")
    );

    // What it says is what works.
    generated(there.path(), "a.rtc", &["--events", "10"]);
    let chosen = run.rsplit(' ').next().expect("a word");
    let replay = ["replay", "a.rtc", "--plugin", chosen, "--verify-key", &key];
    let (_, stderr) = ran(&mut command(there.path(), &replay));
    assert!(
        stderr.contains(&format!("signed with key {}", author.id())),
        "{stderr}"
    );
    let pull = [
        "plugin",
        "pull",
        &pinned,
        "--plain-http",
        "--json",
        "-o",
        "again.wasm",
    ];
    let pulled = json(there.path(), &pull);
    assert_eq!(pulled["sha256"], sha256.as_str());
    assert_eq!(pulled["address"], pinned.as_str());
    assert_eq!(pulled["signature"], "not_checked");
    assert_eq!(got("again.wasm"), got("witness.wasm"));
    assert_eq!(got("again.wasm.minisig"), signature);
}

#[test]
fn files_are_overwritten_only_with_force_and_never_left_with_another_ones_signature() {
    let (registry, author) = (Registry::start(), Author::new());
    let (files, file) = plugin();
    let address = registry.oci("witness:1");
    let text = printed(
        files.path(),
        &["plugin", "push", file, &address, "--plain-http"],
    );
    assert!(
        text.contains("without a signature: there is no witness.wasm.minisig"),
        "{text}"
    );
    let there = Files::new();
    let pull = ["plugin", "pull", &address, "--plain-http"];
    for name in ["witness.wasm", "witness.wasm.minisig"] {
        let other = there.write(name, "another");
        let words = [name, "exists; --force overwrites it"];
        assert_refused(&mut command(there.path(), &pull), FAILURE, &words);
        assert_eq!(fs::read(&other).expect("it is there"), b"another");
        let count = fs::read_dir(there.path()).expect("it is there").count();
        assert_eq!(count, 1, "nothing else is there");
        fs::remove_file(other).expect("it is there");
    }
    there.write("witness.wasm", "another");
    let signature = there.write("witness.wasm.minisig", "of another");
    let forced = [&pull[..], &["--force"]].concat();
    let text = printed(there.path(), &forced);
    assert!(text.contains("\nsignature: none\n"), "{text}");
    assert_eq!(
        sha256(&there.path().join("witness.wasm")),
        sha256(&files.path().join(file))
    );
    assert!(!signature.exists());

    // A signature is not replaced unless the plugin is: here a directory has its name.
    Author::new().sign(&files.path().join(file));
    printed(
        files.path(),
        &["plugin", "push", file, &address, "--plain-http"],
    );
    fs::remove_file(there.path().join("witness.wasm")).expect("it is there");
    fs::create_dir(there.path().join("witness.wasm")).expect("a directory");
    there.write("witness.wasm.minisig", "of another");
    let words = ["cannot write witness.wasm: "];
    assert_refused(&mut command(there.path(), &forced), FAILURE, &words);
    let left = fs::read(&signature).expect("it is there");
    assert_eq!(left, b"of another");
    let count = fs::read_dir(there.path()).expect("it is there").count();
    assert_eq!(count, 2, "nothing else is left");
    let own = files.path().join("witness.wasm.minisig");
    fs::remove_file(own).expect("it was made");
    printed(
        files.path(),
        &["plugin", "push", file, &address, "--plain-http"],
    );

    // With a key, nothing is written without a signature of it.
    let (empty, key) = (Files::new(), author.line());
    let with_key = [&pull[..], &["--verify-key", &key]].concat();
    let words = ["witness:1 has no signature, and a key was given: nothing was written"];
    assert_refused(&mut command(empty.path(), &with_key), FAILURE, &words);
    let other = Author::new();
    other.sign(&files.path().join(file));
    printed(
        files.path(),
        &["plugin", "push", file, &address, "--plain-http"],
    );
    let found = format!("made with key {}, expected key {}", other.id(), author.id());
    let words = [
        "signature of oci://",
        "witness:1: nothing was written",
        &found,
    ];
    assert_refused(&mut command(empty.path(), &with_key), FAILURE, &words);
    fs::write(
        files.path().join("witness.wasm.minisig"),
        "untrusted comment: a\n",
    )
    .expect("a file");
    printed(
        files.path(),
        &["plugin", "push", file, &address, "--plain-http"],
    );
    let words = ["signature of oci://", "it is cut short"];
    assert_refused(&mut command(empty.path(), &with_key), FAILURE, &words);
    let count = fs::read_dir(empty.path()).expect("it is there").count();
    assert_eq!(count, 0);
    // And nothing is pushed that the key has not signed.
    let push = [
        "plugin",
        "push",
        file,
        &address,
        "--plain-http",
        "--verify-key",
        &key,
    ];
    assert_refused(
        &mut command(files.path(), &push),
        FAILURE,
        &["it is cut short"],
    );
}

#[test]
fn a_registry_gets_the_login_that_docker_stored_and_says_what_to_do_without() {
    let registry = Registry::with_login();
    let (files, file) = plugin();
    let address = registry.oci("witness:1");
    let push = ["plugin", "push", file, &address, "--plain-http"];
    let advice = format!(
        "`docker login {}` stores a user who has it",
        registry.address
    );
    let words = ["refuses access to oci://", "(401 Unauthorized)", &advice];
    assert_refused(&mut command(files.path(), &push), FAILURE, &words);

    let login = |pair: &str| {
        let text = format!(
            r#"{{"auths": {{"{}": {{"auth": "{pair}"}}}}}}"#,
            registry.address
        );
        fs::create_dir_all(files.path().join("docker")).expect("a directory");
        files.write("docker/config.json", text);
    };
    // operator:wrong
    login("b3BlcmF0b3I6d3Jvbmc=");
    assert_refused(&mut command(files.path(), &push), FAILURE, &words);
    login("no Base64");
    let words = [
        "cannot read the logins in ",
        "docker/config.json: the entry of 127.0.0.1:",
    ];
    assert_refused(&mut command(files.path(), &push), FAILURE, &words);
    login(LOGIN);
    printed(files.path(), &push);
    printed(
        files.path(),
        &["plugin", "pull", &address, "--plain-http", "-o", "got.wasm"],
    );
    assert_eq!(
        sha256(&files.path().join("got.wasm")),
        sha256(&files.path().join(file))
    );
    // As podman and skopeo name it.
    let pull = [
        "plugin",
        "pull",
        &address,
        "--plain-http",
        "-o",
        "again.wasm",
    ];
    let auth_file = files.path().join("docker/config.json");
    ran(host(files.path(), &pull).env("REGISTRY_AUTH_FILE", auth_file));
}

#[test]
fn a_registry_with_tls_must_be_known_to_an_authority() {
    let certificates = Certificates::new();
    let registry = Registry::with_tls(&certificates.certificate(), &certificates.key());
    let (files, file) = plugin();
    let address = registry.oci("witness:1");
    let push = ["plugin", "push", file, &address];
    let trusting = |arguments: &[&str]| {
        let mut command = command(files.path(), arguments);
        command.env("SSL_CERT_FILE", certificates.authority());
        command
    };
    ran(&mut trusting(&push));
    ran(&mut trusting(&[
        "plugin", "pull", &address, "-o", "got.wasm",
    ]));
    assert_eq!(
        sha256(&files.path().join("got.wasm")),
        sha256(&files.path().join(file))
    );
    let other = Certificates::new();
    let mut distrusting = command(
        files.path(),
        &["plugin", "pull", &address, "-o", "other.wasm"],
    );
    distrusting.env("SSL_CERT_FILE", other.authority());
    let words = ["cannot reach 127.0.0.1:", "invalid peer certificate: "];
    assert_refused(&mut distrusting, FAILURE, &words);
    // TLS where there is none.
    let plain = Registry::start();
    let pull = [
        "plugin",
        "pull",
        &plain.oci("witness:1"),
        "-o",
        "plain.wasm",
    ];
    let mut command = trusting(&pull);
    let words = ["cannot reach 127.0.0.1:", "for which there is --plain-http"];
    assert_refused(&mut command, FAILURE, &words);
}
