//! A configuration file says what the command line can say; mistakes have their line and their key.

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

const CONFIG: &str = r#"
census = "10s"

[[plugin]]
file = "threshold-alert"
settings = { threshold = 50, window = "30s" }

[filter]
peer = ["10.0.0.0/8"]
"#;

/// A directory with this configuration.
fn with(text: &str) -> Files {
    let files = Files::new();
    files.write("config.toml", text);
    files
}

fn shown(files: &Files, options: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let arguments = [&["config", "show", "config.toml"], options].concat();
    let mut command = host(files.path(), &arguments);
    command.envs(variables.iter().copied());
    let (text, stderr) = ran(&mut command);
    assert_eq!(stderr, "");
    // It is a configuration itself.
    assert!(text.parse::<toml::Table>().is_ok(), "{text}");
    let one_space = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(one_space).collect()
}

#[track_caller]
fn assert_has(lines: &[String], line: &str) {
    assert!(
        lines.iter().any(|found| found == line),
        "{line}: {lines:#?}"
    );
}

#[test]
fn a_file_is_checked_with_the_settings_of_its_plugins() {
    let files = with(CONFIG);
    let (text, stderr) = ran(&mut host(files.path(), &["config", "check", "config.toml"]));
    assert_eq!(
        text,
        "config.toml: the host would start, with threshold-alert\n"
    );
    assert_eq!(stderr, "");
    for (settings, words) in [
        ("{ threshold = '50' }", "threshold"),
        ("{ threshold = 0 }", "threshold"),
        ("{ treshold = 50 }", "treshold"),
    ] {
        let files = with(&format!(
            "[[plugin]]\nfile = 'threshold-alert'\nsettings = {settings}\n"
        ));
        let mut command = host(files.path(), &["config", "check", "config.toml"]);
        assert_refused(&mut command, USAGE, &["config.toml: plugin[1]: ", words]);
    }
    let files = with("[[plugin]]\nfile = './none.wasm'\n");
    let mut command = host(files.path(), &["config", "check", "config.toml"]);
    assert_refused(
        &mut command,
        FAILURE,
        &["config.toml: plugin[1]: ", "none.wasm"],
    );
}

#[test]
fn the_command_line_precedes_the_environment_and_that_the_file() {
    let files = with(CONFIG);
    let lines = shown(&files, &[], &[]);
    assert_has(&lines, r#"census = "10s" # config.toml:2"#);
    assert_has(&lines, r#"peer = ["10.0.0.0/8"] # config.toml:9"#);
    assert_has(&lines, r#"ring-size = "4MiB" # default"#);
    assert_has(&lines, r#"file = "threshold-alert" # config.toml:5"#);
    assert_has(&lines, r#"settings = { threshold = 50, window = "30s" }"#);
    assert_has(&lines, "owners = true # default");

    let variables = [
        ("RETRANS_HOST_CENSUS", "20s"),
        ("RETRANS_HOST_PEER", "192.0.2.1,192.0.2.2"),
        ("RETRANS_HOST_NO_OWNERS", "true"),
    ];
    let lines = shown(
        &files,
        &["--census", "1m", "--plugin", "json-print"],
        &variables,
    );
    assert_has(&lines, r#"census = "1m" # command line"#);
    assert_has(
        &lines,
        r#"peer = ["192.0.2.1", "192.0.2.2"] # RETRANS_HOST_PEER"#,
    );
    assert_has(&lines, "owners = false # RETRANS_HOST_NO_OWNERS");
    assert_has(&lines, r#"file = "json-print" # command line"#);
    assert!(
        !lines.iter().any(|line| line.contains("threshold-alert")),
        "{lines:#?}"
    );

    // What is shown is a configuration with the same meaning.
    files.write("again.toml", lines.join("\n"));
    let again = ran(&mut host(files.path(), &["config", "show", "again.toml"])).0;
    assert!(again.contains("\"192.0.2.2\""), "{again}");
}

#[test]
fn a_variable_that_is_false_precedes_the_file() {
    let top = "owners = false\nreconcile = true\nsandbox = false\n";
    let files = with(&format!("{top}\n[record]\nfile = 'a.rtc'\nforce = true\n"));
    let lines = shown(&files, &[], &[]);
    assert_has(&lines, "reconcile = true # config.toml:2");
    assert_has(&lines, "sandbox = false # config.toml:3");
    assert_has(&lines, "force = true # config.toml:7");

    let variables = [
        // As if it were not set.
        ("RETRANS_HOST_NO_OWNERS", ""),
        ("RETRANS_HOST_RECONCILE", "0"),
        ("RETRANS_HOST_NO_SANDBOX", "false"),
        ("RETRANS_HOST_FORCE", "false"),
    ];
    let lines = shown(&files, &[], &variables);
    assert_has(&lines, "owners = false # config.toml:1");
    assert_has(&lines, "reconcile = false # RETRANS_HOST_RECONCILE");
    assert_has(&lines, "sandbox = true # RETRANS_HOST_NO_SANDBOX");
    assert_has(&lines, "force = false # RETRANS_HOST_FORCE");

    let lines = shown(&files, &["--no-sandbox"], &variables);
    assert_has(&lines, "sandbox = false # command line");
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "census = '10s'\nzzz = 1\n",
            &["config.toml:2: zzz: there is no such key"],
        ),
        ("\ncensus = '0s'\n", &["config.toml:2: census: --census: "]),
        (
            "attach = 'x'\n",
            &["config.toml:1: attach: invalid value 'x' for '--attach <MODE>'"],
        ),
        (
            "[filter]\nport = [80, 0, 99999]\n",
            &["config.toml:2: filter.port: --port"],
        ),
        (
            "[[plugin]]\nfile = 'json-print'\n[[plugin]]\nfile = 'json-print'\n",
            &["config.toml:4: plugin[2].file: --plugin: two instances have the name json-print"],
        ),
        ("[record]\nkeep = 3\n", &["config.toml:2: record.keep: "]),
        ("census = \n", &["config.toml:1: it is not TOML: "]),
    ];
    for (text, words) in cases {
        let files = with(text);
        for command in [
            &["config", "check", "config.toml"][..],
            &["--config", "config.toml"],
        ] {
            assert_refused(&mut host(files.path(), command), USAGE, words);
        }
    }
    let files = with("");
    let mut command = host(files.path(), &["--config", "none.toml"]);
    assert_refused(
        &mut command,
        USAGE,
        &["cannot read the configuration none.toml: "],
    );
    for (name, value, words) in [
        (
            "RETRANS_HOST_CENSUSS",
            "1s",
            "RETRANS_HOST_CENSUSS: there is no such variable; did you mean RETRANS_HOST_CENSUS?",
        ),
        (
            "RETRANS_HOST_CENSUS",
            "0s",
            "RETRANS_HOST_CENSUS: --census: ",
        ),
        (
            "RETRANS_HOST_NO_OWNERS",
            "maybe",
            "RETRANS_HOST_NO_OWNERS: expected true or false, found \"maybe\"",
        ),
    ] {
        let mut command = host(files.path(), &["--config", "config.toml"]);
        assert_refused(command.env(name, value), USAGE, &[words]);
    }
}
