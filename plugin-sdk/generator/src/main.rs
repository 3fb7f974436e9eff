//! Writes the generated files of the SDKs.

fn main() -> anyhow::Result<()> {
    sdk_generator::write()
}
