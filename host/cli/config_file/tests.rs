//! What a configuration file stands for, and what is said of its mistakes.

use super::*;

fn options(text: &str) -> Vec<(usize, String)> {
    let entries = entries(text, Path::new("/etc/rh")).expect("it has no mistake");
    let option = |entry: &Entry| match &entry.value {
        Some(value) => format!("--{}={value}", entry.option),
        None => format!("--{}", entry.option),
    };
    entries
        .iter()
        .map(|entry| (entry.line, option(entry)))
        .collect()
}

fn mistake(text: &str) -> (usize, String) {
    let mistake = entries(text, Path::new("")).expect_err("it has a mistake");
    (mistake.line, mistake.text)
}

#[test]
fn keys_are_options_in_the_order_of_the_file_and_plugins_are_last() {
    let text = r#"
        owners = false
        failed = true
        reconcile = false

        [[plugin]]
        file = "threshold-alert"
        name = "t"
        on-fault = "drop"
        settings = { threshold = 50, window = "30s", key = ["peer"], big = 0x10, ratio = 1.5 }

        [[plugin]]
        file = "mine.wasm"
        sha256 = "ab"
        settings-file = "mine.toml"
        limits = { time = "50ms", memory = "8MiB" }
        grants = { env = ["ZONE"], read = "/srv/zones" }

        [filter]
        peer = ["10.0.0.0/8", "192.0.2.7"]
        port = 443

        [record]
        file = "lossy.rtc"
        keep = 3

        [[sink]]
        url = "http://a"
        type = "webhook"
        token-file = "token"

        [[sink]]
        type = "alertmanager"
        urls = ["http://b", "http://c"]
        labels = { site = "fra", rack = 7 }
        logs = false
    "#;
    let expected = [
        (2, "--no-owners"),
        (3, "--failed"),
        (20, "--peer=10.0.0.0/8"),
        (20, "--peer=192.0.2.7"),
        (21, "--port=443"),
        (24, "--record=/etc/rh/lossy.rtc"),
        (25, "--record-keep=3"),
        (7, "--plugin=t=threshold-alert"),
        (
            10,
            r#"--settings-json={"big":16,"key":["peer"],"ratio":1.5,"threshold":50,"window":"30s"}"#,
        ),
        (9, "--on-fault=drop"),
        (13, "--plugin=/etc/rh/mine.wasm#sha256=ab"),
        (15, "--settings=/etc/rh/mine.toml"),
        (16, "--limit=time=50ms"),
        (16, "--limit=memory=8MiB"),
        (17, "--allow=env=ZONE"),
        (17, "--allow=read=/srv/zones"),
        (29, "--sink=webhook"),
        (28, "--sink-set=url=http://a"),
        (30, "--sink-set=token-file=/etc/rh/token"),
        (33, "--sink=alertmanager"),
        (34, "--sink-set=url=http://b,http://c"),
        (35, "--sink-set=labels.site=fra"),
        (35, "--sink-set=labels.rack=7"),
        (36, "--sink-set=logs=false"),
    ];
    let expected = expected.map(|(line, option)| (line, option.to_owned()));
    assert_eq!(options(text), expected);
}

#[test]
fn a_mistake_has_its_line_and_its_key() {
    let cases = [
        ("a = 1\n\nb = = 2\n", 3, "it is not TOML: "),
        ("failed = true\nfailed = true\n", 2, "it is not TOML: "),
        (
            "ring_size = 1\n",
            1,
            "ring_size: there is no such key; did you mean ring-size?",
        ),
        (
            "\n[filter]\npeers = []\n",
            3,
            "filter.peers: there is no such key; did you mean peer?",
        ),
        (
            "zzz = 1\n",
            1,
            "zzz: there is no such key; there are watch, alerts, ",
        ),
        ("filter = 1\n", 1, "filter: expected a table, found integer"),
        (
            "failed = 1\n",
            1,
            "failed: expected true or false, found integer",
        ),
        (
            "census = [1]\n",
            1,
            "census: expected text or a number, found array",
        ),
        (
            "[filter]\nport = [80,\n true]\n",
            3,
            "filter.port: expected text or a number, found boolean",
        ),
        (
            "[plugin]\nfile = 'a'\n",
            1,
            "plugin: expected [[plugin]], with two brackets",
        ),
        ("[[plugin]]\nname = 'a'\n", 1, "plugin[1]: it has no file: "),
        (
            "[[plugin]]\nfile = 'a'\n[[plugin]]\nfile = 'b'\nsetting = {}\n",
            5,
            "plugin[2].setting: there is no such key; did you mean settings?",
        ),
        (
            "[[plugin]]\nfile = 'a'\nsettings = 1\n",
            3,
            "plugin[1].settings: expected a table, found integer",
        ),
        (
            "[[plugin]]\nfile = 'a'\nsettings = { x = inf }\n",
            3,
            "plugin[1].settings.x: infinity and NaN have no form in JSON",
        ),
        (
            "[[plugin]]\nfile = 'a'\ngrants = { write = '/' }\n",
            3,
            "plugin[1].grants.write: there is no such key; there are env, read",
        ),
        (
            "[sink]\ntype = 'otlp'\n",
            1,
            "sink: expected [[sink]], with two brackets",
        ),
        (
            "[[sink]]\nurl = 'http://a'\n",
            1,
            "sink[1]: it has no type: ",
        ),
        (
            "[[sink]]\ntype = 'otlp'\nlogs = [true]\n",
            3,
            "sink[1].logs: expected text or a number, found array",
        ),
    ];
    for (text, line, words) in cases {
        let (at, text) = mistake(text);
        assert!(text.starts_with(words), "{text}");
        assert_eq!(at, line, "{text}");
    }
}

#[test]
fn every_key_stands_for_an_option_that_there_is() {
    use clap::CommandFactory as _;
    let command = crate::cli::args::Cli::command();
    for key in keys::KEYS {
        let option = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(key.option));
        let option = option.unwrap_or_else(|| panic!("{} has no option", key.name));
        let is_flag = !option.get_action().takes_values();
        let is_for_flag = matches!(key.form, keys::Form::WhereTrue | keys::Form::WhereFalse);
        assert_eq!(is_flag, is_for_flag, "{}", key.name);
    }
    // And every option of watching is a key, but those of plugins, and those that make no sense in a file.
    let others = [
        "plugin",
        "set",
        "settings",
        "settings-json",
        "limit",
        "on-fault",
        "allow",
        "verify-key",
        "sink",
        "sink-set",
        "config",
        "verbose",
    ];
    for argument in command.get_arguments() {
        let Some(option) = argument.get_long() else {
            continue;
        };
        let is_key = keys::KEYS.iter().any(|key| key.option == option);
        assert!(is_key != others.contains(&option), "{option}");
    }
}
