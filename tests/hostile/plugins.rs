//! Plugins in WebAssembly's text format, from a folder. Each file has what differs from a plugin that
//! keeps everything and does nothing else.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::common::components::CONTRACT;
use crate::common::components::Files;
use crate::common::components::implemented;
use crate::common::components::with_inner;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;

/// The exports of a well-behaved plugin. Answers are read at address 0, where zeros are: success, keep
/// all, no state. Parameters are written from 65,536 on, where there is room for 256 events.
const WELL_BEHAVED: [(&str, &str); 9] = [
    ("memory", "(memory (export \"memory\") 8)"),
    (
        "cabi_realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 65536))",
    ),
    ("processor@0.1.0#describe", "(result i32)"),
    ("processor@0.1.0#configure", "(param i32 i32) (result i32)"),
    (
        "processor@0.1.0#process",
        "(param i32 i32 i32 i32) (result i32)",
    ),
    ("timer@0.1.0#tick", "(param i64) (result i32)"),
    ("timer@0.1.0#finish", "(param i64) (result i32)"),
    ("state@0.1.0#save", "(result i32)"),
    ("state@0.1.0#restore", "(param i32 i32 i32) (result i32)"),
];

/// A plugin, and the options that go with it.
pub struct Hostile {
    /// Arguments of the host.
    pub arguments: Vec<String>,
    /// The directory of its component, if it was made for this test.
    _files: Option<Files>,
}

impl Hostile {
    /// The liar with this act.
    pub fn liar(act: &str) -> Hostile {
        let plugin = Hostile::at(&fixture(LIAR), None);
        plugin.told("--set", &format!("act={act}"))
    }

    /// The file of this name in the folder.
    pub fn from_folder(name: &str) -> Hostile {
        let text = fs::read_to_string(folder().join(name).with_extension("wat"));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        Hostile::importing(&text, &[], "")
    }

    /// A plugin of this text with one more import, from these packages.
    pub fn importing(text: &str, packages: &[&str], import: &str) -> Hostile {
        let world = format!("{CONTRACT} world hostile {{ include stateful-plugin; {import} }}");
        let component = implemented(&[packages, &[&world]].concat(), "hostile", &module(text));
        let component = component.unwrap_or_else(|error| panic!("{error:#}: {text}"));
        let files = Files::new();
        let path = files.write("hostile.wasm", component);
        Hostile::at(&path, Some(files))
    }

    /// A well-behaved plugin with this component inside, in the text format.
    pub fn around(inner: &str) -> Hostile {
        let world = format!("{CONTRACT} world hostile {{ include stateful-plugin; }}");
        let outer = implemented(&[&world], "hostile", &module(""));
        let component = outer.and_then(|outer| with_inner(outer, inner));
        let component = component.unwrap_or_else(|error| panic!("{error:#}"));
        let files = Files::new();
        let path = files.write("hostile.wasm", component);
        Hostile::at(&path, Some(files))
    }

    /// Any file.
    pub fn at(path: &Path, files: Option<Files>) -> Hostile {
        let hostile = Hostile {
            arguments: Vec::new(),
            _files: files,
        };
        hostile.told("--plugin", &format!("hostile={}", path.display()))
    }

    /// The same with other limits.
    pub fn within(self, limits: &str) -> Hostile {
        self.told("--limit", limits)
    }

    /// The same with another option.
    pub fn told(mut self, option: &str, value: &str) -> Hostile {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }
}

/// The folder of text files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/plugins")
}

/// A module of this text, and the exports of [`WELL_BEHAVED`] that it does not have.
fn module(text: &str) -> String {
    let missing = WELL_BEHAVED.iter().filter_map(|(export, definition)| {
        if export.contains('#') {
            let export = format!("(export \"retrans:plugin/{export}\")");
            let function = format!("(func {export} {definition} (i32.const 0))");
            (!text.contains(&export)).then_some(function)
        } else {
            let export = format!("(export \"{export}\")");
            (!text.contains(&export)).then(|| (*definition).to_owned())
        }
    });
    let missing: Vec<String> = missing.collect();
    format!("(module {text}\n{})", missing.join("\n"))
}
