//! A process that does nothing but live in a namespace, so that its counters can be found.

use std::process::Child;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;

use super::netns::Namespace;
use super::netns::command;

/// Ended when dropped.
pub struct Bystander(Child);

impl Bystander {
    /// Moves in. Goes by itself after ten minutes, should the test be killed.
    pub fn of(namespace: &Namespace) -> Result<Bystander> {
        let sleep = || command("sleep").arg("600").stdin(Stdio::null()).spawn();
        let child = namespace.enter(sleep)?.context("cannot start sleep")?;
        Ok(Bystander(child))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
