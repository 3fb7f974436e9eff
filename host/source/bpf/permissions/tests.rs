//! Causes of refusals, on kernels and in confinements that no test machine has.

use libbpf_rs::ErrorKind::InvalidInput;
use libbpf_rs::ErrorKind::NotFound;
use libbpf_rs::ErrorKind::PermissionDenied;

use super::*;

/// An unconfined process with the two capabilities, on a current kernel.
fn facts() -> Facts {
    Facts {
        effective: CapabilitySet::BPF | CapabilitySet::PERFMON,
        user_namespace: Some(4_026_531_837),
        pid_namespace: Some(4_026_531_836),
        confidential: false,
        kernel: Some((6, 18)),
        locked_memory: Some(64 << 10),
        perf_event_paranoid: Some(2),
        bpf_refused: None,
    }
}

#[test]
fn where_nothing_is_wrong_no_cause_is_named() {
    assert_eq!(facts().check_user_namespace(), Ok(()));
    assert_eq!(facts().check_capabilities(), Ok(()));
    assert_eq!(facts().check_system_call(), Ok(()));
    assert_eq!(facts().check_lockdown(), Ok(()));
    for error in [PermissionDenied, InvalidInput, NotFound] {
        assert_eq!(facts().explain(error), None);
        assert_eq!(facts().explain_classic(error), None);
    }
    assert!(facts().sees_all_processes());
}

#[test]
fn the_missing_capability_is_named() {
    let missing = missing_capabilities;
    assert_eq!(missing(CapabilitySet::empty()), ["CAP_BPF", "CAP_PERFMON"]);
    assert_eq!(missing(CapabilitySet::BPF), ["CAP_PERFMON"]);
    assert_eq!(missing(CapabilitySet::PERFMON), ["CAP_BPF"]);
    let both = CapabilitySet::BPF | CapabilitySet::PERFMON;
    assert!(missing(both).is_empty());
    assert!(missing(CapabilitySet::SYS_ADMIN).is_empty());
}

#[test]
fn all_capabilities_of_another_user_namespace_count_for_nothing() {
    let facts = Facts {
        user_namespace: Some(4_026_532_001),
        effective: CapabilitySet::all(),
        ..facts()
    };
    assert_eq!(facts.check_user_namespace(), Err(Refusal::UserNamespace));
    let unknown = Facts {
        user_namespace: None,
        ..facts
    };
    assert_eq!(unknown.check_user_namespace(), Ok(()));
}

#[test]
fn a_kernel_that_keeps_its_memory_secret_is_named() {
    let facts = Facts {
        confidential: confidential("none integrity [confidentiality]\n"),
        ..facts()
    };
    assert_eq!(facts.check_lockdown(), Err(Refusal::Lockdown));
    assert_eq!(facts.explain(InvalidInput), Some(Refusal::Lockdown));
    assert_eq!(facts.explain_classic(InvalidInput), Some(Refusal::Lockdown));
    assert_eq!(facts.explain(NotFound), None);
    assert!(!confidential("none [integrity] confidentiality\n"));
}

#[test]
fn locked_memory_is_named_on_kernels_that_count_maps_as_such_and_only_where_it_is_limited() {
    let old = Facts {
        kernel: version("5.10.0-33-amd64"),
        ..facts()
    };
    let refusal = old.explain(PermissionDenied).expect("it is too little");
    let words = refusal.to_string();
    assert!(
        words.starts_with("Linux 5.10 counts BPF maps as locked memory"),
        "{words}"
    );
    assert!(
        words.contains("may have 64.0 KiB (RLIMIT_MEMLOCK)"),
        "{words}"
    );
    assert_eq!(old.explain(InvalidInput), None);
    let unlimited = Facts {
        locked_memory: None,
        ..old.clone()
    };
    assert_eq!(unlimited.explain(PermissionDenied), None);
    let may_raise = Facts {
        effective: old.effective | CapabilitySet::SYS_RESOURCE,
        ..old.clone()
    };
    assert_eq!(may_raise.explain(PermissionDenied), None);
    let new = Facts {
        kernel: version("5.11.0"),
        ..old
    };
    assert_eq!(new.explain(PermissionDenied), None);
}

#[test]
fn perf_event_paranoid_is_named_for_the_classic_tracepoint_and_for_nothing_else() {
    let debian = Facts {
        perf_event_paranoid: Some(3),
        ..facts()
    };
    let denied = debian.explain_classic(PermissionDenied);
    assert_eq!(denied, Some(Refusal::PerfEvents(3)));
    assert_eq!(debian.explain(PermissionDenied), None);
    assert_eq!(debian.explain_classic(NotFound), None);
    let root = Facts {
        effective: CapabilitySet::all(),
        ..debian
    };
    assert_eq!(root.explain_classic(PermissionDenied), None);
}

#[test]
fn before_5_19_reading_a_map_needs_a_capability_where_users_may_not_use_bpf() {
    let none = CapabilitySet::empty();
    for (kernel, disabled, needed) in [
        ((5, 18), "2\n", CapabilitySet::BPF),
        ((5, 10), "1\n", CapabilitySet::BPF),
        ((5, 10), "0\n", none),
        ((5, 19), "2\n", none),
        ((6, 1), "1\n", none),
    ] {
        assert_eq!(
            needed_by(Some(kernel), Some(disabled)),
            needed,
            "{kernel:?} {disabled}"
        );
    }
    // What is not known may be needed.
    assert_eq!(needed_by(None, None), CapabilitySet::BPF);
}

#[test]
fn another_pid_namespace_hides_processes() {
    let container = Facts {
        pid_namespace: Some(4_026_532_002),
        ..facts()
    };
    assert!(!container.sees_all_processes());
}

#[test]
fn what_a_kernel_calls_itself_has_its_version_at_the_beginning() {
    assert_eq!(version("6.18.44-fc-v657\n"), Some((6, 18)));
    assert_eq!(version("5.10\n"), Some((5, 10)));
    assert_eq!(version("linux"), None);
}
