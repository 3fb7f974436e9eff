//! A plugin with a key runs only if the key has signed its very bytes, at the start and at each reload.

use std::fs;
use std::path::Path;

use retrans_host::pipeline::reload::Trigger;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::plugin::VerifyKey;
use retrans_host::plugin::signature;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::chain::engine;
use crate::common::components::Files;
use crate::common::minisign::Author;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::versions::Versions;
use crate::support::reload::Running;
use crate::support::reload::witness;

fn key(author: &Author) -> VerifyKey {
    VerifyKey::of_line(&author.line()).expect("a key")
}

/// The witness, which one of these authors must have signed.
fn signed_witness(versions: &Versions, authors: &[&Author]) -> Spec {
    Spec {
        keys: authors.iter().map(|author| key(author)).collect(),
        ..witness(versions)
    }
}

#[track_caller]
fn refused(spec: &Spec) -> String {
    let refused = Plugin::start(engine(), spec).err().expect("it is refused");
    refused.to_string()
}

#[test]
fn a_plugin_with_a_key_needs_a_signature_of_this_key_for_these_bytes() {
    let (versions, author, other) = (Versions::begin(), Author::new(), Author::new());
    let (path, spec) = (versions.path(), signed_witness(&versions, &[&author]));
    let file = signature::path(&path);
    let begin = format!("plugin witness: signature {}: ", file.display());
    let refused_for = |reason: &str| {
        let refused = refused(&spec);
        assert!(refused.starts_with(&begin), "{refused}");
        assert!(refused.contains(reason), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    };
    refused_for("there is no such file, and the plugin needs it: `minisign -S -m");

    author.sign(&path);
    let plugin = Plugin::start(engine(), &spec).unwrap_or_else(|error| panic!("{error}"));
    let identity = plugin.prepared.identity();
    let expected = format!(", signed with key {}: timestamp:", author.id());
    assert!(identity.contains(&expected), "{identity}");
    // The code is in the cache now. It makes no difference.
    let signature = fs::read(&file).expect("it was made");

    versions.put('2');
    refused_for(&format!(
        "made with key {}, but not for these bytes",
        author.id()
    ));
    versions.put('1');
    let half = &signature[..signature.len() / 2];
    fs::write(&file, half).expect("a temporary file");
    refused_for("it is cut short");
    fs::write(&file, "").expect("a temporary file");
    refused_for("not a signature of minisign");
    fs::write(&file, [0xff; 100]).expect("a temporary file");
    refused_for("not a signature of minisign");
    fs::copy(author.public(), &file).expect("a temporary file");
    refused_for("it is cut short");
    fs::write(&file, vec![b'a'; 1 << 20]).expect("a temporary file");
    refused_for("not a signature of minisign");
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("nothing is there");
    refused_for("cannot read it: Is a directory");
    fs::remove_dir(&file).expect("it is empty");
    author.sign_with(&path, &["-l"]);
    refused_for("a legacy signature");
    other.sign(&path);
    refused_for(&format!(
        "made with key {}, expected key {}",
        other.id(),
        author.id()
    ));

    // Another file has the right signature.
    let files = Files::new();
    let elsewhere = files.write("elsewhere", versions.bytes('2'));
    author.sign(&elsewhere);
    fs::copy(signature::path(&elsewhere), &file).expect("a temporary file");
    refused_for("but not for these bytes");

    // Each of several keys will do.
    other.sign(&path);
    let both = signed_witness(&versions, &[&author, &other]);
    assert!(Plugin::start(engine(), &both).is_ok());
    let third = Author::new();
    third.sign(&path);
    let expected = format!("expected key {} or {}", author.id(), other.id());
    let refused = refused(&both);
    assert!(refused.contains(&expected), "{refused}");
}

#[test]
fn what_the_author_says_in_a_signature_cannot_steer_a_terminal() {
    let (versions, author) = (Versions::begin(), Author::new());
    author.sign_with(&versions.path(), &["-t", "for \x1b[2Jyou"]);
    let spec = signed_witness(&versions, &[&author]);
    let plugin = Plugin::start(engine(), &spec).unwrap_or_else(|error| panic!("{error}"));
    let identity = plugin.prepared.identity();
    assert!(identity.ends_with(": for \u{fffd}[2Jyou"), "{identity}");
}

#[test]
fn a_new_version_is_taken_up_once_its_signature_fits() {
    let (versions, author) = (Versions::begin(), Author::new());
    author.sign(&versions.path());
    let mut running = Running::begin(&signed_witness(&versions, &[&author]));
    let nothing: [&str; 0] = [];

    // As a build writes it: first the plugin, then its signature.
    versions.put('2');
    let log = running.look(Trigger::Changed);
    let [line] = log.as_slice() else {
        panic!("one line: {log:#?}");
    };
    let stays = "WARN plugin witness is not reloaded, the running version stays: plugin witness: signature ";
    assert!(line.starts_with(stays), "{line}");
    assert!(line.contains("but not for these bytes"), "{line}");
    assert_eq!(running.look(Trigger::Changed), nothing, "it is said once");
    assert_eq!(running.look(Trigger::Periodic), nothing);
    author.sign(&versions.path());
    let log = running.look(Trigger::Changed);
    assert!(log[0].contains("plugin witness was reloaded: "), "{log:#?}");
    let expected = format!(", signed with key {}: timestamp:", author.id());
    assert!(log[0].contains(&expected), "{log:#?}");

    // The signature first, as `plugin pull` writes it.
    let files = Files::new();
    let new = files.write("witness.wasm", versions.bytes('3'));
    author.sign(&new);
    let file = signature::path(&versions.path());
    fs::copy(signature::path(&new), &file).expect("a temporary file");
    assert_eq!(running.look(Trigger::Changed), nothing);
    versions.put('3');
    assert!(running.look(Trigger::Changed)[0].contains("was reloaded"));

    // A signature that has gone does not end what runs.
    fs::remove_file(&file).expect("it is there");
    assert_eq!(running.look(Trigger::Changed), nothing);
    versions.put('4');
    assert!(running.look(Trigger::Changed)[0].contains("there is no such file"));
    assert!(
        running.reload()[0].contains("there is no such file"),
        "asked for"
    );
    running.events(10);
    let (said, report) = running.end();
    assert_eq!(said.lines, ["version 3: seen 10, gaps 0"]);
    assert_eq!(report.usage[0].reloads, 2);
}

/// A replay of some events with these options.
fn replay(directory: &Path, options: &[&str]) -> std::process::Command {
    generated(directory, "a.rtc", &["--events", "10", "--force"]);
    let mut command = host(directory, &["replay", "a.rtc"]);
    command.args(options);
    command
}

#[test]
fn a_key_is_for_the_plugin_before_it_or_for_all_and_bundled_plugins_need_none() {
    let (versions, author, other) = (Versions::begin(), Author::new(), Author::new());
    let directory = versions.directory();
    author.sign(&versions.path());
    let (line, public) = (author.line(), author.public());
    let (public, wrong) = (public.to_str().expect("text"), other.public());
    let wrong = wrong.to_str().expect("text");
    let plugin = ["--plugin", "./witness.wasm"];
    for options in [
        &["--verify-key", public, plugin[0], plugin[1]][..],
        &[plugin[0], plugin[1], "--verify-key", public],
        &[plugin[0], plugin[1], "--verify-key", &line],
        &[
            plugin[0],
            plugin[1],
            "--verify-key",
            wrong,
            "--verify-key",
            public,
        ],
        // Those of a plugin take the place of those for all.
        &[
            "--verify-key",
            wrong,
            plugin[0],
            plugin[1],
            "--verify-key",
            public,
        ],
        &[
            "--verify-key",
            public,
            "--plugin",
            "json-print",
            plugin[0],
            plugin[1],
        ],
        &[
            plugin[0],
            plugin[1],
            "--plugin",
            "json-print",
            "--verify-key",
            wrong,
        ],
    ] {
        let (_, stderr) = ran(&mut replay(directory, options));
        let is_checked = stderr.contains(&format!("signed with key {}: timestamp:", author.id()));
        // The last one is a key for a bundled plugin.
        assert_eq!(is_checked, options.last() != Some(&wrong), "{stderr}");
    }
    for options in [
        &["--verify-key", wrong, plugin[0], plugin[1]][..],
        &[plugin[0], plugin[1], "--verify-key", wrong],
        &[
            "--verify-key",
            public,
            plugin[0],
            plugin[1],
            "--verify-key",
            wrong,
        ],
        &[
            "--verify-key",
            wrong,
            "--plugin",
            "json-print",
            "--verify-key",
            public,
            plugin[0],
            plugin[1],
        ],
    ] {
        let expected = format!("made with key {}, expected key {}", author.id(), other.id());
        let words = [
            "plugin witness: signature ./witness.wasm.minisig: ",
            &expected,
        ];
        assert_refused(&mut replay(directory, options), FAILURE, &words);
    }
}

#[test]
fn a_file_that_is_no_public_key_is_a_mistake_of_the_command_line() {
    let (files, author) = (Files::new(), Author::new());
    files.write("signed", "text");
    author.sign(&files.path().join("signed"));
    files.write("empty.pub", "");
    let secret = author.secret();
    let secret = secret.to_str().expect("text");
    for (key, reason) in [
        (
            "missing.pub",
            "--verify-key missing.pub: cannot read it: No such file",
        ),
        (
            "empty.pub",
            "--verify-key empty.pub: not a public key of minisign: expected a file such as",
        ),
        (
            "signed.minisig",
            "it is a signature: give the public key of its author",
        ),
        (
            secret,
            "it is a secret key, which only signs: give the public one",
        ),
        (".", "--verify-key .: cannot read it: Is a directory"),
        (&author.line()[..50], "cannot read it: No such file"),
    ] {
        let options = ["--plugin", "json-print", "--verify-key", key];
        assert_refused(&mut replay(files.path(), &options), USAGE, &[reason]);
    }
}

#[test]
fn commands_about_plugins_take_keys_and_show_the_signature() {
    let (versions, author, other) = (Versions::begin(), Author::new(), Author::new());
    let directory = versions.directory();
    author.sign(&versions.path());
    let (key, wrong) = (author.line(), other.line());
    let describe = ["plugin", "describe", "./witness.wasm", "--verify-key"];
    let (text, _) = ran(host(directory, &describe).arg(&key));
    let expected = format!("\nsignature  key {}: timestamp:", author.id());
    assert!(text.contains(&expected), "{text}");
    let (json, _) = ran(host(directory, &describe).args([&key, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["signature"]["key"], author.id().as_str());
    let words = ["witness.wasm.minisig: made with key "];
    assert_refused(host(directory, &describe).arg(&wrong), FAILURE, &words);
    let (json, _) = ran(&mut host(
        directory,
        &[describe[0], describe[1], describe[2], "--json"],
    ));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["signature"], serde_json::Value::Null);

    let list = ["plugin", "list", "--dir", ".", "--verify-key"];
    let line_of = |key: &str| {
        let (text, _) = ran(host(directory, &list).arg(key));
        assert!(
            text.contains("json-print         Prints each event"),
            "{text}"
        );
        let line = text.lines().find(|line| line.starts_with("./witness.wasm"));
        line.expect("a line").to_owned()
    };
    assert!(
        !line_of(&key).contains("cannot be used"),
        "{}",
        line_of(&key)
    );
    assert!(
        line_of(&wrong).contains("cannot be used: "),
        "{}",
        line_of(&wrong)
    );

    generated(directory, "a.rtc", &["--events", "10"]);
    for command in [
        &[
            "plugin",
            "explain",
            "./witness.wasm",
            "--events",
            "a.rtc",
            "--verify-key",
        ][..],
        &[
            "plugin",
            "test",
            "./witness.wasm",
            "--events",
            "a.rtc",
            "--expect",
            "e",
            "--bless",
            "--verify-key",
        ],
        &[
            "report",
            "a.rtc",
            "-o",
            "r.html",
            "--plugin",
            "./witness.wasm",
            "--verify-key",
        ],
    ] {
        let words = ["witness.wasm.minisig: made with key "];
        assert_refused(host(directory, command).arg(&wrong), FAILURE, &words);
        let output = host(directory, command)
            .arg(&key)
            .output()
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {stderr}");
    }
}

#[test]
fn a_configuration_file_has_keys_relative_to_its_directory_or_themselves() {
    let (versions, author, other) = (Versions::begin(), Author::new(), Author::new());
    let directory = versions.directory();
    author.sign(&versions.path());
    fs::copy(author.public(), directory.join("author.pub")).expect("a temporary file");
    let file = directory.join("config.toml");
    let elsewhere = Files::new();
    let check = |key: &str| {
        let text = format!("[[plugin]]\nfile = \"./witness.wasm\"\nkey = {key}\n");
        fs::write(&file, text).expect("a temporary file");
        let path = file.to_str().expect("text");
        host(elsewhere.path(), &["config", "check", path])
    };
    let (line, wrong) = (author.line(), other.line());
    for key in [
        "\"author.pub\"",
        &format!("[\"{wrong}\", \"author.pub\"]"),
        &format!("\"{line}\""),
    ] {
        ran(&mut check(key));
    }
    let words = ["made with key ", &other.id()];
    assert_refused(&mut check(&format!("\"{wrong}\"")), FAILURE, &words);
    let words = [
        "config.toml:3: plugin[1].key: ",
        "missing.pub: cannot read it: No such file",
    ];
    assert_refused(&mut check("\"missing.pub\""), USAGE, &words);
    let words = ["config.toml:3: plugin[1].key: ", "an empty list"];
    assert_refused(&mut check("[]"), USAGE, &words);

    ran(&mut check("\"author.pub\""));
    let path = file.to_str().expect("text");
    let (shown, _) = ran(&mut host(elsewhere.path(), &["config", "show", path]));
    let expected = format!("key = [\"{}\"]", directory.join("author.pub").display());
    assert!(shown.contains(&expected), "{shown}");
}
