//! A kernel by its series, flavour and architecture: `6.12`, `6.12-rt`, `7.3-arm64`.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

/// A kernel that Debian packages: the newest version of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    series: String,
    flavour: Flavour,
    /// The architecture.
    pub architecture: Architecture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flavour {
    /// For virtual machines: the smallest.
    Cloud,
    /// PREEMPT_RT: softirqs run in threads, and can be preempted.
    Rt,
}

/// An architecture that the host is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl Kernel {
    /// The series, for example `6.12`.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// Number of the guest's processors. PREEMPT_RT has two: its locks are for several.
    pub fn cpus(&self) -> u32 {
        match self.flavour {
            Flavour::Cloud => 1,
            Flavour::Rt => 2,
        }
    }

    /// Returns whether this is the package of one of this kernel's versions: of the image, or of the binary, as it is
    /// called since 7.2.
    pub fn is_image(&self, package: &str) -> bool {
        let version = ["linux-image-", "linux-binary-"]
            .iter()
            .find_map(|prefix| package.strip_prefix(prefix));
        let flavour = match self.flavour {
            Flavour::Cloud => "cloud",
            Flavour::Rt => "rt",
        };
        let suffix = format!("-{flavour}-{}", self.architecture);
        let version = version.and_then(|version| version.strip_suffix(&suffix));
        let patch = version.and_then(|version| version.strip_prefix(&self.series));
        patch
            .and_then(|patch| patch.strip_prefix('.'))
            .is_some_and(|patch| patch.starts_with(|first: char| first.is_ascii_digit()))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.series)?;
        if self.flavour == Flavour::Rt {
            f.write_str("-rt")?;
        }
        if self.architecture != Architecture::Amd64 {
            write!(f, "-{}", self.architecture)?;
        }
        Ok(())
    }
}

impl FromStr for Kernel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Kernel> {
        let mut words = text.split('-');
        let series = words.next().unwrap_or_default();
        let is_number = |part: &str| part.parse::<u16>().is_ok();
        let parts: Vec<&str> = series.split('.').collect();
        ensure!(
            parts.len() == 2 && parts.into_iter().all(is_number),
            "{text:?} is no kernel: expected a series such as 6.12, 6.12-rt or 6.12-arm64"
        );
        let mut kernel = Kernel {
            series: series.to_owned(),
            flavour: Flavour::Cloud,
            architecture: Architecture::Amd64,
        };
        for word in words {
            match word {
                "rt" => kernel.flavour = Flavour::Rt,
                "amd64" => kernel.architecture = Architecture::Amd64,
                "arm64" => kernel.architecture = Architecture::Arm64,
                other => bail!("{text:?} is no kernel: {other:?} is neither rt, amd64 nor arm64"),
            }
        }
        Ok(kernel)
    }
}

impl Architecture {
    /// This machine's. The error names it if no guest can be started there.
    pub fn of_this_machine() -> Result<Architecture> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Architecture::Amd64),
            "aarch64" => Ok(Architecture::Arm64),
            other => bail!("guests are started on x86_64 and aarch64, not on {other}"),
        }
    }

    /// Rust's target.
    pub fn target(self) -> &'static str {
        match self {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The directory of libraries below `/usr/lib`, and the triple of C compilers.
    pub fn triple(self) -> &'static str {
        match self {
            Architecture::Amd64 => "x86_64-linux-gnu",
            Architecture::Arm64 => "aarch64-linux-gnu",
        }
    }
}

/// Debian's name.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_printed() {
        for name in ["5.10", "6.12-rt", "7.3-arm64", "6.12-rt-arm64"] {
            assert_eq!(name.parse::<Kernel>().expect("a name").to_string(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_form_of_one() {
        for name in ["", "6", "6.x", "6.12.1", "linux-6.12", "6.12-cloudy"] {
            let error = name.parse::<Kernel>().expect_err(name).to_string();
            assert!(error.contains("is no kernel"), "{error}");
        }
    }

    #[test]
    fn packages_of_other_series_flavours_and_architectures_are_not_this_kernels() {
        let kernel: Kernel = "6.1".parse().expect("a name");
        for package in [
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-binary-6.1.9+deb13-cloud-amd64",
        ] {
            assert!(kernel.is_image(package), "{package}");
        }
        for package in [
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.1.0-56-rt-amd64",
            "linux-image-6.1.0-56-cloud-arm64",
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64-dbg",
            "linux-modules-6.1.9+deb13-cloud-amd64",
        ] {
            assert!(!kernel.is_image(package), "{package}");
        }
    }
}
