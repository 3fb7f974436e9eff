//! The host in namespaces of its own sees the whole machine.

use anyhow::Result;

use crate::support::netns::Namespace;
use crate::watching::assert_says_why_not;
use crate::watching::assert_watches;
use crate::watching::guest_test;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn root_from_another_network_namespace_all_are_seen() -> Result<()> {
    guest_test(|root| {
        let elsewhere = Namespace::new()?;
        let enter = format!("--net={}", elsewhere.path());
        for arguments in [&[][..], &["--reconcile"]] {
            assert_watches(root, &words(&["nsenter", &enter]), arguments)?;
        }
        Ok(())
    })
}

#[test]
fn root_from_other_mount_uts_ipc_and_cgroup_namespaces_all_are_seen() -> Result<()> {
    guest_test(|root| {
        let launcher = words(&["unshare", "--mount", "--uts", "--ipc", "--cgroup"]);
        assert_watches(root, &launcher, &[])
    })
}

#[test]
fn root_in_a_user_namespace_it_is_said_that_capabilities_do_not_count() -> Result<()> {
    guest_test(|_| {
        let launcher = words(&["unshare", "--user", "--map-root-user"]);
        assert_says_why_not(&launcher, &[], &["is in a user namespace"]);
        Ok(())
    })
}
