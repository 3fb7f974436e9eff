//! The root file system of a guest, as an initramfs: programs, the host, the test programs, and a kernel's modules.
//!
//! An initramfs is any number of cpio archives in a row: one that all kernels share, and one for each kernel.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::command::output;
use crate::packages::Apt;
use crate::packages::Image;
use crate::parts::Program;
use crate::programs::Programs;
use crate::tools::Tools;

/// Programs of a guest.
const PACKAGES: &[&str] = &[
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "grep",
    "iproute2",
    "kmod",
    "libcap2-bin",
    "libelf1t64",
    "mount",
    "nftables",
    "procps",
    "sed",
    "util-linux",
    "zlib1g",
];

/// Modules for the networks of the tests, with those that they need. Those that a kernel does not have are built in,
/// or are part of another one: `nft_counter` since 5.18.
const MODULES: &[&str] = &[
    "veth",
    "nf_tables",
    "nft_numgen",
    "tcp_diag",
    "nft_counter",
    "nft_limit",
    "sch_netem",
    "sch_tbf",
];

/// What no test reads, and would take memory.
const NOT_NEEDED: &[&str] = &[
    "usr/share",
    "var",
    "usr/lib/udev",
    "usr/lib/systemd",
    "usr/include",
];

/// The first process of a guest.
const INIT: &str = include_str!("../guest/init");

/// Where the tests expect the repository.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Makes the archive that all kernels of an architecture share.
pub fn shared(apt: &Apt, tools: &Tools, programs: &Programs, directory: &Path) -> Result<PathBuf> {
    let architecture = programs.architecture;
    let userland = apt.unpack(architecture, PACKAGES, "guest")?.root;
    let root = directory.join(format!("root-{architecture}"));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root)?;
    output(
        Command::new("cp")
            .arg("--archive")
            .arg(userland.join("."))
            .arg(&root),
    )?;
    for path in NOT_NEEDED {
        let _ = fs::remove_dir_all(root.join(path));
    }
    for name in [
        "proc",
        "sys",
        "dev",
        "tmp",
        "run",
        "home",
        "root/.cache",
        "var/lib",
        "var/log",
        "var/tmp",
    ] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    )?;
    fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let copy = |file: &Path, to: PathBuf| -> Result<()> {
        fs::create_dir_all(to.parent().context("a file is in a directory")?)?;
        fs::copy(file, &to).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(())
    };
    // The test programs contain these paths.
    copy(&programs.host, inside(&programs.host_of_tests))?;
    copy(&programs.probe, inside(&programs.probe))?;
    for program in Program::ALL {
        copy(program.of(programs), inside(Path::new(program.in_guest())))?;
    }
    let temporary = &programs.temporary;
    fs::create_dir_all(inside(temporary).parent().context("it is below target/")?)?;
    fs::write(
        root.join("paths"),
        format!(
            "HOST='{}'\nTEMPORARY='{}'\n",
            programs.host_of_tests.display(),
            temporary.display()
        ),
    )?;
    let init = root.join("init");
    fs::write(&init, INIT)?;
    output(Command::new("chmod").arg("755").arg(&init))?;
    let archive = directory.join(format!("root-{architecture}.cpio"));
    tools.archive(&root, &archive)?;
    Ok(archive)
}

/// Writes the initramfs of one kernel: the shared archive, its modules, and the parts to run.
pub fn for_kernel(
    tools: &Tools,
    shared: &Path,
    image: &Image,
    parts: &str,
    directory: &Path,
) -> Result<PathBuf> {
    let root = directory.join("root");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("modules"))?;
    let mut order = String::new();
    for module in modules(tools, image)? {
        let name = module.file_name().context("a module is a file")?;
        fs::copy(&module, root.join("modules").join(name))
            .with_context(|| format!("cannot copy {}", module.display()))?;
        order.push_str(&name.to_string_lossy());
        order.push('\n');
    }
    fs::write(root.join("modules/order"), order)?;
    fs::write(root.join("parts"), parts)?;
    let own = directory.join("own.cpio");
    tools.archive(&root, &own)?;
    let path = directory.join("initramfs");
    let mut initramfs = File::create(&path)?;
    for archive in [shared, &own] {
        io::copy(&mut File::open(archive)?, &mut initramfs)?;
        // The kernel wants archives to begin at multiples of four; any number of zero bytes may lie between them.
        let length = initramfs.metadata()?.len();
        initramfs.write_all(&vec![0; (length.next_multiple_of(512) - length) as usize])?;
    }
    fs::remove_dir_all(&root)?;
    fs::remove_file(&own)?;
    Ok(path)
}

/// The kernel's modules in an order in which they can be loaded.
fn modules(tools: &Tools, image: &Image) -> Result<Vec<PathBuf>> {
    let release = release(image)?;
    output(
        tools
            .kmod("depmod")
            .arg("-b")
            .arg(&image.root)
            .arg(&release),
    )?;
    let mut modules = Vec::new();
    let mut seen = BTreeSet::new();
    for name in MODULES {
        let mut show = tools.kmod("modprobe");
        show.arg("-d")
            .arg(&image.root)
            .args(["-S", &release, "--show-depends", name]);
        let Ok(shown) = output(&mut show) else {
            continue;
        };
        for path in shown
            .lines()
            .filter_map(|line| line.strip_prefix("insmod "))
        {
            let path = PathBuf::from(path.trim());
            if seen.insert(path.clone()) {
                modules.push(path);
            }
        }
    }
    ensure!(
        !modules.is_empty(),
        "{} has none of the modules {}",
        image.root.display(),
        MODULES.join(", ")
    );
    Ok(modules)
}

/// The release, as `uname -r` prints it.
fn release(image: &Image) -> Result<String> {
    let directory = image.root.join("lib/modules");
    let first = fs::read_dir(&directory)
        .ok()
        .and_then(|mut entries| entries.next());
    let entry = first.with_context(|| format!("{} is empty", directory.display()))??;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

/// The kernel itself.
pub fn kernel(image: &Image) -> Result<PathBuf> {
    let release = release(image)?;
    [
        image.root.join("boot").join(format!("vmlinuz-{release}")),
        image
            .root
            .join("lib/modules")
            .join(&release)
            .join("vmlinuz"),
    ]
    .into_iter()
    .find(|path| path.is_file())
    .with_context(|| format!("{} has no vmlinuz", image.root.display()))
}

/// The kernel's HZ, timer interrupts a second; `None` if its packages do not tell, as since 7.2.
pub fn hz(image: &Image) -> Option<u32> {
    let release = release(image).ok()?;
    let config =
        fs::read_to_string(image.root.join("boot").join(format!("config-{release}"))).ok()?;
    let value = config
        .lines()
        .find_map(|line| line.strip_prefix("CONFIG_HZ="))?;
    value.parse().ok()
}
