//! Filters that do not parse, that name what is not there, or that can never match: one line, before anything starts.

use crate::bad_input::refused;
use crate::common::captures::host;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::output;

#[test]
fn a_filter_that_does_not_parse_or_that_names_what_is_not_there() {
    for (option, value, words) in [
        ("--port", "http", &["--port http", "such as 443"][..]),
        ("--peer-port", "90-80", &["--peer-port 90-80", "8000-8999"]),
        ("--local-port", "65536", &["--local-port 65536", "65535"]),
        (
            "--peer",
            "10.0.0.0/33",
            &["--peer 10.0.0.0/33", "10.0.0.0/8"],
        ),
        ("--local", "host", &["--local host", "2001:db8::/32"]),
        ("--kind", "slow", &["--kind slow", "tail_loss_probe"]),
        (
            "--kind",
            "other(9)",
            &["--kind other(9)", "expected one of"],
        ),
        ("--state", "opened", &["--state opened", "ESTABLISHED"]),
        (
            "--netns",
            "/etc/passwd",
            &["--netns", "is not a network namespace"],
        ),
        (
            "--netns",
            "no-such-name",
            &["cannot open /run/netns/no-such-name"],
        ),
        (
            "--netns",
            "4194304",
            &["--netns 4194304", "no process has this number"],
        ),
        (
            "--pid",
            "4194304",
            &["--pid 4194304", "no process has this number"],
        ),
        (
            "--comm",
            "a-name-of-16-byte",
            &["--comm", "at most 15 bytes"],
        ),
        (
            "--cgroup",
            "no-such-group",
            &["--cgroup no-such-group", "cannot open"],
        ),
        (
            "--cgroup",
            "/etc",
            &["--cgroup /etc", "not a control group"],
        ),
        ("--sample", "10", &["--sample", "such as 1/10"]),
        ("--sample", "1/0", &["--sample", "such as 1/10"]),
        ("--max-rate", "0/s", &["--max-rate", "such as 1000/s"]),
    ] {
        refused(&[option, value], USAGE, words);
    }
    let many: Vec<_> = (0..600)
        .map(|net| format!("10.{}.{}.0/25", net / 256, net % 256))
        .collect();
    refused(
        &["--peer", &many.join(",")],
        USAGE,
        &["--peer", "600 separate ranges"],
    );
    let many: Vec<_> = (0..65)
        .map(|netns| (4_026_531_840_u32 + netns).to_string())
        .collect();
    refused(
        &["--netns", &many.join(",")],
        USAGE,
        &["--netns", "65 values", "at most 64"],
    );
}

#[test]
fn filters_that_can_never_match_together() {
    let never = "exclude each other";
    refused(
        &["-4", "--peer", "2001:db8::/32"],
        USAGE,
        &["-4 and --peer", never],
    );
    refused(
        &["-6", "--local", "10.0.0.0/8"],
        USAGE,
        &["-6 and --local", never],
    );
    let both = ["--peer", "10.0.0.0/8", "--local", "fd00::/8"];
    refused(&both, USAGE, &["--peer and --local", never]);
    let ports = ["--port", "443", "--local-port", "80", "--peer-port", "81"];
    refused(
        &ports,
        USAGE,
        &["--port", "--local-port", "--peer-port", never],
    );
    refused(
        &["--no-owners", "--comm", "nginx"],
        USAGE,
        &["--no-owners", "--comm"],
    );
}

#[test]
fn a_replay_takes_namespaces_by_inode_and_no_filter_of_the_probe_alone() {
    let words = [
        "--netns /proc/self/ns/net",
        "inodes of network namespaces only",
    ];
    let arguments = ["replay", "a.rtc", "--netns", "/proc/self/ns/net"];
    refused(&arguments, USAGE, &words);
    for option in [["--max-rate", "5/s"], ["--cgroup", "a"]] {
        let output = output(host(Files::new().path(), &["replay", "a.rtc"]).args(option));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
        assert!(stderr.contains(option[0]), "{stderr}");
    }
}
