//! Registries that are away, that do not have a plugin, or that lie.

use std::fs;
use std::net::SocketAddr;
use std::net::TcpListener;

use serde_json::json;

use crate::common::components::Files;
use crate::common::minisign::Author;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::registry::LOGIN;
use crate::common::registry::Liar;
use crate::common::registry::Lie;
use crate::common::registry::Registry;
use crate::registry::command;

/// SHA-256 of `abc`.
const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const MANIFEST: &str = "GET /v2/a/manifests/";
const BLOB: &str = "GET /v2/a/blobs/";

/// Pulls `a:1` from this address, which is refused with these words, and leaves nothing.
#[track_caller]
fn refused(address: SocketAddr, options: &[&str], words: &[&str]) {
    refused_as(&format!("oci://{address}/a:1"), options, words);
}

#[track_caller]
fn refused_as(address: &str, options: &[&str], words: &[&str]) {
    let files = Files::new();
    let pull = [&["plugin", "pull", address, "--plain-http"], options].concat();
    assert_refused(&mut command(files.path(), &pull), FAILURE, words);
    let count = fs::read_dir(files.path()).expect("it is there").count();
    assert_eq!(count, 0, "nothing is left");
}

/// A manifest whose layer has this digest and size.
fn manifest(digest: &str, size: u64) -> String {
    let layer = json!({"mediaType": "application/wasm", "digest": digest, "size": size});
    json!({"schemaVersion": 2, "config": {}, "layers": [layer]}).to_string()
}

#[test]
fn a_registry_that_is_away_or_does_not_have_a_plugin_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nothing = free.local_addr().expect("an address");
    drop(free);
    let words = [&format!("cannot reach {nothing}: "), "Connection refused"];
    refused(nothing, &[], &words);
    refused_as(
        "oci://registry.invalid/a:1",
        &[],
        &["cannot reach registry.invalid: "],
    );
    let registry = Registry::start();
    for address in [registry.oci("a:1"), registry.oci(&format!("a@{ABC}"))] {
        let words = format!("the registry has no {address}: check the address");
        refused_as(&address, &[], &[&words]);
    }
}

#[test]
fn an_address_that_is_none_is_a_mistake_of_the_command_line() {
    let files = Files::new();
    for (address, reason) in [
        ("ghcr.io/a/b", "expected oci://REGISTRY/NAME[:TAG]"),
        ("oci://a/b", "expected a registry before the first /"),
        ("oci://ghcr.io/A", "expected a name of parts between /"),
        ("oci://ghcr.io/a:", "expected a tag after the name"),
        (
            "oci://ghcr.io/a@sha256:12",
            "expected @sha256: and 64 hexadecimal digits",
        ),
    ] {
        let mut command = command(files.path(), &["plugin", "pull", address]);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(USAGE));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(reason), "{stderr}");
    }
    let address = format!("oci://ghcr.io/a@{ABC}");
    let mut command = command(files.path(), &["plugin", "push", "a.wasm", &address]);
    assert_refused(
        &mut command,
        USAGE,
        &["the digest follows from the plugin; give a tag"],
    );
}

#[test]
fn what_does_not_have_its_digest_is_refused() {
    // A layer.
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest(ABC, 3)), Lie::ok(BLOB, "abd")]);
    let words = [
        "the registry sent something else than the plugin: sha256:a52d159f",
        ABC,
        "nothing was kept",
    ];
    refused(liar.address, &[], &words);
    // A manifest.
    let address = format!("oci://{}/a@{ABC}", liar.address);
    let words = [
        "the registry sent something else than oci://",
        &format!("expected {ABC}"),
    ];
    refused_as(&address, &[], &words);
    // One that names the digest itself is not believed.
    let head = format!("200 OK\r\nDocker-Content-Digest: {ABC}");
    let liar = Liar::start(|_| vec![Lie::with(MANIFEST, &head, manifest(ABC, 3))]);
    let address = format!("oci://{}/a@{ABC}", liar.address);
    refused_as(
        &address,
        &[],
        &["the registry sent something else than oci://"],
    );
}

#[test]
fn what_is_too_large_is_refused_however_it_is_announced() {
    // 64 MiB is the limit.
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest(ABC, (64 << 20) + 1))]);
    let words = ["the plugin has 67108865 bytes, more than the 67108864 that are allowed"];
    refused(liar.address, &[], &words);
    assert_eq!(
        liar.requests.lock().expect("no panic").len(),
        1,
        "it is not asked for"
    );
    // More than the manifest says.
    let endless = Lie {
        length: Some(1 << 40),
        ..Lie::ok(BLOB, vec![b'a'; 1 << 20])
    };
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest(ABC, 3)), endless]);
    refused(
        liar.address,
        &[],
        &["sent more than 3 bytes for the plugin; nothing was kept"],
    );
    // A manifest without an end.
    let endless = Lie {
        length: Some(1 << 40),
        ..Lie::ok(MANIFEST, vec![b' '; 5 << 20])
    };
    let liar = Liar::start(|_| vec![endless]);
    refused(
        liar.address,
        &[],
        &["sent more than 4194304 bytes for oci://"],
    );
    // A signature.
    let large = json!({"layers": [
        {"mediaType": "application/wasm", "digest": ABC, "size": 3},
        {"mediaType": "application/vnd.retrans-host.minisig", "digest": ABC, "size": 1 << 20},
    ]});
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, large.to_string())]);
    refused(
        liar.address,
        &[],
        &["the signature has 1048576 bytes, more than the 16384"],
    );
}

#[test]
fn what_is_cut_short_is_refused() {
    let short = Lie {
        length: Some(3),
        ..Lie::ok(BLOB, "ab")
    };
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest(ABC, 3)), short]);
    refused(
        liar.address,
        &[],
        &["cannot reach 127.0.0.1:", "after 2 bytes of the plugin"],
    );
    // Complete, as the registry says.
    let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest(ABC, 3)), Lie::ok(BLOB, "ab")]);
    refused(
        liar.address,
        &[],
        &["the registry sent something else than the plugin"],
    );
}

#[test]
fn what_is_no_plugin_is_named() {
    for (manifest, reason) in [
        ("<html>".to_owned(), "expected the manifest of an artifact"),
        (
            json!({"manifests": []}).to_string(),
            "expected the manifest of an artifact",
        ),
        (
            json!({"layers": []}).to_string(),
            "no layer of the type application/wasm, but none at all",
        ),
        (
            manifest(&format!("sha512:{}", "0".repeat(128)), 3),
            "expected a SHA-256",
        ),
    ] {
        let liar = Liar::start(|_| vec![Lie::ok(MANIFEST, manifest)]);
        refused(liar.address, &[], &["/a:1 is not a plugin: ", reason]);
    }
    let error = json!({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow\u{1b}[2J down"}]});
    let liar = Liar::start(|_| {
        vec![Lie::with(
            MANIFEST,
            "429 Too Many Requests",
            error.to_string(),
        )]
    });
    refused(
        liar.address,
        &[],
        &["answers 429 Too Many Requests: TOOMANYREQUESTS slow\u{fffd}[2J down"],
    );
}

/// The heads of the requests that have this header.
fn with_authorization(liar: &Liar) -> Vec<String> {
    let requests = liar.requests.lock().expect("no panic");
    let heads = requests.iter();
    heads
        .filter(|head| head.to_lowercase().contains("\nauthorization: "))
        .cloned()
        .collect()
}

#[test]
fn a_token_is_got_where_the_registry_says_and_sent_instead_of_the_password() {
    let liar = Liar::start(|address| {
        let challenge = format!(
            "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{address}/token\",service=\"a\""
        );
        vec![
            Lie::ok(
                "GET /token?service=a&scope=repository%3Aa%3Apull",
                r#"{"token":"letmein"}"#,
            ),
            Lie::with(MANIFEST, &challenge, ""),
        ]
    });
    let files = Files::new();
    fs::create_dir(files.path().join("docker")).expect("a directory");
    let text = format!(
        r#"{{"auths": {{"{}": {{"auth": "{LOGIN}"}}}}}}"#,
        liar.address
    );
    files.write("docker/config.json", text);
    let address = format!("oci://{}/a:1", liar.address);
    let pull = ["plugin", "pull", &address, "--plain-http"];
    // It refuses the token as well.
    let words = ["refuses access to oci://", "(401 Unauthorized)"];
    assert_refused(&mut command(files.path(), &pull), FAILURE, &words);
    let sent = with_authorization(&liar);
    let [token, manifest] = sent.as_slice() else {
        panic!("{sent:#?}");
    };
    assert!(
        token.starts_with("GET /token?service=a&scope=repository%3Aa%3Apull HTTP"),
        "{token}"
    );
    assert!(
        token.contains(&format!("authorization: Basic {LOGIN}")),
        "{token}"
    );
    assert!(manifest.starts_with(MANIFEST), "{manifest}");
    assert!(
        manifest.contains("authorization: Bearer letmein"),
        "{manifest}"
    );
}

#[test]
fn layers_may_be_elsewhere_but_no_login_goes_there() {
    let author = Author::new();
    let elsewhere = Liar::start(|_| vec![Lie::ok("GET /layer", "abc")]);
    let moved = format!(
        "307 Temporary Redirect\r\nLocation: http://{}/layer",
        elsewhere.address
    );
    let liar = Liar::start(|_| {
        vec![
            Lie::ok(MANIFEST, manifest(ABC, 3)),
            Lie::with(BLOB, &moved, ""),
        ]
    });
    let files = Files::new();
    let address = format!("oci://{}/a:1", liar.address);
    let pull = ["plugin", "pull", &address, "--plain-http", "-o", "./abc"];
    let output = command(files.path(), &pull).output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(fs::read(files.path().join("abc")).expect("it came"), b"abc");
    assert_eq!(with_authorization(&elsewhere), Vec::<String>::new());
    // With a key, this is nothing.
    let key = author.line();
    refused(
        liar.address,
        &["--verify-key", &key],
        &["has no signature, and a key was given"],
    );
    // In a circle, and to what is no place.
    for location in [
        "/v2/a/blobs/",
        "ftp://localhost/",
        "//localhost/a",
        "a b",
        "http://user@localhost/",
    ] {
        let head = format!("307 Temporary Redirect\r\nLocation: {location}");
        let liar = Liar::start(|_| {
            vec![
                Lie::ok(MANIFEST, manifest(ABC, 3)),
                Lie::with(BLOB, &head, ""),
            ]
        });
        refused(liar.address, &[], &["leads to ", "which is not followed"]);
    }
}
