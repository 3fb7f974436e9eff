//! Valid and invalid command lines.

use std::time::Duration;

use super::*;
use crate::config::LinesTo;
use crate::plugin::Grants;
use crate::plugin::Limits;
use crate::plugin::OnFault;
use crate::plugin::Settings;
use crate::plugin::Spec;
use crate::system::stdio::Terminal;

fn config(args: &[&str]) -> Result<Watch, UsageError> {
    match any_config(args)? {
        Config::Watch(watch) => Ok(watch),
        other => panic!("{other:?}"),
    }
}

fn any_config(args: &[&str]) -> Result<Config, UsageError> {
    let args = std::iter::once("retrans-host").chain(args.iter().copied());
    let matches = Cli::command()
        .try_get_matches_from(args)
        .expect("clap accepts it");
    from_matches(&matches)
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn a_setting_belongs_to_the_plugin_before_it() {
    let args = "-p a.wasm -s x=1 -s y=a=b -p b=a.wasm -s x=2 -p json-print";
    let config = config(&args.split(' ').collect::<Vec<_>>()).expect("well-formed");
    let settings = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect::<Settings>()
    };
    let plugins = config.chain.plugins;
    let names: Vec<_> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "json-print"]);
    assert_eq!(plugins[0].settings, settings(&[("x", "1"), ("y", "a=b")]));
    assert_eq!(plugins[1].settings, settings(&[("x", "2")]));
    assert_eq!(plugins[2].settings, settings(&[]));
    assert_eq!(plugins[0].origin, plugins[1].origin);
}

#[test]
fn what_stands_behind_a_plugin_is_said_about_it_and_what_stands_before_all_about_all() {
    let args = "--limit memory=1MiB --on-fault drop -p a.wasm --limit time=1s,log=5 -p b.wasm \
                --allow env=TOKEN --allow read=/etc/zones --on-fault stop --limit memory=2MiB";
    let config = config(&args.split_whitespace().collect::<Vec<_>>()).expect("well-formed");
    let [a, b] = config.chain.plugins.as_slice() else {
        panic!("{:?}", config.chain.plugins);
    };
    assert_eq!((a.limits.memory, b.limits.memory), (1 << 20, 2 << 20));
    assert_eq!((a.limits.time, a.limits.log), (Duration::from_secs(1), 5));
    assert_eq!(b.limits.time, Limits::default().time);
    assert_eq!((a.on_fault, b.on_fault), (OnFault::Drop, OnFault::Stop));
    assert_eq!(a.grants, Grants::default());
    assert_eq!(b.grants.env, ["TOKEN"]);
    assert_eq!(b.grants.read, [PathBuf::from("/etc/zones")]);
    assert!(!config.chain.watch_files);
}

#[test]
fn a_file_may_be_named_by_its_digest() {
    let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let named = format!("x=./a.wasm#sha256={digits}");
    let config = config(&["-p", &named]).expect("well-formed");
    let plugin = &config.chain.plugins[0];
    let origin = crate::plugin::Origin::File("./a.wasm".into());
    assert_eq!((plugin.name.as_str(), &plugin.origin), ("x", &origin));
    assert_eq!(
        plugin.digest.map(|digest| digest.to_string()),
        Some(digits.to_owned())
    );
}

#[test]
fn without_a_plugin_json_print_runs() {
    let config = config(&[]).expect("well-formed");
    assert_eq!(
        config.chain.plugins[0].origin,
        crate::plugin::Origin::Bundled("json-print")
    );
    assert_eq!(config.ring_size, 4 << 20);
    assert_eq!(config.backlog, 64_000);
}

#[test]
fn on_a_terminal_columns_are_printed_unless_a_plugin_is_named() {
    let on_terminal = |args: &[&str]| {
        let mut chain = config(args).expect("well-formed").chain;
        chain.fit(Terminal {
            has_colours: false,
            columns: 132,
        });
        chain.plugins
    };
    let names = |plugins: &[Spec]| -> Vec<String> {
        plugins.iter().map(|plugin| plugin.name.clone()).collect()
    };
    let plugins = on_terminal(&["--limit", "time=1s", "--on-fault", "stop"]);
    let origin = crate::plugin::Origin::Bundled("table-print");
    assert_eq!(names(&plugins), ["table-print"]);
    assert_eq!(plugins[0].origin, origin);
    assert_eq!(plugins[0].limits.time, Duration::from_secs(1));
    assert_eq!(plugins[0].on_fault, OnFault::Stop);
    let offered = [("color", false.into()), ("width", 132.into())];
    assert_eq!(plugins[0].settings.offered, offered);
    let named = on_terminal(&["-p", "json-print", "-p", "a.wasm"]);
    assert_eq!(names(&named), ["json-print", "a"]);
    assert!(
        named
            .iter()
            .all(|plugin| plugin.settings.offered == offered)
    );
    // The lines go elsewhere.
    for args in [
        &["--record", "-"][..],
        &["--record", "-", "-p", "json-print"],
    ] {
        let plugins = on_terminal(args);
        assert_eq!(names(&plugins), ["json-print"]);
        assert_eq!(plugins[0].settings.offered, []);
    }
}

#[test]
fn a_capture_on_standard_output_has_it_for_itself() {
    let lines = |args: &[&str]| config(args).expect("well-formed").chain.lines;
    assert_eq!(lines(&["--record", "a"]), LinesTo::Stdout);
    assert_eq!(lines(&["--record", "./-"]), LinesTo::Stdout);
    assert_eq!(lines(&["--record", "-"]), LinesTo::Discard);
    assert_eq!(
        lines(&["--record", "-", "-p", "json-print"]),
        LinesTo::Stderr
    );
    for option in [
        &["--alerts", "json"][..],
        &["--record-rotate", "1h"],
        &["--force"],
    ] {
        let args = [&["--record", "-"], option].concat();
        let error = config(&args).expect_err("not both").to_string();
        assert!(
            error.contains("--record -") && error.contains(option[0]),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    let error = |args: &[&str]| config(args).expect_err("not well-formed").to_string();
    assert!(error(&["--set", "a=1", "-p", "json-print"]).contains("no --plugin before it"));
    assert!(error(&["-p", "json-print", "--set", "a"]).contains("expected KEY=VALUE"));
    assert!(error(&["-p", "json-print", "-p", "json-print"]).contains("two instances"));
    let unnamed = error(&["-p", "a/../x y.wasm"]);
    assert!(unnamed.contains("letters, digits"), "{unnamed}");
    assert!(unnamed.contains("NAME=FILE"), "{unnamed}");
    assert!(unnamed.contains("name=a/../x y.wasm"), "{unnamed}");
    let named = error(&["-p", "x y=a.wasm"]);
    assert!(
        named.contains("letters, digits") && !named.contains("NAME="),
        "{named}"
    );
    assert!(error(&["--allow", "env=A", "-p", "json-print"]).contains("no --plugin before it"));
    assert!(error(&["-p", "json-print", "--allow", "net=all"]).contains("env=NAME or read=DIR"));
    assert!(error(&["-p", "a.wasm#sha256=12"]).contains("64 hexadecimal digits"));
    assert!(error(&["-p", "json-prnt"]).contains("no bundled plugin"));
    assert!(error(&["--ring-size", "5MiB"]).contains("power of two"));
    assert!(error(&["--ring-size", "2048"]).contains("power of two"));
    for backlog in ["0", "255", "2M", "64KiB"] {
        assert!(error(&["--backlog", backlog]).contains("from 256 to 1M"));
    }
}
