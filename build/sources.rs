//! The sources of the SDKs and of the bundled plugins; those in Rust as crates that need no workspace.
//!
//! They are embedded in the host, so that `plugin new` makes projects that build without this repository. In a package of
//! the host, which cannot have other packages in it, they stand in `sources/` with their manifests renamed
//! (`scripts/package.sh`), and the bundled plugins are built from there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use toml::Table;
use toml::Value;

/// The crates of the SDK: their directories in the repository, and their names.
const SDK: &[(&str, &str)] = &[
    ("event", "retrans-event"),
    ("plugin-sdk", "retrans-plugin-sdk"),
];

/// What a crate consists of, beside its manifest.
const PARTS: &[&str] = &[
    "src",
    "bindings",
    "wit",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];

/// The languages with an SDK in a directory of this name below `plugin-sdk`.
const LANGUAGES: &[&str] = &["c", "go", "python", "javascript"];

/// What a project in such a language is made of.
const PROJECT_PARTS: &[&str] = &["retrans", "project", "samples"];

/// What interpreters and package managers leave beside sources.
const LEFT_OUT: &[&str] = &["__pycache__", "node_modules"];

/// The name of a manifest in a package of the host, which would leave a directory with a `Cargo.toml` out.
const RENAMED: &str = "manifest.toml";

/// What the files are made from: paths below the directory of the host's manifest, some of which need not exist. Not the
/// whole of `plugin-sdk`, which has tests and generators as well.
pub fn watched() -> Vec<String> {
    let mut paths = [
        "plugins",
        "event",
        "sources",
        "Cargo.lock",
        "plugin-sdk/Cargo.toml",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend(PARTS.iter().map(|part| format!("plugin-sdk/{part}")));
    for language in LANGUAGES {
        let parts = PROJECT_PARTS.iter();
        paths.extend(parts.map(|part| format!("plugin-sdk/{language}/{part}")));
    }
    paths
}

/// Files by their paths: `retrans-event/src/lib.rs`.
type Files = BTreeMap<String, String>;

/// The sources of a repository or of a package.
pub struct Sources {
    files: Files,
    is_package: bool,
}

impl Sources {
    /// Reads the sources below `root`, the directory of the host's manifest.
    pub fn read(root: &Path, plugins: &[&str]) -> Result<Sources> {
        let packaged = root.join("sources");
        let is_package = !root.join("plugins").exists();
        let mut files = Files::new();
        if is_package {
            collect(&packaged, "", &mut files)?;
            let renamed = files.into_iter().map(|(path, text)| {
                let path = match path.strip_suffix(RENAMED) {
                    Some(directory) => format!("{directory}Cargo.toml"),
                    None => path,
                };
                (path, text)
            });
            files = renamed.collect();
            return Ok(Sources { files, is_package });
        }
        let workspace = manifest(root)?;
        let crates = SDK.iter().map(|(directory, name)| (*directory, *name));
        let plugins: Vec<_> = plugins
            .iter()
            .map(|name| (format!("plugins/{name}"), *name))
            .collect();
        let plugins_at = plugins.iter().map(|(path, name)| (path.as_str(), *name));
        for (directory, name) in crates.chain(plugins_at) {
            let directory = root.join(directory);
            for part in PARTS {
                collect(&directory.join(part), &format!("{name}/{part}"), &mut files)?;
            }
            let manifest = on_its_own(manifest(&directory)?, &workspace)?;
            files.insert(format!("{name}/Cargo.toml"), manifest.to_string());
        }
        for language in LANGUAGES {
            for part in PROJECT_PARTS {
                let name = format!("languages/{language}/{part}");
                collect(
                    &root.join("plugin-sdk").join(language).join(part),
                    &name,
                    &mut files,
                )?;
            }
        }
        let names = SDK.iter().map(|(_, name)| *name);
        let names = names.chain(plugins.iter().map(|(_, name)| *name));
        files.insert(
            "Cargo.toml".to_owned(),
            members(names, &workspace)?.to_string(),
        );
        let lock = root.join("Cargo.lock");
        files.insert("Cargo.lock".to_owned(), text(&lock)?);
        Ok(Sources { files, is_package })
    }

    /// Whether the bundled plugins are built from these files, because there is no repository.
    pub fn is_package(&self) -> bool {
        self.is_package
    }

    /// Writes the files as a workspace to a directory.
    pub fn unpack(&self, to: &Path) -> Result<()> {
        for (path, text) in &self.files {
            write(&to.join(path), text)?;
        }
        Ok(())
    }

    /// Writes the files, and `sources.rs`, a list of them for `include!`, to `out`.
    pub fn embed(&self, out: &Path) -> Result<()> {
        let to = out.join("sources");
        // Files of an earlier build would not be listed, but stay.
        let _ = fs::remove_dir_all(&to);
        self.unpack(&to)?;
        let mut list = String::from("&[\n");
        for path in self.files.keys() {
            writeln!(list, "    ({path:?}, include_str!({:?})),", to.join(path))?;
        }
        list.push_str("]\n");
        write(&out.join("sources.rs"), &list)
    }
}

/// Adds the files at a path, which need not exist, and below it.
fn collect(at: &Path, name: &str, files: &mut Files) -> Result<()> {
    if at.is_file() {
        files.insert(name.to_owned(), text(at)?);
    }
    if !at.is_dir() {
        return Ok(());
    }
    let cannot = || format!("cannot read {}", at.display());
    for entry in fs::read_dir(at).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if LEFT_OUT.contains(&file.as_ref()) {
            continue;
        }
        let below = match name {
            "" => file.into_owned(),
            name => format!("{name}/{file}"),
        };
        collect(&path, &below, files)?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(cannot)?;
    }
    fs::write(path, text).with_context(cannot)
}

fn manifest(directory: &Path) -> Result<Table> {
    let path = directory.join("Cargo.toml");
    text(&path)?
        .parse()
        .with_context(|| format!("cannot read {}", path.display()))
}

/// The manifest of a crate without what needs the workspace, and without its tests.
fn on_its_own(mut manifest: Table, workspace: &Table) -> Result<Table> {
    for part in ["bench", "dev-dependencies", "example", "lints"] {
        manifest.remove(part);
    }
    let package = table(&mut manifest, "package")?;
    for (key, value) in package.iter_mut() {
        if is_inherited(value) {
            *value = inherited(workspace, "package", key)?.clone();
        }
    }
    if let Some(targets) = manifest.get_mut("target").and_then(Value::as_table_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_mut() {
                inherit_dependencies(target, workspace)?;
            }
        }
    }
    inherit_dependencies(&mut manifest, workspace)?;
    Ok(manifest)
}

fn inherit_dependencies(of: &mut Table, workspace: &Table) -> Result<()> {
    let dependencies = of.get_mut("dependencies").and_then(Value::as_table_mut);
    for (name, dependency) in dependencies.into_iter().flatten() {
        if !is_inherited(dependency) {
            continue;
        }
        let mut whole = match inherited(workspace, "dependencies", name)? {
            Value::Table(table) => table.clone(),
            version => Table::from_iter([("version".to_owned(), version.clone())]),
        };
        if whole.contains_key("path") {
            whole.insert("path".to_owned(), format!("../{name}").into());
        }
        for (key, value) in dependency.as_table().into_iter().flatten() {
            match (key.as_str(), value) {
                ("workspace", _) => {}
                ("features", Value::Array(more)) => {
                    let features = whole.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                    let features = features.as_array_mut().context("features is no list")?;
                    features.extend(more.iter().cloned());
                }
                _ => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
        *dependency = Value::Table(whole);
    }
    Ok(())
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn inherited<'a>(workspace: &'a Table, kind: &str, key: &str) -> Result<&'a Value> {
    let value = workspace
        .get("workspace")
        .and_then(|workspace| workspace.get(kind)?.get(key));
    value.with_context(|| format!("the workspace has no {kind}.{key}"))
}

fn table<'a>(of: &'a mut Table, key: &str) -> Result<&'a mut Table> {
    match of.get_mut(key) {
        Some(Value::Table(table)) => Ok(table),
        _ => bail!("a manifest has no [{key}]"),
    }
}

/// The manifest of a workspace of these crates, with the profile of the bundled plugins.
fn members<'a>(names: impl Iterator<Item = &'a str>, workspace: &Table) -> Result<Table> {
    let profile = workspace
        .get("profile")
        .and_then(|profiles| profiles.get("plugin"))
        .context("there is no profile for plugins")?;
    let members: Vec<Value> = names.map(Value::from).collect();
    Ok(Table::from_iter([
        (
            "workspace".to_owned(),
            Value::Table(Table::from_iter([
                ("members".to_owned(), members.into()),
                ("resolver".to_owned(), "3".into()),
            ])),
        ),
        (
            "profile".to_owned(),
            Value::Table(Table::from_iter([("plugin".to_owned(), profile.clone())])),
        ),
    ]))
}
