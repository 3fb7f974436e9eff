//! Kernel lockdown. It can be raised, and not be lowered until the machine is started again: a part of its own.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::support::root::skipped;
use crate::watching::assert_says_why_not;
use crate::watching::assert_watches;
use crate::watching::guest_test;

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

#[test]
fn root_integrity_is_fine_and_confidentiality_is_named() -> Result<()> {
    guest_test(|root| {
        if !Path::new(LOCKDOWN).exists() {
            skipped("this kernel has no lockdown");
            return Ok(());
        }
        raise("integrity")?;
        for attach in ["btf", "tracepoint"] {
            assert_watches(root, &[], &["--attach", attach])?;
        }
        raise("confidentiality")?;
        for attach in ["btf", "tracepoint"] {
            let words = ["locked down", "lockdown=integrity"];
            assert_says_why_not(&[], &["--attach", attach], &words);
        }
        Ok(())
    })
}

fn raise(level: &str) -> Result<()> {
    fs::write(LOCKDOWN, level).with_context(|| format!("cannot raise lockdown to {level}"))?;
    let now = fs::read_to_string(LOCKDOWN)?;
    ensure!(now.contains(&format!("[{level}]")), "{LOCKDOWN} has {now}");
    Ok(())
}
