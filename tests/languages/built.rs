//! The plugins that `scripts/languages` has built.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::common::fixtures::fixture;

/// The languages with an SDK beside that of Rust.
pub const LANGUAGES: [&str; 4] = ["c", "go", "python", "javascript"];

/// What every SDK has, with settings that give each of them much to do with generated events.
pub const SAMPLES: [(&str, &[&str]); 4] = [
    ("filter", &["--set", "port=5432"]),
    (
        "transform",
        &[
            "--set",
            r#"networks=["10.2.0.0/23","2001:db8:2::80/121"]"#,
            "--set",
            "name=ours",
        ],
    ),
    ("alert", &["--set", "timeout=500ms", "--set", "hold=2s"]),
    ("stateful", &["--set", "every=5s"]),
];

/// The plugin of a language: a sample, or "faulty".
#[track_caller]
pub fn component(language: &str, plugin: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/languages");
    let path = root.join(language).join(format!("{plugin}.wasm"));
    assert!(
        path.is_file(),
        "there is no {}: make test-languages builds it",
        path.display()
    );
    path
}

/// The same sample in Rust, with the same file name: alerts name the plugin.
pub fn in_rust(sample: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages/rust");
        fs::create_dir_all(&directory).expect("a directory of our own");
        for (sample, example) in [
            ("filter", "service"),
            ("transform", "networks"),
            ("alert", "slow_peers"),
            ("stateful", "kind_summary"),
        ] {
            let built = fixture(&format!("examples/{example}.wasm"));
            fs::copy(built, directory.join(format!("{sample}.wasm"))).expect("it was built");
        }
        directory
    });
    directory.join(format!("{sample}.wasm"))
}
