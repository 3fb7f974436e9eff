//! Debian packages in a directory of their own: nothing is installed on this machine.
//!
//! apt downloads and checks them, as root or not: it has its own configuration, lists and cache here, and an empty
//! database of installed packages.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use crate::command::output;
use crate::kernel::Architecture;
use crate::kernel::Kernel;

/// The releases that have the kernels, and their archives of security updates. Programs come from the last one.
const RELEASES: [&str; 3] = ["bullseye", "bookworm", "trixie"];
/// The last release, whose programs and libraries guests and tools have.
const PROGRAMS: &str = "trixie";
/// Backports have newer kernels.
const BACKPORTS: [&str; 2] = ["bookworm-backports", "trixie-backports"];

/// Debian's keys, with which apt checks the lists.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The variable with the address of a mirror. Security updates are expected beside it, at `…-security`.
const MIRROR: &str = "DEBIAN_MIRROR";

/// Age at which package lists are fetched again.
const LISTS_AGE: Duration = Duration::from_secs(12 * 3_600);

/// An apt with its own directories.
pub struct Apt {
    directory: PathBuf,
    /// Held while apt runs on behalf of one of several threads.
    running: Mutex<()>,
}

/// The files of some packages, unpacked into one directory.
pub struct Unpacked {
    /// The directory.
    pub root: PathBuf,
}

/// The newest version of a kernel.
pub struct Image {
    /// Directory with the unpacked files.
    pub root: PathBuf,
    /// Debian's version, for example `6.12.117-1`.
    pub version: String,
}

impl Apt {
    /// Prepares the directories and fetches the package lists, unless they are recent.
    pub fn open(directory: PathBuf) -> Result<Apt> {
        ensure!(
            Path::new(KEYRING).is_file(),
            "{KEYRING} is missing: install the package debian-archive-keyring"
        );
        for path in [
            "lists/partial",
            "archives/partial",
            "etc/apt.conf.d",
            "etc/preferences.d",
        ] {
            fs::create_dir_all(directory.join(path))?;
        }
        let apt = Apt {
            directory,
            running: Mutex::new(()),
        };
        let text = sources(&mirror()?);
        let sources = apt.directory.join("etc/sources.list");
        let unchanged = fs::read_to_string(&sources).is_ok_and(|old| old == text);
        fs::write(&sources, &text)?;
        fs::write(apt.directory.join("status"), "")?;
        let here = apt.directory.display();
        fs::write(
            apt.directory.join("apt.conf"),
            format!(
                "Dir::State \"{here}\";\nDir::State::status \"{here}/status\";\nDir::State::lists \"{here}/lists\";\n\
                 Dir::Cache \"{here}\";\nDir::Cache::archives \"{here}/archives\";\nDir::Etc \"{here}/etc\";\n\
                 Dir::Etc::parts \"apt.conf.d\";\nAPT::Architectures {{ \"amd64\"; \"arm64\"; }};\n\
                 APT::Install-Recommends \"0\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
                 APT::Sandbox::User \"root\";\n"
            ),
        )?;
        let fetched = apt.directory.join("fetched");
        let age = fs::metadata(&fetched).and_then(|file| file.modified());
        let is_recent = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < LISTS_AGE));
        if !(unchanged && is_recent) {
            output(apt.command("apt-get").args(["update", "--error-on=any"]))
                .context("cannot fetch Debian's package lists")?;
            fs::write(&fetched, "")?;
        }
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.directory.join("apt.conf"))
            .env("LC_ALL", "C")
            .args(["-q", "-o", "Debug::NoLocking=1"]);
        command
    }

    /// Downloads and unpacks programs of [`PROGRAMS`] with all that they depend on.
    pub fn unpack(
        &self,
        architecture: Architecture,
        packages: &[&str],
        name: &str,
    ) -> Result<Unpacked> {
        let mut install = self.command("apt-get");
        install
            .args(["-o", &format!("APT::Architecture={architecture}")])
            .args(["--yes", "--target-release", PROGRAMS, "install"])
            .args(packages);
        let context = || format!("cannot fetch {}", packages.join(", "));
        // With an empty cache: apt leaves out what it has fetched before.
        let empty = self.directory.join("empty");
        fs::create_dir_all(empty.join("partial"))?;
        install.args([
            "--print-uris",
            "-o",
            &format!("Dir::Cache::archives={}", empty.display()),
        ]);
        let plan = output(&mut install).with_context(context)?;
        // 'URI' FILE SIZE HASH
        let files: Vec<&str> = plan
            .lines()
            .filter(|line| line.starts_with('\''))
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        ensure!(
            !files.is_empty(),
            "apt found nothing to fetch for {}",
            packages.join(", ")
        );
        let root = self.directory.join(format!("{name}-{architecture}"));
        unpack_once(&root, &files, || {
            let mut install = self.command("apt-get");
            install
                .args(["-o", &format!("APT::Architecture={architecture}")])
                .args([
                    "--yes",
                    "--target-release",
                    PROGRAMS,
                    "--download-only",
                    "install",
                ])
                .args(packages);
            output(&mut install).with_context(context)?;
            Ok(files
                .iter()
                .map(|file| self.directory.join("archives").join(file))
                .collect())
        })?;
        Ok(Unpacked { root })
    }

    /// Downloads and unpacks the newest version of a kernel.
    pub fn kernel(&self, kernel: &Kernel) -> Result<Image> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (package, version) = self.newest(kernel)?;
        let mut names = vec![package.clone()];
        names.extend(modules_of(&package));
        let packages: Vec<String> = names
            .iter()
            .map(|name| format!("{name}:{}={version}", kernel.architecture))
            .collect();
        let root = self.directory.join(format!("kernel-{kernel}"));
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        unpack_once(&root, &names, || {
            let downloads = self.directory.join(format!("archives/kernel-{kernel}"));
            let _ = fs::remove_dir_all(&downloads);
            fs::create_dir_all(&downloads)?;
            output(
                self.command("apt-get")
                    .arg("download")
                    .args(&packages)
                    .current_dir(&downloads),
            )
            .with_context(|| format!("cannot fetch {}", packages.join(", ")))?;
            Ok(files_below(&downloads)?)
        })?;
        Ok(Image { root, version })
    }

    /// Package and version of the newest version that Debian still has: of superseded ones, the modules are removed
    /// before the signed binary.
    pub fn newest(&self, kernel: &Kernel) -> Result<(String, String)> {
        let mut search = self.command("apt-cache");
        search.args(["search", "--names-only", "^linux-(image|binary)-"]);
        let found = output(&mut search)?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        let images: Vec<&str> = names.filter(|name| kernel.is_image(name)).collect();
        let releases = RELEASES.join(", ");
        ensure!(
            !images.is_empty(),
            "Debian has no kernel {kernel}: no package of {releases} is named linux-image-{}.…",
            kernel.series()
        );
        let all = images.iter().copied().map(str::to_owned);
        let packages: Vec<String> = all
            .chain(images.iter().filter_map(|image| modules_of(image)))
            .map(|name| format!("{name}:{}", kernel.architecture))
            .collect();
        let versions = output(self.command("apt-cache").arg("madison").args(&packages))?;
        // PACKAGE | VERSION | SOURCE
        let versions: Vec<(&str, &str)> = versions
            .lines()
            .filter_map(|line| {
                let mut columns = line.split('|').map(str::trim);
                let package = columns.next()?.split(':').next()?;
                Some((package, columns.next()?))
            })
            .collect();
        let mut newest: Option<(&str, &str)> = None;
        for (package, version) in versions
            .iter()
            .copied()
            .filter(|(name, _)| images.contains(name))
        {
            let is_whole = match modules_of(package) {
                Some(modules) => versions.contains(&(modules.as_str(), version)),
                // An image has its modules, or only depends on a binary.
                None => !versions
                    .iter()
                    .any(|(name, _)| Some(*name) == binary_of(package).as_deref()),
            };
            if is_whole && newest.is_none_or(|(_, best)| is_newer(version, best)) {
                newest = Some((package, version));
            }
        }
        let (package, version) = newest.with_context(|| {
            format!("Debian has no whole kernel {kernel} any more: those of {releases} lack their modules")
        })?;
        Ok((package.to_owned(), version.to_owned()))
    }
}

/// The package with the modules of a binary.
fn modules_of(package: &str) -> Option<String> {
    let rest = package.strip_prefix("linux-binary-")?;
    Some(format!("linux-modules-{rest}"))
}

/// The binary that an image depends on, since 7.0.
fn binary_of(package: &str) -> Option<String> {
    let rest = package.strip_prefix("linux-image-")?;
    Some(format!("linux-binary-{rest}"))
}

/// Unpacks archives unless the directory has these already.
fn unpack_once(
    root: &Path,
    names: &[&str],
    archives: impl FnOnce() -> Result<Vec<PathBuf>>,
) -> Result<()> {
    // Not with_extension: the name may have a dot.
    let stamp = PathBuf::from(format!("{}.list", root.display()));
    let list = names.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|old| old == list) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp);
    let _ = fs::remove_dir_all(root);
    fs::create_dir_all(root)?;
    for archive in archives()? {
        output(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(&archive)
                .arg(root),
        )
        .with_context(|| format!("cannot unpack {}", archive.display()))?;
    }
    // Where /bin, /sbin, /lib and /lib64 are on Debian since 2023. Packages do not bring the links.
    for name in ["bin", "sbin", "lib", "lib64"] {
        if !root.join(name).exists() && root.join("usr").join(name).exists() {
            symlink(Path::new("usr").join(name), root.join(name))?;
        }
    }
    Ok(fs::write(&stamp, list)?)
}

fn files_below(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

/// Returns whether a version is newer than another, as dpkg compares them.
fn is_newer(version: &str, than: &str) -> bool {
    let mut compare = Command::new("dpkg");
    compare.args(["--compare-versions", version, "gt", than]);
    compare.status().is_ok_and(|status| status.success())
}

/// The mirror of Debian that this machine's apt uses, or that [`MIRROR`] names.
fn mirror() -> Result<String> {
    if let Ok(mirror) = env::var(MIRROR) {
        return Ok(mirror.trim_end_matches('/').to_owned());
    }
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(SITE)",
        "Created-By: Packages",
    ]))
    .context("make kernels fetches kernels with Debian's apt")?;
    // The archive of security updates is at another address, which follows from this one.
    let site = targets
        .lines()
        .map(|line| line.trim_end_matches('/'))
        .find(|site| site.ends_with("/debian"));
    match site {
        Some(site) => Ok(site.to_owned()),
        None => bail!("this machine's apt uses no mirror of Debian: set {MIRROR}=http://…/debian"),
    }
}

fn sources(mirror: &str) -> String {
    let mut text = String::new();
    let mut add = |site: &str, suite: &str| {
        let _ = writeln!(text, "deb [signed-by={KEYRING}] {site} {suite} main");
    };
    for release in RELEASES {
        add(mirror, release);
        add(
            &format!("{mirror}-security"),
            &format!("{release}-security"),
        );
    }
    for suite in BACKPORTS {
        add(mirror, suite);
    }
    text
}
