//! `plugin new --lang` and `plugin componentize`, without the toolchains of the languages: `make test-languages` builds
//! what is made here.

use std::fs;

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::components::processor_module;
use crate::common::refusal::FAILURE;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// Languages, the file with the code, and that with its test.
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("c", "plugin.c", "test.c"),
    ("go", "plugin.go", "plugin_test.go"),
    ("python", "plugin.py", "test_plugin.py"),
    ("javascript", "plugin.js", "plugin.test.js"),
];

#[test]
fn a_project_of_each_language_and_template_has_its_code_test_sdk_and_events() {
    for (language, code, test) in LANGUAGES {
        for template in ["filter", "transform", "alert", "stateful"] {
            let files = Files::new();
            let kind = format!("--{template}");
            let arguments = ["plugin", "new", "mine", "--lang", language, &kind];
            let (stdout, _) = ran(&mut host(files.path(), &arguments));
            assert!(stdout.contains("\n  cd mine\n"), "{stdout}");
            assert!(
                stdout.contains("plugin explain mine.wasm --events sample.rtc"),
                "{stdout}"
            );
            let project = files.path().join("mine");
            for file in [
                code,
                test,
                "README.md",
                ".gitignore",
                "sample.rtc",
                "retrans/LICENSE-MIT",
            ] {
                assert!(
                    project.join(file).is_file(),
                    "{language} {template}: {file}"
                );
            }
            for file in [code, "README.md"] {
                let text = fs::read_to_string(project.join(file)).expect("it is text");
                let is_filled = ["{{name}}", "{{summary}}"]
                    .iter()
                    .all(|left| !text.contains(left));
                assert!(is_filled, "{language} {template}: {file}");
                assert!(text.contains("mine") || file != "README.md", "{text}");
            }
        }
    }
}

#[test]
fn a_missing_toolchain_is_named_with_the_package_that_has_it() {
    for (language, package) in [
        ("c", "clang, lld, wasi-libc"),
        ("go", "Go 1.24 or later"),
        ("python", "python3-venv"),
        ("javascript", "nodejs and npm"),
    ] {
        let files = Files::new();
        let arguments = ["plugin", "new", "mine", "--lang", language];
        let (_, stderr) = ran(host(files.path(), &arguments).env("PATH", files.path()));
        assert!(
            stderr.contains("is missing, with which the plugin is built"),
            "{stderr}"
        );
        assert!(stderr.contains(package), "{stderr}");
        assert!(files.path().join("mine").is_dir());
    }
}

#[test]
fn a_language_without_an_sdk_and_the_sdk_of_rust_for_another_language_are_refused() {
    let files = Files::new();
    let mut unknown = host(files.path(), &["plugin", "new", "mine", "--lang", "cobol"]);
    let unknown = output(&mut unknown);
    assert_eq!(unknown.status.code(), Some(USAGE));
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("rust, c, go, python, javascript"), "{said}");
    let arguments = ["plugin", "new", "mine", "--lang", "go", "--sdk", "."];
    let words = ["--sdk is for plugins in Rust", "the SDK of go"];
    assert_refused(&mut host(files.path(), &arguments), USAGE, &words);
    assert!(!files.path().join("mine").exists());
}

#[test]
fn a_core_module_becomes_a_component_that_replaces_an_older_one() {
    let files = Files::new();
    let module = wat::parse_str(processor_module("", "")).expect("it is text of a module");
    files.write("module.wasm", module);
    files.write("plugin.wasm", "an older one");
    let arguments = ["plugin", "componentize", "module.wasm", "-o", "plugin.wasm"];
    let (stdout, _) = ran(&mut host(files.path(), &arguments));
    assert!(stdout.starts_with("plugin.wasm: "), "{stdout}");
    let component = fs::read(files.path().join("plugin.wasm")).expect("it was written");
    assert_eq!(
        component[..8],
        *b"\0asm\x0d\0\x01\0",
        "the header of components"
    );
    // Its functions trap: the host has loaded it, and calls it.
    let words = ["failed in describe"];
    let describe = ["plugin", "describe", "./plugin.wasm"];
    let described = output(&mut host(files.path(), &describe));
    let said = String::from_utf8_lossy(&described.stderr);
    assert!(said.contains(words[0]), "{said}");
}

#[test]
fn what_is_no_core_module_of_a_plugin_is_refused_and_nothing_is_written() {
    let files = Files::new();
    files.write("text.wasm", "text");
    files.write("component.wasm", b"\0asm\x0d\0\x01\0");
    files.write("other.wasm", b"\0asm\x01\0\0\0");
    for (module, words) in [
        ("text.wasm", "it is not a module of WebAssembly"),
        ("component.wasm", "it is a component already"),
        ("other.wasm", "it exports no function of a plugin"),
        ("none.wasm", "No such file or directory"),
    ] {
        let arguments = ["plugin", "componentize", module, "-o", "plugin.wasm"];
        assert_refused(
            &mut host(files.path(), &arguments),
            FAILURE,
            &[module, words],
        );
    }
    assert!(!files.path().join("plugin.wasm").exists());
    let module = wat::parse_str(processor_module("", "")).expect("it is text of a module");
    files.write("module.wasm", module);
    let arguments = [
        "plugin",
        "componentize",
        "module.wasm",
        "-o",
        "none/plugin.wasm",
    ];
    let words = ["cannot write none/plugin.wasm"];
    assert_refused(&mut host(files.path(), &arguments), FAILURE, &words);
}
