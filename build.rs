//! Compiles the BPF programs, compares the C declaration of the record with the table of fields in `retrans-event`, and
//! builds the bundled plugins.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use libbpf_cargo::SkeletonBuilder;
use libbpf_rs::HasSize as _;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Enum;
use libbpf_rs::btf::types::MemberAttr;
use libbpf_rs::btf::types::Struct;
use retrans_event::FIELDS;
use retrans_event::PRESENCE_WORDS;
use retrans_event::RECORD_SIZE;

/// Members of `struct retrans_event` with the presence bits, in the order of [`PRESENCE_WORDS`].
const PRESENCE_MEMBERS: [&str; PRESENCE_WORDS.len()] = ["present", "present_high"];

/// Packages in plugins/ whose components are embedded in the host. The last one is not offered: others are measured
/// beside it.
const BUNDLED: &[&str] = &["json-print", "threshold-alert", "pass-through"];

fn main() {
    // An error that `main` returns is printed in its Debug form, with a backtrace.
    if let Err(error) = build() {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn build() -> Result<()> {
    let out =
        PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: not run by cargo")?);
    println!("cargo:rerun-if-changed=bpf");
    let object = compile("retrans", &out)?;
    compile("holders", &out)?;
    compile("namespaces", &out)?;
    // For benches/probe.rs.
    compile("baseline", &out)?;
    let c_layout = CLayout::read(&object)?;
    c_layout.compare()?;
    c_layout.write(&out.join("c_layout.rs"))?;
    let target = plugins_target(&out)?;
    // The tests build their own plugins there (tests/common/fixtures.rs).
    println!("cargo:rustc-env=PLUGINS_TARGET={}", target.display());
    if env::var_os("CARGO_FEATURE_BUNDLED").is_none() {
        return fs::write(out.join("bundled.rs"), "&[]").context("cannot write bundled.rs");
    }
    build_plugins(&out, &target)
}

/// Compiles a BPF program in bpf/ and generates its skeleton. Returns the path of the object.
fn compile(name: &str, out: &Path) -> Result<PathBuf> {
    let source = format!("bpf/{name}.bpf.c");
    let object = out.join(format!("{name}.bpf.o"));
    SkeletonBuilder::new()
        .source(&source)
        .obj(&object)
        .clang_args(["-Wall", "-Werror"])
        .build_and_generate(out.join(format!("{name}.skel.rs")))
        .with_context(|| format!("cannot compile {source}"))?;
    Ok(object)
}

/// The C declaration of the record, from the BTF of the compiled probe.
struct CLayout {
    /// Size of the record in bytes.
    size: usize,
    /// Name and offset in bytes of each member.
    members: Vec<(String, usize)>,
    /// Field and number of each presence bit.
    bits: Vec<(String, i64)>,
}

impl CLayout {
    fn read(object: &Path) -> Result<CLayout> {
        let btf = Btf::from_path(object).context("the compiled probe has no BTF")?;
        let record: Struct<'_> = btf
            .type_by_name("retrans_event")
            .context("bpf/event.h declares no struct retrans_event")?;
        let has: Enum<'_> = btf
            .type_by_name("retrans_has")
            .context("bpf/event.h declares no enum retrans_has")?;
        let text = |name: Option<&std::ffi::OsStr>| {
            name.map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let mut members = Vec::new();
        for member in record.iter() {
            let MemberAttr::Normal { offset } = member.attr else {
                bail!("bpf/event.h: {} is a bit field", text(member.name));
            };
            members.push((text(member.name), offset as usize / 8));
        }
        let bits = has.iter().map(|bit| {
            (
                text(bit.name).trim_start_matches("HAS_").to_lowercase(),
                bit.value,
            )
        });
        Ok(CLayout {
            size: record.size(),
            bits: bits.collect(),
            members,
        })
    }

    /// Returns an error that names the field, if the declarations in C and Rust differ.
    fn compare(&self) -> Result<()> {
        for field in FIELDS {
            let name = field.name;
            let offset = self.members.iter().find(|(member, _)| member == name);
            let Some((_, offset)) = offset else {
                bail!("the field {name} of event/src/fields.rs is missing in bpf/event.h");
            };
            ensure!(
                *offset == field.offset,
                "{name} is at byte {offset} in bpf/event.h and at {} in event/src/fields.rs",
                field.offset
            );
            let size = self.size_at(*offset);
            ensure!(
                size == field.size,
                "{name} has {size} bytes in bpf/event.h and {} in event/src/fields.rs",
                field.size
            );
            let bit = self.bits.iter().find(|(bit, _)| bit == name);
            let position = bit.map(|(_, bit)| self.position(*bit)).transpose()?;
            ensure!(
                position == field.presence_bit,
                "the presence bit of {name} is {position:?} in bpf/event.h and {:?} in \
                 event/src/fields.rs",
                field.presence_bit
            );
        }
        for (member, start) in PRESENCE_MEMBERS.iter().zip(PRESENCE_WORDS) {
            ensure!(
                self.members.contains(&((*member).to_owned(), start)),
                "{member} is not at byte {start} in bpf/event.h, as in event/src/presence.rs"
            );
            ensure!(
                self.size_at(start) == 8,
                "{member} does not have 8 bytes in bpf/event.h"
            );
        }
        for (member, _) in &self.members {
            ensure!(
                PRESENCE_MEMBERS.contains(&member.as_str())
                    || FIELDS.iter().any(|field| field.name == member),
                "the field {member} of bpf/event.h is missing in event/src/fields.rs"
            );
        }
        ensure!(
            self.size == RECORD_SIZE,
            "struct retrans_event has {} bytes, RECORD_SIZE is {RECORD_SIZE}",
            self.size
        );
        Ok(())
    }

    /// The position of a presence bit, counted in bits from the start of the record.
    fn position(&self, bit: i64) -> Result<u32> {
        let word = PRESENCE_MEMBERS.get(bit as usize / 64);
        let word =
            word.with_context(|| format!("bpf/event.h has no word for the presence bit {bit}"))?;
        let offset = self.members.iter().find(|(member, _)| member == word);
        let (_, offset) = offset.with_context(|| format!("bpf/event.h has no member {word}"))?;
        Ok((8 * offset) as u32 + bit as u32 % 64)
    }

    /// Size of a member in bytes: the distance to the next member. The record has no padding: with padding, the sizes
    /// would differ from those in Rust.
    fn size_at(&self, offset: usize) -> usize {
        let next = self.members.iter().map(|(_, offset)| *offset);
        next.filter(|next| *next > offset)
            .min()
            .unwrap_or(self.size)
            - offset
    }

    /// Writes the members as Rust code, for the test that compares the offsets.
    fn write(&self, path: &Path) -> Result<()> {
        let mut code = String::from("&[\n");
        for (name, offset) in &self.members {
            writeln!(code, "    ({name:?}, {offset}, {}),", self.size_at(*offset))?;
        }
        code.push_str("]\n");
        fs::write(path, code).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Builds the bundled plugins with a nested cargo. It has a target directory of its own: in the outer one it would wait
/// forever for the lock that the outer cargo holds.
fn build_plugins(out: &Path, target: &Path) -> Result<()> {
    for path in ["plugins", "plugin-sdk", "event", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let mut cargo =
        Command::new(env::var_os("CARGO").context("CARGO is not set: not run by cargo")?);
    cargo
        .args(["build", "--profile", "plugin", "--locked", "--quiet"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(target);
    for name in BUNDLED {
        cargo.args(["--package", name]);
    }
    // The options of the outer build are for the host's target, and the compiler may be a linter.
    for (key, _) in env::vars_os() {
        let key = key.to_string_lossy().into_owned();
        let outer = key.ends_with("RUSTFLAGS") || key.contains("RUSTC") || key.contains("WRAPPER");
        if outer || key.starts_with("CARGO_BUILD_") || key.starts_with("CARGO_PROFILE_") {
            cargo.env_remove(key);
        }
    }
    let output = cargo
        .output()
        .context("cannot run cargo to build the bundled plugins")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cannot build the bundled plugins:\n{errors}"
    );

    let mut code = String::from("&[\n");
    for name in BUNDLED {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let built = target.join("wasm32-wasip2/plugin").join(&file);
        // A copy: a later build of another profile may write to the shared directory while rustc reads.
        let path = out.join(file);
        fs::copy(&built, &path)
            .with_context(|| format!("cargo did not build {}", built.display()))?;
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("]\n");
    fs::write(out.join("bundled.rs"), code).context("cannot write bundled.rs")
}

/// Where plugins are built, once for all profiles of the host: `plugins-HASH` in cargo's target directory, which is
/// four levels above `OUT_DIR` (`target/PROFILE/build/PACKAGE-HASH/out`). Cargo locks it. `HASH` names the checkout:
/// several may share a target directory (`CARGO_TARGET_DIR`), but the files that cargo makes have no hash in their names.
fn plugins_target(out: &Path) -> Result<PathBuf> {
    let root = env::var_os("CARGO_MANIFEST_DIR").context("not run by cargo")?;
    let mut hash = DefaultHasher::new();
    root.hash(&mut hash);
    let name = format!("plugins-{:016x}", hash.finish());
    let [build, target] = [2, 4].map(|level| out.ancestors().nth(level));
    match target {
        Some(target) if build.and_then(Path::file_name) == Some("build".as_ref()) => {
            Ok(target.join(name))
        }
        // Another layout, of another cargo.
        _ => Ok(out.join("plugins")),
    }
}
