//! A control group as container runtimes make them, for one process of a test.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

/// Where version 2 of control groups is mounted: by itself, or beside version 1.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Directories that are removed when this is dropped, the innermost first. By then nobody may live in
/// it.
pub struct Cgroup(Vec<PathBuf>);

impl Cgroup {
    /// Makes the path below the root, or gives `None` where this machine has no version 2.
    pub fn new(path: &str) -> Result<Option<Cgroup>> {
        let is_v2 = |root: &&&str| Path::new(root).join("cgroup.controllers").exists();
        let Some(root) = ROOTS.iter().find(is_v2) else {
            return Ok(None);
        };
        let mut cgroup = Cgroup(Vec::new());
        let mut directory = PathBuf::from(root);
        for component in path.split('/') {
            directory.push(component);
            fs::create_dir(&directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
            cgroup.0.push(directory.clone());
        }
        Ok(Some(cgroup))
    }

    /// Moves a process in.
    pub fn take(&self, pid: u32) -> Result<()> {
        let file = self.0.last().context("a path")?.join("cgroup.procs");
        fs::write(&file, pid.to_string())
            .with_context(|| format!("cannot write to {}", file.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in self.0.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}
