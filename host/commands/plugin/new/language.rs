//! A project in a language other than Rust: the files of its SDK, `plugin-sdk/LANGUAGE`, with the name of the plugin.

use std::env;
use std::path::Path;

use anyhow::Result;

use super::write;
use crate::config::Language;
use crate::config::Template;
use crate::plugin::sources;

/// Parts of an SDK that are the root of a project, beside the code.
const PROJECT: &str = "project";

/// What a language's project is built and tested with.
struct Toolchain {
    /// A program of which one must be there, and the package that has it.
    programs: &'static [&'static str],
    package: &'static str,
    /// The commands that install what the project needs, test it and build it.
    commands: &'static [&'static str],
}

fn toolchain(language: Language) -> Toolchain {
    match language {
        Language::Rust => Toolchain {
            programs: &["cargo"],
            package: "https://rustup.rs",
            commands: &["cargo test", "cargo build --release"],
        },
        Language::C => Toolchain {
            programs: &["clang", "clang-19", "clang-18", "clang-17", "clang-16"],
            package: "the packages clang, lld, wasi-libc and libclang-rt-dev-wasm32",
            commands: &["make test", "make"],
        },
        Language::Go => Toolchain {
            programs: &["go"],
            package: "Go 1.24 or later, https://go.dev/dl",
            commands: &["go test ./...", "make"],
        },
        Language::Python => Toolchain {
            programs: &["python3"],
            package: "the packages python3 and python3-venv",
            commands: &[
                "python3 -m venv .venv",
                ". .venv/bin/activate",
                "python3 -m pip install --require-hashes -r requirements.txt",
                "python3 -m unittest",
                "python3 -m retrans",
            ],
        },
        Language::JavaScript => Toolchain {
            programs: &["npm"],
            package: "the packages nodejs and npm",
            commands: &["npm install", "npm test", "npm run build"],
        },
    }
}

fn directory(template: Template) -> &'static str {
    match template {
        Template::Filter => "filter",
        Template::Transform => "transform",
        Template::Alert => "alert",
        Template::Stateful => "stateful",
    }
}

/// What the plugin of a template does.
fn summary(template: Template) -> &'static str {
    match template {
        Template::Filter => "Keeps the retransmits of one service, and drops all others",
        Template::Transform => "Labels retransmits to networks of our own",
        Template::Alert => "Raises an alert for each peer whose retransmission timeout is long",
        Template::Stateful => "Prints how many retransmits of each kind there were",
    }
}

/// Writes the project, with a copy of the SDK.
pub(super) fn write_project(
    to: &Path,
    name: &str,
    template: Template,
    language: Language,
) -> Result<()> {
    let part = |part: &str| format!("languages/{}/{part}", language.name());
    let sample = format!("samples/{}", directory(template));
    for own in [PROJECT, &sample] {
        for (path, text) in sources::below(&part(own)) {
            let text = text.replace("{{name}}", name);
            write(
                &to.join(path),
                &text.replace("{{summary}}", summary(template)),
            )?;
        }
    }
    let licences =
        sources::below("retrans-plugin-sdk").filter(|(path, _)| path.starts_with("LICENSE-"));
    for (path, text) in sources::below(&part("retrans")).chain(licences) {
        write(&to.join("retrans").join(path), text)?;
    }
    Ok(())
}

/// What is missing to build the project.
pub(super) fn missing_toolchain(language: Language) -> Option<String> {
    let Toolchain {
        programs, package, ..
    } = toolchain(language);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories = env::split_paths(&path);
    let is_there = directories.any(|directory| {
        let mut files = programs.iter().map(|program| directory.join(program));
        files.any(|file| file.is_file())
    });
    let [program, ..] = programs else { return None };
    (!is_there)
        .then(|| format!("{program} is missing, with which the plugin is built: {package} has it"))
}

/// What to do with the project.
pub(super) fn next_steps(name: &str, language: Language) -> String {
    let commands = toolchain(language).commands.join("\n  ");
    format!(
        "\
made {name}/: code, a test, recorded events in sample.rtc, the SDK in retrans/
Next:
  cd {name}
  {commands}
  retrans-host plugin explain {name}.wasm --events sample.rtc
"
    )
}
