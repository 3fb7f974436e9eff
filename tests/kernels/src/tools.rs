//! Programs of Debian that run on this machine without being installed: QEMU, kmod and busybox.
//!
//! Each is started by the dynamic linker of its own C library, so that it does not matter which one this machine has.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::output;
use crate::kernel::Architecture;
use crate::packages::Apt;

/// The packages of the tools.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "kmod",
    "qemu-system-arm",
    "qemu-system-x86",
];

/// The unpacked tools.
pub struct Tools {
    root: PathBuf,
    triple: &'static str,
    linker: PathBuf,
}

impl Tools {
    /// Fetches and unpacks the tools for this machine.
    pub fn fetch(apt: &Apt) -> Result<Tools> {
        let here = Architecture::of_this_machine()?;
        let linker = match here {
            Architecture::Amd64 => "usr/lib64/ld-linux-x86-64.so.2",
            Architecture::Arm64 => "usr/lib/ld-linux-aarch64.so.1",
        };
        let root = apt.unpack(here, PACKAGES, "tools")?.root;
        Ok(Tools {
            linker: root.join(linker),
            triple: here.triple(),
            root,
        })
    }

    /// QEMU for an architecture, without arguments of the machine.
    pub fn qemu(&self, architecture: Architecture) -> Command {
        let name = match architecture {
            Architecture::Amd64 => "qemu-system-x86_64",
            Architecture::Arm64 => "qemu-system-aarch64",
        };
        let libraries = self.libraries();
        // Ended with this process, however that ends. The option is kept across exec.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "--"]).arg(&self.linker);
        qemu.arg("--library-path")
            .arg(&libraries)
            .arg(self.root.join("usr/bin").join(name));
        for data in ["qemu", "seabios"] {
            qemu.arg("-L").arg(self.root.join("usr/share").join(data));
        }
        qemu.env("QEMU_MODULE_DIR", libraries.join("qemu"));
        qemu
    }

    /// The version of QEMU, as it prints it.
    pub fn qemu_version(&self) -> Result<String> {
        let version = output(self.qemu(Architecture::Amd64).arg("--version"))?;
        Ok(version.lines().next().unwrap_or_default().to_owned())
    }

    /// One of kmod's programs.
    pub fn kmod(&self, name: &str) -> Command {
        let mut kmod = Command::new(&self.linker);
        kmod.arg("--library-path")
            .arg(self.libraries())
            .args(["--argv0", name])
            .arg(self.root.join("usr/bin/kmod"));
        kmod
    }

    /// Makes a cpio archive, in the format of an initramfs, of a directory.
    pub fn archive(&self, directory: &Path, archive: &Path) -> Result<()> {
        let script = "find . | \"$0\" cpio -o -H newc -R 0:0 >\"$1\"";
        output(
            Command::new("sh")
                .args(["-c", script])
                .arg(self.root.join("usr/bin/busybox"))
                .arg(archive)
                .current_dir(directory),
        )?;
        Ok(())
    }

    fn libraries(&self) -> PathBuf {
        self.root.join("usr/lib").join(self.triple)
    }
}
