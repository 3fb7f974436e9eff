//! A process that only keeps a namespace alive, so that the host finds its counters.

use std::process::Child;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;

use super::netns::Namespace;
use super::netns::command;

/// Ended when dropped.
pub struct Bystander(Child);

impl Bystander {
    /// Starts it. It ends after ten minutes, should the test be killed.
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
