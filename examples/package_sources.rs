//! Writes the sources of the SDK and of the bundled plugins to a directory, for `scripts/package.sh`. Manifests are
//! renamed: cargo leaves a directory with a `Cargo.toml` out of a package.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use retrans_host::plugin::sources;

fn main() -> io::Result<()> {
    let to = env::args_os().nth(1).map(PathBuf::from);
    let to = to.ok_or_else(|| io::Error::other("expected a directory"))?;
    for (path, text) in sources::FILES {
        let path = to.join(path);
        let is_manifest = path.file_name().is_some_and(|name| name == "Cargo.toml");
        let path = match is_manifest {
            true => path.with_file_name("manifest.toml"),
            false => path,
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}
