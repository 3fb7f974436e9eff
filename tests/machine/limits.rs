//! Limits on locked memory, which maps count against before 5.11.

use anyhow::Result;

use crate::support::kernel::is_since;
use crate::support::root::lacks;
use crate::watching::TWO;
use crate::watching::assert_says_why_not;
use crate::watching::assert_watches;
use crate::watching::guest_test;
use crate::watching::unprivileged;

#[test]
fn root_locked_memory_is_limited() -> Result<()> {
    guest_test(|root| {
        let launcher = unprivileged(TWO, "65536");
        if is_since(5, 11)? {
            return assert_watches(root, &launcher, &[]);
        }
        lacks(
            "before Linux 5.11 maps count as locked memory: 64 KiB are not enough, and that is said",
        );
        assert_says_why_not(
            &launcher,
            &[],
            &["64.0 KiB (RLIMIT_MEMLOCK)", "CAP_SYS_RESOURCE"],
        );
        // Root raises the limit.
        assert_watches(
            root,
            &["prlimit".to_owned(), "--memlock=65536".to_owned()],
            &[],
        )
    })
}
