//! Writes the bindings of the SDK.

fn main() -> anyhow::Result<()> {
    sdk_generator::write()
}
